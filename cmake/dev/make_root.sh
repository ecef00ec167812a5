#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# make_root.sh MIRROR KEYRING DIR: makes a Debian 13 root with all that m2u needs. It is the recipe:
# root.sh names the root by this file's hash, so that a change here makes a new one.
# shellcheck disable=SC2016 # hooks are shell code for mmdebstrap, not for here
set -euo pipefail
# shellcheck source=cmake/dev/common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

mirror=$1 keyring=$2 dir=$3

suite=trixie
# Debian's only usable Kokkos is in unstable; nothing else may come from there.
kokkos_suite=sid
packages=(
    ca-certificates g++ cmake ninja-build ccache pkgconf
    libkokkos-dev libeigen3-dev libtbb-dev zlib1g-dev catch2 libcli11-dev nlohmann-json3-dev libfmt-dev
    libboost-graph-dev libboost-system-dev libboost-iostreams-dev libboost-serialization-dev
    # RDKit's CMake files ask for the libraries that it was built with.
    librdkit-dev rdkit-data libfreetype-dev libcairo2-dev libmaeparser-dev libcoordgen-dev libinchi-dev
    # Reference values of a few tests.
    python3-minimal python3-numpy python3-safetensors
)
export M2U_PREFERENCES="Package: *
Pin: release n=$kokkos_suite
Pin-Priority: -10

Package: libkokkos*
Pin: release n=$kokkos_suite
Pin-Priority: 500
"
M2U_APT_SETTINGS=$(host_apt_settings)
export M2U_APT_SETTINGS
export M2U_PREPARE='
mkdir -p "$1/etc/apt/preferences.d" "$1/etc/apt/apt.conf.d"
printf %s "$M2U_PREFERENCES" >"$1/etc/apt/preferences.d/kokkos"
printf "%s\n" "$M2U_APT_SETTINGS" >"$1/etc/apt/apt.conf.d/90m2u-host"'
export M2U_FINISH='
# Kokkos CMake files name two static archives that the package lacks: empty ones do.
for dir in "$1"/usr/lib/*-linux-gnu; do
    [ -e "$dir/libkokkoscore.so" ] || continue
    for name in algorithms simd; do
        archive=$dir/libkokkos$name.a
        [ -e "$archive" ] || chroot "$1" ar rcs "${archive#"$1"}"
    done
done
# Files of the host are bound over these while the root is in use.
rm -f "$1/etc/resolv.conf" "$1/etc/apt/apt.conf.d/90m2u-host"
touch "$1/etc/resolv.conf" "$1/etc/hosts" "$1/etc/apt/apt.conf.d/90m2u-host"'

options=(
    --variant=minbase --components=main --include="$(IFS=, && echo "${packages[*]}")"
    --aptopt='APT::Install-Recommends "false"'
    --setup-hook='eval "$M2U_PREPARE"' --customize-hook='eval "$M2U_FINISH"'
)
sources=("deb [signed-by=$keyring] $mirror $suite main"
    "deb [signed-by=$keyring] $mirror $kokkos_suite main")

umask 022
if ((EUID == 0)); then
    mmdebstrap --mode=root --format=directory "${options[@]}" "$suite" "$dir" "${sources[@]}"
else
    # A normal user unpacks a tar file, which makes all files theirs: entering then needs no more
    # than a user namespace with one user. Set-user-ID bits and devices are left behind, as /dev is
    # bound and nobody changes user inside.
    mkdir -p -- "$dir"
    mmdebstrap --mode=unshare --format=tar "${options[@]}" "$suite" - "${sources[@]}" |
        tar --extract --directory="$dir" --no-same-owner --no-same-permissions --exclude='./dev/*'
fi
