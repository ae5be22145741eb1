"""The tool: how soon it says something, and how large it is.

    python3 Benchmarks/tool_rows.py     the section of RESULTS.md

Looks at the program of the build and at the newest packages of .build/packages (make deb archive), unpacked.
"""

import argparse
import shlex
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STARTS = 41
GOAL = 20    # ms
ASKED = ["--version", "--help", "help train"]


def starts(program, asked):
    """Milliseconds of each start; none if the program does not run here."""
    found = []
    for _ in range(STARTS):
        begin = time.perf_counter()
        try:
            if subprocess.run([*program, *asked.split()], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode != 0:
                return []
        except OSError:
            return []
        found.append((time.perf_counter() - begin) * 1000)
    return found


def megabytes(size):
    return f"{size / 1e6:.1f} MB"


def folder_size(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def newest(pattern):
    return max(ROOT.glob(f".build/packages/{pattern}"), key=lambda path: path.stat().st_mtime, default=None)


def unpacked(work):
    """Name, packed file, folder and program of each package."""
    for pattern, name, unpack in [("anneal_*.deb", "package for Debian", ["dpkg-deb", "-x"]),
                                  ("anneal-*.tar.gz", "archive", ["tar", "-xzf"])]:
        package = newest(pattern)
        if package is None:
            continue
        folder = work / package.name
        folder.mkdir()
        subprocess.run([*unpack, package, *(["-C"] if unpack[0] == "tar" else []), folder], check=True)
        yield name, package, folder, next(folder.rglob("bin/anneal"))


def run(command):
    """The section, as lines."""
    lines = ["## The tool", "", "| program | " + " | ".join(f"`anneal {asked}`" for asked in ASKED) + " | goal |",
             "|---|" + "---|" * len(ASKED) + "---|"]
    sizes = ["| package | packed | installed | the program in it |", "|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as work:
        packages = list(unpacked(Path(work)))
        programs = [("the build, with the toolchain's libraries", shlex.split(command))]
        programs += [(f"{name}, with the Swift runtime inside", [str(program)]) for name, _, _, program in packages]
        for name, program in programs:
            cells = []
            for asked in ASKED:
                found = starts(program, asked)
                cells.append(f"{statistics.median(found):.1f} ms ({min(found):.1f})" if found else "")
            lines.append(f"| {name} | {' | '.join(cells)} | {GOAL} ms |")
        for name, package, folder, program in packages:
            parts = [program] + [path for path in [program.parent / "anneal-server"] if path.exists()]
            shown = ", ".join(f"{part.name} {megabytes(part.stat().st_size)}" for part in parts)
            sizes.append(f"| {name} | {megabytes(package.stat().st_size)} | {megabytes(folder_size(folder))} | {shown} |")
    return lines + ["", f"The median of {STARTS} starts from the system's cache (the shortest in brackets)."] + (
        ["", *sizes] if packages else [])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--anneal", default=str(ROOT / ".build/release/anneal"))
    print("\n".join(run(parser.parse_args().anneal)))


if __name__ == "__main__":
    main()
