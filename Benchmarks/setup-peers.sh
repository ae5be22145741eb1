#!/usr/bin/env bash
# Install the frameworks that Anneal is measured against and checked with, each into a separate virtual environment next
# to this script.
#
#   setup-peers.sh [--with-cuda-packages] [mxnet] [torch] [onnx] [jax]
#
# With no name: all but jax, which is for GPUs only. What is already there and imports is left
# alone, so the script can be run before every benchmark. A peer that cannot be
# installed does not stop the others; the exit code is then 1.
#
# PyTorch: a CPU-only build is taken when pip finds one (a folder of wheels or
# an extra index can be named through pip's own settings, PIP_FIND_LINKS or
# PIP_EXTRA_INDEX_URL). Otherwise the default build is tried without its
# dependencies, which works where that build is CPU-only (ARM). On x86-64 it
# wants several gigabytes of CUDA packages even to run on the CPU; they are
# installed only with --with-cuda-packages.
#
# PYTHON names the interpreter to use (3.8 to 3.11, for MXNet).
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
minimum_free_megabytes=2000
with_cuda_packages=no
peers=()

for argument in "$@"; do
  case $argument in
    --with-cuda-packages) with_cuda_packages=yes; minimum_free_megabytes=12000 ;;
    mxnet | torch | onnx | jax) peers+=("$argument") ;;
    -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) echo "setup-peers: unknown argument '$argument' (mxnet, torch, onnx, jax, --with-cuda-packages)" >&2; exit 64 ;;
  esac
done
[ ${#peers[@]} -gt 0 ] || peers=(mxnet torch onnx)

say() { echo "setup-peers: $*"; }
fail() { echo "setup-peers: $*" >&2; return 1; }

# Install Debian packages that are missing; as another user than root, with sudo.
apt_install() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  command -v apt-get >/dev/null || { fail "please install: ${missing[*]}"; return 1; }
  local as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  say "installing Debian packages: ${missing[*]}"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null 2>&1 ||
    { "${as_root[@]}" apt-get update -qq &&
      "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null; } ||
    fail "apt-get could not install: ${missing[*]}"
}

# Whether an interpreter runs, is Python 3.8 to 3.11 and can make environments.
suits() {
  "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 8) <= sys.version_info[:2] <= (3, 11))' >/dev/null 2>&1
}

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3.11 python3.10 python3.9 python3.8 python3 /usr/bin/python3}; do
    if suits "$candidate"; then command -v "$candidate"; return 0; fi
  done
  return 1
}

# Print the version of a module in an environment; fails if it, or another module that the benchmark and checks need,
# cannot be imported.
module_version() {
  local beside=""
  [ "$1" = torch ] && beside=", onnx, PIL"
  [ "$1" = onnx ] && beside=", onnx"
  "$here/.venv-$1/bin/python" -c "import $2$beside; print($2.__version__)" 2>/dev/null
}

make_environment() {
  local folder="$here/.venv-$1"
  # An existing environment is completed.
  "$folder/bin/python" -m pip --version >/dev/null 2>&1 && return 0
  rm -rf "$folder"
  "$python" -m venv "$folder" || fail "$1: could not make an environment with $python"
}

pip_install() {
  local peer=$1
  shift
  "$here/.venv-$peer/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

install_mxnet() {
  # The wheel includes OpenBLAS and gfortran, but not these.
  apt_install libgomp1 libquadmath0 libstdc++6 &&
    pip_install mxnet -r "$here/requirements-mxnet.txt"
}

install_jax() { pip_install jax -r "$here/requirements-jax.txt"; }

install_onnx() { pip_install onnx -r "$here/requirements-onnx.txt"; }

# The newest CPU-only version of torch that pip finds, if any: "2.13.0+cpu".
newest_cpu_torch() {
  "$here/.venv-torch/bin/python" -m pip index versions torch 2>/dev/null |
    sed -n 's/^Available versions: //p' | tr ',' '\n' | tr -d ' ' | grep -F '+cpu' | head -n 1
}

install_torch() {
  apt_install libgomp1 libstdc++6 || return 1
  pip_install torch -r "$here/requirements-torch.txt" || return 1
  if [ "$with_cuda_packages" = yes ]; then
    say "torch: installing with all its dependencies, several gigabytes"
    pip_install torch torch torchvision
    return
  fi
  local cpu_version
  cpu_version=$(newest_cpu_torch)
  if [ -n "$cpu_version" ]; then
    pip_install torch --no-deps "torch==$cpu_version" || return 1
    pip_install torch --no-deps torchvision || say "torch: no torchvision: the data rows leave PyTorch out"
    return
  fi
  if [ "$(uname -m)" = x86_64 ]; then
    fail "torch: pip finds no CPU-only build (see PIP_FIND_LINKS and PIP_EXTRA_INDEX_URL in pip's documentation);" \
      "run again with --with-cuda-packages to install the default build and several gigabytes of CUDA packages"
    return 1
  fi
  pip_install torch --no-deps torch
}

set_up() {
  local peer=$1 module=$1 version started=$SECONDS
  [ "$peer" = onnx ] && module=onnxruntime
  if version=$(module_version "$peer" "$module"); then
    say "$module $version is there"
    return 0
  fi
  say "$peer: installing into $(basename "$here")/.venv-$peer"
  make_environment "$peer" && "install_$peer" || return 1
  version=$(module_version "$peer" "$module") || {
    "$here/.venv-$peer/bin/python" -c "import $module" 2>&1 | tail -n 3 >&2
    fail "$peer: installed, but it does not import"
    return 1
  }
  say "$module $version installed: $(du -sh "$here/.venv-$peer" | cut -f1), $((SECONDS - started)) s"
}

if ! python=$(find_python); then
  apt_install python3 python3-venv
  python=$(find_python) || { fail "no Python 3.8 to 3.11 with venv found; set PYTHON"; exit 1; }
fi

free_megabytes=$(df -Pm "$here" | awk 'NR == 2 { print $4 }')
if [ "$free_megabytes" -lt "$minimum_free_megabytes" ]; then
  fail "only $free_megabytes MB free here; $minimum_free_megabytes MB are needed"
  exit 1
fi

status=0
for peer in "${peers[@]}"; do
  set_up "$peer" || { status=1; say "$peer: not available"; }
done
exit $status
