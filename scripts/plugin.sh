#!/usr/bin/env bash
# Downloads a PJRT plugin with its libraries, and unpacks it where Anneal searches for plugins.
# usage: plugin.sh NAME [FOLDER]; NAME is a list in scripts/plugins, whose packages are pinned by their SHA-256.
set -euo pipefail
name=${1:-} here=$(cd "$(dirname "$0")" && pwd)
list=$here/plugins/$name.txt
if [ -z "$name" ] || [ ! -f "$list" ]; then
    echo "plugin: no plugin '$name'; there are $(cd "$here/plugins" && echo *.txt | sed 's/\.txt//g')" >&2
    exit 64
fi
folder=${2:-${XDG_DATA_HOME:-$HOME/.local/share}/anneal/plugins}
target=$folder/$name stamp=$folder/$name/.packages
if [ -f "$stamp" ] && cmp -s "$list" "$stamp"; then
    "$here/say" "The plugin $name is there: $target"
    exit 0
fi
if ! python3 -m pip --version >/dev/null 2>&1; then
    echo "plugin: pip is needed to download packages: apt install python3-pip" >&2
    exit 69
fi
mkdir -p "$folder"
work=$(mktemp -d "$folder/.$name.XXXXXX")
trap 'rm -rf "$work"' EXIT
"$here/say" "Downloading the plugin $name ($(sed -n 's/^# \(.*\) to download\./\1/p' "$list"))"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    --requirement "$list" --dest "$work/wheels"
mkdir "$work/unpacked"
for wheel in "$work"/wheels/*.whl; do python3 -m zipfile -e "$wheel" "$work/unpacked"; done
# Unpacking loses executable permissions, e.g. of CUDA's assembler, which XLA starts.
find "$work/unpacked" -path '*/bin/*' -type f -exec chmod +x {} +
cp "$list" "$work/unpacked/.packages"
rm -rf "$target"
mv "$work/unpacked" "$target"
"$here/say" "Unpacked to $target"
