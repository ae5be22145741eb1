#!/usr/bin/env python3
"""Let ONNX Runtime compute what Anneal exported. Run inside Benchmarks/.venv-onnx.

    check-onnx.py [--tool FILE] [--anneal FILE] [--golden FOLDER]... [--imports FOLDER]... [--only-imports] [NAME-PART ...]

The tool (.build/release/anneal-onnx-cases) writes, one after the other, every
network with random parameters as two models, from numbers to logits and from
8-bit pixels to probabilities, with inputs and Anneal's outputs; and for the
MXNet-made cases of operators below folders, models with MXNet's own outputs.
A value matches when |x - r| <= 1e-4 |r| + 1e-4 max|r| + 1e-6; a model for any
batch size must give the same for its first row alone. Models also pass ONNX's
own checker.

Below the folders of --imports, models of other frameworks with an input and an
output of theirs (ONNX's own layout, or weights with case.json) are imported:
Anneal must compute the stored output within the case's tolerance, ONNX Runtime
what Anneal exports of it again, and the export is imported once more. A model
without stored outputs (below `real`) is computed by ONNX Runtime first, and
`anneal predict` must give its probabilities of image files.

The last line is `N passed, N failed, N skipped`; skipped are operators that the
export refuses by name. Exit status: 0 none failed, 1 some did, 64 wrong usage.
"""

import argparse
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

import numpy as np
import onnx
import onnxruntime

RTOL = ATOL_RELATIVE = 1e-4
ATOL = 1e-6


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(64, f"check-onnx: {message}\n")


def parse_arguments():
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME-PART", help="only cases with this in their name")
    parser.add_argument("--tool", default=".build/release/anneal-onnx-cases")
    parser.add_argument("--anneal", default=".build/release/anneal", help="the tool that predicts")
    parser.add_argument("--golden", metavar="FOLDER", action="append", default=[],
                        help="MXNet-made cases; may be given several times")
    parser.add_argument("--imports", metavar="FOLDER", action="append", default=[],
                        help="models to import; may be given several times")
    parser.add_argument("--only-imports", action="store_true", help="no exports")
    return parser.parse_args()


def read_array(folder, entry):
    values = np.fromfile(os.path.join(folder, entry["file"]), dtype=entry["dtype"])
    return values.reshape(entry["shape"])


def difference(found, expected):
    """What is wrong, as text; None if the values match."""
    if found.shape != expected.shape:
        return f"shape {found.shape}, expected {expected.shape}"
    found, expected = found.astype(np.float64), expected.astype(np.float64)
    finite = np.isfinite(expected)
    scale = np.abs(expected[finite]).max(initial=0)
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    error = np.abs(np.where(same, 0, found - expected))
    # Written so that NaN on one side counts as a difference.
    well = same | (error <= RTOL * np.abs(expected) + ATOL_RELATIVE * scale + ATOL)
    if well.all():
        return None
    worst = np.nanargmax(np.where(well, -1, np.nan_to_num(error, nan=np.inf)))
    return (f"{np.count_nonzero(~well)} of {well.size} values differ; number {worst} is "
            f"{found.flat[worst]:.6g}, expected {expected.flat[worst]:.6g}, largest {scale:.3g}")


def check_model(folder, model):
    """The problems of one model."""
    path = os.path.join(folder, model["file"])
    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    inputs = {item.name: read_array(folder, model["inputs"][item.name]) for item in session.get_inputs()}
    expected = [read_array(folder, entry) for entry in model["outputs"]]
    outputs = session.run(None, inputs)
    if len(outputs) != len(expected):
        return [f"{model['file']}: {len(outputs)} outputs, expected {len(expected)}"]
    problems = [difference(*pair) for pair in zip(outputs, expected)]
    if model["anyBatchSize"]:
        first = session.run(None, {name: value[:1] for name, value in inputs.items()})
        problems += [difference(one, whole[:1]) for one, whole in zip(first, expected)]
    return [f"{model['file']}: {problem}" for problem in problems if problem]


def open_real_model(path):
    """A session without optimisations, its input's name, and the shape of an image of it."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    extents = [extent if isinstance(extent, int) and extent > 0 else None for extent in given.shape]
    free = {1: 3, 2: 48, 3: 192}    # what the text classifiers are trained on
    return session, given.name, [extents[axis] or free[axis] for axis in (1, 2, 3)]


def make_real_case(path, folder):
    """A case of a model without stored outputs: random images and what ONNX Runtime computes of them."""
    shutil.copy(path, os.path.join(folder, "model.onnx"))
    session, name, shape = open_real_model(path)
    data = np.random.default_rng(1).standard_normal([2] + shape, dtype=np.float32)
    output = session.run(None, {name: data})[0]
    os.mkdir(os.path.join(folder, "test_data_set_0"))
    for name, array in (("input_0", data), ("output_0", output)):
        onnx.save_tensor(onnx.numpy_helper.from_array(array), os.path.join(folder, "test_data_set_0", name + ".pb"))


def write_png(path, pixels):
    """An image of (height, width, 3) bytes."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for kind, data in ((b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)),
                           (b"IEND", b"")):
            file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))


def check_predict(anneal, path):
    """What is wrong with what `anneal predict` says of image files: ONNX Runtime computes them as the tool should have
    prepared them. One is as large as the model's images, of the other the middle is taken."""
    session, name, (_, height, width) = open_real_model(path)
    random = np.random.default_rng(2)
    mean, deviation = np.float32(127.5), np.float32(127.5)
    problems = []
    with tempfile.TemporaryDirectory(prefix="check-onnx-") as folder:
        files, expected = [], []
        for border in (0, 8):
            # Blocks of a few pixels, as in text.
            shape = ((height + 2 * border) // 4, (width + 2 * border) // 4, 3)
            pixels = random.integers(0, 256, shape, dtype=np.uint8).repeat(4, axis=0).repeat(4, axis=1)
            files.append(os.path.join(folder, f"{border}.png"))
            write_png(files[-1], pixels)
            part = pixels[border:border + height, border:border + width].astype(np.float32)
            data = ((part - mean) / deviation).transpose(2, 0, 1)[None]
            expected.append(session.run(None, {name: data})[0][0])
        classes = str(len(expected[0]))
        made = subprocess.run(
            [anneal, "predict", "--model", path, "--image-shape", f"3,{height},{width}", "--rgb-mean", str(mean),
             "--rgb-std", str(deviation), "--top-k", classes, "--format", "json", *files],
            stdout=subprocess.PIPE, text=True)
        if made.returncode != 0:
            return [f"predict: exit status {made.returncode}"]
        lines = made.stdout.splitlines()
        if len(lines) != len(expected):
            return [f"predict: {len(lines)} lines for {len(expected)} images"]
        for line, probabilities in zip(lines, expected):
            found = np.zeros_like(probabilities)
            for entry in json.loads(line)["predictions"]:
                found[entry["index"]] = entry["probability"]
            problem = difference(found, probabilities)
            if problem:
                problems.append(f"predict: {problem}")
    return problems


def real_models(folders):
    """Models below a folder called `real`, which have no outputs."""
    for root in folders:
        for folder, _, files in os.walk(root):
            if os.path.basename(folder) == "real":
                yield from (os.path.join(folder, file) for file in sorted(files) if file.endswith(".onnx"))


def check_case(arguments, name, command="make"):
    """'passed', 'failed' or 'skipped', and why."""
    tool = arguments.tool
    with tempfile.TemporaryDirectory(prefix="check-onnx-") as folder:
        problems = []
        if command == "real":
            problems = check_predict(arguments.anneal, name)
            case = os.path.join(folder, "case")
            os.mkdir(case)
            make_real_case(name, case)
            name, command = os.path.join(case, "model.onnx"), "import"
        made = subprocess.run([tool, command, name, folder], stdout=subprocess.PIPE, text=True)
        if made.returncode != 0:
            return "failed", [made.stdout.strip() or f"exit status {made.returncode}"]
        with open(os.path.join(folder, "case.json"), encoding="utf-8") as file:
            case = json.load(file)
        if case.get("refused"):
            return "skipped", [case["refused"]]
        for model in case["models"]:
            try:
                problems += check_model(folder, model)
            except Exception as error:    # whatever ONNX's checker and runtime raise
                problems.append(f"{model['file']}: {str(error).strip().splitlines()[0]}")
        return ("failed", problems) if problems else ("passed", [])


def main():
    arguments = parse_arguments()
    onnxruntime.set_default_logger_severity(3)
    def listed(*command):
        return subprocess.run([arguments.tool, *command], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    try:
        names = [] if arguments.only_imports else listed("list", *arguments.golden)
        imports = listed("list-imports", *arguments.imports) if arguments.imports else []
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"check-onnx: {error}", file=sys.stderr)
        return 1
    # A case in several folders counts once.
    cases = [(os.path.basename(name), name, "make") for name in {os.path.basename(n): n for n in names}.values()]
    folders = {}
    for path in imports:
        title = os.path.basename(os.path.dirname(path))
        if os.path.basename(path) != "model.onnx":
            title += "/" + os.path.basename(path)
        folders[title] = path
    cases += [(title, path, "import") for title, path in folders.items()]
    cases += [(os.path.basename(path), path, "real") for path in real_models(arguments.imports)]
    if arguments.names:
        cases = [case for case in cases if any(part in case[1] for part in arguments.names)]
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for title, name, command in cases:
        outcome, why = check_case(arguments, name, command)
        counts[outcome] += 1
        print(f"{outcome} {title}" + "".join(f"\n    {line}" for line in why), flush=True)
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
