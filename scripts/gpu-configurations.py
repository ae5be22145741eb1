#!/usr/bin/env python3
"""Write XLA's descriptions of GPUs, which its CUDA plugin holds, to files: gpu-configurations.py PLUGIN FOLDER"""

import mmap
import pathlib
import sys

GPUS = {"H100": "NVIDIA H100 80GB HBM3", "A100": "NVIDIA A100-SXM4-80GB", "P100": "Tesla P100-SXM2-16GB"}
BEGIN = b"gpu_device_info {"


def configuration(plugin, model):
    """The text that ends with the model's name and stands between two others, or between zero bytes."""
    name = plugin.find(b'device_description_str: "%s"' % model.encode())
    if name < 0:
        sys.exit(f"gpu-configurations: the plugin does not know {model}")
    begin = plugin.rfind(BEGIN, 0, name)
    ends = [end for end in (plugin.find(mark, name) for mark in (BEGIN, b"\0", b"# Copyright")) if end >= 0]
    return plugin[begin:min(ends)]


folder = pathlib.Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
with open(sys.argv[1], "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as plugin:
    for gpu, model in GPUS.items():
        (folder / f"{gpu}.txt").write_bytes(configuration(plugin, model))
