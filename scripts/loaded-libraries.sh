#!/usr/bin/env bash
# Prints the names, from the sources, of the libraries that the program is not linked with but loads on demand.
set -euo pipefail
cd "$(dirname "$0")/.."
sed -n 's/^ANNEAL_LIBRARY(.*"\(lib[^"]*\)".*/\1/p' Sources/*/*.c
