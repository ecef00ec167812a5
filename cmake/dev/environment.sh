# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154 # repo, pieces and cache come from dev and common.sh
#
# Chooses where commands run: on this system ("native"), in the private root ("root"), or here
# because this shell is in the private root already ("inside").

environment=
native_missing=

environment_kind() {
    if [[ -n $environment ]]; then
        echo "$environment"
    elif [[ -n ${M2U_INSIDE-} ]]; then
        echo inside
    else
        case ${M2U_ENV-} in
            native) echo native ;;
            root) echo root ;;
            '') if native_works; then echo native; else echo root; fi ;;
            *) die "M2U_ENV is '$M2U_ENV': use native or root" ;;
        esac
    fi
}

# Settles the environment for the rest of this run, and makes the root where it is the one.
choose_environment() {
    [[ -z $environment ]] || return 0
    environment=$(environment_kind)
    case $environment in
        native)
            native_works || die "M2U_ENV=native, but this system lacks: $native_missing"
            ;;
        root) ensure_root || exit ;;
    esac
}

# Names the environment and the processor: a build folder belongs to one of each.
environment_identity() {
    case $environment in
        root) root_dir ;;
        inside) echo "$M2U_INSIDE" ;;
        native) native_key ;;
    esac
    cpu_hash
}

# --- this system --------------------------------------------------------------------------------

native_key() {
    {
        cat -- "$pieces/native_check/CMakeLists.txt"
        command -v cmake ninja c++ g++ clang++ || true
        cmake --version 2>/dev/null || true
        # Installing or removing a package may change the verdict, and so may a hint to CMake.
        stat --format=%Y /var/lib/dpkg/status /var/lib/rpm /var/lib/pacman/local 2>/dev/null || true
        env | grep -E '^(CC|CXX|CXXFLAGS|PATH|CPATH|PKG_CONFIG_PATH|CMAKE_[A-Z_]+|[A-Za-z0-9]+_(ROOT|DIR))=' | sort
    } | short_hash
}

native_verdict() { echo "$cache/native/$(native_key)"; }

native_works() {
    local verdict
    verdict=$(native_verdict)
    if [[ -e $verdict.no ]]; then
        native_missing=$(<"$verdict.no")
        return 1
    fi
    [[ -e $verdict.yes ]] || check_native "$verdict"
}

# check_native VERDICT: configures the check, and remembers the answer where the cache is writable.
# Sets native_missing.
check_native() {
    local verdict=$1 scratch answer=no
    scratch=$(mktemp -d)
    if ! command -v cmake >/dev/null || ! command -v ninja >/dev/null; then
        native_missing="CMake and Ninja"
    elif cmake -G Ninja -S "$pieces/native_check" -B "$scratch" >"$scratch/log" 2>&1; then
        answer=yes
    else
        native_missing=$(sed -n 's/^ *m2u: missing: *//p' "$scratch/log")
        native_missing=${native_missing:-$(tail -n 20 -- "$scratch/log")}
    fi
    rm -rf -- "$scratch"
    if mkdir -p -- "$cache/native" 2>/dev/null && [[ -w $cache/native ]]; then
        printf '%s\n' "$native_missing" >"$verdict.$answer"
    fi
    [[ $answer == yes ]]
}

# --- running ------------------------------------------------------------------------------------

# The settings that every program gets, wherever it runs.
set_variables() {
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$(nproc)}
    # Kokkos warns where it is not set; unbound threads share a machine better.
    export OMP_PROC_BIND=${OMP_PROC_BIND:-false}
    # Threads that wait go to sleep after some 20 µs: on a busy machine, endless spinning (the default)
    # makes every parallel loop wait for a thread that is not running.
    export GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-20000}
    export M2U_GIT_REVISION
    M2U_GIT_REVISION=$(git_revision)
    export CCACHE_DIR=$cache/ccache CCACHE_BASEDIR=$repo CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=5G
    CCACHE_NAMESPACE=$(cpu_hash)
    export CCACHE_NAMESPACE
    # A cache folder that someone else made serves the root; objects are then not cached.
    [[ -w $cache ]] || export CCACHE_DISABLE=1
    [[ $environment != root ]] || set_root_variables
}

# Compilers, libraries and languages of the host do not exist in the root.
set_root_variables() {
    unset CC CXX CPP LD AR CFLAGS CPPFLAGS CXXFLAGS LDFLAGS CPATH C_INCLUDE_PATH CPLUS_INCLUDE_PATH
    unset LIBRARY_PATH LD_LIBRARY_PATH LD_PRELOAD PKG_CONFIG_PATH PKG_CONFIG_LIBDIR PYTHONPATH PYTHONHOME
    unset CMAKE_PREFIX_PATH CMAKE_GENERATOR CMAKE_TOOLCHAIN_FILE BASH_ENV ENV LC_CTYPE LANGUAGE
    unset Kokkos_ROOT Kokkos_DIR RDKit_ROOT RDKit_DIR RDBASE
    export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    export LANG=C.UTF-8 LC_ALL=C.UTF-8
    M2U_INSIDE=$(root_dir)
    export M2U_INSIDE
    export M2U_CACHE=$cache
}

# Paths, beside the repository and the current folder, that commands in the root must see.
extra_paths=()

# Notes the paths among a program's arguments: whole, or after "=". Relative ones count as well,
# as "../data" or a symbolic link may leave what the root shows. What is no path does no harm:
# the nearest existing folder is then the current one.
show_arguments() {
    local argument word path
    for argument in "$@"; do
        for word in "$argument" "${argument#*=}"; do
            path=$word
            [[ $word == /* ]] || path=$caller_dir/$word
            if [[ $word == */* || -e $path ]]; then
                extra_paths+=("$path")
            fi
            [[ $argument == *=* ]] || break
        done
    done
}

# exec_in_environment COMMAND ARG…: becomes the command, in the caller's current folder, so that
# its exit status, signals and terminal are its own. in_environment comes back.
exec_in_environment() {
    choose_environment
    set_variables
    if [[ $environment != root ]]; then
        exec "$@"
    fi
    local home=${HOME:-/}
    local enter=("$BASH" "$pieces/enter.sh" "$(root_dir)" "$caller_dir" "$repo" "$cache" "$home"
        "${TMPDIR:-/tmp}" "${extra_paths[@]}" -- "$@")
    if ((EUID == 0)); then
        unshare --mount true 2>/dev/null || die "this container may not mount, which entering the private root
     needs (CAP_SYS_ADMIN): give it that right, or install what m2u needs and use M2U_ENV=native"
        exec unshare --mount --propagation private -- "${enter[@]}"
    fi
    unshare --user --map-root-user --mount true 2>/dev/null || die "this system forbids user namespaces, which
     entering the private root as a normal user needs: run as root, or use M2U_ENV=native"
    exec unshare --user --map-root-user --mount --propagation private -- "${enter[@]}"
}

in_environment() (
    exec_in_environment "$@"
)

# in_repository COMMAND ARG…: the same in the repository's folder, whatever the caller's is.
in_repository() (
    cd -- "$repo" || exit
    caller_dir=$repo
    exec_in_environment "$@"
)

# --- more packages ------------------------------------------------------------------------------

# need_packages PACKAGE…: Debian's package database remembers what was installed; a new root starts without.
need_packages() {
    choose_environment
    local package missing=() base='' lock=${M2U_INSIDE-}.lock
    if [[ $environment == root ]]; then
        base=$(root_dir)
        lock=$base.lock
    fi
    # Without Debian's database, CMake will say what it misses.
    [[ -d $base/var/lib/dpkg/info ]] || return 0
    for package in "$@"; do
        compgen -G "$base/var/lib/dpkg/info/$package.list" >/dev/null ||
            compgen -G "$base/var/lib/dpkg/info/$package:*.list" >/dev/null || missing+=("$package")
    done
    ((${#missing[@]} > 0)) || return 0
    [[ $environment != native ]] || die "please install: apt-get install ${missing[*]}"
    [[ -w $base/usr ]] || die "the private root $base belongs to $(stat --format=%U "$base/usr"), who may install
     ${missing[*]} there; or set M2U_CACHE to a folder of yours"
    say "installing into the private root: ${missing[*]}"
    with_lock "$lock" in_environment bash -c '
        export DEBIAN_FRONTEND=noninteractive
        log=$(mktemp)
        trap "rm -f \"$log\"" EXIT
        quietly() { "$@" >"$log" 2>&1 </dev/null; }
        apt=(apt-get -qq -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0)
        install=("${apt[@]}" install -y --no-install-recommends "$@")
        if compgen -G "/var/lib/apt/lists/*_Packages*" >/dev/null && quietly "${install[@]}"; then
            exit
        fi
        quietly "${apt[@]}" update && quietly "${install[@]}" && exit
        cat "$log" >&2
        exit 1' need "${missing[@]}" || die "could not install ${missing[*]}"
}

# need_tool COMMAND PACKAGE…: the packages, unless the command is there already.
need_tool() {
    local tool=$1
    shift
    choose_environment
    if [[ $environment == root ]] || ! command -v "$tool" >/dev/null; then
        need_packages "$@"
    fi
}
