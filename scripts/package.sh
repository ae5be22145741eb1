#!/usr/bin/env bash
# Makes packages of the tool, for machines without a Swift toolchain: package.sh deb|archive [FOLDER]
#   deb      a package for Debian 12 (its libraries come from Debian)
#   archive  a .tar.gz for other distributions, which includes its libraries
set -euo pipefail
cd "$(dirname "$0")/.."
kind=$1 out=${2:-.build/packages}
mkdir -p "$out"
need() { command -v "$1" > /dev/null || { echo "package: $1 is missing: apt-get install $2" >&2; exit 1; }; }
need dpkg dpkg
anneal=$(scripts/static-build.sh)
version=$("$anneal" --version | awk '{print $2}')
arch=$(dpkg --print-architecture)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Debian's package of a library; its file lists use /lib for some, which links to /usr/lib.
package_of() { dpkg-query -S "$(readlink -f "$1")" "$(readlink -f "$1" | sed 's,^/usr,,')" 2> /dev/null | head -1 | cut -d: -f1 || true; }
# The libraries that the program loads on demand.
for name in $(scripts/loaded-libraries.sh); do
    PATH=$PATH:/sbin ldconfig -p | awk -v name="$name" '$1 == name && !found++ {print $NF}' >> "$work/loaded"
done
[ "$(wc -l < "$work/loaded")" = "$(scripts/loaded-libraries.sh | wc -l)" ] \
    || { echo "package: libraries that are loaded are missing: scripts/setup.sh" >&2; exit 1; }

case $kind in
deb)
    need dpkg-deb dpkg
    need dpkg-shlibdeps dpkg-dev
    root=$work/root
    DESTDIR=$root scripts/install.sh "$anneal" /usr
    # dpkg-shlibdeps names the packages, with the versions that their symbols need.
    mkdir -p "$work/debian" "$root/DEBIAN"
    printf 'Source: anneal\nPackage: anneal\nArchitecture: any\n' > "$work/debian/control"
    depends=$(cd "$work" && dpkg-shlibdeps -O "$root"/usr/bin/* 2> /dev/null | sed -n 's/^shlibs:Depends=//p')
    while read -r library; do depends="$depends, $(package_of "$library")"; done < "$work/loaded"
    cat > "$root/DEBIAN/control" <<CONTROL
Package: anneal
Version: $version
Architecture: $arch
Maintainer: Anneal's maintainers <maintainers@localhost>
Installed-Size: $(du -sk "$root/usr" | cut -f1)
Depends: $depends, fonts-dejavu-core
Suggests: openmpi-bin
Section: science
Priority: optional
Description: train, fine-tune, score and use image classifiers
 Anneal reads and writes MXNet's files and takes the flags of MXNet's image-classification scripts, without Python.
CONTROL
    (cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) > "$root/DEBIAN/md5sums"
    file=$out/anneal_${version}_$arch.deb
    dpkg-deb --root-owner-group -Zxz --build "$root" "$file" > /dev/null
    ;;
archive)
    need patchelf patchelf
    name=anneal-$version-linux-$arch root=$work/$name
    scripts/install.sh "$anneal" "$root"
    mkdir -p "$root/lib" "$root/share/doc/anneal/libraries"
    # All libraries except the C library's own, which must match the system's loader.
    { for object in "$root"/bin/* $(cat "$work/loaded"); do ldd "$object"; done | awk '$3 ~ /^\// {print $3}'; cat "$work/loaded"; } \
        | grep -Ev '/(libc|libm|libpthread|libdl|librt|libresolv|libutil|ld-linux[^/]*)\.so' | sort -u > "$work/libraries"
    while read -r library; do
        file=$(readlink -f "$library")
        install -m 755 "$file" "$root/lib/$(basename "$library")"
        patchelf --set-rpath '$ORIGIN' "$root/lib/$(basename "$library")"
        package=$(package_of "$library")
        notice=/usr/share/doc/$package/copyright
        if [ -n "$package" ] && [ -f "$notice" ]; then
            cp -L "$notice" "$root/share/doc/anneal/libraries/$package"
        else
            echo "package: no licence notice of $library" >&2
        fi
    done < "$work/libraries"
    for program in "$root"/bin/*; do patchelf --set-rpath '$ORIGIN/../lib' "$program"; done
    file=$out/$name.tar.gz
    tar -C "$work" --owner=0 --group=0 --sort=name -czf "$file" "$name"
    ;;
*)
    echo "usage: package.sh deb|archive [FOLDER]" >&2
    exit 64
    ;;
esac
scripts/say "$file: $(du -k "$file" | cut -f1) kB; the program: $(du -kL "$anneal" | cut -f1) kB before its symbols are left out"
