#!/usr/bin/env python3
"""Trains networks on several numbers of threads, devices and processes, and prints a table of the hashes of what they have
learned, for Documentation/hosts.md: hash-table.py ANNEAL

With one number of shards all hashes of a network must be the same; else the exit status is 1."""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SHARDS = 4
IMAGES = "/usr/share/datasets/fashion-mnist/t10k-{}-ubyte.gz"
NETWORKS = {
    "ResNet-20, momentum": "--network resnet --num-layers 20 --lr 0.05",
    # The smallest ResNeXt for small images whose convolutions have groups.
    "ResNeXt-164, 32 groups, AdaDelta, mixup":
        "--network resnext --num-layers 164 --optimizer adadelta --lr 1 --mixup 0.2",
    "SqueezeNet with dropout, Adam": "--network squeezenet --optimizer adam --lr 0.001",
}
# Threads per device, devices per process, processes.
PLACES = [(threads, devices, processes) for processes in range(1, SHARDS + 1)
          for devices in range(1, SHARDS // processes + 1) for threads in (1, 2)]
anneal = os.path.abspath(sys.argv[1])


def train(flags, threads, devices, processes, folder):
    command = [anneal, "train", *flags.split(), "--image-shape", "1,28,28", "--num-classes", "10",
               "--data-train", "part-few.rec", "--rgb-mean", "72.9", "--rgb-std", "90", "--random-mirror", "1",
               "--pad-size", "2", "--random-crop", "1",
               "--shards", str(SHARDS), "--global-batch-size", "32", "--batch-size", "32", "--num-epochs", "1", "--quiet",
               "--threads", str(threads * devices), "--devices", f"cpu:0-{devices - 1}", "--run-folder", folder]
    if processes > 1:
        command = [anneal, "launch", "-n", str(processes), *command, "--kv-store", "dist_sync"]
    result = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if result.returncode != 0:
        sys.exit(f"hash-table: {' '.join(command)} ended with status {result.returncode}:\n{result.stderr}")
    return hashlib.sha256(Path(folder, "model-0001.params").read_bytes()).hexdigest()[:16]


def main():
    with tempfile.TemporaryDirectory(prefix="anneal-hash-table-") as folder:
        os.chdir(folder)
        subprocess.run([anneal, "import-mnist", "--images", IMAGES.format("images-idx3"), "--labels",
                        IMAGES.format("labels-idx1"), "t10k"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([anneal, "rec", "split", "t10k.rec", "--to", "part", "--shares", "0.0128,0.98", "--names", "few,rest"],
                       check=True, stdout=subprocess.DEVNULL)
        print("| threads | devices | processes | " + " | ".join(NETWORKS) + " |")
        print("|---|---|---|" + "---|" * len(NETWORKS))
        seen = [set() for _ in NETWORKS]
        for number, place in enumerate(PLACES):
            hashes = [train(flags, *place, f"run{number}-{index}") for index, flags in enumerate(NETWORKS.values())]
            for known, value in zip(seen, hashes):
                known.add(value)
            print("| " + " | ".join(map(str, place)) + " | " + " | ".join(f"`{value}`" for value in hashes) + " |", flush=True)
        sys.exit(0 if all(len(known) == 1 for known in seen) else 1)


main()
