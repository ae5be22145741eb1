#!/usr/bin/env bash
# All that is to be known of a GPU, in one command and in this order: whether the numbers are right, how fast steps are next
# to PyTorch's, whether a recipe reaches its accuracy, and further rows. What was done before is left out, so that it can be
# stopped and started again; results are lines of JSON in the folder.
#
#   Benchmarks/gpu.sh [DEVICE [FOLDER]]     DEVICE is cuda:0 by default, FOLDER .build/gpu
#
# Wants the plugin (make plugin NAME=cuda12), and for PyTorch's rows TORCH_PYTHON, an interpreter whose torch has CUDA:
# Benchmarks/setup-peers.sh --with-cuda-packages torch makes one. JAX has no rows: it has none of these networks of its own.
# The recipe wants CIFAR-10 as records: TRAIN and VAL name them.
set -uo pipefail
cd "$(dirname "$0")/.."
device=${1:-cuda:0} folder=${2:-.build/gpu}
python=${TORCH_PYTHON:-Benchmarks/.venv-torch/bin/python}
anneal=.build/release/anneal results=$folder/results.jsonl
kind=${device%%:*}
mkdir -p "$folder"
say() { scripts/say "$*"; }

swift build -c release --product anneal && swift build -c release --product anneal-conformance || exit 1
if ! $anneal devices | grep -q "^$kind:"; then
    echo "gpu: there is no device $device: 'anneal devices' says why" >&2
    exit 69
fi

# row NAME COMMAND...: the last line that a command prints, with a name; skipped if it is there.
row() {
    local name=$1 line
    shift
    touch "$results"
    if grep -q "\"row\": \"$name\"" "$results"; then return; fi
    say "$name"
    if line=$("$@" 2>"$folder/errors.txt" | tail -1) && [ "${line:0:1}" = "{" ]; then
        echo "{\"row\": \"$name\", ${line:1}" | tee -a "$results"
    else
        echo "  failed: $(tail -3 "$folder/errors.txt")"
    fi
}

# rows NETWORK LAYERS TRUNK SHAPE BATCH CLASSES DTYPE: Anneal, PyTorch eager and compiled; deterministic and not.
rows() {
    local network=$1 layers=$2 trunk=$3 shape=$4 batch=$5 classes=$6 dtype=$7 deterministic
    local common=(--network "$network" --num-layers "$layers" --image-shape "$shape" --batch-size "$batch"
        --num-classes "$classes" --steps 100)
    [ -z "$trunk" ] || common+=(--trunk "$trunk")
    for deterministic in 1 0; do
        local name="$network-$layers $shape batch $batch $dtype deterministic $deterministic"
        row "anneal $name" $anneal bench-step "${common[@]}" --dtype "$dtype" --devices "$device" \
            --deterministic $deterministic
        [ -x "$python" ] || continue
        row "torch eager $name" "$python" Benchmarks/torch_gpu_step.py "${common[@]}" --warm-up 20 --dtype "$dtype" \
            --deterministic $deterministic
        row "torch compiled $name" "$python" Benchmarks/torch_gpu_step.py "${common[@]}" --warm-up 20 \
            --dtype "$dtype" --deterministic $deterministic --compile
    done
}

say "1. MXNet-made cases on $device"
if [ ! -f "$folder/conformance-passed" ]; then
    .build/release/anneal-conformance --engine "$kind" Tests/Fixtures/golden | tee "$folder/conformance.txt"
    [ "${PIPESTATUS[0]}" = 0 ] && touch "$folder/conformance-passed"
fi

say "2. Steps in bfloat16, next to PyTorch ($python)"
[ -x "$python" ] || echo "  no PyTorch: its rows are left out"
rows resnext 101 imagenet 3,28,28 128 10 bfloat16
rows resnet 50 imagenet 3,224,224 256 1000 bfloat16

say "3. The recipe cifar10-fast"
if [ -n "${TRAIN:-}" ] && [ -n "${VAL:-}" ]; then
    if [ -f "$folder/cifar10-fast/arguments.json" ]; then
        $anneal resume "$folder/cifar10-fast" --devices "$device"
    else
        $anneal train --recipe cifar10-fast --data-train "$TRAIN" --data-val "$VAL" --run-folder "$folder/cifar10-fast" \
            --dtype bfloat16 --devices "$device"
    fi
else
    echo "  left out: TRAIN and VAL name no records of CIFAR-10"
fi

say "4. float32, smaller batches, ResNeXt-110, and what a profiler sees"
rows resnext 101 imagenet 3,28,28 128 10 float32
rows resnext 101 imagenet 3,28,28 64 10 bfloat16
rows resnext 110 "" 3,28,28 128 10 bfloat16
if command -v nsys >/dev/null; then
    [ -f "$folder/profile.nsys-rep" ] || nsys profile --output "$folder/profile" $anneal bench-step --network resnext \
        --num-layers 101 --trunk imagenet --image-shape 3,28,28 --steps 20 --dtype bfloat16 --devices "$device"
else
    echo "  no profile: nsys is not there"
fi
say "Results: $results"
