#!/usr/bin/env python3
"""Let MXNet 1.9.1 read what `anneal im2rec`, `rec`, `import-data` and `export-images` write. Run inside
Benchmarks/.venv-mxnet:

    check-mxnet-records.py ANNEAL

Images are packed by MXNet's own im2rec.py too, flag by flag, and both results are compared: lists byte for byte, records by
their keys, labels, ids and pixels. Records that MXNet wrote go through every command of `anneal rec`; its readers must find the
same labels, ids and bytes in the results, one after the other, by index and as batches.

Exit status: 0 all well, 1 something differs.
"""

import collections
import ctypes
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import mxnet as mx
import numpy as np

TOOLS = Path(mx.__file__).parent / "tools"
LISTS = [
    "", "--recursive", "--recursive --no-shuffle", "--recursive --train-ratio 0.6", "--recursive --chunks 3",
    "--recursive --train-ratio 0.6 --test-ratio 0.2", "--recursive --train-ratio 0.5 --chunks 2", "--recursive --exts .png",
]
# Flags, and the maximum and mean difference allowed between pixels. JPEG encodes a difference of 1 as more.
PACKS = [
    ("", 8, 0.5), ("--pass-through", 0, 0), ("--encoding .png --quality 3", 0, 0), ("--resize 24 --encoding .png", 2, 0.3),
    ("--center-crop --resize 20 --encoding .png --quality 9", 2, 0.3), ("--color 0 --encoding .png", 1, 0.1),
    ("--color -1 --encoding .png", 0, 0), ("--quality 60", 12, 1), ("--resize 60", 12, 1), ("--num-thread 2", 8, 0.5),
    ("--pack-label --encoding .png", 0, 0),
]
Record = collections.namedtuple("Record", "key labels id payload image")


class Report:
    def __init__(self):
        self.agreed = self.differing = 0

    def check(self, what, well, detail=""):
        self.agreed += well
        self.differing += not well
        if not well:
            print(f"{what}: DIFFERS{': ' if detail else ''}{detail}", flush=True)
        return well


def run(command, folder):
    done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(str(part) for part in command)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


# --- im2rec -----------------------------------------------------------------


def make_images(folder):
    """Three classes of photographs, gray and transparent images, and a file that is no image."""
    random = np.random.default_rng(0)
    for number in range(36):
        height, width = random.integers(30, 90, 2)
        y, x = np.mgrid[0:height, 0:width]
        image = 120 + 70 * np.sin(x / 9 + number)[..., None] + 50 * np.cos(y / 7)[..., None] * [1, .6, .2]
        image = np.clip(image + random.normal(0, 4, image.shape), 0, 255).astype(np.uint8)
        kind = ["jpg", "png", "jpeg"][number // 3 % 3]
        if number % 7 == 3:
            image = image[..., 0]
        elif kind == "png" and number % 2:
            image = np.concatenate([image, image[..., :1]], axis=2)
        path = folder / ["cat", "ant", "dog/puppy"][number % 3] / f"{number:03d}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image)
    cv2.imwrite(str(folder / "alone.png"), np.full((40, 50, 3), 90, np.uint8))
    (folder / "cat" / "broken.jpg").write_bytes(b"no image")


def im2rec_both(anneal, flags, prefix, images, work):
    """Runs both tools in folders of their own; what is there afterwards."""
    for name, tool in [("anneal", [anneal, "im2rec"]), ("mxnet", [sys.executable, TOOLS / "im2rec.py"])]:
        folder = work / name
        folder.mkdir(exist_ok=True)
        run(tool + flags + [str(folder / prefix), str(images)], work)
    return work / "anneal", work / "mxnet"


def check_lists(anneal, images, work, report):
    for number, flags in enumerate(LISTS):
        prefix = f"list{number}"
        # --exts takes all following arguments.
        parts = flags.split() + ["--list"]
        ours, theirs = im2rec_both(anneal, parts, prefix, images, work)
        names = sorted(path.name for path in theirs.glob(f"{prefix}*.lst"))
        report.check(f"im2rec --list {flags}, files", names == sorted(path.name for path in ours.glob(f"{prefix}*.lst")))
        for name in names:
            found = [(folder / name).read_bytes() if (folder / name).exists() else b"" for folder in (ours, theirs)]
            report.check(f"im2rec --list {flags}, {name}", found[0] == found[1])


def check_packs(anneal, images, work, report):
    # im2rec.py stops at a file that is not an image.
    lines = [line for line in (work / "mxnet" / "list2.lst").read_text().splitlines() if "broken" not in line]
    for number, (flags, most, mean) in enumerate(PACKS):
        prefix = f"pack{number}_"
        text = "\n".join(lines) + "\n"
        if "--pack-label" in flags:
            # A list with three labels: one differs from line to line, and a single one.
            rows = [line.split("\t") for line in lines]
            text = "".join("\t".join([row[0], row[1]] + ([row[0], "0.5"] if i % 3 else []) + [row[2]]) + "\n"
                           for i, row in enumerate(rows))
        for name in ("anneal", "mxnet"):
            (work / name / f"{prefix}.lst").write_text(text)
        ours, theirs = im2rec_both(anneal, flags.split(), prefix, images, work)
        what = f"im2rec {flags or '(no flags)'}"
        a, b = read(ours / f"{prefix}.rec"), read(theirs / f"{prefix}.rec")
        check_readable(what, ours / f"{prefix}.rec", report)
        if not report.check(f"{what}, keys", [r.key for r in a] == [r.key for r in b], f"{len(a)} and {len(b)} records"):
            continue
        for x, y in zip(a, b):
            report.check(f"{what}, labels and id of {x.key}", (x.labels, x.id) == (y.labels, y.id), f"{x[:3]}, {y[:3]}")
            if most == 0 and "--pass-through" in flags:
                report.check(f"{what}, bytes of {x.key}", x.image == y.image)
                continue
            first, second = (cv2.imdecode(np.frombuffer(r.image, np.uint8), cv2.IMREAD_UNCHANGED).astype(int) for r in (x, y))
            same = first.shape == second.shape
            distance = np.abs(first - second) if same else None
            report.check(f"{what}, pixels of {x.key}", same and distance.max() <= most and distance.mean() <= mean,
                         f"{distance.max()}, mean {distance.mean():.3f}" if same else f"{first.shape}, {second.shape}")


# --- Records ----------------------------------------------------------------


def read(path):
    """All records by MXNet, in the order of the index."""
    path = Path(path)
    reader = mx.recordio.MXIndexedRecordIO(str(path.with_suffix(".idx")), str(path), "r")
    found = []
    for key in reader.keys:
        payload = reader.read_idx(key)
        header, image = mx.recordio.unpack(payload)
        found.append(Record(key, tuple(np.atleast_1d(header.label).astype(float).tolist()), header.id, payload, image))
    reader.close()
    return found


def check_readable(what, path, report):
    """Reading one after the other, and as batches, gives what reading by index gives."""
    by_index = read(path)
    reader, in_order = mx.recordio.MXRecordIO(str(path), "r"), []
    while (payload := reader.read()) is not None:
        in_order.append(payload)
    reader.close()
    report.check(f"{what}, in order", in_order == [record.payload for record in by_index],
                 f"{len(in_order)} and {len(by_index)} records")
    width = len(by_index[0].labels)
    if any(len(record.labels) != width for record in by_index):
        return
    batches = mx.io.ImageRecordIter(
        path_imgrec=str(path), path_imgidx=str(Path(path).with_suffix(".idx")), data_shape=(3, 16, 16), batch_size=1,
        label_width=width, resize=16, preprocess_threads=1)
    labels = [tuple(np.atleast_1d(batch.label[0].asnumpy()[0]).astype(float).tolist()) for batch in batches]
    expected = [tuple(np.asarray(record.labels, np.float32).astype(float).tolist()) for record in by_index]
    report.check(f"{what}, labels of batches", labels == expected, f"{labels[:3]}, {expected[:3]}")


def index_by_number(path):
    """What MXNet's rec2idx.py, which the wheel does not have, writes: each record's number and where the reader is before it."""
    reader, lines, at = mx.recordio.MXRecordIO(str(path), "r"), [], ctypes.c_size_t()
    while reader.read() is not None:
        lines.append(f"{len(lines)}\t{at.value}\n")
        mx.base.check_call(mx.base._LIB.MXRecordIOReaderTell(reader.handle, ctypes.byref(at)))
    reader.close()
    return "".join(lines)


def write_records(path, count, first, labels):
    """By MXNet, every image another one."""
    random = np.random.default_rng(first)
    writer = mx.recordio.MXIndexedRecordIO(str(path.with_suffix(".idx")), str(path), "w")
    for number in range(first, first + count):
        image = random.integers(0, 255, (20, 24, 3), dtype=np.uint8)
        header = mx.recordio.IRHeader(0, labels(number), number, 0)
        writer.write_idx(number, mx.recordio.pack_img(header, image, img_fmt=".png" if number % 2 else ".jpg"))
    writer.close()


def check_commands(anneal, work, report):
    single, lists = work / "single.rec", work / "lists.rec"
    write_records(single, 40, 100, lambda number: float(number % 4))
    write_records(lists, 15, 500, lambda number: np.array([number % 3, 0.25, -number], np.float32))
    by_id = {record.id: record for record in read(single) + read(lists)}

    def rec(*arguments):
        run([anneal, "rec", *arguments], work)

    def contents(name):
        return collections.Counter((record.labels, record.image) for record in read(work / name))

    def same(what, names, ids):
        """The files hold these records, with their keys and ids, in this order if it is one file."""
        found = [record for name in names for record in read(work / name)]
        for name in names:
            check_readable(f"{what}, {name}", work / name, report)
        report.check(f"{what}, ids", sorted(record.id for record in found) == sorted(ids))
        for record in found:
            well = record.key == record.id and record.payload == by_id[record.id].payload
            report.check(f"{what}, record {record.id}", well)

    def renumbered(what, name, sources):
        found = read(work / name)
        check_readable(what, work / name, report)
        count = len(found)
        report.check(f"{what}, keys and ids", [(r.key, r.id) for r in found] == [(n, n) for n in range(count)])
        report.check(f"{what}, labels and images", contents(name) == sum((contents(s) for s in sources), collections.Counter()))

    for source, ids in [("single.rec", range(100, 140)), ("lists.rec", range(500, 515))]:
        stem = source[:-4]
        rec("split", source, "--to", f"{stem}-p", "--parts", "3")
        same(f"rec split {source}", [f"{stem}-p-{part}.rec" for part in range(3)], ids)
        rec("extract", source, "--numbers", "2-5,9", "--to", f"{stem}-x.rec")
        same(f"rec extract {source}", [f"{stem}-x.rec"], [ids[n] for n in (2, 3, 4, 5, 9)])
        rec("merge", source, source, "--unique", "--seed", "3", "--to", f"{stem}-m.rec")
        renumbered(f"rec merge {source}", f"{stem}-m.rec", [source])
        # A damaged copy: a flipped bit in the fifth image, and a truncated end.
        data = bytearray((work / source).read_bytes())
        offsets = [int(line.split("\t")[1]) for line in (work / f"{stem}.idx").read_text().splitlines()]
        data[offsets[5] + 8 + 24 + 60] ^= 255
        (work / f"{stem}-d.rec").write_bytes(data[:-7])
        (work / f"{stem}-d.idx").write_bytes((work / f"{stem}.idx").read_bytes())
        rec("repair", f"{stem}-d.rec", "--to", f"{stem}-r.rec", "--quarantine", f"{stem}-q.rec")
        same(f"rec repair {source}", [f"{stem}-r.rec"], [ids[n] for n in range(len(ids) - 1) if n != 5])
        # Indexes: by id as im2rec writes them, by number as rec2idx.py does.
        rec("index", source, "--to", f"{stem}-i.idx", "--keys", "id")
        report.check(f"rec index --keys id {source}",
                     (work / f"{stem}-i.idx").read_bytes() == (work / f"{stem}.idx").read_bytes())
        rec("index", source, "--to", f"{stem}-n.idx")
        report.check(f"rec index {source}", (work / f"{stem}-n.idx").read_text() == index_by_number(work / source))
    rec("split", "single.rec", "--to", "c", "--shares", "0.5,0.5", "--by-class", "--shuffle", "--names", "a,b")
    same("rec split --by-class --shuffle", ["c-a.rec", "c-b.rec"], range(100, 140))
    for name in ("c-a.rec", "c-b.rec"):
        classes = collections.Counter(record.labels for record in read(work / name))
        report.check(f"rec split --by-class, {name}", set(classes.values()) == {5}, classes)
    rec("cat", "single.rec", "lists.rec", "--to", "all.rec")
    same("rec cat", ["all.rec"], by_id)
    rec("cat", "single.rec", "single.rec", "lists.rec", "--renumber", "--to", "twice.rec")
    renumbered("rec cat --renumber", "twice.rec", ["single.rec", "single.rec", "lists.rec"])
    rec("merge", "single.rec", "lists.rec", "--to", "mixed.rec")
    renumbered("rec merge", "mixed.rec", ["single.rec", "lists.rec"])

    # Image files, and records packed from them again.
    run([anneal, "export-images", "single.rec", "files", "--list", "again.lst"], work)
    run([anneal, "im2rec", "--pass-through", "again", "files"], work)
    same("export-images and im2rec --pass-through", ["again.rec"], range(100, 140))
    images = collections.Counter(path.read_bytes() for path in (work / "files").rglob("*.*"))
    report.check("export-images", images == collections.Counter(r.image for r in read(single)))


def check_import(anneal, work, report):
    root = Path(__file__).resolve().parent.parent
    for name, kind, labels in [("cifar-10", "cifar10", [0, 1]), ("cifar-100", "cifar100", [7])]:
        run([anneal, "import-data", kind, root / f"Tests/Fixtures/cifar/{name}-python.tar.gz", kind], work)
        for part in ("train", "val"):
            check_readable(f"import-data {kind}, {part}", work / f"{kind}_{part}.rec", report)
        found = read(work / f"{kind}_val.rec")
        report.check(f"import-data {kind}, labels", [record.labels for record in found] == [(float(l),) for l in labels])


def main():
    if len(sys.argv) != 2:
        raise SystemExit("usage: check-mxnet-records.py ANNEAL")
    anneal, report = os.path.abspath(sys.argv[1]), Report()
    with tempfile.TemporaryDirectory(prefix="anneal-check-") as folder:
        work = Path(folder)
        make_images(work / "images")
        check_lists(anneal, work / "images", work, report)
        check_packs(anneal, work / "images", work, report)
        check_commands(anneal, work, report)
        check_import(anneal, work, report)
    print(f"MXNet {mx.__version__}, records: {report.agreed} checks agree, {report.differing} differ")
    return 1 if report.differing else 0


if __name__ == "__main__":
    sys.exit(main())
