"""The command lines of the frameworks, and the files that they run on."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from processes import HERE, ROOT, Unavailable, run
from rows import JOB_PROCESSES


@dataclass
class Files:
    """What is made once for a row."""
    symbol: Optional[Path] = None   # MXNet's symbol JSON
    onnx: Optional[Path] = None
    records: Optional[Path] = None  # PREFIX.rec and PREFIX.idx, without the suffix


def network_flags(row):
    """The flags that name a row's network, Anneal's and the step scripts' alike."""
    flags = ["--network", row.network, "--image-shape", row.image_shape,
             "--batch-size", str(row.batch_size)]
    if row.num_layers:
        flags += ["--num-layers", str(row.num_layers)]
    return flags + (["--trunk", "imagenet"] if row.imagenet_trunk else [])


def peer_python(peer):
    python = HERE / f".venv-{peer}" / "bin" / "python"
    if not python.exists():
        raise Unavailable(f"not installed: run Benchmarks/setup-peers.sh {peer}")
    return str(python.relative_to(ROOT))


def step_command(arguments, variant, row, steps, files):
    """The command that times `steps` steps; `variant` is a framework and torch's layout."""
    framework, layout = variant
    if row.kind == "job":
        return job_command(arguments, framework, row, steps, files)
    if framework == "anneal":
        command = shlex.split(arguments.anneal) + ["bench-step", *network_flags(row)]
        command += ["--inference"] if row.kind == "inference" else []
        return command + ["--steps", str(steps)]
    command = [peer_python(framework), f"Benchmarks/{framework}_step.py",
               "--steps", str(steps), "--threads", str(arguments.threads)]
    if framework == "torch":
        return command + [*network_flags(row), "--layout", layout,
                          "--num-classes", str(number_of_classes(files.symbol))]
    command += ["--image-shape", row.image_shape, "--batch-size", str(row.batch_size)]
    if framework == "onnx":
        return command + ["--model", needed(files.onnx, "no ONNX file")]
    return command + ["--symbol", needed(files.symbol, "no symbol JSON to run (see --symbols)")]


def job_command(arguments, framework, row, steps, files):
    """The command that times steps of several processes, which share the threads."""
    anneal = shlex.split(arguments.anneal)
    store = ["--kv-store", "dist_sync", "--steps", str(steps)]
    if framework == "anneal":
        return [*anneal, "launch", "-n", str(JOB_PROCESSES), *anneal, "bench-step", *network_flags(row), *store]
    python = peer_python(framework)
    return [python, "Benchmarks/mxnet_job.py", "-n", str(JOB_PROCESSES), "-s", "1", python, "Benchmarks/mxnet_step.py",
            "--image-shape", row.image_shape, "--batch-size", str(row.batch_size), *store,
            "--threads", str(process_threads(arguments, row)),
            "--symbol", needed(files.symbol, "no symbol JSON to run (see --symbols)")]


def process_threads(arguments, row):
    return max(1, arguments.threads // JOB_PROCESSES) if row.kind == "job" else arguments.threads


def start_command(arguments, framework, row, files, folder):
    """The command that trains a network on records; ours writes its run into `folder`."""
    if framework == "anneal":
        return shlex.split(arguments.anneal) + [
            "train", *network_flags(row), "--data-train", f"{files.records}.rec",
            "--data-train-idx", f"{files.records}.idx", "--num-epochs", "1",
            "--run-folder", f"{folder}/run"]
    command = [peer_python(framework), f"Benchmarks/{framework}_start.py",
               "--records", str(files.records), "--threads", str(arguments.threads)]
    if framework == "torch":
        return command + [*network_flags(row),
                          "--num-classes", str(number_of_classes(files.symbol))]
    return command + ["--image-shape", row.image_shape, "--batch-size", str(row.batch_size),
                      "--symbol", needed(files.symbol, "no symbol JSON to run (see --symbols)")]


def needed(path, problem):
    if path is None:
        raise Unavailable(problem)
    return str(path)


def number_of_classes(symbol, default=10):
    """What the last fully connected layer of a symbol JSON gives out."""
    if symbol is None:
        return default
    nodes = json.loads(Path(symbol).read_text(encoding="utf-8"))["nodes"]
    layers = [node for node in nodes if node["op"] == "FullyConnected"]
    return int(layers[-1]["attrs"]["num_hidden"]) if layers else default


def prepare(arguments, row):
    """The row's files and notes on what is missing; raises Unavailable when the row cannot be run."""
    files, notes = Files(), []
    if row.kind == "start":
        files.records = Path(arguments.data).resolve() / "cifar10_train"
        if not Path(f"{files.records}.rec").exists():
            raise Unavailable(f"no cifar10_train.rec in {arguments.data} (see --data)")
    try:
        prefix = None if arguments.symbols else write_model(arguments, row)
        files.symbol = find_symbol(arguments, row, prefix)
    except Unavailable as error:
        prefix = None
        notes.append(f"no symbol JSON: {error}")
    if row.kind == "inference":
        try:
            files.onnx = make_onnx(arguments, row, prefix)
        except Unavailable as error:
            notes.append(f"no ONNX file: {error}")
    return files, notes


def write_model(arguments, row):
    """Let Anneal write the row's network with its first values; the checkpoint's prefix."""
    prefix = (HERE / ".work" / row.name).relative_to(ROOT)
    run(shlex.split(arguments.anneal) + ["bench-step", *network_flags(row),
                                         "--write-model", str(prefix)], arguments.threads)
    return prefix


def find_symbol(arguments, row, prefix):
    """The symbol JSON of a row: given in a folder, or written by Anneal."""
    path = (Path(arguments.symbols).resolve() / f"{row.name}.json" if arguments.symbols
            else Path(f"{prefix}-symbol.json"))
    if not (ROOT / path).exists():
        raise Unavailable(f"{path} is not there")
    return path


def make_onnx(arguments, row, prefix):
    """The row's network as an ONNX file: exported by Anneal or, where it cannot, by PyTorch."""
    folder = HERE / ".work"
    folder.mkdir(exist_ok=True)
    path = (folder / f"{row.name}.onnx").relative_to(ROOT)
    (ROOT / path).unlink(missing_ok=True)
    if prefix is not None:
        try:
            run(shlex.split(arguments.anneal) + [
                "export", "--model", str(prefix), "--load-epoch", "0", "--to", str(path),
                "--batch-size", str(row.batch_size)], arguments.threads)
            return path
        except Unavailable:
            pass
    run([peer_python("torch"), "Benchmarks/torch_onnx.py", *network_flags(row),
         "--to", str(path)], arguments.threads)
    return path
