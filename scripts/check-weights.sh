#!/usr/bin/env bash
# Lets Anneal compute networks of torchvision and timm from their weights, and compares with PyTorch: `make
# check-weights`. Further arguments are parts of names: only matching networks are checked.
set -euo pipefail
cd "$(dirname "$0")/.."
python=Benchmarks/.venv-torch/bin/python
Benchmarks/setup-peers.sh torch
# Their weights are random: timm's packages for downloading others are not installed.
"$python" -c "import timm, safetensors" 2>/dev/null ||
    "$python" -m pip install --quiet --disable-pip-version-check --no-deps timm safetensors pyyaml huggingface_hub
exec "$python" scripts/check-weights.py "$@"
