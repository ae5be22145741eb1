#!/usr/bin/env python3
"""Makes folders of runs as pages must bear them: sample-runs.py FOLDER

300 epochs of 10 classes, 100,000 epochs, one with hostile names, one that is half written.
"""

import json
import math
import os
import sys

folder = sys.argv[1]
EVIL = "</script><script>window.evil=1</script><img src=x onerror=\"window.evil=1\">\u202etxt"


def run(name, epochs, classes=None, data="cifar10_train.rec"):
    path = os.path.join(folder, name)
    os.makedirs(path)
    record = {"command": "train", "command_line": ["anneal", "train", "--network", "resnet", "--data-train", data],
              "arguments": {"network": "resnet", "data-train": data, "lr": 0.05, "num-epochs": epochs},
              "version": "anneal 0.2.0", "threads": 2, "date": "2026-11-23T10:00:00Z", "working_folder": "/",
              "machine": {"host": "h", "system": "Linux", "processor": "a processor", "cores": 2, "memory_bytes": 1 << 34}}
    json.dump(record, open(f"{path}/arguments.json", "w"))
    with open(f"{path}/metrics.jsonl", "w") as file:
        for epoch in range(epochs):
            part = epoch / max(1, epochs)
            accuracy = 0.4 + 0.5 * (1 - math.exp(-6 * part)) + 0.01 * math.sin(epoch * 12.9)
            file.write(json.dumps({
                "event": "epoch", "epoch": epoch, "checkpoint": epoch + 1,
                "train": {"accuracy": accuracy + 0.03, "cross-entropy": -math.log(accuracy + 0.03)},
                "validation": {"accuracy": accuracy, "cross-entropy": None if epoch == 5 else -math.log(accuracy)},
                "learning_rate": 0.05 * 0.1 ** int(part * 3), "seconds": 9.5, "validation_seconds": 1.5,
                "samples_per_second": 5000 + 100 * math.sin(epoch)}, separators=(",", ":")) + "\n")
    with open(f"{path}/log.txt", "w") as file:
        file.writelines(f"INFO:root:Epoch[{epoch}] Train-accuracy=0.5 {data}\n" for epoch in range(min(epochs, 2000)))
    if classes:
        pairs = [[a, b, 80 if a == b else (a * 7 + b * 3) % 5] for a in range(len(classes)) for b in range(len(classes))]
        json.dump({"checkpoint": epochs, "images": sum(p[2] for p in pairs), "metrics": {"accuracy": 0.9},
                   "classes": classes, "confusion": [p for p in pairs if p[2]]}, open(f"{path}/evaluation.json", "w"))
    return path


run("epochs-300", 300, [f"class {number}" for number in range(10)])
run("epochs-100000", 100_000, [f"class {number}" for number in range(1000)])
run("hostile", 4, [EVIL, "b", "c"], data=EVIL)
half = run("half-written", 3)
open(f"{half}/metrics.jsonl", "a").write('{"event":"epoch","epo')
open(f"{half}/evaluation.json", "w").write('{"checkpoint":')
open(f"{half}/status.json", "w").write("")
