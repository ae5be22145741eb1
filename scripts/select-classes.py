#!/usr/bin/env python3
"""Copy the image records of some classes, whose labels become 0, 1, 2, ... in the order given.

    scripts/select-classes.py IN.rec OUT-PREFIX 0,1,2,3,4 [EVERY]

EVERY takes one record of so many, for small trials. Needs Python's standard library only.
"""

import struct
import sys

MAGIC = 0xCED7230A


def records(file):
    """The framed records of a RecordIO file, each as (length word and payload of its only part)."""
    while head := file.read(8):
        magic, word = struct.unpack("<II", head)
        if magic != MAGIC:
            sys.exit(f"{file.name}: no record at byte {file.tell() - 8}")
        payload = file.read((word & 0x1FFFFFFF) + 3 & ~3)
        if word >> 29:
            sys.exit(f"{file.name}: a record of several parts, at byte {file.tell()}, is not copied by this script")
        yield word, payload


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__.strip())
    source, prefix, classes = sys.argv[1], sys.argv[2], [int(name) for name in sys.argv[3].split(",")]
    every = int(sys.argv[4]) if len(sys.argv) == 5 else 1
    seen = count = 0
    with open(source, "rb") as file, open(f"{prefix}.rec", "wb") as out, open(f"{prefix}.idx", "w") as index:
        for word, payload in records(file):
            flag, label = struct.unpack_from("<If", payload)
            if flag or int(label) not in classes:
                continue
            seen += 1
            if seen % every:
                continue
            index.write(f"{count}\t{out.tell()}\n")
            out.write(struct.pack("<II", MAGIC, word))
            out.write(struct.pack("<If", 0, classes.index(int(label))) + payload[8:])
            count += 1
    print(f"{prefix}.rec: {count} records of {len(classes)} classes")


if __name__ == "__main__":
    main()
