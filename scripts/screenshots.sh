#!/usr/bin/env bash
# Takes the documentation's pictures: the live view of a run on a terminal, and the pages of runs in light and dark.
# Usage: screenshots.sh [FOLDER]   (needs tmux, chromium and chromium-driver)
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(realpath -m "${1:-Documentation/screenshots}")
mkdir -p "$out"
anneal=$PWD/.build/release/anneal
work=$(mktemp -d)
session=anneal-screenshots-$$
trap 'tmux kill-session -t "$session" 2> /dev/null || true; rm -rf "$work"' EXIT
source=/usr/share/datasets/fashion-mnist
"$anneal" import-mnist --images "$source/train-images-idx3-ubyte.gz" --labels "$source/train-labels-idx1-ubyte.gz" \
    "$work/fashion" > /dev/null
cat > "$work/run.sh" <<RUN
cd $work
PATH=$(dirname "$anneal"):\$PATH
clear
anneal train --network lenet --image-shape 1,28,28 --data-train fashion.rec --val-split 0.1 --pad-size 2 --random-crop 1 \
    --rgb-mean 72.9 --rgb-std 90 --batch-size 64 --num-epochs 8 --lr 0.02 --run-folder runs/lenet
RUN
tmux new-session -d -s "$session" -x 100 -y 24 "LANG=C.UTF-8 bash $work/run.sh"
# In the middle of the fifth epoch.
for _ in $(seq 600); do
    status=$(cat "$work/runs/lenet/status.json" 2> /dev/null || true)
    if [[ $status == *'"epochs":4,'* && $status != *'"batch":0,'* ]]; then break; fi
    sleep 0.5
done
sleep 1.5
tmux capture-pane -e -p -t "$session" > "$work/terminal.txt"
tmux kill-session -t "$session"
scripts/terminal-page.py "$work/terminal.txt" > "$work/terminal.html"
chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --force-device-scale-factor=2 --window-size="880,$((40 + 17 * $(sed -e 's/[[:space:]]*$//' "$work/terminal.txt" | grep -c .)))" \
    --screenshot="$out/terminal.png" "file://$work/terminal.html" 2> /dev/null
SCREENSHOTS=$out scripts/check-pages.sh
scripts/say "Pictures in $out"
