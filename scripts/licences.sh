#!/usr/bin/env bash
# Prints the licence notices of Anneal and of everything that is linked into it: those of the packages, and of the Swift
# runtime (with Foundation, and ICU's tables, whose licence is not part of the toolchain).
set -euo pipefail
cd "$(dirname "$0")/.."
section() { printf '\n%s\n%s\n\n' "$1" "$(printf '%*s' ${#1} '' | tr ' ' =)"; }
section "Anneal"
cat LICENSE
for checkout in ${SERVER:+.build-static-server/checkouts/*/} .build-static/checkouts/*/ .build/checkouts/*/; do
    [ -d "$checkout" ] || continue
    name=$(basename "$checkout")
    case " ${seen:-} " in *" $name "*) continue ;; esac
    seen="${seen:-} $name"
    for file in "$checkout"LICENSE* "$checkout"NOTICE*; do
        [ -f "$file" ] || continue
        section "$name, $(basename "$file")"
        cat "$file"
    done
done
runtime=$(dirname "$(dirname "$(readlink -f "$(command -v swift)")")")/share/swift
for file in "$runtime"/LICENSE*; do
    [ -f "$file" ] || continue
    section "Swift runtime and libraries, $(basename "$file")"
    cat "$file"
done
section "ICU, in the Swift runtime"
cat scripts/licences/unicode.txt
