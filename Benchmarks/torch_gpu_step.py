"""Time whole training steps of a network in PyTorch on a GPU.

A step is forward, backward and the update of all parameters by SGD with
momentum, on one random batch that lies on the GPU as 8-bit pixels and is
normalised there. Parameters are float32; bfloat16 is PyTorch's autocast.
Needs a build of PyTorch with CUDA or ROCm; prints one JSON line.
"""

import os

from measure import add_network_options, argument_parser, report, time_steps


GROUP = 10


def parse_arguments():
    parser = argument_parser(__doc__.splitlines()[0])
    add_network_options(parser)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--compile", action="store_true", help="torch.compile, mode max-autotune")
    parser.add_argument("--deterministic", type=int, choices=(0, 1), default=1)
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    import torch
    from torch_networks import build

    torch.manual_seed(1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = not arguments.deterministic
    if arguments.deterministic:
        torch.use_deterministic_algorithms(True, warn_only=True)
    network = build(arguments.network, arguments.num_layers, arguments.image_shape,
                    arguments.num_classes, arguments.trunk == "imagenet")
    network = network.to("cuda", memory_format=torch.channels_last).train()
    parameters = list(network.parameters())
    optimizer = torch.optim.SGD([value for value in parameters if value.requires_grad],
                                lr=0.01, momentum=0.9, weight_decay=1e-4, fused=True)
    shape = (arguments.batch_size, *arguments.image_shape)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8).to("cuda", memory_format=torch.channels_last)
    labels = torch.randint(0, arguments.num_classes, (arguments.batch_size,), device="cuda")

    def loss():
        images = (pixels.float() - 127.5) / 127.5
        with torch.autocast("cuda", torch.bfloat16, enabled=arguments.dtype == "bfloat16"):
            return torch.nn.functional.cross_entropy(network(images), labels)

    if arguments.compile:
        loss = torch.compile(loss, mode="max-autotune")

    def steps():
        # The host runs ahead of the GPU within a group, as in training.
        for _ in range(GROUP):
            optimizer.zero_grad(set_to_none=True)
            loss().backward()
            optimizer.step()
        torch.cuda.synchronize()

    groups = time_steps(steps, -(-arguments.warm_up // GROUP), max(1, arguments.steps // GROUP))
    seconds = [group / GROUP for group in groups]
    report("torch", torch.__version__, seconds, dtype=arguments.dtype, compiled=arguments.compile,
           deterministic=arguments.deterministic, gpu=torch.cuda.get_device_name(),
           peak_mb=torch.cuda.max_memory_allocated() >> 20,
           parameters=sum(value.numel() for value in parameters))


if __name__ == "__main__":
    main()
