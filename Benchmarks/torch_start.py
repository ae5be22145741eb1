"""Train the first batch of a network on records in PyTorch.

Run it inside .venv-torch; it says when the first batch is trained.
"""

import io
import os
import struct

from measure import add_network_options, argument_parser

MEAN = (123.68, 116.779, 103.939)
# RecordIO: magic and length; MXNet's header of an image: flag, label, two ids.
RECORD_HEADER, IMAGE_HEADER = struct.Struct("<II"), struct.Struct("<IfQQ")
LENGTH_MASK = (1 << 29) - 1


def parse_arguments():
    parser = argument_parser(__doc__.splitlines()[0])
    add_network_options(parser)
    parser.add_argument("--records", required=True, metavar="PREFIX", help="of .rec and .idx")
    return parser.parse_args()


class Records:
    """A data set of images in RecordIO: bordered by 4 pixels, cropped in the middle, mean subtracted."""

    def __init__(self, prefix, image_shape):
        with open(prefix + ".idx", encoding="ascii") as index:
            self.offsets = [int(line.split("\t")[1]) for line in index]
        self.file = open(prefix + ".rec", "rb")
        self.height, self.width = image_shape[1:]

    def __len__(self):
        return len(self.offsets)

    def __getitem__(self, number):
        import numpy
        import torch
        from PIL import Image, ImageOps

        self.file.seek(self.offsets[number])
        _, length = RECORD_HEADER.unpack(self.file.read(RECORD_HEADER.size))
        record = self.file.read(length & LENGTH_MASK)
        _, label, _, _ = IMAGE_HEADER.unpack_from(record)
        image = Image.open(io.BytesIO(record[IMAGE_HEADER.size:])).convert("RGB")
        image = ImageOps.expand(image, border=4, fill=(127, 127, 127))
        left, top = (image.width - self.width) // 2, (image.height - self.height) // 2
        image = image.crop((left, top, left + self.width, top + self.height))
        pixels = numpy.asarray(image, numpy.float32) - numpy.asarray(MEAN, numpy.float32)
        return torch.from_numpy(pixels.transpose(2, 0, 1).copy()), int(label)


def main():
    arguments = parse_arguments()
    # OpenMP reads this when torch is imported.
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    import torch
    from torch_networks import build

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    # Without worker processes the first batch arrives soonest.
    batches = torch.utils.data.DataLoader(Records(arguments.records, arguments.image_shape),
                                          arguments.batch_size, shuffle=True)
    network = build(arguments.network, arguments.num_layers, arguments.image_shape,
                    arguments.num_classes, arguments.trunk == "imagenet").train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    images, labels = next(iter(batches))
    torch.nn.functional.cross_entropy(network(images), labels).backward()
    optimizer.step()
    print("First batch trained", flush=True)


if __name__ == "__main__":
    main()
