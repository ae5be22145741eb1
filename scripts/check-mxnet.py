#!/usr/bin/env python3
"""Let MXNet 1.9.1 read what Anneal wrote. Run inside Benchmarks/.venv-mxnet.

A checkpoint and what Anneal computed with it, from an array list that holds the
inputs by name (`data`) and the outputs as `infer:out0`, `infer:out1`, ...:

    check-mxnet.py PREFIX EPOCH --io io.params

or from .npy files, one for each input and output:

    check-mxnet.py PREFIX EPOCH --input data=data.npy --output out.npy

PREFIX-symbol.json and PREFIX-EPOCH.params are loaded, inference is run, and
each output is compared: |a - m| <= rtol |m| + atol_rel max|m| + atol, where m is
MXNet's value. Files alone:

    check-mxnet.py --params FILE     list the arrays of a parameter file
    check-mxnet.py --rec FILE        count the records, and their labels

Exit status: 0 all well, 1 different or unreadable, 64 wrong usage.
"""

import argparse
import collections
import os
import struct
import sys

# MXNet's fusion for inference is wrong for relu(BN(conv)) + conv in 1.9.1.
os.environ.setdefault("MXNET_SUBGRAPH_BACKEND", "NONE")

import mxnet as mx
import numpy as np


class CheckFailed(Exception):
    """What is wrong with the files; one line."""


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(64, f"check-mxnet: {message}\n")


def parse_arguments():
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prefix", nargs="?", help="checkpoint prefix")
    parser.add_argument("epoch", nargs="?", type=int)
    parser.add_argument("--io", metavar="FILE", help="array list of inputs and outputs")
    parser.add_argument("--input", action="append", default=[], metavar="NAME=FILE.npy")
    parser.add_argument("--output", action="append", default=[], metavar="FILE.npy",
                        help="in the order of the symbol's outputs")
    parser.add_argument("--rtol", type=float, default=1e-3)
    parser.add_argument("--atol-rel", type=float, default=1e-3)
    parser.add_argument("--atol", type=float, default=1e-6)
    parser.add_argument("--params", metavar="FILE", help="list the arrays of a parameter file")
    parser.add_argument("--rec", metavar="FILE", help="count records and labels of a record file")
    arguments = parser.parse_args()
    if arguments.params or arguments.rec:
        return arguments
    if arguments.prefix is None or arguments.epoch is None:
        parser.error("PREFIX and EPOCH, --params or --rec is needed")
    if bool(arguments.io) == bool(arguments.input and arguments.output):
        parser.error("either --io, or --input and --output, is needed")
    if any("=" not in item for item in arguments.input):
        parser.error("--input takes NAME=FILE.npy")
    return arguments


# --- A checkpoint -----------------------------------------------------------


def inputs_and_outputs(arguments):
    """Two values: inputs by name, and Anneal's outputs in order; numpy arrays."""
    if not arguments.io:
        named = (item.split("=", 1) for item in arguments.input)
        return ({name: np.load(path) for name, path in named},
                [np.load(path) for path in arguments.output])
    arrays = mx.nd.load(arguments.io)
    if not isinstance(arrays, dict):
        raise CheckFailed(f"{arguments.io}: the arrays have no names")
    prefix = "infer:out" if "infer:out0" in arrays else "out"
    outputs = []
    while f"{prefix}{len(outputs)}" in arrays:
        outputs.append(arrays[f"{prefix}{len(outputs)}"].asnumpy())
    if not outputs:
        raise CheckFailed(f"{arguments.io}: no array infer:out0")
    return {name: array.asnumpy() for name, array in arrays.items()}, outputs


def infer(prefix, epoch, inputs):
    """MXNet's outputs for the inputs that the checkpoint's symbol takes."""
    symbol, arguments, auxiliary = mx.model.load_checkpoint(prefix, epoch)
    names = symbol.list_arguments()
    fed = {name: value for name, value in inputs.items()
           if name in names and name not in arguments}
    # A label needs no value in inference; MXNet infers its shape.
    missing = [name for name in names if name not in fed and name not in arguments
               and not name.endswith("_label")]
    missing += [name for name in symbol.list_auxiliary_states() if name not in auxiliary]
    if missing:
        raise CheckFailed(f"neither inputs nor parameters: {', '.join(missing)}")
    executor = symbol.simple_bind(mx.cpu(), grad_req="null",
                                  **{name: value.shape for name, value in fed.items()})
    executor.copy_params_from(arguments, auxiliary, allow_extra_params=False)
    for name, value in fed.items():
        executor.arg_dict[name][:] = value
    outputs = executor.forward(is_train=False)
    return symbol.list_outputs(), [output.asnumpy() for output in outputs]


def compare(name, ours, theirs, tolerance):
    """Print the errors of one output; whether it is within the tolerance."""
    rtol, atol_rel, atol = tolerance
    if ours.shape != theirs.shape:
        print(f"{name}: DIFFERS: shape {ours.shape}, MXNet's is {theirs.shape}")
        return False
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    error, magnitude = np.abs(ours - theirs), np.abs(theirs)
    largest = magnitude.max(initial=0)
    allowed = rtol * magnitude + atol_rel * largest + atol
    # Written so that NaN on either side counts as different.
    well = bool(np.all(error <= allowed))
    relative = error.max(initial=0) / largest if largest > 0 else error.max(initial=0)
    print(f"{name}: {'agrees' if well else 'DIFFERS'}: {theirs.size} values, largest error "
          f"{error.max(initial=0):.3g}, relative to the largest value {relative:.3g}, "
          f"outside the tolerance {np.count_nonzero(~(error <= allowed))}")
    return well


def check_checkpoint(arguments):
    inputs, ours = inputs_and_outputs(arguments)
    names, theirs = infer(arguments.prefix, arguments.epoch, inputs)
    if len(ours) != len(theirs):
        raise CheckFailed(f"{len(ours)} outputs given, the symbol has {len(theirs)}")
    tolerance = (arguments.rtol, arguments.atol_rel, arguments.atol)
    return all([compare(*pair, tolerance) for pair in zip(names, ours, theirs)])


# --- Files alone ------------------------------------------------------------


def list_parameters(path):
    arrays = mx.nd.load(path)
    named = arrays.items() if isinstance(arrays, dict) else enumerate(arrays)
    total = 0
    for name, array in named:
        values = array.asnumpy()
        total += values.size
        extremes = f"{values.min():.6g} to {values.max():.6g}" if values.size else "empty"
        print(f"{name}\t{np.dtype(array.dtype).name}\t{tuple(array.shape)}\t{extremes}")
    print(f"{len(arrays)} arrays, {total} values")


def count_records(path):
    # MXNet's reader ends the whole process when there is no such file.
    if not os.path.isfile(path):
        raise CheckFailed(f"{path}: no such file")
    reader = mx.recordio.MXRecordIO(path, "r")
    labels, count, image_bytes, without_header = collections.Counter(), 0, 0, 0
    while True:
        record = reader.read()
        if record is None:
            break
        count += 1
        try:
            header, image = mx.recordio.unpack(record)
        except (struct.error, ValueError):    # shorter than its header says
            without_header += 1
            continue
        labels[tuple(np.atleast_1d(np.asarray(header.label, dtype=np.float64)))] += 1
        image_bytes += len(image)
    reader.close()
    print(f"{count} records, {image_bytes} bytes of images, {len(labels)} different labels")
    if without_header:
        print(f"{without_header} records hold no image header, or are shorter than theirs says")
    for label, occurrences in sorted(labels.items()):
        print(" ".join(f"{value:g}" for value in label) + f"\t{occurrences}")


def main():
    arguments = parse_arguments()
    try:
        if arguments.params:
            list_parameters(arguments.params)
        if arguments.rec:
            count_records(arguments.rec)
        if arguments.prefix is not None:
            return 0 if check_checkpoint(arguments) else 1
    except (CheckFailed, OSError, ValueError, mx.MXNetError) as error:
        # MXNet puts the traces of its C++ calls before its reason.
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        print(f"check-mxnet: {lines[-1] if lines else repr(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
