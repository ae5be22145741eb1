#!/usr/bin/env python3
"""Write Documentation/gpu-compile.md from what check-gpu-compile.sh found: gpu-compile-table.py RESULTS.jsonl"""

import json
import sys

HEAD = """# Networks compiled for GPUs

Made by `make check-gpu-compile`, on a machine without a GPU: XLA's CUDA plugin compiles for a GPU by its description. Nothing
of this was run.

A launch is an instruction of the compiled program that runs on the device; convolutions are calls of cuDNN, those in float32
in brackets. Peak memory is the compiler's, with parameters and states, for batches of 64 images (128 of 28 pixels). Seconds
are for the compilation, on one core; a program is compiled once, and kept.

| GPU | | type | network | launches | convolutions (float32) | transposed parameters | peak memory, MB | seconds |
|---|---|---|---|---|---|---|---|---|"""

print(HEAD)
with open(sys.argv[1]) as file:
    for record in map(json.loads, file):
        print(
            "| {gpu} | {mode} | {dtype} | {network} | {launches} | {convolutions} ({float32Convolutions}) | {transposed} | "
            "{peakMB} | {seconds} |".format(**record))
