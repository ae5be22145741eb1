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

Or one of every file that Anneal writes, as `anneal-conformance --write-samples`
leaves them (`make check-mxnet`): every network of the zoo and every imported
model computes the same, arrays of every type and records with one and several labels hold the same.

    check-mxnet.py --samples FOLDER

Exit status: 0 all well, 1 different or unreadable, 64 wrong usage.
"""

import argparse
import collections
import hashlib
import json
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
    parser.add_argument("--samples", metavar="FOLDER", help="check one of every file that Anneal writes")
    arguments = parser.parse_args()
    if arguments.params or arguments.rec or arguments.samples:
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


def infer(prefix, epoch, inputs, inner=()):
    """MXNet's outputs for the inputs that the checkpoint's symbol takes, then those of inner layers."""
    symbol, arguments, auxiliary = mx.model.load_checkpoint(prefix, epoch)
    if inner:
        symbol = mx.sym.Group([symbol] + [symbol.get_internals()[name] for name in inner])
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
    # Written so that NaN on either side counts as a difference.
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
    # MXNet's reader ends the whole process if the file is missing.
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


# --- One of every file ------------------------------------------------------


class Report:
    """Counts what agrees, and prints what does not."""

    def __init__(self):
        self.agreed = self.differing = 0

    def check(self, what, well, found="", expected=""):
        if well:
            self.agreed += 1
        else:
            self.differing += 1
            print(f"{what}: DIFFERS: MXNet reads {found}, Anneal wrote {expected}")


def check_samples(folder, report):
    for name in sorted(os.listdir(os.path.join(folder, "networks"))):
        prefix = os.path.join(folder, "networks", name, "net")
        arrays = mx.nd.load(os.path.join(folder, "networks", name, "io.params"))
        # MXNet parses the symbol and writes it again: nothing may be lost.
        with open(f"{prefix}-symbol.json", encoding="utf-8") as file:
            text = file.read()
        again = mx.sym.load_json(text).tojson()
        report.check(f"{name}-symbol.json", json.loads(again) == json.loads(text), "another graph", "it")
        inner = [key[len("infer:"):] for key in arrays if key.startswith("infer:") and key != "infer:out0"]
        names, outputs = infer(prefix, 0, {"data": arrays["data"].asnumpy()}, inner)
        ours = [arrays[key].asnumpy() for key in ["infer:out0"] + [f"infer:{key}" for key in inner]]
        for output, found, expected in zip(names, ours, outputs):
            what = f"{name}, {output}"
            report.check(what, compare(what, found, expected, (1e-4, 1e-4, 0)), "other values", "them")
    check_arrays(folder, report)
    for name in ["images", "packed", "joined", "repaired"]:
        check_records(folder, name, report)


def check_arrays(folder, report):
    with open(os.path.join(folder, "arrays.json"), encoding="utf-8") as file:
        content = json.load(file)
    arrays = mx.nd.load(os.path.join(folder, "arrays.params"))
    report.check("arrays.params, names", sorted(arrays) == sorted(content["arrays"]), sorted(arrays),
                 sorted(content["arrays"]))
    for name, expected in sorted(content["arrays"].items()):
        array = arrays[name]
        if name == "arg:bfloat16":
            # NumPy has no such type; MXNet converts it.
            array = array.astype("float32")
        found = array.asnumpy().astype(np.float64)
        report.check(f"arrays.params, {name}", list(found.shape) == content["shape"] and found.ravel().tolist() == expected,
                     found.tolist(), expected)
        if name != "arg:bfloat16":
            kind = np.dtype(arrays[name].dtype).name
            report.check(f"arrays.params, type of {name}", f"arg:{kind}" == name, kind, name)


def check_records(folder, name, report):
    def path(suffix):
        return os.path.join(folder, f"{name}.{suffix}")

    with open(path("json"), encoding="utf-8") as file:
        content = json.load(file)
    by_index = mx.recordio.MXIndexedRecordIO(path("idx"), path("rec"), "r")
    in_order = mx.recordio.MXRecordIO(path("rec"), "r")
    for record in content["records"]:
        what = f"{name}.rec, record {record['id']}"
        payload = by_index.read_idx(record["id"])
        report.check(f"{what}, by index", digest(payload) == record["payload"], digest(payload), record["payload"])
        report.check(f"{what}, in order", in_order.read() == payload, "other bytes", "the same")
        header, image = mx.recordio.unpack(payload)
        labels = np.atleast_1d(np.asarray(header.label, dtype=np.float64)).tolist()
        report.check(f"{what}, labels", labels == record["labels"], labels, record["labels"])
        report.check(f"{what}, id", header.id == record["id"], header.id, record["id"])
        if "pixels" in record:
            pixels = mx.image.imdecode(image, to_rgb=True).asnumpy()
            report.check(f"{what}, pixels", digest(pixels.tobytes()) == record["pixels"], "others", "others")
    report.check(f"{name}.rec, end", in_order.read() is None, "more records", f"{len(content['records'])}")
    by_index.close()
    in_order.close()
    # Parsed as MXNet's tools read a list.
    with open(path("lst"), encoding="utf-8") as file:
        lines = [line.rstrip("\n").split("\t") for line in file]
    found = [[int(line[0]), int(float(line[1])), line[-1]] for line in lines]
    report.check(f"{name}.lst", found == content["list"], found, content["list"])


def digest(data):
    return hashlib.sha256(data).hexdigest()


def main():
    arguments = parse_arguments()
    try:
        if arguments.samples:
            report = Report()
            check_samples(arguments.samples, report)
            print(f"MXNet {mx.__version__}: {report.agreed} checks agree, {report.differing} differ")
            return 1 if report.differing else 0
        if arguments.params:
            list_parameters(arguments.params)
        if arguments.rec:
            count_records(arguments.rec)
        if arguments.prefix is not None:
            return 0 if check_checkpoint(arguments) else 1
    except (CheckFailed, OSError, ValueError, mx.MXNetError) as error:
        # MXNet prints the traces of its C++ calls before the reason.
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        print(f"check-mxnet: {lines[-1] if lines else repr(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
