#!/usr/bin/env bash
# Builds web pages of the library's documentation: `make docs`. Requires a release build.
# Exit status 1: a broken link, or a comment documents a parameter that does not exist.
set -euo pipefail
cd "$(dirname "$0")/.."
built=.build/release pages=.build/docs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

flags=(-I "$built/Modules" -target "$(uname -m)-unknown-linux-gnu")
for map in Sources/*/module.modulemap; do flags+=(-I "$(dirname "$map")"); done
# Headers of our C code that include each other.
for headers in Sources/C*/include; do flags+=(-Xcc "-I$headers"); done
for map in "$built"/C*.build/module.modulemap; do flags+=(-Xcc "-fmodule-map-file=$map"); done
for flag in $(pkg-config --cflags-only-I libpng); do flags+=(-Xcc "$flag"); done

# The modules that `import Anneal` re-exports.
for module in Anneal $(sed -n 's/^@_exported import //p' Sources/Anneal/Anneal.swift); do
    swift symbolgraph-extract -module-name "$module" "${flags[@]}" -minimum-access-level public \
        -skip-inherited-docs -skip-synthesized-members -output-dir "$work"
done

rm -rf "$pages"
docc convert Documentation/Anneal.docc --additional-symbol-graph-dir "$work" --output-path "$pages" \
    --fallback-display-name Anneal --fallback-bundle-identifier anneal > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
# A parameter whose name says everything needs no description.
if grep -A 3 -E '^(warning|error)' "$work/log" | grep -v "is missing documentation" | grep -A 3 -E '^(warning|error)'; then
    exit 1
fi
scripts/say "Documentation: $pages; to read it: python3 -m http.server -d $pages 8000, then localhost:8000/documentation/anneal"
