#!/usr/bin/env python3
"""Let Anneal compute networks of torchvision and timm from their weights. Run inside Benchmarks/.venv-torch.

    check-weights.py [--tool FILE] [NAME-PART ...]

Each network gets random weights and statistics and computes two images; its state dict is saved as torch.save and as
safetensors write it, timm's with the config.json that says which network it is. The tool (.build/release/anneal-onnx-cases)
imports both files and compares what Anneal computes: within 1e-5 of the score and of the largest one.

The last line is `N passed, N failed`. Exit status: 0 none failed, 1 some did.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import torch

# torchvision's wheel declares operators that a CPU-only torch does not have.
for name in ("nms", "qnms"):
    torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import safetensors.torch
import timm
import torchvision

TORCHVISION = ["resnet18", "resnet50", "resnet101", "resnext50_32x4d", "resnext101_32x8d", "wide_resnet50_2"]
TIMM = ["resnet18", "resnet26t", "resnet50d", "resnet50_gn", "resnet50c", "resnetblur50", "resnetaa50d", "resnetrs50",
        "resnext50d_32x4d", "resnext101_32x4d", "seresnet50", "seresnext26t_32x4d", "ecaresnet50d", "wide_resnet50_2"]
SHAPE = [2, 3, 64, 64]
TOLERANCE = 1e-5


def randomize(model):
    """Norms as training leaves them: none is the identity, and no branch ends in zero."""
    for module in model.modules():
        if getattr(module, "running_mean", None) is not None:
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
        if "Norm" in type(module).__name__ and getattr(module, "weight", None) is not None:
            torch.nn.init.uniform_(module.weight, 0.5, 1)
            torch.nn.init.normal_(module.bias, std=0.1)


def check(tool, library, name):
    """The problems of one network, one for each form of its file."""
    torch.manual_seed(1)
    make = getattr(torchvision.models, name) if library == "torchvision" else lambda: timm.create_model(name)
    model = make()
    randomize(model)
    model.eval()
    images = torch.randn(SHAPE)
    with torch.no_grad():
        scores = model(images)
    problems = []
    with tempfile.TemporaryDirectory(prefix="check-weights-") as folder:
        def at(file):
            return os.path.join(folder, file)
        images.numpy().tofile(at("input_0.f32"))
        scores.numpy().tofile(at("output_0.f32"))
        with open(at("case.json"), "w", encoding="utf-8") as file:
            json.dump({"input": SHAPE, "output": list(scores.shape), "tolerance": TOLERANCE}, file)
        if library == "timm":
            known = model.pretrained_cfg
            with open(at("config.json"), "w", encoding="utf-8") as file:
                json.dump({"architecture": name, "num_classes": scores.shape[1], "pretrained_cfg": {
                    key: known[key] for key in ("input_size", "mean", "std", "crop_pct") if key in known}}, file)
        torch.save(model.state_dict(), at("model.pth"))
        safetensors.torch.save_model(model, at("model.safetensors"))
        for form in ("model.pth", "model.safetensors"):
            made = subprocess.run([tool, "import", at(form), at("made")], stdout=subprocess.PIPE, text=True)
            if made.returncode != 0:
                problems.append(f"{form}: {made.stdout.strip() or f'exit status {made.returncode}'}")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME-PART", help="only networks with this in their name")
    parser.add_argument("--tool", default=".build/release/anneal-onnx-cases")
    arguments = parser.parse_args()
    networks = [("torchvision", name) for name in TORCHVISION] + [("timm", name) for name in TIMM]
    passed = failed = 0
    for library, name in networks:
        title = f"{library} {name}"
        if arguments.names and not any(part in title for part in arguments.names):
            continue
        problems = check(arguments.tool, library, name)
        passed, failed = passed + (not problems), failed + bool(problems)
        print(("failed " if problems else "passed ") + title + "".join(f"\n    {line}" for line in problems), flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
