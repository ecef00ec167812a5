# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # repo, caller_dir and environment come from dev
#
# Configures, builds, finds and runs what is in build/<preset>.

# take_preset ARG…: sets preset and rest from a leading --preset P or --preset=P.
take_preset() {
    preset=release
    case ${1-} in
        --preset)
            (($# > 1)) || usage_error "--preset: which one?"
            preset=$2
            shift 2
            ;;
        --preset=*)
            preset=${1#*=}
            shift
            ;;
    esac
    [[ $preset =~ ^[A-Za-z0-9_-]+$ ]] || usage_error "'$preset' is no preset"
    rest=("$@")
}

build_lock() { echo "$repo/build/.$1.lock"; }

# Compiling a file with Kokkos and RDKit takes about 1.5 GB.
compile_jobs() {
    local by_memory
    by_memory=$(awk '/^MemAvailable:/ { print int($2 / 1500000) }' /proc/meminfo)
    if [[ -z ${M2U_JOBS-} && -n $by_memory ]] && ((by_memory < $(jobs_wanted))); then
        echo $((by_memory > 1 ? by_memory : 1))
    else
        jobs_wanted
    fi
}

# Whether build/PRESET was made here: what another system, root or processor made may not run.
same_environment() {
    local record=$repo/build/$1/.m2u-environment
    [[ ! -f $record || $(<"$record") == "$(environment_identity)" ]]
}

# configure PRESET [-DX=Y…]: does nothing where nothing that CMake needs to hear of has changed;
# changes of CMakeLists.txt are ninja's business.
configure() {
    local preset=$1 dir=$repo/build/$1
    shift
    local revision state launcher=()
    if ! same_environment "$preset"; then
        say "the environment is another one than before: starting build/$preset afresh"
        rm -rf -- "$dir"
    fi
    revision=$(git_revision)
    state=$(cat -- "$repo"/CMake*Presets.json | short_hash)-$revision
    if (($# == 0)) && [[ -f $dir/build.ninja && -f $dir/.m2u-state && $(<"$dir/.m2u-state") == "$state" ]]; then
        return 0
    fi
    if [[ $environment == root ]] || command -v ccache >/dev/null; then
        launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    fi
    in_repository cmake --preset "$preset" -DM2U_GIT_REVISION="$revision" "${launcher[@]}" "$@" >&2 || return
    environment_identity >"$dir/.m2u-environment"
    printf '%s\n' "$state" >"$dir/.m2u-state"
}

# configure_and_build PRESET [-DX=Y…] [TARGET…]
configure_and_build() {
    local preset=$1 argument definitions=() targets=()
    shift
    for argument in "$@"; do
        case $argument in
            -D?*) definitions+=("$argument") ;;
            -*) usage_error "build: unknown option '$argument'" ;;
            *) targets+=("$argument") ;;
        esac
    done
    choose_environment
    with_lock "$(build_lock "$preset")" build_unlocked
}

# Uses preset, definitions and targets of configure_and_build.
build_unlocked() {
    configure "$preset" "${definitions[@]}" || return
    ((${#targets[@]} == 0)) || set -- --target "${targets[@]}"
    in_repository cmake --build "build/$preset" --parallel "$(compile_jobs)" "$@" >&2
}

cmd_build() {
    take_preset "$@"
    configure_and_build "$preset" "${rest[@]}"
}

# The programs that PRESET builds, as paths in its build folder, whether they are built or not.
known_programs() {
    in_repository ninja -C "build/$1" -t targets all |
        sed -nE 's/^((examples|bench|tests)\/[^:]*): [A-Z]+_EXECUTABLE_LINKER.*/\1/p' | sort
}

# find_program PRESET NAME: the path of a built program; nothing where there is none.
find_program() {
    local folder
    for folder in examples bench tests; do
        folder=$repo/build/$1/$folder
        [[ ! -d $folder ]] || find "$folder" -name CMakeFiles -prune -o \
            -type f -name "$2" -perm -u+x -print -quit
    done | head -n1
}

# build_program PRESET NAME: sets program.
build_program() {
    local preset=$1 name=$2 known target
    choose_environment
    program=$(find_program "$preset" "$name")
    [[ -z $program ]] || ! same_environment "$preset" || return 0
    with_lock "$(build_lock "$preset")" configure "$preset" || exit
    known=$(known_programs "$preset")
    [[ $name =~ ^[A-Za-z0-9_-]+$ ]] || usage_error "run: '$name' is no program's name"
    target=$(grep -m1 -xE "(.*/)?$name" <<<"$known") ||
        die "preset $preset has no program '$name'. It has:
$(sed -E 's,^(.*)/([^/]*)$,     \2  (\1),' <<<"$known")"
    say "building $name, which is not there yet"
    configure_and_build "$preset" "$target" || exit
    program=$repo/build/$preset/$target
}

cmd_run() {
    take_preset "$@"
    set -- "${rest[@]}"
    (($# > 0)) || usage_error "run: which program?"
    build_program "$preset" "$1"
    shift
    show_arguments "$@"
    exec_in_environment "$program" "$@"
}

cmd_demo() {
    local argument out=(--out "$repo/build/demo")
    for argument in "$@"; do
        case $argument in
            --out | --out=*) out=() ;;
        esac
    done
    configure_and_build release m2umol
    local program
    program=$(find_program release m2umol)
    [[ -n $program ]] || die "the build made no program m2umol in build/release/examples"
    show_arguments "$@"
    exec_in_environment "$program" demo "${out[@]}" "$@"
}

cmd_test() {
    take_preset "$@"
    configure_and_build "$preset"
    # Tests run side by side: two threads each show races and do not crowd the machine.
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}
    cd -- "$repo" || exit
    caller_dir=$repo
    exec_in_environment ctest --preset "$preset" --output-on-failure --parallel "$(jobs_wanted)" "${rest[@]}"
}
