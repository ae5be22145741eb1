#!/usr/bin/env python3
"""Kills and stops processes of a job at random, and looks at what becomes of it: check-hosts.py ANNEAL [ROUNDS] [SEED]

Each round starts `anneal launch --restarts` with 2 to 4 processes and sends SIGKILL or SIGSTOP to one of them. The process must
be named within 30 seconds, the job started again, its last checkpoint be that of a run of one process, and no process of the
job be left."""

import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

LIMIT = 30
TIMEOUT = 8
MARK = "ANNEAL_CHECK_HOSTS"
IMAGES = "/usr/share/datasets/fashion-mnist/t10k-{}-ubyte.gz"
anneal = os.path.abspath(sys.argv[1])
rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 50
seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
chance = random.Random(seed)


def train(folder, *more):
    return [anneal, "train", "--network", "lenet", "--image-shape", "1,28,28", "--num-classes", "10", "--data-train",
            "part-few.rec", "--rgb-mean", "72.9", "--rgb-std", "90", "--random-mirror", "1", "--lr", "0.02", "--shards", "4",
            "--global-batch-size", "100", "--num-epochs", "2", "--save-steps", "5", "--quiet", "--run-folder", folder,
            *more]


def processes(mark):
    """The job's own processes, mpirun's among them, by number: their environment."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            environment = Path(f"/proc/{entry}/environ").read_bytes().split(b"\0")
            state = Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if f"{MARK}={mark}".encode() in environment and state not in "ZX":
            found[int(entry)] = environment
    return found


def victim(mark, rank):
    name = f"OMPI_COMM_WORLD_RANK={rank}".encode()
    return next((number for number, environment in processes(mark).items() if name in environment), None)


class Output(threading.Thread):
    """What the job says, and when."""

    def __init__(self, stream):
        super().__init__(daemon=True)
        self.stream, self.lines = stream, []
        self.start()

    def run(self):
        for line in self.stream:
            self.lines.append((time.monotonic(), line.rstrip()))

    def first(self, pattern, since):
        return next((when for when, line in self.lines if when >= since and re.search(pattern, line)), None)


def checkpoint(folder):
    return hashlib.sha256(Path(folder, "model-0002.params").read_bytes()).hexdigest()


def attempt(number, expected):
    """One round; None if the job was over before the signal came."""
    count, kind = chance.choice([2, 3, 4]), chance.choice([signal.SIGKILL, signal.SIGSTOP])
    rank, delay, folder, mark = chance.randrange(count), chance.uniform(0, 1), f"round{number}", f"{os.getpid()}-{number}"
    job = subprocess.Popen(
        [anneal, "launch", "-n", str(count), "--restarts", "1",
         *train(folder, "--kv-store", "dist_sync", "--rank-timeout", str(TIMEOUT))],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, errors="replace",
        env={**os.environ, MARK: mark, "OMP_NUM_THREADS": "1"})
    output, problems, what = Output(job.stdout), [], f"{kind.name} on rank {rank} of {count}"
    try:
        while not Path(folder, "model-latest.resume").exists() and job.poll() is None:
            time.sleep(0.02)
        time.sleep(delay)
        process = victim(mark, rank)
        if process is None:
            return None
        begin = time.monotonic()
        os.kill(process, kind)
        try:
            status = job.wait(timeout=240)
        except subprocess.TimeoutExpired:
            status = "none after 240 s"
        output.join(timeout=5)
        if not output.first("is started again", begin) and status == 0:
            return None
        named = output.first(rf"rank {rank} (on|with) ", begin)
        if named is None or named - begin > LIMIT:
            problems.append(f"not named within {LIMIT} s" if named is None else f"named after {named - begin:.1f} s")
        if status != 0:
            problems.append(f"ended with status {status}")
        elif checkpoint(folder) != expected:
            problems.append("the last checkpoint has other bits")
        left = processes(mark)
        if left:
            problems.append(f"{len(left)} processes are left")
        took = f"named after {named - begin:.1f} s, " if named else ""
        print(f"{number}: {what}: {took}{'; '.join(problems) or 'the same bits, nothing left'}", flush=True)
        if problems:
            print("\n".join(f"    {line}" for _, line in output.lines), flush=True)
        return not problems
    finally:
        for left in processes(mark):
            os.kill(left, signal.SIGKILL)


def main():
    with tempfile.TemporaryDirectory(prefix="anneal-check-hosts-") as folder:
        os.chdir(folder)
        subprocess.run(
            [anneal, "import-mnist", "--images", IMAGES.format("images-idx3"), "--labels", IMAGES.format("labels-idx1"),
             "t10k"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run([anneal, "rec", "split", "t10k.rec", "--to", "part", "--shares", "0.4,0.6", "--names", "few,rest"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run(train("alone"), check=True)
        print(f"seed {seed}", flush=True)
        expected, good, done, early = checkpoint("alone"), 0, 0, 0
        while done < rounds:
            outcome = attempt(done + early + 1, expected)
            if outcome is None:
                early += 1
                if early > rounds + 10:
                    sys.exit("check-hosts: the jobs are over before a signal comes")
                continue
            done, good = done + 1, good + outcome
        print(f"{good} of {rounds} rounds are good")
        sys.exit(0 if good == rounds else 1)


main()
