#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# enter.sh ROOT CWD REPO CACHE HOME TMPDIR PATH… -- COMMAND ARG…
#
# Runs a command in the private root with parts of the host bound in under their own names. It is
# started in a mount namespace of its own, so nothing stays mounted when the command ends.
#
# The command's "/" is a fresh tmpfs that holds the root's system folders and the bound parts; the
# root itself is not touched, so that several commands, and users who may not write to it, can share
# it. That tmpfs is read-only in the end: a file written to a place that is not bound is an error
# and not lost.
set -euo pipefail
# shellcheck source=cmake/dev/common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

root=$1 cwd=$2 repo=$3 cache_dir=$4 home=$5 tmp=$6
shift 6
paths=()
while [[ $1 != -- ]]; do
    paths+=("$1")
    shift
done
shift

stage=$root/mnt
bound=()

# Whether PATH is a bound folder or in one.
covered() {
    local folder
    for folder in "${bound[@]}"; do
        [[ $1 != "$folder" && $1 != "$folder"/* ]] || return 0
    done
    return 1
}

# Whether PATH is in a folder that the root brings along.
in_system() {
    case $1/ in
        /bin/* | /sbin/* | /lib/* | /lib32/* | /lib64/* | /libx32/* | /usr/* | /etc/* | /var/*) return 0 ;;
    esac
    return 1
}

occupied() { [[ -d $1 ]] && [[ -n $(ls -A -- "$1") ]]; }

# Whether a folder can be bound without hiding something of the root.
can_bind() { covered "$1" || { [[ $1 != / ]] && ! { in_system "$1" && occupied "$stage$1"; }; }; }

# mount_path PATH: PATH is absolute and exists.
mount_path() {
    local path=$1
    ! covered "$path" || return 0
    [[ $(realpath -m -- "$stage$path") == "$stage"/* ]] || die "cannot show $path in the private root"
    if [[ -d $path ]]; then
        can_bind "$path" || die "$path is a folder of the private root as well, so the program cannot see this
     system's: copy what you need elsewhere (say, /tmp), or give the file itself"
        mkdir -p -- "$stage$path"
        bound+=("$path")
    else
        mkdir -p -- "$stage${path%/*}"
        [[ -e $stage$path ]] || : >"$stage$path"
    fi
    # Recursive: a user namespace may not show a folder without what is mounted in it.
    mount --rbind -- "$path" "$stage$path"
}

# expose PATH: binds the folder of an existing PATH, or PATH itself if that is a folder, following
# symbolic links one by one so that every name on the way works inside as well.
expose() {
    local rest=$1 here='' next part link
    while rest=${rest##+(/)} && [[ -n $rest ]]; do
        part=${rest%%/*}
        rest=${rest#"$part"}
        case $part in
            .) continue ;;
            ..)
                here=${here%/*}
                continue
                ;;
        esac
        next=$here/$part
        if [[ -L $next ]]; then
            link=$(readlink -- "$next")
            if [[ ! -e $stage$next && ! -L $stage$next ]]; then
                if in_system "$next"; then
                    mount_path "$next"
                    return
                fi
                mkdir -p -- "$stage$here"
                ln -s -- "$link" "$stage$next"
            fi
            [[ $link == /* ]] || link=$here/$link
            expose "$link$rest"
            return
        fi
        # A folder on the way to ".." has to be there.
        [[ $rest != */..* || ! -d $next ]] || covered "$next" || mkdir -p -- "$stage$next"
        here=$next
    done
    expose_real "$here"
}

# expose_real PATH: the end of expose, where PATH holds no symbolic link. The folder around a file is
# shown as well, unless it is "/" or a system folder.
expose_real() {
    local path=$1 folder=${1%/*}
    [[ -n $path ]] || return 0
    if [[ ! -d $path && -n $folder ]] && ! in_system "$path"; then
        path=$folder
    elif [[ ! -d $path && ! -f $path ]]; then
        path=$folder
    fi
    [[ -z $path ]] || mount_path "$path"
}

# show PATH: exposes it, or the nearest folder around it that exists.
show() {
    local path=$1
    while [[ ! -e $path ]]; do
        path=${path%/*}
        [[ -n $path ]] || return 0
    done
    # Something that only looks like a path ends here: the current folder needs no second look.
    [[ $path == "$cwd" ]] || expose "$path"
}

# show_if_possible FOLDER: where it would hide a folder of the root, that one is left as it is.
show_if_possible() {
    [[ -d $1 ]] || return 0
    ! can_bind "$(realpath -- "$1")" || expose "$1"
}

make_stage() {
    local entry name
    mount -t tmpfs -o mode=755 m2u "$stage"
    mount --make-unbindable "$stage"
    for entry in "$root"/*; do
        name=${entry#"$root"}
        if [[ -L $entry ]]; then
            ln -s -- "$(readlink -- "$entry")" "$stage$name"
        else
            mkdir -- "$stage$name"
            ! in_system "$name" || mount --rbind -- "$entry" "$stage$name"
        fi
    done
    # Installing a package may leave a file there, which nobody needs afterwards.
    mount -t tmpfs -o mode=755 m2u "$stage/run"
    mkdir -- "$stage/run/lock"
}

# What programs and later installations need to reach the network as the host does.
bind_host_files() {
    local copies=$stage/.m2u certificates
    mkdir -- "$copies"
    mount -t tmpfs -o mode=755 m2u "$copies" # bindable, which the stage is not
    (umask 077 && host_apt_settings >"$copies/apt.conf")
    bind_copy "$copies/apt.conf" /etc/apt/apt.conf.d/90m2u-host
    cp -L -- /etc/resolv.conf "$copies/resolv.conf" 2>/dev/null &&
        bind_copy "$copies/resolv.conf" /etc/resolv.conf
    cp -L -- /etc/hosts "$copies/hosts" 2>/dev/null && bind_copy "$copies/hosts" /etc/hosts
    certificates=$(host_certificates)
    [[ -z $certificates ]] || bind_copy "$certificates" /etc/ssl/certs/ca-certificates.crt
}

bind_copy() { [[ ! -f $stage$2 || -L $stage$2 ]] || mount --bind -- "$1" "$stage$2"; }

main() {
    local path
    shopt -s extglob
    make_stage
    for path in /proc /sys /dev /tmp /var/tmp; do
        mount_path "$path"
    done
    # The folder around the repository: siblings are used through relative paths.
    show_if_possible "$(dirname -- "$repo")"
    expose "$repo"
    [[ ! -d $cache_dir ]] || expose "$cache_dir"
    show_if_possible "$tmp"
    show_if_possible "$cwd"
    for path in "${paths[@]}"; do
        show "$path"
    done
    bind_host_files
    [[ -d $stage$cwd ]] || die "the private root has no folder $cwd to run in: call ./dev from elsewhere"
    if [[ ! -d $stage$home ]] || ! covered "$home"; then
        home=$cache_dir/home
        mkdir -p -- "$home" 2>/dev/null && [[ -w $home ]] || home=/tmp
    fi
    mount -o remount,bind,ro "$stage"
}

main
exec chroot "$stage" /usr/bin/env --chdir="$cwd" -- HOME="$home" "$@"
