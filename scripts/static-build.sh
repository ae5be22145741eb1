#!/usr/bin/env bash
# Builds the tool with the Swift runtime inside, so that it runs without the toolchain, and prints its path. In a build
# folder of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=.build-static
swift build -c release --static-swift-stdlib --scratch-path "$scratch" --product anneal >&2
printf '%s\n' "$PWD/$scratch/release/anneal"
