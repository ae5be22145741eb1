"""What machine and which versions a benchmark ran on."""

import datetime
import os
import platform
import subprocess
from pathlib import Path


def first_line_value(path, key):
    """The value of the first "key : value" line of a /proc file, or None."""
    try:
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    except OSError:
        pass
    return None


def read_text(path):
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def caches():
    """The caches that core 0 sees: "L1d 32K, L1i 32K, L2 512K, L3 32768K"."""
    found = []
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        suffix = {"Data": "d", "Instruction": "i"}.get(read_text(folder / "type"), "")
        found.append(f"L{read_text(folder / 'level')}{suffix} {read_text(folder / 'size')}")
    return ", ".join(found) or "unknown"


def vector_extensions():
    flags = (first_line_value("/proc/cpuinfo", "flags")
             or first_line_value("/proc/cpuinfo", "Features") or "").split()
    known = ("avx512f", "avx2", "fma", "avx", "sve", "asimd")
    return " ".join(flag for flag in known if flag in flags) or "unknown"


def memory_gib():
    text = first_line_value("/proc/meminfo", "MemTotal")
    return f"{int(text.split()[0]) / 2**20:.1f} GiB" if text else "unknown"


def operating_system():
    name = ""
    for line in read_text("/etc/os-release").splitlines():
        if line.startswith("PRETTY_NAME="):
            name = line.partition("=")[2].strip('"')
    return f"{name or platform.system()}, kernel {platform.release()}"


def load_average():
    """How busy the machine was over the last minute, in cores."""
    return os.getloadavg()[0]


def busy_seconds():
    """The processor time that all processes of the machine have used since it started."""
    for line in read_text("/proc/stat").splitlines():
        if line.startswith("cpu "):
            user, nice, system, _idle, _io_wait, interrupt, soft = map(int, line.split()[1:8])
            return (user + nice + system + interrupt + soft) / os.sysconf("SC_CLK_TCK")
    return 0.0


def commit(folder):
    """The commit of the sources, marked when they have been changed since."""
    def git(*arguments):
        return subprocess.run(["git", "-C", str(folder), *arguments], check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              encoding="utf-8").stdout.strip()
    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=12", "HEAD") + (" with changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def describe(threads, source_folder):
    """An ordered list of (what, value) pairs."""
    return [
        ("date", datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")),
        ("CPU", first_line_value("/proc/cpuinfo", "model name") or platform.machine()),
        ("cores", f"{len(os.sched_getaffinity(0))}, {threads} threads in each process"),
        ("vector extensions", vector_extensions()),
        ("caches of a core", caches()),
        ("memory", memory_gib()),
        ("system", operating_system()),
        ("load before the run", f"{load_average():.2f}"),
        ("commit", commit(source_folder)),
    ]
