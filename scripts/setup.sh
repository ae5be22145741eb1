#!/usr/bin/env bash
# Installs the Debian packages that Anneal is built with, if they are missing. Swift itself must be installed.
set -euo pipefail
packages=(
    libdnnl-dev           # oneDNN
    libjpeg62-turbo-dev   # JPEG
    libpng-dev            # PNG
    libwebp-dev           # WebP
    libtiff-dev           # TIFF
    libgif-dev            # GIF
    zlib1g-dev            # gzipped data sets
    libcairo2-dev         # curves as SVG and PNG
    fonts-dejavu-core     # their text
    pkg-config
    openmpi-bin           # jobs of several processes
    dataset-fashion-mnist # the demo's and the example's data
)
command -v swift >/dev/null || { echo "setup: swift is not on the PATH; install Swift 6.1 or newer" >&2; exit 1; }
missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if [ "${#missing[@]}" -eq 0 ]; then
    echo "==> Set-up: all packages are there"
    exit 0
fi
echo "==> Set-up: installing ${missing[*]}"
run=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "setup: run as root: apt-get install ${missing[*]}" >&2; exit 1; }
    run=(sudo)
fi
"${run[@]}" apt-get update -qq
"${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
