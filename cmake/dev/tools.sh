# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2001,SC2016,SC2154 # sed on lines; code for a later bash; repo comes from dev
#
# Benchmarks, formatting, linting and documents. Their tools are installed when first asked for.

# bench [--peers DIR] [--json FILE] [--pairs N] [--only PART] [--blas DIR] [--document] [NAME…] [ARG…]:
# NAMEs are those of bench/, without "bench_"; none: all but the long ones. Every ARG goes to each of them.
cmd_bench() {
    local peers='' json='' compare=() names=() arguments=() data m2umol
    while (($# > 0)); do
        case $1 in
            --peers | --json | --pairs | --only | --blas)
                (($# > 1)) || usage_error "bench: $1 needs a value"
                case $1 in
                    --peers) peers=$(realpath -m -- "$2") ;;
                    --json) json=$(realpath -m -- "$2") ;;
                    --blas) compare+=("$1" "$(realpath -m -- "$2")") ;;
                    *) compare+=("$1" "$2") ;;
                esac
                shift
                ;;
            --document) compare+=("$1" "$repo/docs/performance.md") ;;
            -* | *.hpp) arguments+=("$1") ;;
            *) names+=("$1") ;;
        esac
        shift
    done
    [[ -z $peers || -f $peers/torch_peer.py ]] ||
        die "there is no torch_peer.py in $peers, which --peers takes as the folder of the peer"
    choose_environment
    need_packages libbenchmark-dev
    # Only the sgemm peak and the peer take it: a system that builds m2u itself may do without.
    [[ $environment == native ]] || need_packages libopenblas0-openmp
    [[ -z $peers ]] || need_packages python3-torch python3-numpy
    with_lock "$(build_lock bench)" configure bench
    local name program known results=$repo/build/bench/results
    known=$(known_programs bench | sed -n 's,^bench/bench_,,p')
    ((${#names[@]} > 0)) || mapfile -t names < <(printf '%s\n' compare ops encoders prepare |
        grep -xF -- "$known")
    for name in "${names[@]}"; do
        [[ $name == headers ]] || grep -qxF -- "$name" <<<"$known" || die "no benchmark '$name'. There are:
$(sed 's,^,     ,' <<<"$known"$'\n'headers)"
    done
    mkdir -p -- "$results"
    extra_paths+=("${peers:-$repo}" "$(dirname -- "${json:-$results}")")
    show_arguments "${arguments[@]}"
    bench_data
    for name in "${names[@]}"; do
        say "benchmark $name"
        bench_one "$name"
    done
    say "results are in $results"
}

# bench_program NAME: sets program to what the preset bench builds of bench/NAME.cpp.
bench_program() {
    configure_and_build bench "bench/bench_$1" || exit
    program=$repo/build/bench/bench/bench_$1
}

# Prepares molecules with the published geometry: the peer's, or without it the bundled ones, whose
# conformers are computed. Sets data and m2umol. Uses peers of cmd_bench.
bench_data() {
    local kind=drugs from=(--table "$repo/examples/data/drugs.tsv")
    if [[ -n $peers ]]; then
        kind=peers
        from=(--table "$peers/mols.tsv" --conformers "$peers/mols_3d.sdf.gz" --no-conformers)
    fi
    data=$repo/build/bench/data/$kind
    configure_and_build release examples/m2umol/m2umol || exit
    m2umol=$repo/build/release/examples/m2umol/m2umol
    [[ $data/dataset.json -nt $m2umol ]] || in_environment "$m2umol" prepare "${from[@]}" \
        --geometry published --holdout 0 --force --out "$data" >&2
}

# A model of the published size, little trained, for the time that reading one takes.
bench_model() {
    [[ $data.model/model.safetensors -nt $data/dataset.json ]] || in_environment "$m2umol" pretrain \
        --data "$data" --recipe m2umol --hub-passes once --epochs 1 --force --out "$data.model" >&2
}

# bench_one NAME: uses the variables of cmd_bench.
bench_one() {
    local program programs out=$results/$1.json
    case $1 in
        headers)
            in_environment bash "$repo/bench/headers.sh" "$repo/build/bench/compile_commands.json" \
                "$out" "${arguments[@]}"
            ;;
        compare)
            mapfile -t programs < <(printf 'bench/bench_%s\n' pretrain_step embed prepare compare |
                grep -xF -- "$(sed 's,^,bench/bench_,' <<<"$known")")
            configure_and_build bench "${programs[@]}" || exit
            bench_model
            [[ -z $peers ]] || compare+=(--peers "$peers")
            program=$repo/build/bench/bench/bench_compare
            compare+=(--m2umol "$m2umol" --model "$data.model/model.safetensors")
            in_environment "$program" --data "$data" "${compare[@]}" --out "${json:-$out}" "${arguments[@]}"
            ;;
        pretrain_step | embed)
            bench_program "$1"
            in_environment "$program" --data "$data" "${arguments[@]}"
            ;;
        retrieve)
            bench_program retrieve
            in_environment "$program" --index "$repo/build/bench/data/retrieve" "${arguments[@]}"
            ;;
        growth)
            bench_program growth
            in_environment "$program" --data "$data" --out "$repo/docs/figures" "${arguments[@]}" \
                --json >"$out"
            ;;
        *)
            bench_program "$1"
            in_environment "$program" --data="$data" --benchmark_out="$out" \
                --benchmark_out_format=json "${arguments[@]}"
            ;;
    esac
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
    local commands=$repo/build/lint/compile_commands.json files=() file
    # GCC's omp.h is not clang's.
    need_tool clang-tidy-19 clang-tidy-19 libomp-19-dev
    with_lock "$(build_lock lint)" configure lint
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
        -p build/lint --quiet --warnings-as-errors='*' --extra-arg=-Wno-unknown-warning-option \
        --extra-arg=-Wno-sign-conversion
}

cmd_docs() {
    [[ -f $repo/docs/Doxyfile ]] || die "there is no docs/Doxyfile"
    need_tool doxygen doxygen
    mkdir -p -- "$repo/build/docs"
    in_repository doxygen docs/Doxyfile
    say "the documentation is in build/docs"
}
