# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # repo comes from dev
#
# Messages, locks and small facts. Needs no variable but those it sets.

say() { printf 'm2u: %s\n' "$*" >&2; }

die() {
    printf 'm2u: error: %s\n' "$*" >&2
    exit 1
}

usage_error() {
    printf 'm2u: error: %s (see ./dev help)\n' "$*" >&2
    exit 2
}

cache=${M2U_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/m2u}
[[ $cache == /* ]] || cache=$PWD/$cache
cache=$(realpath -m -- "$cache")

jobs_wanted() { echo "${M2U_JOBS:-$(nproc)}"; }

short_hash() { sha256sum | cut -c1-12; }

# What -march=native depends on: objects made for one processor must not be reused on another.
cpu_hash() {
    grep -m6 -E '^(vendor_id|cpu family|model|flags|Features|CPU part)\s*:' /proc/cpuinfo | sort -u |
        short_hash
}

# with_lock FILE COMMAND…: runs a function or command while holding FILE; waits, saying so, when
# another process holds it. What the command started and left behind holds it as well.
with_lock() {
    local file=$1 lock status=0
    shift
    mkdir -p -- "$(dirname -- "$file")"
    exec {lock}>"$file" || exit
    if ! flock --nonblock "$lock"; then
        say "waiting for another ./dev"
        flock "$lock"
    fi
    "$@" || status=$?
    exec {lock}>&-
    return "$status"
}

# The host's apt settings without which its mirrors cannot be reached, in apt.conf syntax.
# A CaInfo file is left out: its content goes where the root looks for certificates.
host_apt_settings() {
    command -v apt-config >/dev/null || return 0
    apt-config dump | grep -E \
        '^Acquire::(https?::([^ ]+::)?(Proxy|Verify-Peer|Verify-Host)(::[^ ]+)?|Check-Valid-Until|Check-Date) "[^"]' ||
        true
}

# The file with the certificate authorities that the host's apt trusts; nothing where there is none.
host_certificates() {
    local file=
    if command -v apt-config >/dev/null; then
        eval "$(apt-config shell file Acquire::https::CaInfo)"
    fi
    for file in "$file" /etc/ssl/certs/ca-certificates.crt; do
        if [[ -f $file ]]; then
            echo "$file"
            return
        fi
    done
}

# Outside git, or where git distrusts the folder, there is no revision. Inside the private root
# there is no git: the caller's answer is handed in.
git_revision() {
    local revision
    if [[ -n ${M2U_GIT_REVISION-} ]]; then
        echo "$M2U_GIT_REVISION"
    elif revision=$(git -C "$repo" describe --always --dirty 2>/dev/null); then
        echo "$revision"
    else
        echo unknown
    fi
}
