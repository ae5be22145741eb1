#!/usr/bin/env python3
"""Write Documentation/gpu-compile.md from what check-gpu-compile.sh found: gpu-compile-table.py RESULTS.jsonl"""

import json
import sys

HEAD = """# Networks compiled for GPUs

Made by `make check-gpu-compile` on a machine without a GPU: XLA's CUDA plugin compiles for a GPU by its description. Nothing
of this has run on one.

A launch is an instruction of the compiled program that runs on the device. Convolutions are calls of cuDNN, with those in
float32 in brackets; the data gradient of a 1x1 convolution is a matrix product and not among them. Peak memory is the
compiler's, with parameters and states, for batches of 64 images (128 of 28 pixels, and for `lenet` and `mlp`). Seconds are
processor time of the compilation; a program is compiled once and kept. `recompute` is a training step with `--recompute`.

Weights of grouped convolutions (ResNeXt's) are transposed in each step: XLA computes their data gradients with transposed
weights. On P100, and in float32 on A100, XLA stores channels first and transposes all weights of convolutions. Elsewhere no
parameter is transposed, and no convolution of a step in bfloat16 or float16 is in float32; the check fails otherwise.

| GPU | | type | network | launches | convolutions (float32) | transposed parameters | peak memory, MB | seconds |
|---|---|---|---|---|---|---|---|---|"""

print(HEAD)
with open(sys.argv[1]) as file:
    for record in map(json.loads, file):
        print(
            "| {gpu} | {mode} | {dtype} | {network} | {launches} | {convolutions} ({float32Convolutions}) | {transposed} | "
            "{peakMB} | {seconds} |".format(**record))
