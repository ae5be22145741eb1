#!/usr/bin/env bash
# Installs the tool with its manual pages, shell completions and licence notices: install.sh ANNEAL PREFIX
# DESTDIR goes before PREFIX, for packages.
set -euo pipefail
anneal=$1 prefix=${2/#\~\//$HOME/} # as written in a Makefile's argument
here=$(cd "$(dirname "$0")" && pwd)
root=${DESTDIR:-}$prefix
install -d "$root/bin" "$root/share/man/man1" "$root/share/bash-completion/completions" \
    "$root/share/zsh/site-functions" "$root/share/fish/vendor_completions.d" "$root/share/doc/anneal"
# Stripped it is a third smaller.
install -m 755 -s "$anneal" "$root/bin/anneal"
server=$(dirname "$anneal")/anneal-server
if [ -x "$server" ]; then install -m 755 -s "$server" "$root/bin/anneal-server"; fi

pages=$(mktemp -d)
trap 'rm -rf "$pages"' EXIT
"$anneal" man-pages "$pages" > /dev/null
for page in "$pages"/*.1; do gzip -9n < "$page" > "$root/share/man/man1/$(basename "$page").gz"; done
"$anneal" --generate-completion-script bash > "$root/share/bash-completion/completions/anneal"
"$anneal" --generate-completion-script zsh > "$root/share/zsh/site-functions/_anneal"
"$anneal" --generate-completion-script fish > "$root/share/fish/vendor_completions.d/anneal.fish"
"$here/licences.sh" > "$root/share/doc/anneal/copyright"
install -m 644 "$here/../README.md" "$root/share/doc/anneal/README.md"
gzip -9n < "$here/../CHANGELOG.md" > "$root/share/doc/anneal/changelog.gz"
"$here/say" "Installed in $root: bin/anneal, manual pages, completions for bash, zsh and fish"
