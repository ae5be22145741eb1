#!/usr/bin/env bash
# Lets Anneal compute networks of torchvision and timm from their weights, in PyTorch's environment: `make check-weights`.
# More arguments are parts of names: only such networks are checked.
set -euo pipefail
cd "$(dirname "$0")/.."
python=Benchmarks/.venv-torch/bin/python
Benchmarks/setup-peers.sh torch
# Their weights are random ones: what timm needs to download others is left out.
"$python" -c "import timm, safetensors" 2>/dev/null ||
    "$python" -m pip install --quiet --disable-pip-version-check --no-deps timm safetensors pyyaml huggingface_hub
exec "$python" scripts/check-weights.py "$@"
