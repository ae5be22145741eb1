#!/usr/bin/env bash
# Compiles the networks for GPUs on a machine without one, looks at what the compiler made of them, and writes the table of
# the documentation. What was compiled before is left out: .build/gpu-compile/results.jsonl; delete it to begin again.
# usage: check-gpu-compile.sh [GPU MODE DTYPE NETWORK...]
set -euo pipefail
cd "$(dirname "$0")/.."
folder=.build/gpu-compile plugins=.build/plugins
scripts/plugin.sh cuda12-compiler "$plugins"
plugin=$plugins/cuda12-compiler/jax_plugins/xla_cuda12/xla_cuda_plugin.so
mkdir -p "$folder"
[ -f "$folder/P100.txt" ] || python3 scripts/gpu-configurations.py "$plugin" "$folder"
swift build -c release --product anneal-gpu-compile
failed=0
compile() {
    local gpu=$1
    .build/release/anneal-gpu-compile "$plugin" "$folder/$gpu.txt" "$folder/results.jsonl" "$@" || failed=1
}
if [ $# -gt 0 ]; then
    compile "$@"
    exit $failed
fi
zoo="airbench alexnet densenet-121 googlenet inception-bn inception-bn@28 inception-resnet-v2 inception-v3 inception-v4 lenet
    mlp mobilenet mobilenetv2 resnet-20@28 resnet-50 resnet-110@28 resnet-v1-50 resnext-50 resnext-101@28 squeezenet
    squeezenet1.0 vgg-16"
five="resnet-50 resnext-101@28 mobilenetv2 inception-bn@28 airbench"
for mode in train score; do
    for dtype in float32 bfloat16; do compile H100 $mode $dtype $zoo; done
done
for dtype in float32 bfloat16; do compile A100 train $dtype $five; done
for dtype in float32 float16; do compile P100 train $dtype $five; done
python3 scripts/gpu-compile-table.py "$folder/results.jsonl" >Documentation/gpu-compile.md
exit $failed
