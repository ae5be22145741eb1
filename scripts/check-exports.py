"""Reads back with TensorBoard and MLflow what a run wrote for them: check-exports.py EVENTS STORE RUN"""

import csv
import sys

from mlflow.tracking import MlflowClient
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

events, store, run = sys.argv[1:]
rows = list(csv.DictReader(open(f"{run}/metrics.csv")))
problems = []


def check(what, found, expected):
    if found != expected:
        problems.append(f"{what}: {found}, expected {expected}")


def near(a, b):
    return abs(a - b) <= 1e-6 * max(1, abs(b))


board = EventAccumulator(events, size_guidance={"images": 0, "histograms": 0, "scalars": 0})
board.Reload()
for tag, column in [("accuracy/validation", "validation_accuracy"), ("accuracy/train", "train_accuracy"),
                    ("learning_rate", "learning_rate")]:
    values = [(event.step, event.value) for event in board.Scalars(tag)]
    check(f"{tag}, steps", [step for step, _ in values], [int(row["checkpoint"]) for row in rows])
    check(f"{tag}, values", all(near(value, float(row[column])) for (_, value), row in zip(values, rows)), True)
tags = board.Tags()
check("histograms", {"weights/fc1_weight", "gradients/fc1_weight"} <= set(tags["histograms"]), True)
histogram = board.Histograms("weights/fc1_weight")[-1].histogram_value
check("numbers in the buckets", sum(histogram.bucket), histogram.num)
check("an image of each kind", {name.split("/")[0] for name in tags["images"]} >= {"training", "confusion_matrix"}, True)
for name in tags["images"]:
    image = board.Images(name)[0]
    check(name, image.encoded_image_string[:4], b"\x89PNG")

client = MlflowClient(tracking_uri=store)
experiment = client.get_experiment_by_name("anneal")
found = client.search_runs([experiment.experiment_id])
check("runs", len(found), 1)
data = found[0].data
check("status", found[0].info.status, "FINISHED")
check("lr", data.params["lr"], "0.05")
history = client.get_metric_history(found[0].info.run_id, "validation_accuracy")
check("steps", [m.step for m in history], [int(row["checkpoint"]) for row in rows])
check("values", all(near(m.value, float(row["validation_accuracy"])) for m, row in zip(history, rows)), True)
check("artifacts", "report.html" in [item.path for item in client.list_artifacts(found[0].info.run_id)], True)

for problem in problems:
    print(problem)
print(f"{len(rows)} epochs, {len(tags['scalars'])} scalars, {len(tags['images'])} images, "
      f"{len(tags['histograms'])} histograms, {len(data.metrics)} metrics of MLflow, {len(problems)} problems")
sys.exit(1 if problems else 0)
