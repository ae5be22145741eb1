#!/usr/bin/env bash
# Unpack ONNX's own tests from its wheel, which is not installed, into .build/onnx-suite.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=.build/onnx-suite
[ -d "$target/onnx/backend/test/data/node" ] && exit 0
rm -rf "$target" && mkdir -p "$target"
# The tests are the same in the wheels for all systems.
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
  --python-version 3.12 --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux2014_x86_64 \
  --dest "$target" onnx==1.22.0
python3 - "$target" <<'PYTHON'
import glob, sys, zipfile
target = sys.argv[1]
with zipfile.ZipFile(glob.glob(target + "/onnx-*.whl")[0]) as wheel:
    wheel.extractall(target, [name for name in wheel.namelist() if name.startswith("onnx/backend/test/data/")])
PYTHON
