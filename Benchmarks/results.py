"""What was measured, and the report on it."""

import shlex
import statistics
from dataclasses import dataclass, field
from typing import Optional

from rows import KINDS, NAMES, label

# Above this, other programs' processor use is reported with the results.
TOLERATED_FOREIGN_CORES = 0.1
HEADINGS = {"training": "Training step", "job": "Training step of several processes (dist_sync)", "inference": "Inference",
            "start": "From the command to the first trained batch"}
LEGENDS = {
    "training": "Median step and peak resident memory of the whole process. PyTorch: the faster of "
                "its two layouts.",
    "job": "Median step; the batch is that of each process, and the cores are shared out. MXNet: with one server next to "
           "its workers.",
    "inference": "Median forward pass on one batch and peak resident memory of the whole process.",
    "start": "Median seconds from starting the process (programs and files in the system's cache) "
             "to the end of the first update.",
}
RATIOS = ("Speed: the fastest peer's median / Anneal's (in brackets the least and the most of a "
          "single round; higher is better). Memory: Anneal's peak / the leanest peer's (lower is "
          "better).")


@dataclass
class Measured:
    """All rounds of one variant on one row."""
    variant: tuple
    rounds: list = field(default_factory=list)      # records, one per round
    round_numbers: list = field(default_factory=list)
    failure: Optional[str] = None

    @property
    def median(self):
        return statistics.median(step for record in self.rounds for step in record["steps"])

    @property
    def peak_rss_mb(self):
        return max((record["peak_rss_mb"] for record in self.rounds if "peak_rss_mb" in record),
                   default=None)

    def medians_by_round(self):
        return {number: statistics.median(record["steps"])
                for number, record in zip(self.round_numbers, self.rounds)}


@dataclass
class RowResult:
    row: object
    best: dict          # framework: Measured, torch in its faster layout
    notes: list
    skipped: bool = False

    @property
    def ours(self):
        return self.best.get("anneal")

    @property
    def peers(self):
        return [measured for name, measured in self.best.items() if name != "anneal"]

    def speed_ratio(self):
        """(fastest peer's median / ours, the smallest and the largest of a single round)."""
        if not self.ours or not self.peers:
            return None
        peer = min(self.peers, key=lambda peer: peer.median)
        ours, theirs = self.ours.medians_by_round(), peer.medians_by_round()
        ratios = [theirs[number] / ours[number] for number in ours if number in theirs]
        return (peer.median / self.ours.median,
                min(ratios, default=float("nan")), max(ratios, default=float("nan")))

    def memory_ratio(self):
        peaks = [peer.peak_rss_mb for peer in self.peers if peer.peak_rss_mb]
        return self.ours.peak_rss_mb / min(peaks) if self.ours and peaks else None


def summarise(row, measured, notes):
    """The result of a row from all its variants."""
    best = {}
    for result in measured:
        framework = result.variant[0]
        # A framework that failed in any round gets no number.
        if not result.failure and (framework not in best or result.median < best[framework].median):
            best[framework] = result
    notes = notes + [f"{label(result.variant)}: {result.failure}"
                     for result in measured if result.failure]
    return RowResult(row, best, notes + disagreements(best.values()) + disturbances(measured))


def disagreements(results):
    """Signs that the frameworks did not run the same network."""
    counts = {label(result.variant): result.rounds[0]["parameters"]
              for result in results if "parameters" in result.rounds[0]}
    if len(set(counts.values())) <= 1:
        return []
    listed = ", ".join(f"{name} {count}" for name, count in counts.items())
    return [f"NOT THE SAME NETWORK: numbers of parameters differ: {listed}"]


def disturbances(results):
    """A warning when other programs were running meanwhile."""
    shares = [record.get("foreign_cores", 0) for result in results for record in result.rounds]
    if max(shares, default=0) <= TOLERATED_FOREIGN_CORES:
        return []
    return [f"ROUGH: other programs used up to {max(shares):.1f} cores during these runs"]


def format_seconds(seconds):
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds:.3f} s"


def format_cell(result):
    if not result:
        return ""
    memory = [f"{result.peak_rss_mb:.0f} MB"] if result.peak_rss_mb else []
    layout = [result.variant[1]] if result.variant[1] else []
    return ", ".join([format_seconds(result.median)] + memory + layout)


def table_lines(kind, results):
    """A Markdown table that is also aligned for reading in a terminal."""
    frameworks = KINDS[kind]
    rows = [["network", *(NAMES[name] for name in frameworks), "speed (rounds)", "goal",
             "memory", "goal"]]
    for result in results:
        speed, memory = result.speed_ratio(), result.memory_ratio()
        goals = [f"{goal:g}" if goal else "" for goal in (result.row.speed_goal,
                                                          result.row.memory_goal)]
        rows.append([result.row.title, *(format_cell(result.best.get(name)) for name in frameworks),
                     "{:.2f} ({:.2f} to {:.2f})".format(*speed) if speed else "", goals[0],
                     f"{memory:.2f}" if memory else "", goals[1]])
    if kind in ("start", "job"):
        rows = [row[:-2] for row in rows]    # no memory is measured
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]

    def line(cells):
        padded = (cell.ljust(width) for cell, width in zip(cells, widths))
        return "| " + " | ".join(padded) + " |"

    return [line(rows[0]), "|" + "|".join("-" * (width + 2) for width in widths) + "|",
            *(line(row) for row in rows[1:])]


def versions(results):
    found = {}
    for result in results:
        for framework, measured in result.best.items():
            version = measured.rounds[0].get("version")
            if version:
                found[framework] = version
    return [(NAMES[name], version) for name, version in found.items()]


def report(arguments, results, described):
    """The whole report, Markdown."""
    command = ["python3", "Benchmarks/bench.py", *arguments.given]
    lines = ["# Benchmark results", "", f"Written by `{shlex.join(command)}`.",
             f"{arguments.rounds} rounds; the frameworks alternate within each round.",
             RATIOS, ""]
    for kind, heading in HEADINGS.items():
        of_kind = [result for result in results if result.row.kind == kind and not result.skipped]
        if of_kind:
            lines += [f"## {heading}", "", *table_lines(kind, of_kind), "", LEGENDS[kind], ""]
    notes = [f"- {result.row.name}: {note}" for result in results for note in result.notes]
    if notes:
        lines += ["## Notes", "", *notes, ""]
    lines += ["## Machine", ""]
    lines += [f"- {what}: {value}" for what, value in described + versions(results)]
    return "\n".join(lines + [""])


def raw(results):
    """All steps of all rounds, for a JSON file."""
    return [{"row": result.row.name,
             "frameworks": {name: {"layout": measured.variant[1], "median": measured.median,
                                   "peak_rss_mb": measured.peak_rss_mb,
                                   "rounds": [record["steps"] for record in measured.rounds]}
                            for name, measured in result.best.items()},
             "notes": result.notes} for result in results]
