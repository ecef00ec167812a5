# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2001,SC2016,SC2154 # sed on lines; code for a later bash; repo comes from dev
#
# Benchmarks, formatting, linting and documents. Their tools are installed when first asked for.

# bench [NAME…] [ARG…]: names come first; every argument goes to every benchmark.
cmd_bench() {
    choose_environment
    need_packages libbenchmark-dev
    with_lock "$(build_lock bench)" configure bench
    local name program known chosen=() results=$repo/build/bench/results
    known=$(known_programs bench | sed -n 's,^bench/,,p')
    [[ -n $known ]] || die "preset bench builds no programs in bench/"
    while (($# > 0)) && [[ $1 != -* ]] && program=$(grep -m1 -xE "(.*/)?$1" <<<"$known"); do
        chosen+=("bench/$program")
        shift
    done
    (($# == 0)) || [[ $1 == -* ]] || die "no benchmark '$1'. There are:
$(sed 's,^,     ,' <<<"$known")"
    ((${#chosen[@]} > 0)) || mapfile -t chosen < <(sed 's,^,bench/,' <<<"$known")
    configure_and_build bench "${chosen[@]}"
    mkdir -p -- "$results"
    show_arguments "$@"
    for program in "${chosen[@]}"; do
        name=$(basename -- "$program")
        say "benchmark $name"
        in_environment "$repo/build/bench/$program" --benchmark_out="$results/$name.json" \
            --benchmark_out_format=json "$@"
    done
    say "results are in $results"
}

# The checkout's C++ files, each followed by a null byte; outside git all but those in build/.
cpp_files() {
    if git -C "$repo" rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        # A file that was removed but not committed is still listed: leave it out.
        git -C "$repo" ls-files -z --cached --others --exclude-standard -- '*.hpp' '*.cpp' |
            (cd -- "$repo" && while IFS= read -r -d '' file; do
                [[ ! -f $file ]] || printf '%s\0' "$file"
            done)
    else
        (cd -- "$repo" && find . -path ./build -prune -o \( -name '*.hpp' -o -name '*.cpp' \) -type f -print0)
    fi
}

cmd_format() {
    local files=() check='' wrong
    case ${1-} in
        '') ;;
        --check) check=yes ;;
        *) usage_error "format: unknown argument '$1'" ;;
    esac
    need_tool clang-format-19 clang-format-19
    mapfile -d '' -t files < <(cpp_files)
    ((${#files[@]} > 0)) || return 0
    if [[ -z $check ]]; then
        printf '%s\0' "${files[@]}" | in_repository xargs -0 -n 20 -P "$(jobs_wanted)" clang-format-19 -i
        return
    fi
    wrong=$(printf '%s\0' "${files[@]}" |
        in_repository xargs -0 -n 20 -P "$(jobs_wanted)" bash -c '
            for file; do clang-format-19 "$file" | cmp -s -- - "$file" || echo "$file"; done' check | sort)
    [[ -z $wrong ]] || die "not formatted (./dev format does it):
${wrong//$'\n'/
}"
    say "all ${#files[@]} C++ files are formatted"
}

# lint [FILE…]: files may be given in any way that names them from the current folder.
cmd_lint() {
    local commands=$repo/build/release/compile_commands.json files=() file
    # GCC's omp.h is not clang's.
    need_tool clang-tidy-19 clang-tidy-19 libomp-19-dev
    with_lock "$(build_lock release)" configure release
    for file in "$@"; do
        [[ -f $file ]] || die "no file $file"
        files+=("$(realpath -- "$file")")
    done
    if ((${#files[@]} == 0)); then
        # Sources of the checkout, not those that the build wrote or fetched.
        mapfile -t files < <(sed -nE 's/^ *"file": "(.*)",?$/\1/p' "$commands" | sort -u |
            grep -F -- "$repo/" | grep -vF -- "$repo/build/")
    fi
    ((${#files[@]} > 0)) || die "nothing to lint"
    printf '%s\0' "${files[@]}" | in_repository xargs -0 -n 1 -P "$(compile_jobs)" clang-tidy-19 \
        -p build/release --quiet --warnings-as-errors='*' --extra-arg=-Wno-unknown-warning-option
}

cmd_docs() {
    [[ -f $repo/docs/Doxyfile ]] || die "there is no docs/Doxyfile"
    need_tool doxygen doxygen
    mkdir -p -- "$repo/build/docs"
    in_repository doxygen docs/Doxyfile
    say "the documentation is in build/docs"
}
