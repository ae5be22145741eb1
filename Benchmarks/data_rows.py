"""Rows of data: images fed and packed, Anneal against MXNet's iterator and script and PyTorch's DataLoader; then what
Anneal reads before the first batch of a large record file, and how its memory grows.

Every measurement is a process of its own that prints images per second, or seconds, as its last line. The rows run after
those of bench.py, or alone:

    python3 Benchmarks/data_rows.py [--rounds 3] [--threads 2] [--data FOLDER]
"""

import argparse
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from processes import HERE, ROOT, Unavailable

# Name, image shape, what training does to images (Anneal's flags), goals relative to MXNet and to PyTorch.
FEEDS = [
    ("CIFAR-10 records: pad, crop, mirror", "cifar10", "3,28,28",
     "--pad-size 4 --random-crop 1 --random-mirror 1", 3.0, 15.0),
    ("320x256 JPEG: random-resized-crop 224, mirror", "320x256", "3,224,224",
     "--pad-size 0 --random-resized-crop 1 --min-random-area 0.08 --min-random-aspect-ratio 0.75 "
     "--max-random-aspect-ratio 1.3333 --random-mirror 1", 2.0, 2.5),
    ("1600x1200 JPEG: the same", "1600x1200", "3,224,224",
     "--pad-size 0 --random-resized-crop 1 --min-random-area 0.08 --min-random-aspect-ratio 0.75 "
     "--max-random-aspect-ratio 1.3333 --random-mirror 1", 4.0, 4.0),
]
# Images that are made for a row: number - whole batches, because Anneal decodes the padding of the last one -, width,
# height.
MADE = {"320x256": (2048, 320, 256), "1600x1200": (384, 1600, 1200)}
PACKED = 10_000
# Bytes of the large record file.
LARGE = 330_000_000
# Epochs of a run whose memory is measured, and its number of images.
EPOCHS, IMAGES = 50, 500


def python(peer):
    path = HERE / f".venv-{peer}" / "bin" / "python"
    if not path.exists():
        raise Unavailable(f"not installed: run Benchmarks/setup-peers.sh {peer}")
    return str(path)


def output(command):
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode != 0:
        raise Unavailable((found.stderr.strip().splitlines() or ["it failed"])[-1])
    return found.stdout + found.stderr


def make_images(folder, count, width, height):
    """Smooth pictures with noise, as photographs are; every file another one."""
    folder.mkdir(parents=True, exist_ok=True)
    script = (
        "import sys, numpy as np, cv2\n"
        "folder, count, width, height = sys.argv[1], *map(int, sys.argv[2:])\n"
        "y, x = np.mgrid[0:height, 0:width]; random = np.random.default_rng(0)\n"
        "for i in range(count):\n"
        "    a, b = random.uniform(20, 90, 2)\n"
        "    image = 128 + 60 * np.sin(x / a + i)[..., None] + 50 * np.cos(y / b)[..., None] * [1, .7, .4]\n"
        "    image = np.clip(image + random.normal(0, 6, image.shape), 0, 255).astype(np.uint8)\n"
        "    cv2.imwrite(f'{folder}/{i:06d}.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 90])\n")
    output([python("mxnet"), "-c", script, str(folder), str(count), str(width), str(height)])


def records(arguments, kind, work):
    """The prefix of a row's records."""
    if kind == "cifar10":
        prefix = Path(arguments.data).resolve() / "cifar10_train"
        if not Path(f"{prefix}.rec").exists():
            raise Unavailable(f"no cifar10_train.rec in {arguments.data}")
        return prefix
    prefix = work / kind
    if not Path(f"{prefix}.rec").exists():
        make_images(work / f"{kind}-images", *MADE[kind])
        anneal = shlex.split(arguments.anneal)
        output(anneal + ["im2rec", "--list", str(prefix), str(work / f"{kind}-images")])
        output(anneal + ["im2rec", "--pass-through", str(prefix), str(work / f"{kind}-images")])
    return prefix


def feed(arguments, framework, prefix, shape, flags):
    """Images per second."""
    if framework == "anneal":
        text = output(shlex.split(arguments.anneal) + [
            "train", "--data-train", f"{prefix}.rec", "--data-train-idx", f"{prefix}.idx", "--network", "mlp",
            "--num-classes", "10", "--image-shape", shape, "--data-nthreads", str(arguments.threads), "--test-io", "1",
            *flags.split()])
        return float(re.search(r": ([0-9.,]+) images/s", text).group(1).replace(",", ""))
    text = output([
        python(framework), str(HERE / f"{framework}_data.py"), "--records", str(prefix), "--image-shape", shape,
        "--batch-size", "128", "--threads", str(arguments.threads), "--resized-crop", str(int("resized" in flags))])
    # Meanwhile MXNet writes to its log.
    return float(re.search(r"^images/s: ([0-9.]+)$", text, re.MULTILINE).group(1))


def pack(arguments, framework, images, work):
    """Seconds for resizing and packing."""
    prefix = work / f"packed-{framework}"
    tool = (shlex.split(arguments.anneal) + ["im2rec"] if framework == "anneal"
            else [python("mxnet"), str(next((HERE / ".venv-mxnet").glob("lib/*/site-packages/mxnet/tools/im2rec.py")))])
    output(tool + ["--list", str(prefix), str(images)])
    begin = time.monotonic()
    output(tool + ["--resize", "128", "--num-thread", str(arguments.threads), str(prefix), str(images)])
    return time.monotonic() - begin


def bytes_before(arguments, prefix, work):
    """Bytes that are read before the first batch of a large record file, with its index next to it."""
    large, small = work / "large", Path(f"{prefix}.rec")
    copies = -(-LARGE // small.stat().st_size)
    anneal = shlex.split(arguments.anneal)
    output(anneal + ["rec", "cat", *[str(small)] * copies, "--renumber", "--to", f"{large}.rec"])
    text = output(anneal + [
        "train", "--data-train", f"{large}.rec", "--network", "mlp", "--num-classes", "10", "--image-shape", "3,224,224",
        "--data-nthreads", str(arguments.threads), "--test-io", "1"])
    size = Path(f"{large}.rec").stat().st_size
    Path(f"{large}.rec").unlink()
    found = re.search(r"; ([0-9,]+) bytes were read before the first", text)
    return int(found.group(1).replace(",", "")), size


def growth(arguments, work):
    """Resident memory after EPOCHS epochs over that after 2."""
    records = work / "growth.rec"
    anneal = shlex.split(arguments.anneal)
    if not records.exists():
        output(anneal + ["rec", "extract", str(Path(arguments.data).resolve() / "cifar10_train.rec"), "--numbers",
                         f"0-{IMAGES - 1}", "--to", str(records)])
    command = anneal + [
        "train", "--data-train", str(records), "--network", "resnet", "--num-layers", "20", "--num-classes", "10",
        "--image-shape", "3,28,28", "--random-crop", "1", "--random-mirror", "1", "--batch-size", "50",
        "--num-epochs", str(EPOCHS + 1), "--data-nthreads", str(arguments.threads),
        "--run-folder", tempfile.mkdtemp(dir=work)]
    sizes = {}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        last = ""
        for line in process.stderr:
            last = line.strip() or last
            epoch = re.match(r"INFO:root:Epoch\[(\d+)\] Time cost=", line)
            if epoch and int(epoch.group(1)) + 1 in (2, EPOCHS):
                pages = Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[1]
                sizes[int(epoch.group(1)) + 1] = int(pages) * os.sysconf("SC_PAGE_SIZE")
    if process.returncode != 0 or len(sizes) < 2:
        raise Unavailable(last or "it failed")
    return sizes[EPOCHS] / sizes[2]


def own_rows(arguments, work):
    """The table of what only Anneal is measured for."""
    lines = ["", "| what | Anneal | goal |", "|---|---|---|"]
    try:
        read, size = bytes_before(arguments, records(arguments, "320x256", work), work)
        lines.append(f"| bytes read before the first batch from a record file of {size / 1e6:.0f} MB with an index next to "
                     f"it | {read / 1e6:.2f} MB | 1 MB |")
    except Unavailable as error:
        print(f"bytes before the first batch: {error}", file=sys.stderr)
    try:
        found = [growth(arguments, work) for _ in range(arguments.starts)]
        lines.append(f"| memory after {EPOCHS} epochs over memory after 2 (largest of {len(found)} starts) | "
                     f"{max(found):.3f} (median {statistics.median(found):.3f}) | 1.02 |")
    except Unavailable as error:
        print(f"memory: {error}", file=sys.stderr)
    return lines


def medians(arguments, name, frameworks, measure):
    """By framework the numbers of all rounds; the frameworks alternate."""
    found, order = {}, list(frameworks)
    for _ in range(arguments.rounds):
        for framework in order:
            try:
                found.setdefault(framework, []).append(measure(framework))
            except Unavailable as error:
                print(f"{name}: {framework}: {error}", file=sys.stderr)
        order = order[1:] + order[:1]
    return found


def run(arguments):
    """The tables, as lines."""
    lines = ["## Data", "", "| work | Anneal | MXNet | PyTorch | against MXNet | goal | against PyTorch | goal |",
             "|---|---|---|---|---|---|---|---|"]
    work = Path(tempfile.mkdtemp(prefix="anneal-bench-"))
    try:
        for name, kind, shape, flags, goal_mxnet, goal_torch in FEEDS:
            try:
                prefix = records(arguments, kind, work)
            except Unavailable as error:
                print(f"{name}: skipped: {error}", file=sys.stderr)
                continue
            found = medians(arguments, name, ("anneal", "mxnet", "torch"),
                            lambda framework: feed(arguments, framework, prefix, shape, flags))
            lines.append(row(name, found, "images/s", goal_mxnet, goal_torch, higher=True))
        images = work / "pack-images"
        try:
            make_images(images, PACKED, 320, 256)
            found = medians(arguments, "im2rec", ("anneal", "mxnet"),
                            lambda framework: pack(arguments, framework, images, work))
            lines.append(row(f"im2rec: {PACKED} images of 320x256 to 128", found, "s", 2.0, None, higher=False))
        except Unavailable as error:
            print(f"im2rec: skipped: {error}", file=sys.stderr)
        shutil.rmtree(images, ignore_errors=True)
        lines += own_rows(arguments, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return lines


def row(name, found, unit, goal_mxnet, goal_torch, higher):
    middle = {framework: statistics.median(values) for framework, values in found.items() if values}

    def shown(framework):
        return f"{middle[framework]:.4g} {unit}" if framework in middle else ""

    def ratio(peer):
        if "anneal" not in middle or peer not in middle:
            return ""
        rounds = [ours / theirs if higher else theirs / ours for ours, theirs in zip(found["anneal"], found[peer])]
        return f"{statistics.median(rounds):.2f} ({min(rounds):.2f} to {max(rounds):.2f})"

    cells = [name, shown("anneal"), shown("mxnet"), shown("torch"), ratio("mxnet"), goal_mxnet or "", ratio("torch"),
             goal_torch or ""]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--anneal", default=".build/release/anneal")
    parser.add_argument("--starts", type=int, default=5, help="runs whose memory is looked at")
    parser.add_argument("--data", default=str(ROOT.parent / "shared" / "data"))
    print("\n".join(run(parser.parse_args())))


if __name__ == "__main__":
    main()
