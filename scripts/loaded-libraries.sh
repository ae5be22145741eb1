#!/usr/bin/env bash
# Prints the names of the libraries that the program is not linked with but loads when it needs them, as the sources name them.
set -euo pipefail
cd "$(dirname "$0")/.."
sed -n 's/^ANNEAL_LIBRARY(.*"\(lib[^"]*\)".*/\1/p' Sources/*/*.c
