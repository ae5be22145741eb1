#!/usr/bin/env bash
# Builds the tool with the Swift runtime inside, so that it runs without the toolchain, and prints its path; with
# SERVER=1 also anneal-server, next to it. Uses separate build folders.
set -euo pipefail
cd "$(dirname "$0")/.."
build() { swift build -c release --static-swift-stdlib --scratch-path "$scratch" "$@" >&2; }
if [ -n "${SERVER:-}" ]; then
    scratch=.build-static-server
    build --package-path Server --product anneal
    # The web server's package contains a proxy that is not used here. It depends on Foundation's URLSession, which
    # needs the library curl. Stubs that end the program replace it, so that the packages need not include it.
    runtime=$(swift -print-target-info | sed -n 's/.*"runtimeResourcePath" *: *"\(.*\)".*/\1/p')
    stub=$PWD/$scratch/no-curl
    mkdir -p "$stub"
    nm -u "${runtime}_static/linux/lib_CFURLSessionInterface.a" | awk '$2 ~ /^curl_/ {print $2}' | sort -u \
        | awk 'BEGIN {print "#include <stdlib.h>"} {print "void " $1 "(void) { abort(); }"}' > "$stub/curl.c"
    clang -c -fPIC -w -fno-builtin "$stub/curl.c" -o "$stub/curl.o"
    rm -f "$stub/libcurl.a"
    ar rcs "$stub/libcurl.a" "$stub/curl.o"
    build --package-path Server --product anneal-server -Xlinker "-L$stub"
else
    scratch=.build-static
    build --product anneal
fi
printf '%s\n' "$PWD/$scratch/release/anneal"
