#!/usr/bin/env bash
# Checks the pages of runs in headless Chromium: `make check-pages`, or with SCREENSHOTS=FOLDER to keep pictures of
# them.
set -euo pipefail
cd "$(dirname "$0")/.."
missing=()
command -v chromium > /dev/null || missing+=(chromium)
command -v chromedriver > /dev/null || missing+=(chromium-driver)
if [ "${#missing[@]}" -gt 0 ]; then
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
anneal=$PWD/.build/release/anneal
scripts/sample-runs.py "$work/runs"
source=/usr/share/datasets/fashion-mnist
if [ -d "$source" ]; then
    printf '%s\n' T-shirt/top Trouser Pullover Dress Coat Sandal Shirt Sneaker Bag "Ankle boot" > "$work/classes.txt"
    # Paths as a user would type them, since they appear in the pictures.
    (cd "$work" && "$anneal" import-mnist --images "$source/t10k-images-idx3-ubyte.gz" \
        --labels "$source/t10k-labels-idx1-ubyte.gz" fashion > /dev/null && "$anneal" train --network lenet \
        --image-shape 1,28,28 --data-train fashion.rec --val-split 0.2 --pad-size 2 --random-crop 1 \
        --class-names classes.txt --rgb-mean 72.9 --rgb-std 90 --batch-size 64 --num-epochs 6 --lr 0.02 \
        --run-folder runs/fashion --quiet)
fi
for run in "$work"/runs/*/; do "$anneal" report "$run" --to "$run/report.html" > /dev/null; done
scripts/check-pages.py "$anneal" "$work/runs" ${SCREENSHOTS:+--screenshots "$SCREENSHOTS"}
