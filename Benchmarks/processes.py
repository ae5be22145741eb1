"""Running a framework in a process of its own: what it printed, used and when."""

import json
import os
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import machine

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
TIME_LIMIT_SECONDS = 900
# What every training program prints when its first update is done.
FIRST_BATCH = "First batch trained"


class Unavailable(Exception):
    """A framework cannot run: its message says why."""


def start(command, threads, **streams):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    try:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                                **streams)
    except OSError as error:
        raise Unavailable(f"{command[0]}: {error.strerror}") from None


def failure(status, text):
    lines = text.strip().splitlines()
    return Unavailable(f"exit status {status}: {lines[-1].strip()[:200] if lines else 'no message'}")


@dataclass
class Finished:
    """What a process printed and used."""
    output: str
    peak_rss_mb: float
    foreign_cores: float    # processor time of all other processes meanwhile / elapsed time


def run(command, threads):
    """Run a command to its end; raises Unavailable when it fails."""
    started, busy_before = time.monotonic(), machine.busy_seconds()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = start(command, threads, stdout=output, stderr=errors)
        limit = threading.Timer(TIME_LIMIT_SECONDS, process.kill)
        limit.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        finally:
            limit.cancel()
        # wait4 has taken the exit status; Popen must not wait for it again.
        process.returncode = -(status & 127) if status & 127 else status >> 8
        if process.returncode != 0:
            errors.seek(0)
            raise failure(process.returncode, errors.read().decode("utf-8", "replace"))
        elapsed = time.monotonic() - started
        foreign = machine.busy_seconds() - busy_before - usage.ru_utime - usage.ru_stime
        output.seek(0)
        return Finished(output.read().decode("utf-8", "replace"), usage.ru_maxrss / 1024,
                        max(0.0, foreign / elapsed))


def measure_steps(command, threads):
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
            # The same measurement for all, whatever a process reports about itself.
            record["peak_rss_mb"] = finished.peak_rss_mb
            record["foreign_cores"] = finished.foreign_cores
            return record
    raise Unavailable("it printed no JSON line")


def seconds_to_first_batch(command, threads):
    """From starting the process to its line about the first batch; it is killed then."""
    started, lines = time.monotonic(), []
    process = start(command, threads, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    limit = threading.Timer(TIME_LIMIT_SECONDS, process.kill)
    limit.start()
    try:
        for line in process.stdout:
            lines.append(line.decode("utf-8", "replace"))
            if FIRST_BATCH in lines[-1]:
                return time.monotonic() - started
    finally:
        limit.cancel()
        process.kill()
        process.wait()
        process.stdout.close()
    raise failure(process.returncode, "".join(lines))


def measure_starts(make_command, threads, count):
    """A record of `count` starts, after one that brings the files into memory."""
    times = []
    for _ in range(1 + count):
        with tempfile.TemporaryDirectory() as folder:
            times.append(seconds_to_first_batch(make_command(folder), threads))
    return {"steps": times[1:]}
