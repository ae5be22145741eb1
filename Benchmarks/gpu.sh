#!/usr/bin/env bash
# All measurements on a GPU with one command, in this order: whether the numbers are right, how fast steps are compared
# with PyTorch's, whether a recipe reaches its accuracy, and further rows. Finished parts are skipped, so that it can be
# stopped and restarted; results are lines of JSON in the folder.
#
#   Benchmarks/gpu.sh [DEVICE [FOLDER]]     DEVICE is cuda:0 by default, FOLDER .build/gpu
#
# Requires the plugin (make plugin NAME=cuda12). TORCH_PYTHON and JAX_PYTHON name interpreters whose torch and jax
# support CUDA: Benchmarks/setup-peers.sh --with-cuda-packages torch jax creates them; rows of a missing one are
# skipped. The recipe needs CIFAR-10 as records, named by TRAIN and VAL.
# A dry run without a GPU, with a small network and a few steps (make plugin NAME=cpu): QUICK=1 Benchmarks/gpu.sh xla-cpu:0
set -uo pipefail
cd "$(dirname "$0")/.."
device=${1:-cuda:0} folder=${2:-.build/gpu} quick=${QUICK:-}
torch=${TORCH_PYTHON:-Benchmarks/.venv-torch/bin/python} jax=${JAX_PYTHON:-Benchmarks/.venv-jax/bin/python}
anneal=${ANNEAL:-.build/release/anneal} conformance=${CONFORMANCE:-.build/release/anneal-conformance}
results=$folder/results.jsonl
steps=100 warm_up=20
[ -z "$quick" ] || steps=2 warm_up=1
mkdir -p "$folder"
touch "$results"
say() { scripts/say "$*"; }

if [ -z "${ANNEAL:-}" ]; then
    swift build -c release --product anneal && swift build -c release --product anneal-conformance || exit 1
fi
if ! $anneal devices --format json | grep "\"name\":\"$device\"" >/dev/null; then
    echo "gpu: there is no device $device: 'anneal devices' says why" >&2
    exit 69
fi

# row NAME COMMAND...: keeps the last line that a command prints, with a name; skipped if it exists.
row() {
    local name=$1 line
    shift
    if grep -F "\"row\": \"$name\"," "$results" >/dev/null; then return; fi
    say "$name"
    if line=$("$@" 2>"$folder/errors.txt" | tail -1) && [ "${line:0:1}" = "{" ]; then
        echo "{\"row\": \"$name\", ${line:1}" | tee -a "$results"
    else
        echo "  failed: $(tail -3 "$folder/errors.txt")"
    fi
}

# rows NETWORK LAYERS TRUNK SHAPE BATCH CLASSES DTYPE [PEER...]: Anneal and its peers, deterministic and not.
rows() {
    local network=$1 layers=$2 trunk=$3 shape=$4 batch=$5 classes=$6 dtype=$7 deterministic
    shift 7
    [ -z "$quick" ] || layers=8 trunk= shape=3,12,12 batch=4
    local common=(--network "$network" --num-layers "$layers" --image-shape "$shape" --batch-size "$batch"
        --num-classes "$classes" --steps "$steps")
    [ -z "$trunk" ] || common+=(--trunk "$trunk")
    for deterministic in 1 0; do
        local name="$network-$layers $shape batch $batch $dtype deterministic $deterministic"
        local peer=("${common[@]}" --warm-up "$warm_up" --dtype "$dtype" --deterministic "$deterministic")
        row "anneal $name" "$anneal" bench-step "${common[@]}" --dtype "$dtype" --devices "$device" \
            --deterministic "$deterministic"
        if [ -x "$torch" ]; then
            row "torch eager $name" "$torch" Benchmarks/torch_gpu_step.py "${peer[@]}"
            row "torch compiled $name" "$torch" Benchmarks/torch_gpu_step.py "${peer[@]}" --compile
        fi
        if [ "${1:-}" = jax ] && [ -x "$jax" ]; then
            row "jax $name" "$jax" Benchmarks/jax_gpu_step.py "${peer[@]}"
        fi
    done
}

say "1. MXNet-made cases on $device"
if [ ! -f "$folder/conformance-passed" ]; then
    kind=${device%%:*}
    [ "$kind" != xla-cpu ] || kind=xla
    cases=Tests/Fixtures/golden
    [ -z "$quick" ] || cases=$cases/ops/conv_group2
    "$conformance" --engine "$kind" "$cases" | tee "$folder/conformance.txt"
    [ "${PIPESTATUS[0]}" != 0 ] || touch "$folder/conformance-passed"
fi

say "2. Steps in bfloat16, next to PyTorch ($torch)"
[ -x "$torch" ] || echo "  no PyTorch: its rows are left out"
rows resnext 101 imagenet 3,28,28 128 10 bfloat16
rows resnet 50 imagenet 3,224,224 256 1000 bfloat16

say "3. The recipe cifar10-fast, whose network reaches 94 % in its authors' hands"
if [ -n "${TRAIN:-}" ] && [ -n "${VAL:-}" ]; then
    run=$folder/cifar10-fast
    if [ -n "$quick" ]; then
        for part in TRAIN VAL; do
            [ -f "$folder/$part.rec" ] || "$anneal" rec extract "${!part}" --numbers 0-127 --to "$folder/$part.rec"
        done
        TRAIN=$folder/TRAIN.rec VAL=$folder/VAL.rec
    fi
    if [ -f "$run/arguments.json" ]; then
        training=(resume "$run")
    else
        training=(train --recipe cifar10-fast --data-train "$TRAIN" --data-val "$VAL" --run-folder "$run"
            --dtype bfloat16 ${quick:+--num-epochs 1 --batch-size 32})
    fi
    if "$anneal" "${training[@]}" --devices "$device"; then
        row "cifar10-fast" grep -F '"event":"epoch"' "$run/metrics.jsonl"
    fi
else
    echo "  left out: TRAIN and VAL name no records of CIFAR-10"
fi

say "4. float32, JAX ($jax), smaller batches, ResNeXt-110, and what a profiler sees"
[ -x "$jax" ] || echo "  no JAX: its rows are left out"
rows resnext 101 imagenet 3,28,28 128 10 float32 jax
rows resnext 101 imagenet 3,28,28 128 10 bfloat16 jax
rows resnet 50 imagenet 3,224,224 256 1000 bfloat16 jax
rows resnext 101 imagenet 3,28,28 64 10 bfloat16 jax
rows resnext 110 "" 3,28,28 128 10 bfloat16 jax
if command -v nsys >/dev/null; then
    [ -f "$folder/profile.nsys-rep" ] || nsys profile --output "$folder/profile" "$anneal" bench-step --network resnext \
        --num-layers 101 --trunk imagenet --image-shape 3,28,28 --steps 20 --dtype bfloat16 --devices "$device"
else
    echo "  no profile: nsys is not there"
fi
say "Results: $results"
