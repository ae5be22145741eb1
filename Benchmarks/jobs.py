#!/usr/bin/env python3
"""Measure jobs of several processes on this machine.

    python3 Benchmarks/jobs.py plan     what 'anneal plan' predicts of 1, 2 and 4 processes, and what they take
    python3 Benchmarks/jobs.py cores    as many processes as cores, against one process that uses all cores
    python3 Benchmarks/jobs.py link     two processes over a link of 1 Gbit/s: what overlap and compression bring
                                        (as root: two network namespaces are the hosts, tc shapes the link)

What is compared alternates in each round; tables give medians over all rounds, and ratios of medians.
MXNet's dist_sync is a row of bench.py: python3 Benchmarks/bench.py --rows job-resnext-20
"""

import argparse
import contextlib
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

CORES = len(os.sched_getaffinity(0))
SHARED = ["--kv-store", "dist_sync"]


def call(command, threads=None, limit=300):
    environment = dict(os.environ)
    if threads:
        environment["OMP_NUM_THREADS"] = str(threads)
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=environment, timeout=limit)
    if result.returncode != 0:
        sys.exit(f"jobs: {shlex.join(command)} ended with status {result.returncode}:\n{result.stdout}{result.stderr}")
    return result.stdout


def steps(command, threads=None):
    """The seconds of the steps that a bench-step has timed."""
    lines = [line for line in call(command, threads).splitlines() if line.startswith("{")]
    return json.loads(lines[-1])["steps"]


def launch(arguments, processes, *more):
    return [arguments.anneal, "launch", "-n", str(processes), *more, arguments.anneal]


def bench(batch, arguments, *more):
    return ["bench-step", *shlex.split(arguments.flags), "--batch-size", str(batch), "--steps", str(arguments.steps), *more]


def alternate(arguments, measures):
    """Medians of what functions measure, each once a round, and nobody always first."""
    found = [[] for _ in measures]
    order = list(range(len(measures)))
    for number in range(arguments.rounds):
        for index in order:
            values = measures[index]()
            found[index] += values
            print(f"round {number + 1}: {index + 1} of {len(measures)}: {statistics.median(values) * 1000:.1f} ms",
                  file=sys.stderr, flush=True)
        order = order[1:] + order[:1]
    return [statistics.median(values) for values in found]


def predicted(arguments, processes):
    """The step and the bucket that plan's last row has."""
    text = call([arguments.anneal, "plan", *shlex.split(arguments.flags), "--batch-size", str(arguments.batch_size),
                 "--processes", str(processes), "--hosts", "1", "--steps", str(arguments.steps)])
    row = text.splitlines()[-1].split()
    return float(row[3]) / 1000, row[-1]


def plan(arguments):
    rows, worst = [], 0
    for processes in (1, 2, 4):
        bucket = "4"

        def predict():
            nonlocal bucket
            seconds, bucket = predicted(arguments, processes)
            return [seconds]

        def measure():
            if processes == 1:
                return steps([arguments.anneal, *bench(arguments.batch_size, arguments)])
            return steps([*launch(arguments, processes), *bench(arguments.batch_size, arguments, *SHARED, "--bucket-mb", bucket)])

        guess, real = alternate(arguments, [predict, measure])
        worst = max(worst, abs(guess / real - 1))
        rows.append([processes, f"{guess * 1000:.1f}", f"{real * 1000:.1f}", f"{guess / real:.3f}"])
    table(["processes", "predicted ms", "measured ms", "predicted / measured"], rows)
    print(f"\nat most {worst * 100:.1f} % away")
    return worst <= 0.15


def cores(arguments):
    batch = arguments.batch_size
    alone, job = alternate(arguments, [
        lambda: steps([arguments.anneal, *bench(batch * CORES, arguments)], CORES),
        lambda: steps([*launch(arguments, CORES), *bench(batch, arguments, *SHARED)], 1),
    ])
    images = batch * CORES
    table(["", "ms a step", "images/s"], [
        [f"1 process, {CORES} threads", f"{alone * 1000:.1f}", f"{images / alone:.1f}"],
        [f"{CORES} processes, 1 thread", f"{job * 1000:.1f}", f"{images / job:.1f}"],
    ])
    print(f"\nprocesses / threads: {alone / job:.3f}")
    return alone / job >= 0.95


@contextlib.contextmanager
def two_hosts(rate):
    """Two network namespaces with a link between them, each way of some rate: the words before a command on the first one,
    and the launcher's flags."""
    names = [f"anneal-jobs-{side}-{rate or 'free'}-{os.getpid()}" for side in "ab"]

    def on(name, *words):
        subprocess.run(["ip", "-n", name, *words], check=True)

    with tempfile.TemporaryDirectory(prefix="anneal-jobs-") as folder:
        try:
            for name in names:
                subprocess.run(["ip", "netns", "add", name], check=True)
            on(names[0], "link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns", names[1])
            for number, name in enumerate(names):
                on(name, "addr", "add", f"10.78.0.{number + 1}/24", "dev", "veth0")
                on(name, "link", "set", "lo", "up")
                on(name, "link", "set", "veth0", "up")
                if rate:
                    subprocess.run(["ip", "netns", "exec", name, "tc", "qdisc", "add", "dev", "veth0", "root", "tbf", "rate",
                                    rate, "burst", "256kb", "latency", "50ms"], check=True)
            shell, hosts = Path(folder, "rsh"), Path(folder, "hosts")
            shell.write_text(f"""#!/bin/sh
while [ $# -gt 0 ]; do case "$1" in -x|-n|-q|-T) shift;; -p|-o|-l) shift 2;; *) break;; esac; done
case "$1" in 10.78.0.1) n={names[0]};; 10.78.0.2) n={names[1]};; *) exit 1;; esac
shift; exec ip netns exec $n sh -c "$*"
""", encoding="utf-8")
            shell.chmod(0o755)
            hosts.write_text("10.78.0.1 slots=1\n10.78.0.2 slots=1\n", encoding="utf-8")
            yield (["ip", "netns", "exec", names[0]],
                   ["-H", str(hosts), "--rsh", str(shell), "--env-worker", "OMP_NUM_THREADS:1"])
        finally:
            for name in names:
                found = subprocess.run(["ip", "netns", "pids", name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                for number in found.stdout.split():
                    subprocess.run(["kill", "-KILL", number], check=False)
                subprocess.run(["ip", "netns", "del", name], check=False)


def link(arguments):
    kinds = [
        ("no exchange", None), ("the link as it is", []), ("no overlap", ["--bucket-mb", "65536"]), ("overlap", []),
        ("overlap, bfloat16", ["--gc-type", "bfloat16"]), ("overlap, 2bit", ["--gc-type", "2bit"]),
    ]
    with two_hosts(None) as free, two_hosts(arguments.rate) as shaped:
        def measure(name, more):
            before, flags = free if name == "the link as it is" else shaped
            if more is None:
                # Two processes that do not know of each other.
                command = [arguments.anneal, *bench(arguments.batch_size, arguments, "--shards", "1")]
                other = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                         env=dict(os.environ, OMP_NUM_THREADS="1"))
                try:
                    return steps(command, 1)
                finally:
                    other.kill()
                    other.wait()
            return steps([*before, *launch(arguments, 2, *flags), *bench(arguments.batch_size, arguments, *SHARED, *more)])

        speed = call([*shaped[0], *launch(arguments, 2, *shaped[1]), "bench-exchange"])
        print(f"the link: {speed.splitlines()[-1]}", file=sys.stderr)
        medians = alternate(arguments, [lambda name=name, more=more: measure(name, more) for name, more in kinds])
    plain = medians[2]
    table(["", "ms a step", "times as fast"],
          [[name, f"{seconds * 1000:.1f}", f"{plain / seconds:.2f}"] for (name, _), seconds in zip(kinds, medians)])
    return True


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")


# What is measured, the network's flags, images per process, steps and rounds.
MODES = {
    "plan": (plan, "--network resnext --num-layers 20 --image-shape 3,28,28", 64, 10, 3),
    "cores": (cores, "--network resnext --num-layers 110 --image-shape 3,28,28", 64, 4, 3),
    "link": (link, "--network resnext --num-layers 101 --trunk imagenet --image-shape 3,28,28", 32, 3, 1),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--anneal", default=os.environ.get("ANNEAL", ".build/release/anneal"), metavar="PROGRAM")
    parser.add_argument("--flags", help="the network", metavar="FLAGS")
    parser.add_argument("--batch-size", type=int, help="images of a step of each process")
    parser.add_argument("--steps", type=int, help="steps that are timed in each round")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--rate", default="1gbit", help="of mode link, as tc takes it")
    arguments = parser.parse_args()
    measure, *defaults = MODES[arguments.mode]
    for name, value in zip(("flags", "batch_size", "steps", "rounds"), defaults):
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    arguments.anneal = os.path.abspath(arguments.anneal)
    print(f"{arguments.mode}: {arguments.flags}, batch {arguments.batch_size} each, {arguments.rounds} rounds of "
          f"{arguments.steps} steps, {CORES} cores\n")
    sys.exit(0 if measure(arguments) else 1)


if __name__ == "__main__":
    main()
