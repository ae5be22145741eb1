#!/usr/bin/env bash
# Writes one of every kind of file that Anneal writes, and lets MXNet 1.9.1 read them: `make check-mxnet`. With the
# argument `records` only the files of the record tools.
# Exit status: 0 all well, 1 MXNet reads something different, 2 MXNet cannot be installed here.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { scripts/say "$@"; }

if ! Benchmarks/setup-peers.sh mxnet; then
    say "MXNet 1.9.1 cannot be installed here (see above): nothing was checked"
    exit 2
fi
say "MXNet reads records that were packed, split, joined and repaired, and packs the same images itself"
swift build -c release --product anneal
Benchmarks/.venv-mxnet/bin/python scripts/check-mxnet-records.py .build/release/anneal
[ "${1:-}" = records ] && exit
swift build -c release --product anneal-conformance
samples=$(mktemp -d)
trap 'rm -rf "$samples"' EXIT
say "Writing every network, imported models, arrays of every type, and records (about 1.5 GB, removed afterwards)"
imports=(Tests/Fixtures/onnx)
[ -d ../shared/onnx ] && imports+=(../shared/onnx)
.build/release/anneal-conformance --write-samples "$samples" "${imports[@]}"
say "MXNet reads them"
Benchmarks/.venv-mxnet/bin/python scripts/check-mxnet.py --samples "$samples"
