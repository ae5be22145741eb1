"""Write a network of torch_networks as an ONNX file for inference.

Run it inside .venv-torch.
"""

from measure import add_network_options, argument_parser


def parse_arguments():
    parser = argument_parser(__doc__.splitlines()[0])
    add_network_options(parser)
    parser.add_argument("--to", required=True, metavar="FILE")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    import torch
    from torch_networks import build

    torch.manual_seed(1)
    network = build(arguments.network, arguments.num_layers, arguments.image_shape,
                    arguments.num_classes, arguments.trunk == "imagenet").eval()
    network = torch.nn.Sequential(network, torch.nn.Softmax(dim=1))
    images = torch.rand(arguments.batch_size, *arguments.image_shape)
    # The older exporter: the newer one requires more packages.
    torch.onnx.export(network, (images,), arguments.to, dynamo=False,
                      input_names=["data"], output_names=["softmax"])


if __name__ == "__main__":
    main()
