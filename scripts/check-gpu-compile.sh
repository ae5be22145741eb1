#!/usr/bin/env bash
# Compiles the networks for GPUs on a machine without one, checks the compiled programs, and writes the documentation's
# table. Programs that were compiled before are skipped (.build/gpu-compile/results.jsonl), so that it can be stopped
# and restarted.
# usage: check-gpu-compile.sh [GPU MODE DTYPE NETWORK...]
set -euo pipefail
cd "$(dirname "$0")/.."
folder=.build/gpu-compile plugins=.build/plugins tool=${GPU_COMPILE_TOOL:-.build/release/anneal-gpu-compile}
scripts/plugin.sh cuda12-compiler "$plugins"
plugin=$plugins/cuda12-compiler/jax_plugins/xla_cuda12/xla_cuda_plugin.so
mkdir -p "$folder"
[ -f "$folder/P100.txt" ] || python3 scripts/gpu-configurations.py "$plugin" "$folder"
[ -n "${GPU_COMPILE_TOOL:-}" ] || swift build -c release --product anneal-gpu-compile
failed=0
compile() {
    local gpu=$1
    "$tool" "$plugin" "$folder/$gpu.txt" "$folder/results.jsonl" "$@" || failed=1
}
if [ $# -gt 0 ]; then
    compile "$@"
    exit $failed
fi
zoo="airbench alexnet densenet-121 googlenet inception-bn inception-bn@28 inception-resnet-v2 inception-v3 inception-v4 lenet
    mlp mobilenet mobilenetv2 resnet-20@28 resnet-50 resnet-110@28 resnet-v1-50 resnext-50 resnext-101@28 squeezenet
    squeezenet1.0 vgg-16"
five="resnet-50 resnext-101@28 mobilenetv2 inception-bn@28 airbench"
for dtype in bfloat16 float32; do
    compile H100 train $dtype $zoo
    compile H100 recompute $dtype $five
done
for dtype in bfloat16 float32; do compile A100 train $dtype $five; done
for dtype in float16 float32; do compile P100 train $dtype $five; done
for dtype in bfloat16 float32; do compile H100 score $dtype $zoo; done
python3 scripts/gpu-compile-table.py "$folder/results.jsonl" >Documentation/gpu-compile.md
exit $failed
