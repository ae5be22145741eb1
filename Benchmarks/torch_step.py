"""Time whole training steps of a network in PyTorch on the CPU.

A step is forward, backward and the update of all parameters by SGD with
momentum, on one random batch. Run it inside .venv-torch; it prints one JSON
line.
"""

import os

from measure import add_network_options, argument_parser, report, time_steps


def parse_arguments():
    parser = argument_parser(__doc__.splitlines()[0])
    add_network_options(parser)
    parser.add_argument("--layout", choices=("contiguous", "channels-last"), default="channels-last")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    # OpenMP reads this when torch is imported.
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    import torch
    from torch_networks import build

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    layout = torch.channels_last if arguments.layout == "channels-last" else torch.contiguous_format
    network = build(arguments.network, arguments.num_layers, arguments.image_shape,
                    arguments.num_classes, arguments.trunk == "imagenet")
    network = network.to(memory_format=layout).train()
    parameters = list(network.parameters())
    optimizer = torch.optim.SGD([value for value in parameters if value.requires_grad],
                                lr=0.01, momentum=0.9, weight_decay=1e-4, fused=True)
    images = torch.rand(arguments.batch_size, *arguments.image_shape) * 2 - 1
    images = images.to(memory_format=layout)
    labels = torch.randint(0, arguments.num_classes, (arguments.batch_size,))

    def step():
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(network(images), labels).backward()
        optimizer.step()

    seconds = time_steps(step, arguments.warm_up, arguments.steps)
    report("torch", torch.__version__, seconds, threads=arguments.threads,
           layout=arguments.layout, classes=arguments.num_classes,
           parameters=sum(value.numel() for value in parameters))


if __name__ == "__main__":
    main()
