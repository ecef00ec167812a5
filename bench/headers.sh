#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Compile time of public headers above that of Kokkos_Core.hpp: processor seconds of a file that
# includes one of them, with the flags of the benchmarks. ./dev bench headers [HEADER…] runs it.
#
# headers.sh COMPILE_COMMANDS OUT [HEADER…]: by default every header in include/m2u.
set -euo pipefail

commands=$1 out=$2
shift 2
repo=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
cd -- "$repo"
budget=3.0 # seconds

# The command of the file with the most packages, without what concerns its input and output, and
# without ccache, which would answer for the compiler.
command=$(sed -nE 's/^ *"command": "(.*bench\/(prepare|pretrain_step)\.cpp)",?$/\1/p' "$commands" | tail -n1)
[[ -n $command ]] || { echo "headers.sh: $commands has no command of bench/" >&2; exit 1; }
command=${command//\\\"/\"}
command=$(sed -E 's/^[^ ]*ccache //; s/ -o [^ ]+//; s/ -c [^ ]+$//' <<<"$command")

scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT

# seconds HEADER: the least processor time of three compilations; nothing where it does not compile.
seconds() {
    local best='' time i
    printf '#include "%s"\n' "$1" >"$scratch/one.cpp"
    for ((i = 0; i < ${M2U_HEADER_RUNS:-3}; i++)); do
        time=$({ TIMEFORMAT='%U %S' && time eval "$command -w -o '$scratch/one.o' -c '$scratch/one.cpp'" 2>"$scratch/errors"; } 2>&1) || return 1
        time=$(awk '{ print $1 + $2 }' <<<"$time")
        if [[ -z $best ]] || awk "BEGIN { exit !($time < $best) }"; then
            best=$time
        fi
    done
    echo "$best"
}

bare=$(seconds Kokkos_Core.hpp)
echo "Kokkos_Core.hpp alone: $bare s" >&2
if (($# == 0)); then
    mapfile -t headers < <(cd include && find m2u -name '*.hpp' | sort)
else
    headers=("$@")
fi
for header in "${headers[@]}"; do
    if whole=$(seconds "$header"); then
        echo "$header $(awk "BEGIN { print $whole - $bare }")"
    else
        echo "headers.sh: $header is left out, it does not compile here: $(head -n1 "$scratch/errors")" >&2
    fi
done | sort -k2,2gr | tee "$scratch/table" | awk -v budget="$budget" '
    { printf "%8.2f s  %s%s\n", $2, $1, ($2 > budget ? "   over the budget of " budget " s" : "") }'
awk -v bare="$bare" -v budget="$budget" '
    BEGIN { printf "{\"what\": \"headers\", \"kokkos_core_s\": %s, \"budget_s\": %s, \"above_kokkos_core_s\": {", bare, budget }
    { printf "%s\n  \"%s\": %.3f", (NR > 1 ? "," : ""), $1, $2 }
    END { print "\n}}" }' "$scratch/table" >"$out"
