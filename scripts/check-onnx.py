#!/usr/bin/env python3
"""Let ONNX Runtime compute what Anneal exported. Run inside Benchmarks/.venv-onnx.

    check-onnx.py [--tool FILE] [--golden FOLDER]... [NAME-PART ...]

The tool (.build/release/anneal-onnx-cases) writes, one after the other, every
network with random parameters as two models, from numbers to logits and from
8-bit pixels to probabilities, with inputs and Anneal's outputs; and for the
MXNet-made cases of operators below folders, models with MXNet's own outputs.
A value matches when |x - r| <= 1e-4 |r| + 1e-4 max|r| + 1e-6; a model for any
batch size must give the same for its first row alone. Models also pass ONNX's
own checker.

The last line is `N passed, N failed, N skipped`; skipped are operators that the
export refuses by name. Exit status: 0 none failed, 1 some did, 64 wrong usage.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

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
    parser.add_argument("--golden", metavar="FOLDER", action="append", default=[],
                        help="MXNet-made cases; may be given several times")
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
    # Written so that NaN on one side counts as different.
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


def check_case(tool, name):
    """'passed', 'failed' or 'skipped', and why."""
    with tempfile.TemporaryDirectory(prefix="check-onnx-") as folder:
        made = subprocess.run([tool, "make", name, folder], stdout=subprocess.PIPE, text=True)
        if made.returncode != 0:
            return "failed", [made.stdout.strip() or f"exit status {made.returncode}"]
        with open(os.path.join(folder, "case.json"), encoding="utf-8") as file:
            case = json.load(file)
        if case.get("refused"):
            return "skipped", [case["refused"]]
        problems = []
        for model in case["models"]:
            try:
                problems += check_model(folder, model)
            except Exception as error:    # whatever ONNX's checker and runtime raise
                problems.append(f"{model['file']}: {str(error).strip().splitlines()[0]}")
        return ("failed", problems) if problems else ("passed", [])


def main():
    arguments = parse_arguments()
    onnxruntime.set_default_logger_severity(3)
    listing = [arguments.tool, "list"] + arguments.golden
    try:
        names = subprocess.run(listing, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"check-onnx: {error}", file=sys.stderr)
        return 1
    # A case that is in several folders counts once.
    names = list({os.path.basename(name): name for name in names}.values())
    if arguments.names:
        names = [name for name in names if any(part in name for part in arguments.names)]
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for name in names:
        outcome, why = check_case(arguments.tool, name)
        counts[outcome] += 1
        print(f"{outcome} {os.path.basename(name)}" + "".join(f"\n    {line}" for line in why), flush=True)
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
