# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154 # a format for apt-get; cache and pieces come from common.sh and dev
#
# Makes, when it is first needed, and removes the private root. make_root.sh is its recipe.

root_dir() { echo "$cache/root-$(short_hash <"$pieces/make_root.sh")"; }

root_exists() { [[ -x $(root_dir)/usr/bin/env ]]; }

ensure_root() {
    root_exists || with_lock "$(root_dir).lock" create_root
}

create_root() {
    ! root_exists || return 0 # made while we waited for the lock
    ensure_mmdebstrap
    local mirror keyring root
    mirror=$(debian_mirror) || exit
    keyring=$(debian_keyring) || exit
    root=$(root_dir)
    # Whatever ends this, nothing half-made stays: the partial root is removed here or, after a
    # kill -9, by the next creation. (The traps run outside this function: no locals.)
    partial=$root.partial maker=
    trap 'stop_maker; discard "$partial"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    discard "$partial"
    say "making a private Debian 13 root with Kokkos and RDKit: about a minute, 1 GB, only once"
    say "  in $root (./dev clean --all removes it)"
    local start=$SECONDS
    # In its own process group, and waited for, so that a signal ends all of it at once.
    setsid "$BASH" "$pieces/make_root.sh" "$mirror" "$keyring" "$partial" </dev/null >&2 &
    maker=$!
    wait "$maker" || die "could not make the private root: see the messages above.
     If a package could not be installed, the mirror may be out of date, or unstable's Kokkos may
     need newer libraries than Debian 13 has: then install Kokkos >= 4.6 yourself and use M2U_ENV=native"
    maker=
    mv -T -- "$partial" "$root" || exit
    trap - EXIT INT TERM HUP
    say "the private root is ready after $((SECONDS - start)) s"
}

# Ends the maker's whole group, and waits for it: nothing may write to the partial root after this.
stop_maker() {
    [[ -n $maker ]] || return 0
    say "stopping"
    kill -TERM -- "-$maker" 2>/dev/null || true
    local tenths
    for ((tenths = 0; tenths < 600; ++tenths)); do
        kill -0 -- "-$maker" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL -- "-$maker" 2>/dev/null || true
    sleep 0.5
}

# The addresses that apt uses for Debian itself; indextargets knows the origin once the lists are there.
debian_mirror() {
    local site
    site=${M2U_MIRROR:-$(apt_debian_site)}
    if [[ -z $site ]] && ((EUID == 0)) && command -v apt-get >/dev/null; then
        say "apt-get update: apt's lists are not there yet"
        apt-get update >&2
        site=$(apt_debian_site)
    fi
    if [[ $site =~ ^mirror\+?[a-z]*: ]]; then # a file with one mirror per line
        local list=${site#mirror*:}
        list=/${list#"${list%%[!/]*}"}
        [[ -r $list ]] || die "cannot read apt's mirror list $list: set M2U_MIRROR to a Debian mirror"
        site=$(grep -m1 -oE '^[a-z]+://[^[:space:]]+' "$list")
    fi
    [[ -n $site ]] || die "apt's configuration has no Debian mirror (or its lists are missing: run
     'apt-get update' as root); set M2U_MIRROR to one"
    echo "${site%/}"
}

apt_debian_site() {
    command -v apt-get >/dev/null || return 0
    apt-get indextargets --format '$(LABEL)|$(ORIGIN)|$(SITE)' |
        sed -n 's/^Debian|Debian|//p' | sort -u | head -n1
}

debian_keyring() {
    local file
    for file in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
        if [[ -r $file ]]; then
            echo "$file"
            return
        fi
    done
    die "no Debian archive keys: install the package debian-archive-keyring"
}

ensure_mmdebstrap() {
    if ((EUID != 0)); then
        local wanted=()
        command -v mmdebstrap >/dev/null || wanted+=(mmdebstrap)
        command -v newuidmap >/dev/null || wanted+=(uidmap)
        ((${#wanted[@]} == 0)) || die "making the private root needs: sudo apt-get install ${wanted[*]}"
        local me file
        me=$(id -un)
        for file in /etc/subuid /etc/subgid; do
            grep -qsE "^($me|$EUID):" "$file" || die "making the private root as a normal user needs a range of
     user numbers for $me in /etc/subuid and /etc/subgid, which root can give:
       sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $me
     Or run './dev shell true' once as root, with M2U_CACHE set to a folder that you can read."
        done
        return
    fi
    ! command -v mmdebstrap >/dev/null || return 0
    command -v apt-get >/dev/null || die "the private root is made by mmdebstrap: please install it"
    say "installing mmdebstrap on this system, which makes the private root"
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends mmdebstrap >&2 ||
        { apt-get update >&2 &&
            DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends mmdebstrap >&2; } ||
        die "could not install mmdebstrap"
}

# Only folders that this script named, and never across a mount.
discard() {
    [[ $1 == "$cache"/root-* ]] || die "refusing to remove $1"
    [[ ! -e $1 ]] || rm -rf --one-file-system -- "$1"
}

remove_roots() {
    local dir
    for dir in "$cache"/root-*; do
        [[ -e $dir ]] || continue
        case $dir in
            *.lock) rm -f -- "$dir" ;;
            *) discard "$dir" ;;
        esac
    done
    rm -rf -- "${cache:?}/ccache" "${cache:?}/native" "${cache:?}/home"
    rmdir --ignore-fail-on-non-empty -- "$cache" 2>/dev/null || true
}
