#!/usr/bin/env python3
"""Writes archives of the form of CIFAR's for Python, with an image or two a batch: byte for byte what Python 2's cPickle
and NumPy of that time write. CIFAR-10's last batch and its names are of protocol 0, the rest of protocol 2."""

import gzip
import io
import struct
import sys
import tarfile


class Pickle:
    """The instructions of Python 2's cPickle; strings are bytes."""

    def __init__(self, protocol):
        self.protocol, self.out, self.puts = protocol, bytearray(), 0

    def dump(self, value):
        if self.protocol == 2:
            self.out += b"\x80\x02"
        self.save(value)
        return bytes(self.out + b".")

    def put(self):
        self.puts += 1
        self.out += b"q" + bytes([self.puts]) if self.protocol == 2 else b"p%d\n" % self.puts

    def save(self, value):
        if isinstance(value, bool):
            self.out += (b"\x88" if value else b"\x89") if self.protocol == 2 else b"I01\n" if value else b"I00\n"
        elif value is None:
            self.out += b"N"
        elif isinstance(value, int):
            self.number(value)
        elif isinstance(value, bytes):
            self.string(value)
        elif isinstance(value, dict):
            self.out += b"}" if self.protocol == 2 else b"(d"
            self.put()
            self.out += b"(" if self.protocol == 2 else b""
            for key, item in value.items():
                self.save(key)
                self.save(item)
                self.out += b"" if self.protocol == 2 else b"s"
            self.out += b"u" if self.protocol == 2 else b""
        elif isinstance(value, list):
            self.out += b"]" if self.protocol == 2 else b"(l"
            self.put()
            self.out += b"(" if self.protocol == 2 else b""
            for item in value:
                self.save(item)
                self.out += b"" if self.protocol == 2 else b"a"
            self.out += b"e" if self.protocol == 2 else b""
        elif isinstance(value, tuple):
            self.tuple(value)
        else:
            self.array(*value.parts)

    def number(self, value):
        if self.protocol == 0:
            self.out += b"I%d\n" % value
        elif 0 <= value < 256:
            self.out += b"K" + bytes([value])
        elif 0 <= value < 65536:
            self.out += b"M" + struct.pack("<H", value)
        else:
            self.out += b"J" + struct.pack("<i", value)

    def string(self, value):
        if self.protocol == 0:
            quote = '"' if b"'" in value and b'"' not in value else "'"
            self.out += b"S" + (quote + "".join(escaped(byte, quote) for byte in value) + quote).encode() + b"\n"
        elif len(value) < 256:
            self.out += b"U" + bytes([len(value)]) + value
        else:
            self.out += b"T" + struct.pack("<i", len(value)) + value
        self.put()

    def tuple(self, values):
        short = self.protocol == 2 and len(values) <= 3
        self.out += b"" if short else b"("
        for value in values:
            self.save(value)
        self.out += bytes([0x84 + len(values)]) if short else b"t"
        self.put()

    def name(self, module, name):
        self.out += b"c" + module + b"\n" + name + b"\n"
        self.put()

    def array(self, shape, data):
        self.name(b"numpy.core.multiarray", b"_reconstruct")
        self.out += b"" if self.protocol == 2 else b"("
        self.name(b"numpy", b"ndarray")
        self.tuple((0,))
        self.save(b"b")
        self.out += b"\x87" if self.protocol == 2 else b"t"
        self.put()
        self.out += b"R"
        self.put()
        self.out += b"("
        self.save(1)
        self.tuple(shape)
        self.name(b"numpy", b"dtype")
        self.tuple((b"u1", 0, 1))
        self.out += b"R"
        self.put()
        self.tuple((3, b"|", None, None, None, -1, -1, 0))
        self.out += b"b"
        self.save(False)
        self.save(data)
        self.out += b"t"
        self.put()
        self.out += b"b"


class Array:
    def __init__(self, images):
        self.parts = ((len(images), 3072), b"".join(images))


def escaped(byte, quote):
    """As Python 2's repr."""
    known = {9: "\\t", 10: "\\n", 13: "\\r", 92: "\\\\", ord(quote): "\\" + quote}
    return known.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}")


def planes(image):
    return bytes((image * 31 + k * 7 + k // 1024) & 255 for k in range(3072))


def batch(label, numbers, **labels):
    names = [b"caf\xe9_s_%06d.png" % number for number in numbers]
    return {b"batch_label": label, **{key.encode(): value for key, value in labels.items()},
            b"data": Array([planes(number) for number in numbers]), b"filenames": names}


def archive(path, folder, files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        head = tarfile.TarInfo(folder)
        head.type, head.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(head)
        for name, content in files:
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size, info.uname, info.gname = len(content), "akrizhevsky", "users"
            tar.addfile(info, io.BytesIO(content))
    with open(path, "wb") as file:
        file.write(gzip.compress(buffer.getvalue(), mtime=0))


def main(target):
    names = [b"airplane", b"automobile", b"bird", b"cat", b"deer", b"dog", b"frog", b"horse", b"ship", b"truck"]
    files = [("batches.meta", Pickle(0).dump({
        b"num_cases_per_batch": 2, b"label_names": names, b"num_vis": 3072}))]
    for number in range(1, 6):
        two = range(2 * number - 2, 2 * number)
        content = batch(b"training batch %d of 5" % number, two, labels=[image % 10 for image in two])
        files.append((f"data_batch_{number}", Pickle(0 if number == 5 else 2).dump(content)))
    files.append(("readme.html", b"<html>\n"))
    test = batch(b"testing batch 1 of 1", range(10, 12), labels=[0, 1])
    files.append(("test_batch", Pickle(2).dump(test)))
    archive(f"{target}/cifar-10-python.tar.gz", "cifar-10-batches-py", files)

    fine, coarse = [b"fine-%d" % i for i in range(100)], [b"coarse-%d" % i for i in range(20)]
    files = [
        ("file.txt~", b""),
        ("train", Pickle(2).dump(batch(b"training batch 1 of 1", range(2), coarse_labels=[3, 19], fine_labels=[42, 99]))),
        ("test", Pickle(2).dump(batch(b"testing batch 1 of 1", range(2, 3), coarse_labels=[0], fine_labels=[7]))),
        ("meta", Pickle(2).dump({b"fine_label_names": fine, b"coarse_label_names": coarse})),
    ]
    archive(f"{target}/cifar-100-python.tar.gz", "cifar-100-python", files)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ".")
