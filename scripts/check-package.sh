#!/usr/bin/env bash
# Installs the packages in fresh Debian 12 roots without a toolchain and uses them: `make check-package` (as root; takes
# some minutes and some hundred megabytes from Debian's mirror). MIRROR names a mirror other than apt's.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "check-package: must be root, for debootstrap and chroot" >&2; exit 1; }
command -v debootstrap > /dev/null || { echo "check-package: apt-get install debootstrap" >&2; exit 1; }
packages=.build/packages
newest() { ls -t "$@" 2> /dev/null | head -1 || true; }
deb=$(newest "$packages"/anneal_*.deb) archive=$(newest "$packages"/anneal-*.tar.gz)
[ -n "$deb$archive" ] || { echo "check-package: nothing in $packages: make deb archive" >&2; exit 1; }
mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -1)}
work=$(mktemp -d)
trap 'umount "$work"/*/proc 2> /dev/null || true; rm -rf "$work"' EXIT

# What a new user does.
cat > "$work/use.sh" <<'USE'
set -eu
cd /root
anneal --version
anneal help train > /dev/null
anneal import-mnist --images t10k-images-idx3-ubyte.gz --labels t10k-labels-idx1-ubyte.gz fashion
anneal train --network mlp --image-shape 1,28,28 --data-train fashion.rec --val-split 0.1 --num-epochs 2 --lr 0.05 \
    --rgb-mean 72.9 --rgb-std 90 --pad-size 0 --run-folder run 2> /dev/null
anneal score --model run --load-epoch best --data-val fashion.rec --output score | head -1
anneal runs .
for file in run/report.html run/README.md run/curves.png score/confusion.png; do test -s $file; done
if command -v anneal-server > /dev/null; then
    anneal serve --runs . --port 18765 2> served &
    server=$!
    for second in 1 2 3 4 5 6 7 8 9 10; do grep -q Serving served && break; sleep 1; done
    # Without curl.
    bash -c 'exec 3<> /dev/tcp/127.0.0.1/18765
        printf "GET / HTTP/1.1\r\nHost: localhost:18765\r\nConnection: close\r\n\r\n" >&3; head -1 <&3' | grep 200
    kill $server
fi
USE

debootstrap --variant=minbase bookworm "$work/fresh" "$mirror" > "$work/fresh.log" 2>&1 || { tail -20 "$work/fresh.log"; exit 1; }

root() { # a fresh root with the data
    cp -a "$work/fresh" "$work/$1"
    mount -t proc proc "$work/$1/proc"
    cp /usr/share/datasets/fashion-mnist/t10k-* "$work/use.sh" "$work/$1/root/"
    cp /etc/resolv.conf "$work/$1/etc/resolv.conf" 2> /dev/null || true
    cp -r /etc/apt/apt.conf.d/. "$work/$1/etc/apt/apt.conf.d/" 2> /dev/null || true
}

if [ -n "$deb" ]; then
    scripts/say "Debian 12 with the package"
    root deb
    cp "$deb" "$work/deb/root/"
    chroot "$work/deb" sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends /root/*.deb' > "$work/apt.log" 2>&1 \
        || { tail -20 "$work/apt.log"; exit 1; }
    chroot "$work/deb" sh /root/use.sh
    chroot "$work/deb" sh -c 'test -s /usr/share/bash-completion/completions/anneal && test -s /usr/share/doc/anneal/copyright'
    # Debian's minimal roots omit manual pages when installing: they are in the package.
    dpkg-deb -c "$deb" | grep 'man1/anneal-train.1.gz' > /dev/null
fi

if [ -n "$archive" ]; then
    scripts/say "Debian 12 with nothing but the archive"
    root archive
    tar -C "$work/archive/opt" -xzf "$archive"
    chroot "$work/archive" sh -c 'PATH=$(echo /opt/anneal-*/bin):$PATH sh /root/use.sh'
fi
scripts/say "The packages work in clean roots"
