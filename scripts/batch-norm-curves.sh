#!/usr/bin/env bash
# What batch norm is worth when an imported network is fine-tuned: a model that has its norms is fine-tuned unchanged;
# with the norms folded into its convolutions, as exporters do, without and with clipped gradients; and folded, but
# imported with --restore-batch-norm; each at several rates, on a part of Fashion-MNIST. Prints a table; the best run of
# each of the four is drawn in one picture.
#
# Usage: batch-norm-curves.sh ANNEAL MODEL.onnx [FOLDER]
#   MODEL.onnx takes images of three channels and any size, scaled to -1...1. IMAGES (1000) for training, half as many for
#   validation, SIDE (36), EPOCHS (4), BATCH (32) and RATES (0.05 0.01) may be set in the environment, and FLAGS for fine-tune.
#   ONNX Runtime folds the norms: Benchmarks/setup-peers.sh onnx. What is in FOLDER already is not made again.
set -euo pipefail
anneal=$1
model=$2
folder=${3:-runs/batch-norm}
here=$(cd "$(dirname "$0")" && pwd)
images=${IMAGES:-1000} side=${SIDE:-36} epochs=${EPOCHS:-4} batch=${BATCH:-32}
read -ra rates <<<"${RATES:-0.05 0.01}"
read -ra flags <<<"${FLAGS:-}"
source=/usr/share/datasets/fashion-mnist
python=$here/../Benchmarks/.venv-onnx/bin/python
say() { "$here/say" "$@"; }

"$here/../Benchmarks/setup-peers.sh" onnx
mkdir -p "$folder"

prepare() {
    say "Images"
    for part in train t10k; do
        "$anneal" import-mnist --images "$source/$part-images-idx3-ubyte.gz" --labels "$source/$part-labels-idx1-ubyte.gz" \
            "$folder/all-$part"
    done
    "$anneal" rec extract "$folder/all-train.rec" --numbers "0-$((images - 1))" --to "$folder/train.rec"
    "$anneal" rec extract "$folder/all-t10k.rec" --numbers "0-$((images / 2 - 1))" --to "$folder/val.rec"

    say "The model with its norms, without them, and with restored ones"
    "$python" - "$model" "$folder/folded.onnx" <<'PYTHON'
import sys
import onnxruntime
options = onnxruntime.SessionOptions()
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
options.optimized_model_filepath = sys.argv[2]
onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
PYTHON
    prepared=(--image-shape "3,$side,$side" --rgb-mean 127.5 --rgb-std 127.5 --resize "$side")
    "$anneal" import "$model" --to "$folder/own" "${prepared[@]}"
    "$anneal" import "$folder/folded.onnx" --to "$folder/folded" "${prepared[@]}"
    "$anneal" import "$folder/folded.onnx" --to "$folder/restored" "${prepared[@]}" --restore-batch-norm "$folder/train.rec"
}

# tune RUN PREFIX RATE FLAG...; a diverging run ends early.
tune() {
    local run=$1 prefix=$2 rate=$3
    shift 3
    say "$(basename "$run")"
    rm -rf "$run"
    "$anneal" fine-tune --pretrained-model "$prefix" --load-epoch 0 --num-classes 10 --data-train "$folder/train.rec" \
        --data-val "$folder/val.rec" --random-mirror 1 --batch-size "$batch" --num-epochs "$epochs" --lr "$rate" \
        --save-period "$epochs" --run-folder "$run" "$@" "${flags[@]}" 2>&1 | tee "$run.part" || true
    mv "$run.part" "$run.txt"
}

# A run's last validation accuracy in percent, or the update in which it diverged.
result() {
    python3 - "$1" <<'PYTHON'
import json, re, sys
diverged = re.search(r"error: epoch .*, update (\d+):", open(sys.argv[1] + ".txt").read())
if diverged:
    print(f"NaN in update {diverged[1]}")
else:
    rows = [json.loads(line) for line in open(sys.argv[1] + "/metrics.jsonl")]
    print("{:.1f} %".format(100 * [row for row in rows if row["event"] == "epoch"][-1]["validation"]["accuracy"]))
PYTHON
}

[ -f "$folder/restored-0000.params" ] || prepare
arms=(own folded clipped restored)
names=("as it is" folded "folded, clipped" "folded, restored")
own=(own) folded=(folded) clipped=(folded --clip-norm 1) restored=(restored)
declare -A results
for arm in "${arms[@]}"; do
    declare -n start=$arm
    for rate in "${rates[@]}"; do
        run=$folder/$arm-$rate
        [ -f "$run.txt" ] || tune "$run" "$folder/${start[0]}" "$rate" "${start[@]:1}"
        results[$arm-$rate]=$(result "$run")
        echo "${results[$arm-$rate]}"
    done
done

printf '\n| validation accuracy |%s\n|---|%s\n' "$(printf ' rate %s |' "${rates[@]}")" "$(printf -- '---|%.0s' "${rates[@]}")"
runs=() labels=""
for place in "${!arms[@]}"; do
    arm=${arms[place]} row="" best=0 chosen=""
    for rate in "${rates[@]}"; do
        row+=" ${results[$arm-$rate]} |"
        accuracy=${results[$arm-$rate]% %}
        if [[ $accuracy =~ ^[0-9.]+$ ]] && awk "BEGIN { exit !($accuracy > $best) }"; then best=$accuracy chosen=$rate; fi
    done
    echo "| ${names[place]} |$row"
    [ -n "$chosen" ] || continue
    runs+=("$folder/$arm-$chosen")
    labels+="${labels:+,}${names[place]##*, }: rate $chosen"
done
"$anneal" plot-curves "${runs[@]}" --labels "$labels" --title "Fine-tuned to $images images of Fashion-MNIST" \
    --to "$folder/curves.png"
