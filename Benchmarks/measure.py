"""What the step scripts of every peer share: timing, peak memory, the report.

Used inside the peers' own environments, so it needs nothing but Python.
"""

import argparse
import json
import resource
import statistics
import time


def integers(text):
    """The integers of a shape such as "3,28,28"."""
    return tuple(int(part) for part in text.split(","))


def argument_parser(description):
    """A parser with the options that every step script takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--image-shape", type=integers, required=True, metavar="C,H,W",
                        help="the shape of one image of the batch")
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--steps", type=int, default=10, help="steps that are timed")
    parser.add_argument("--warm-up", type=int, default=2, help="steps before them, not counted")
    parser.add_argument("--threads", type=int, default=2)
    return parser


def add_network_options(parser):
    """The options that name one of torch_networks' networks."""
    parser.add_argument("--network", required=True, choices=("resnext", "resnet", "lenet"))
    parser.add_argument("--num-layers", type=int, default=0)
    parser.add_argument("--num-classes", type=int, default=10)
    parser.add_argument("--trunk", choices=("imagenet", "small"), default="small",
                        help="imagenet: the 7x7 trunk that MXNet builds for images above 32x32")


def peak_rss_mb():
    """The largest resident memory of this process so far, in MiB."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def time_steps(step, warm_up, steps):
    """Run `step` warm_up + steps times; the seconds of each of the last `steps`."""
    seconds = []
    for index in range(warm_up + steps):
        started = time.perf_counter()
        step()
        elapsed = time.perf_counter() - started
        if index >= warm_up:
            seconds.append(elapsed)
    return seconds


def report(framework, version, seconds, **details):
    """Print one JSON line: what the driver reads."""
    print(json.dumps({
        "framework": framework,
        "version": version,
        "steps": [round(value, 6) for value in seconds],
        "median": round(statistics.median(seconds), 6),
        "peak_rss_mb": round(peak_rss_mb(), 1),
        **details,
    }), flush=True)
