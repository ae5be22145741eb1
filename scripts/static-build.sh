#!/usr/bin/env bash
# Builds the tool with the Swift runtime inside, so that it runs without the toolchain, and prints its path; with SERVER=1
# anneal-server too, next to it. In build folders of their own.
set -euo pipefail
cd "$(dirname "$0")/.."
build() { swift build -c release --static-swift-stdlib --scratch-path "$scratch" "$@" >&2; }
if [ -n "${SERVER:-}" ]; then
    scratch=.build-static-server
    build --package-path Server --product anneal
    build --package-path Server --product anneal-server
else
    scratch=.build-static
    build --product anneal
fi
printf '%s\n' "$PWD/$scratch/release/anneal"
