#!/usr/bin/env bash
# Lets TensorBoard and MLflow, in a separate environment, read back what a run writes for them: `make check-exports`.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=.build/venv-exports work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check tensorboard mlflow-skinny
fi
source=/usr/share/datasets/fashion-mnist
.build/release/anneal import-mnist --images "$source/t10k-images-idx3-ubyte.gz" \
    --labels "$source/t10k-labels-idx1-ubyte.gz" "$work/fashion" > /dev/null
.build/release/anneal train --network mlp --image-shape 1,28,28 --data-train "$work/fashion.rec" --val-split 0.2 \
    --rgb-mean 72.9 --rgb-std 90 --num-epochs 3 --lr 0.05 --pad-size 0 --run-folder "$work/run" --tensorboard "$work/events" --histograms \
    --mlflow "$work/store" --quiet
MLFLOW_ALLOW_FILE_STORE=true "$venv/bin/python" scripts/check-exports.py "$work/events/run" "$work/store" "$work/run"
