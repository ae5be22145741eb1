#!/usr/bin/env python3
"""Time whole training steps of Anneal, MXNet and PyTorch side by side.

For each row (a network and a batch) the frameworks run one after the other, in
processes of their own, for several short rounds, so that a slow moment of the
machine meets all of them. The table gives the median step of each framework
over all rounds, its peak resident memory, and the ratios to the faster peer.

    python3 Benchmarks/bench.py                    the default rows
    python3 Benchmarks/bench.py --rows all --write and write RESULTS.md
    python3 Benchmarks/bench.py --list             what there is

A framework that is missing or fails leaves its column empty; the reason is
printed below the table. Peers are installed by Benchmarks/setup-peers.sh.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

import machine

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
FRAMEWORKS = ("anneal", "mxnet", "torch")
TORCH_LAYOUTS = ("channels-last", "contiguous")
NAMES = {"anneal": "Anneal", "mxnet": "MXNet", "torch": "PyTorch"}
PROCESS_TIME_LIMIT_SECONDS = 900
# Above this, other programs' use of the processor is told with the results.
TOLERATED_FOREIGN_CORES = 0.1


@dataclass(frozen=True)
class Row:
    """One network trained on one shape of batch."""
    name: str
    network: str
    num_layers: int
    image_shape: str        # of the batch, C,H,W
    batch_size: int
    imagenet_trunk: bool    # the 7x7 stem that MXNet builds for images above 32x32
    steps: int              # timed in each round
    speed_goal: float       # faster peer's median / ours
    memory_goal: float      # our peak / the faster peer's

    @property
    def title(self):
        return f"{self.name}, {self.image_shape}, batch {self.batch_size}"


ROWS = [
    Row("resnext-101", "resnext", 101, "3,28,28", 128, True, 4, 2.0, 0.5),
    Row("resnext-164", "resnext", 164, "3,28,28", 64, False, 4, 2.5, 0.4),
    Row("resnext-110", "resnext", 110, "3,28,28", 128, False, 4, 1.4, 0.5),
    Row("resnext-20", "resnext", 20, "3,28,28", 128, False, 10, 1.5, 0.5),
    Row("resnet-50", "resnet", 50, "3,224,224", 16, True, 3, 1.25, 0.6),
    Row("lenet", "lenet", 0, "1,28,28", 64, False, 60, 2.5, 0.3),
]
DEFAULT_ROWS = ["resnext-101", "resnext-110", "resnext-20", "lenet"]


class Unavailable(Exception):
    """A framework cannot run: its message says why."""


# --- The commands -----------------------------------------------------------


def anneal_command(arguments, row):
    """Anneal's command line for a row, without what it shall do with it."""
    command = shlex.split(arguments.anneal) + [
        "bench-step", "--network", row.network, "--image-shape", row.image_shape,
        "--batch-size", str(row.batch_size)]
    if row.num_layers:
        command += ["--num-layers", str(row.num_layers)]
    if row.imagenet_trunk:
        command += ["--trunk", "imagenet"]
    return command


def peer_python(peer):
    python = HERE / f".venv-{peer}" / "bin" / "python"
    if not python.exists():
        raise Unavailable(f"not installed: run Benchmarks/setup-peers.sh {peer}")
    return str(python.relative_to(ROOT))


def step_command(arguments, variant, row, steps, symbol):
    """The command that times `steps` steps; `variant` is a framework and torch's layout."""
    framework, layout = variant
    if framework == "anneal":
        return anneal_command(arguments, row) + ["--steps", str(steps)]
    command = [peer_python(framework), f"Benchmarks/{framework}_step.py",
               "--image-shape", row.image_shape, "--batch-size", str(row.batch_size),
               "--steps", str(steps), "--threads", str(arguments.threads)]
    if framework == "mxnet":
        if symbol is None:
            raise Unavailable("no symbol JSON to run: Anneal wrote none (see --symbols)")
        return command + ["--symbol", str(symbol)]
    command += ["--network", row.network, "--layout", layout,
                "--num-classes", str(number_of_classes(symbol))]
    if row.num_layers:
        command += ["--num-layers", str(row.num_layers)]
    if row.imagenet_trunk:
        command += ["--trunk", "imagenet"]
    return command


def number_of_classes(symbol, default=10):
    """What the last fully connected layer of a symbol JSON gives out."""
    if symbol is None:
        return default
    nodes = json.loads(Path(symbol).read_text(encoding="utf-8"))["nodes"]
    layers = [node for node in nodes if node["op"] == "FullyConnected"]
    return int(layers[-1]["attrs"]["num_hidden"]) if layers else default


# --- Running them -----------------------------------------------------------


@dataclass
class Finished:
    """What a process printed and used."""
    output: str
    peak_rss_mb: float
    foreign_cores: float    # processor time of all other processes meanwhile / elapsed time


def run(command, threads):
    """Run a command to its end; raises Unavailable when it fails."""
    started, busy_before = time.monotonic(), machine.busy_seconds()
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(command, cwd=ROOT, env=environment,
                                       stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        except OSError as error:
            raise Unavailable(f"{command[0]}: {error.strerror}") from None
        limit = threading.Timer(PROCESS_TIME_LIMIT_SECONDS, process.kill)
        limit.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        finally:
            limit.cancel()
        # wait4 took the exit status; Popen must not wait for it again.
        process.returncode = -(status & 127) if status & 127 else status >> 8
        if process.returncode != 0:
            errors.seek(0)
            lines = errors.read().decode("utf-8", "replace").strip().splitlines()
            reason = lines[-1].strip()[:200] if lines else "no message"
            raise Unavailable(f"exit status {process.returncode}: {reason}")
        elapsed = time.monotonic() - started
        foreign = machine.busy_seconds() - busy_before - usage.ru_utime - usage.ru_stime
        output.seek(0)
        return Finished(output.read().decode("utf-8", "replace"), usage.ru_maxrss / 1024,
                        max(0.0, foreign / elapsed))


def measure(command, threads):
    """Run a step command: the record it printed, with the memory as we saw it."""
    finished = run(command, threads)
    for line in reversed(finished.output.splitlines()):
        if line.startswith("{"):
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                raise Unavailable(f"its line is not JSON: {error}") from None
            if not record.get("steps"):
                raise Unavailable("it printed no steps")
            # One way of measuring for all, whatever a process says of itself.
            record["peak_rss_mb"] = finished.peak_rss_mb
            record["foreign_cores"] = finished.foreign_cores
            return record
    raise Unavailable("it printed no JSON line")


def find_symbol(arguments, row):
    """The symbol JSON of a row: given in a folder, or written by Anneal."""
    if arguments.symbols:
        path = Path(arguments.symbols).resolve() / f"{row.name}.json"
        if not path.exists():
            raise Unavailable(f"no {row.name}.json in the folder of symbols")
        return path
    folder = HERE / ".work"
    folder.mkdir(exist_ok=True)
    path = folder / f"{row.name}-symbol.json"
    path.unlink(missing_ok=True)
    relative = path.relative_to(ROOT)
    run(anneal_command(arguments, row) + ["--write-symbol", str(relative)], arguments.threads)
    if not path.exists():
        raise Unavailable("bench-step --write-symbol wrote no file")
    return relative


@dataclass
class Measured:
    """All rounds of one variant on one row."""
    variant: tuple
    rounds: list = field(default_factory=list)      # records, one a round
    round_numbers: list = field(default_factory=list)
    failure: Optional[str] = None

    @property
    def median(self):
        return statistics.median(step for record in self.rounds for step in record["steps"])

    @property
    def peak_rss_mb(self):
        return max(record["peak_rss_mb"] for record in self.rounds)

    def medians_by_round(self):
        return {number: statistics.median(record["steps"])
                for number, record in zip(self.round_numbers, self.rounds)}


@dataclass
class RowResult:
    row: Row
    best: dict          # framework: Measured, torch in its faster layout
    notes: list
    layout: Optional[str]

    @property
    def ours(self):
        return self.best.get("anneal")

    @property
    def peers(self):
        return [self.best[name] for name in ("mxnet", "torch") if name in self.best]

    @property
    def faster_peer(self):
        return min(self.peers, key=lambda peer: peer.median, default=None)

    def speed_ratio(self):
        """(faster peer's median / ours, the smallest and the largest of a single round)."""
        if not self.ours or not self.faster_peer:
            return None
        ours, theirs = self.ours.medians_by_round(), self.faster_peer.medians_by_round()
        ratios = [theirs[number] / ours[number] for number in ours if number in theirs]
        return (self.faster_peer.median / self.ours.median,
                min(ratios, default=float("nan")), max(ratios, default=float("nan")))

    def memory_ratio(self, peer):
        return self.ours.peak_rss_mb / peer.peak_rss_mb if self.ours and peer else None

    @property
    def leaner_peer(self):
        return min(self.peers, key=lambda peer: peer.peak_rss_mb, default=None)


def variants_of(frameworks):
    found = []
    for framework in frameworks:
        layouts = TORCH_LAYOUTS if framework == "torch" else (None,)
        found += [(framework, layout) for layout in layouts]
    return found


def label(variant):
    framework, layout = variant
    return NAMES[framework] + (f" ({layout})" if layout else "")


def run_row(arguments, row, progress):
    """All rounds of all frameworks on one row."""
    notes, symbol = [], None
    try:
        symbol = find_symbol(arguments, row)
    except Unavailable as error:
        notes.append(f"no symbol JSON: {error}")
    steps = arguments.steps or row.steps
    measured = {variant: Measured(variant) for variant in variants_of(arguments.frameworks)}
    order = list(measured)
    for number in range(arguments.rounds):
        for variant in order:
            result = measured[variant]
            if result.failure:
                continue
            try:
                command = step_command(arguments, variant, row, steps, symbol)
                record = measure(command, arguments.threads)
            except Unavailable as error:
                result.failure = str(error)
                progress(f"{row.name}: {label(variant)}: {error}")
                continue
            result.rounds.append(record)
            result.round_numbers.append(number)
            progress(f"{row.name}, round {number + 1} of {arguments.rounds}: {label(variant)} "
                     f"{statistics.median(record['steps']):.4f} s, {record['peak_rss_mb']:.0f} MB")
        order = order[1:] + order[:1]    # nobody is always first

    notes += [f"{label(result.variant)}: {result.failure}"
              for result in measured.values() if result.failure]
    best = {}
    for result in measured.values():
        framework = result.variant[0]
        if result.rounds and (framework not in best or result.median < best[framework].median):
            best[framework] = result
    notes += disagreements(best.values()) + disturbances(measured.values())
    layout = best["torch"].variant[1] if "torch" in best else None
    return RowResult(row, best, notes, layout)


def disagreements(results):
    """Signs that the frameworks did not train the same network."""
    counts = {label(result.variant): result.rounds[0]["parameters"]
              for result in results if "parameters" in result.rounds[0]}
    if len(set(counts.values())) <= 1:
        return []
    listed = ", ".join(f"{name} {count}" for name, count in counts.items())
    return [f"NOT THE SAME NETWORK: numbers of parameters differ: {listed}"]


def disturbances(results):
    """A warning when other programs were running meanwhile."""
    shares = [record["foreign_cores"] for result in results for record in result.rounds]
    if not shares or max(shares) <= TOLERATED_FOREIGN_CORES:
        return []
    return [f"ROUGH: other programs used up to {max(shares):.1f} cores during these runs"]


# --- The table --------------------------------------------------------------


def format_seconds(seconds):
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds:.3f} s"


def format_cell(result):
    return f"{format_seconds(result.median)}, {result.peak_rss_mb:.0f} MB" if result else ""


def table_lines(results):
    """A Markdown table that is also aligned for reading in a terminal."""
    header = ["training step", "Anneal", "MXNet", "PyTorch", "speed (rounds)", "goal",
              "memory", "goal", "memory, leaner peer"]
    rows = [header]
    for result in results:
        speed = result.speed_ratio()
        memory = result.memory_ratio(result.faster_peer)
        leaner = result.memory_ratio(result.leaner_peer)
        torch_cell = format_cell(result.best.get("torch"))
        if torch_cell:
            torch_cell += f", {result.layout}"
        rows.append([
            result.row.title, format_cell(result.ours), format_cell(result.best.get("mxnet")),
            torch_cell, "{:.2f} ({:.2f} to {:.2f})".format(*speed) if speed else "",
            f"{result.row.speed_goal:g}", f"{memory:.2f}" if memory else "",
            f"{result.row.memory_goal:g}", f"{leaner:.2f}" if leaner else ""])
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]

    def line(cells):
        padded = (cell.ljust(width) for cell, width in zip(cells, widths))
        return "| " + " | ".join(padded) + " |"

    return [line(header), "|" + "|".join("-" * (width + 2) for width in widths) + "|",
            *(line(row) for row in rows[1:])]


def legend():
    return ("Median step and peak resident memory of the whole process. Speed: the faster peer's "
            "median / Anneal's (in brackets the least and the most of a single round; higher is "
            "better). Memory: Anneal's peak / the faster peer's, and / that of the peer that "
            "needs less (lower is better). PyTorch: the faster of its two layouts.")


def versions(results):
    found = {}
    for result in results:
        for framework, measured in result.best.items():
            found[framework] = measured.rounds[0].get("version", "this commit")
    return [(NAMES[name], found[name]) for name in FRAMEWORKS if name in found]


def report_lines(arguments, results, described):
    """The whole report, Markdown."""
    command = ["python3", "Benchmarks/bench.py", *arguments.given]
    lines = ["# Benchmark results", "",
             "Written by `" + shlex.join(command) + "`.",
             f"{arguments.rounds} rounds; the frameworks alternate within each round.", ""]
    lines += table_lines(results) + ["", legend(), ""]
    notes = [f"- {result.row.name}: {note}" for result in results for note in result.notes]
    if notes:
        lines += ["## Notes", "", *notes, ""]
    lines += ["## Machine", ""]
    lines += [f"- {what}: {value}" for what, value in described + versions(results)]
    return lines + [""]


# --- The command line -------------------------------------------------------


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(64, f"bench: {message}\n")


def parse_arguments():
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=",".join(DEFAULT_ROWS), metavar="NAME,NAME",
                        help="rows to run, or all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, help="timed steps a round, in place of each row's own")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)),
                        help="threads of each process; all cores by default")
    parser.add_argument("--frameworks", default=",".join(FRAMEWORKS), metavar="NAME,NAME")
    parser.add_argument("--anneal", default=os.environ.get("ANNEAL", ".build/release/anneal"),
                        metavar="COMMAND", help="how to call Anneal (also: the variable ANNEAL)")
    parser.add_argument("--symbols", metavar="FOLDER",
                        help="take ROW.json from here instead of asking Anneal for MXNet's symbols")
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
    arguments.rows = [by_name[name] for name in chosen(arguments.rows, by_name, "row")]
    arguments.frameworks = chosen(arguments.frameworks, FRAMEWORKS, "framework")
    steps = 1 if arguments.steps is None else arguments.steps
    if min(arguments.rounds, arguments.threads, steps) < 1:
        parser.error("--rounds, --steps and --threads are at least 1")
    return arguments


def raw_results(results):
    return [{"row": result.row.name,
             "frameworks": {name: {"layout": measured.variant[1], "median": measured.median,
                                   "peak_rss_mb": measured.peak_rss_mb,
                                   "rounds": [record["steps"] for record in measured.rounds]}
                            for name, measured in result.best.items()},
             "notes": result.notes} for result in results]


def main():
    arguments = parse_arguments()
    if arguments.list:
        for row in ROWS:
            print(row.title + (" (default)" if row.name in DEFAULT_ROWS else ""))
        return 0
    described = machine.describe(arguments.threads, ROOT)

    def progress(text):
        print(text, file=sys.stderr, flush=True)

    results = []
    try:
        for row in arguments.rows:
            results.append(run_row(arguments, row, progress))
    except KeyboardInterrupt:
        progress("interrupted")
        return 130
    report = "\n".join(report_lines(arguments, results, described))
    print(report)
    if arguments.write:
        (HERE / "RESULTS.md").write_text(report, encoding="utf-8")
        progress("wrote Benchmarks/RESULTS.md")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(raw_results(results), indent=1) + "\n",
                                        encoding="utf-8")
    wanted = "anneal" in arguments.frameworks
    return 1 if wanted and any(result.ours is None for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
