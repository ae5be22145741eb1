#!/usr/bin/env python3
"""Write Documentation/networks.md: every network, its size, and what proves it.

    scripts/networks-table.py ANNEAL [GOLDEN] > Documentation/networks.md

ANNEAL is the built tool; GOLDEN the folder of MXNet-made cases (../shared/golden).
"""

import json
import pathlib
import subprocess
import sys

# Network, depths (None: only one), image shape.
NETWORKS = [
    ("airbench", [None], "3,32,32"),
    ("alexnet", [None], "3,224,224"),
    ("densenet", [121, 161, 169, 201], "3,224,224"),
    ("googlenet", [None], "3,224,224"),
    ("inception-bn", [None], "3,224,224"),
    ("inception-bn", [None], "3,28,28"),
    ("inception-resnet-v2", [None], "3,299,299"),
    ("inception-v3", [None], "3,299,299"),
    ("inception-v4", [None], "3,299,299"),
    ("lenet", [None], "1,28,28"),
    ("mlp", [None], "1,28,28"),
    ("mobilenet", [None], "3,224,224"),
    ("mobilenetv2", [None], "3,224,224"),
    ("resnet", [18, 34, 50, 101, 152, 200, 269], "3,224,224"),
    ("resnet", [20, 56, 110, 164], "3,28,28"),
    ("resnet-v1", [18, 34, 50, 101, 152, 200, 269], "3,224,224"),
    ("resnet-v1", [20, 56, 110, 164], "3,28,28"),
    ("resnext", [18, 34, 50, 101, 152, 200, 269], "3,224,224"),
    ("resnext", [20, 56, 110, 164], "3,28,28"),
    ("squeezenet", [None], "3,224,224"),
    ("squeezenet1.0", [None], "3,224,224"),
    ("vgg", [11, 13, 16, 19], "3,224,224"),
]

HEAD = """# Networks

Made by `scripts/networks-table.py .build/release/anneal > Documentation/networks.md`.

Every network of `--network`, with 1000 classes, or 10 for images of 28 pixels. Multiply-adds are those of convolutions and
matrix products for one image, what papers give as FLOPs; FLOP counts two for each of them and one for each number that
another operator computes. `anneal summary` lists the layers of any of them, `anneal plot-network` draws them.

The last column names the MXNet-made cases that hold this family's symbol as MXNet 1.9.1's own scripts write it: Anneal's
JSON equals it byte for byte (`make conformance`, and `GoldenNetworkTests`). A bold one is this very network, but for the
number of classes. `densenet` and `squeezenet` are Gluon's; their parameters are counted against Gluon's in `NetworkTests`, and
`make check-mxnet` lets MXNet compute every network from Anneal's files.

| network | layers | image | parameters | multiply-adds | FLOP | equal JSON in |
|---|---|---|---|---|---|---|"""


def small(shape):
    return int(shape.split(",")[1]) <= 32


def cases(golden):
    """Network, arguments of get_symbol, and name of every case that holds a network."""
    found = []
    for file in sorted(pathlib.Path(golden, "networks").glob("*/case.json")):
        case = json.loads(file.read_text())
        if "network" in case and case.get("kind") != "finetune":
            found.append((case["network"], case["get_symbol"], case["name"]))
    return found


def proof(network, layers, shape, known):
    names = []
    for other, symbol, name in known:
        # A network without this argument is the same for all image sizes.
        image = symbol.get("image_shape", shape)
        if other == network and small(image) == small(shape):
            plain = set(symbol) <= {"num_classes", "num_layers", "image_shape"}
            same = plain and image == shape and symbol.get("num_layers") == layers
            names.append(f"**{name}**" if same else name)
    return ", ".join(names)


def scaled(number):
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.2f} {unit}"
    return f"{number:.0f}"


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__.strip())
    anneal, golden = sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else "../shared/golden"
    known = cases(golden)
    print(HEAD)
    for network, depths, shape in NETWORKS:
        for layers in depths:
            command = [anneal, "summary", "--network", network, "--image-shape", shape, "--format", "json",
                       "--batch-size", "1", "--num-classes", "10" if small(shape) else "1000"]
            command += ["--num-layers", str(layers)] if layers else []
            text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            total = json.loads(text.splitlines()[-1])
            print(f"| {network} | {layers or ''} | {shape} | {total['parameters']:,} | {scaled(total['multiply_adds'])} "
                  f"| {scaled(total['flop'])} | {proof(network, layers, shape, known)} |")


if __name__ == "__main__":
    main()
