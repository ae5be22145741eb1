#!/usr/bin/env python3
"""Time Anneal, MXNet, PyTorch and ONNX Runtime side by side.

Whole training steps, forward passes, the time from a command to its first
trained batch, and the start and size of the tool itself. For each row (a network and a batch) the frameworks run one after
the other, in processes of their own, for several short rounds, so that a slow
moment of the machine meets all of them. The tables give medians over all
rounds, peak resident memory, and the ratios to the best peer.

    python3 Benchmarks/bench.py                       all rows
    python3 Benchmarks/bench.py --rows lenet,resnext-20
    python3 Benchmarks/bench.py --write               and write RESULTS.md
    python3 Benchmarks/bench.py --list                what there is

A framework that is missing or fails leaves its column empty; the reason is
printed below the tables. Peers are installed by Benchmarks/setup-peers.sh.
"""

import argparse
import json
import os
import shlex
import statistics
import sys
from pathlib import Path

import commands
import data_rows
import machine
import processes
import results
import tool_rows
from processes import HERE, ROOT, Unavailable
from rows import FRAMEWORKS, ROWS, label


def progress(text):
    print(text, file=sys.stderr, flush=True)


def run_row(arguments, row):
    """All rounds of all frameworks on one row."""
    try:
        files, notes = commands.prepare(arguments, row)
    except Unavailable as error:
        progress(f"{row.name}: skipped: {error}")
        return results.RowResult(row, {}, [f"skipped: {error}"], skipped=True)
    measured = [results.Measured(variant) for variant in row.variants
                if variant[0] in arguments.frameworks]
    order = list(measured)
    for number in range(arguments.rounds):
        for result in order:
            if result.failure:
                continue
            try:
                record = measure(arguments, row, result.variant, files)
            except Unavailable as error:
                result.failure = str(error)
                progress(f"{row.name}: {label(result.variant)}: {error}")
                continue
            result.rounds.append(record)
            result.round_numbers.append(number)
            memory = f", {record['peak_rss_mb']:.0f} MB" if "peak_rss_mb" in record else ""
            progress(f"{row.name}, round {number + 1} of {arguments.rounds}: "
                     f"{label(result.variant)} {statistics.median(record['steps']):.4f} s{memory}")
        order = order[1:] + order[:1]    # so that nobody is always first
    return results.summarise(row, measured, notes)


def measure(arguments, row, variant, files):
    """One round of one framework."""
    steps = arguments.steps or row.steps
    if row.kind == "start":
        return processes.measure_starts(
            lambda folder: commands.start_command(arguments, variant[0], row, files, folder),
            arguments.threads, steps)
    record = processes.measure_steps(
        commands.step_command(arguments, variant, row, steps, files), commands.process_threads(arguments, row))
    if row.kind == "job":
        # It would belong to one process only.
        del record["peak_rss_mb"]
    return record


def measured_peaks(arguments):
    """The machine's peaks, as Anneal measures them for its profiles."""
    try:
        command = shlex.split(arguments.anneal) + ["profile", "--peaks"]
        return processes.run(command, arguments.threads).output.strip()
    except Unavailable as error:
        return f"unknown: {error}"


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(64, f"bench: {message}\n")


def parse_arguments():
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="all", metavar="NAME,NAME", help="rows to run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, help="timed steps a round, in place of each row's own")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)),
                        help="threads of each process; all cores by default")
    parser.add_argument("--frameworks", default="all", metavar="NAME,NAME")
    parser.add_argument("--anneal", default=os.environ.get("ANNEAL", ".build/release/anneal"),
                        metavar="COMMAND", help="how to call Anneal (also: the variable ANNEAL)")
    parser.add_argument("--symbols", metavar="FOLDER",
                        help="take ROW.json from here instead of asking Anneal for MXNet's symbols")
    parser.add_argument("--data", default=str(ROOT.parent / "shared" / "data"), metavar="FOLDER",
                        help="where cifar10_train.rec and .idx are, for the rows that train on "
                             "records (default: ../shared/data next to the repository)")
    parser.add_argument("--starts", type=int, default=5, help="runs whose memory is looked at, of the rows of data")
    parser.add_argument("--no-data-rows", action="store_true", help="leave out what feeds and packs images")
    parser.add_argument("--write", action="store_true", help="write Benchmarks/RESULTS.md")
    parser.add_argument("--json", metavar="FILE", help="also write all steps of all rounds")
    parser.add_argument("--list", action="store_true", help="list the rows and stop")
    arguments = parser.parse_args()
    arguments.given = sys.argv[1:]

    def chosen(text, known, what):
        names = list(known) if text == "all" else text.split(",")
        unknown = [name for name in names if name not in known]
        if unknown:
            parser.error(f"unknown {what}: {', '.join(unknown)} "
                         f"(there are: {', '.join(known)})")
        return names

    by_name = {row.name: row for row in ROWS}
    arguments.feeds = arguments.rows == "all" and not arguments.no_data_rows
    arguments.rows = [by_name[name] for name in chosen(arguments.rows, by_name, "row")]
    arguments.frameworks = chosen(arguments.frameworks, FRAMEWORKS, "framework")
    steps = 1 if arguments.steps is None else arguments.steps
    if min(arguments.rounds, arguments.threads, steps) < 1:
        parser.error("--rounds, --steps and --threads are at least 1")
    return arguments


def main():
    arguments = parse_arguments()
    if arguments.list:
        for row in ROWS:
            print(f"{row.name}: {row.kind}, {row.title}")
        return 0
    described = machine.describe(arguments.threads, ROOT)
    described.append(("measured peaks", measured_peaks(arguments)))
    done = []
    try:
        for row in arguments.rows:
            done.append(run_row(arguments, row))
    except KeyboardInterrupt:
        progress("interrupted")
        return 130
    report = results.report(arguments, done, described)
    if arguments.feeds:
        report += "\n" + "\n".join(data_rows.run(arguments) + [""] + tool_rows.run(arguments.anneal)) + "\n"
    print(report)
    if arguments.write:
        (HERE / "RESULTS.md").write_text(report, encoding="utf-8")
        progress("wrote Benchmarks/RESULTS.md")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(results.raw(done), indent=1) + "\n",
                                        encoding="utf-8")
    wanted = "anneal" in arguments.frameworks
    return 1 if wanted and any(not row.skipped and row.ours is None for row in done) else 0


if __name__ == "__main__":
    sys.exit(main())
