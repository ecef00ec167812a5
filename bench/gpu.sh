#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds, tests and measures on a machine with a GPU, in one call: bench/gpu.sh --help
set -uo pipefail

cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.." || exit

usage() {
    cat <<'HELP'
Usage: bench/gpu.sh --data DIR [OPTIONS]

Configures the preset cuda, builds the core's tests, m2umol and the benchmarks, runs the tests, and measures
the pre-training step and embedding beside a PyTorch program on the same GPU. Everything that fails is told and
left behind; the exit status is 1 if anything failed.

  --data DIR     what `m2umol prepare` wrote, with conformers, in the published geometry
  --kokkos DIR   Kokkos built for CUDA (default: Kokkos_ROOT)
  --deps DIRS    where Eigen, nlohmann-json, Catch2, CLI11 and Google Benchmark are, if not where CMake looks;
                 separated by ;
  --peer FILE    torch_peer.py, and beside it mols.npz with the molecules of --data
  --out DIR      logs and results.jsonl (default: build/gpu)
  --build DIR    default: build/cuda
  --no-build     what is in --build is there already
  --python NAME  a Python with PyTorch (default: python3)
  --device NAME  of PyTorch: cuda or cpu (default: cuda). cpu tries the script without a GPU
  --steps N      steps that are timed (default: 30)
HELP
}

data='' kokkos=${Kokkos_ROOT:-} deps='' peer='' out=build/gpu build=build/cuda python=python3 device=cuda steps=30
make=true
while (($# > 0)); do
    case $1 in
        --data) data=$2 ;;
        --kokkos) kokkos=$2 ;;
        --deps) deps=$2 ;;
        --peer) peer=$2 ;;
        --out) out=$2 ;;
        --build) build=$2 ;;
        --python) python=$2 ;;
        --device) device=$2 ;;
        --steps) steps=$2 ;;
        --no-build)
            make=false
            shift
            continue
            ;;
        --help | -h)
            usage
            exit
            ;;
        *)
            printf 'gpu.sh: there is no option %s; see --help\n' "$1" >&2
            exit 2
            ;;
    esac
    shift 2 || exit 2
done
[[ -d $data ]] || {
    echo "gpu.sh: --data is not a folder; see --help" >&2
    exit 2
}
mkdir -p "$out" || exit
results=$out/results.jsonl
: >"$results"
failed=()

# part NAME SECONDS COMMAND…: its output in NAME.log; told how it ended and how long it took. The command may be
# one of the functions below, which `timeout` alone could not start.
part() {
    local name=$1 limit=$2 start=$SECONDS status
    shift 2
    timeout "$limit" bash -c '"$@"' "$name" "$@" >"$out/$name.log" 2>&1
    status=$?
    if ((status == 0)); then
        printf '%-28s ok, %d s\n' "$name" $((SECONDS - start))
    else
        printf '%-28s FAILED (%d) after %d s; the end of %s:\n' "$name" $status $((SECONDS - start)) "$out/$name.log"
        tail -n 15 "$out/$name.log"
        failed+=("$name")
    fi
    return $status
}

# measure NAME COMMAND…: as part; its last line is JSON and goes to the results under that name.
measure() {
    local name=$1
    shift
    part "$name" 120 "$@" || return
    tail -n 1 "$out/$name.log" | sed "s/^{/{\"name\": \"$name\", /" >>"$results"
}

build_all() {
    cmake --preset cuda -B "$build" -DM2U_BUILD_BENCH=ON ${kokkos:+-DKokkos_ROOT="$kokkos"} \
        ${kokkos:+-DCMAKE_CXX_COMPILER="$kokkos/bin/nvcc_wrapper"} ${deps:+-DCMAKE_PREFIX_PATH="$deps"} &&
        cmake --build "$build" --parallel "$(nproc)" --target \
            test_ops test_core test_checks m2u_parity m2umol bench_pretrain_step bench_embed
}

# The peer's molecules three times over, so that a batch of 2,048 has as many.
many_molecules() {
    "$python" - "$1" "$2" <<'PYTHON'
import sys
import numpy as np
once = dict(np.load(sys.argv[1]))
many = {}
for key, value in once.items():
    if key.endswith("ptr") or key == "ptr3":
        steps = np.diff(value)
        many[key] = np.concatenate(([0], np.cumsum(np.tile(steps, 3)))).astype(value.dtype)
    else:
        axis = 1 if key == "edge_index" else 0
        many[key] = np.concatenate([value] * 3, axis=axis)
np.savez(sys.argv[2], **many)
PYTHON
}

# How busy the GPU is while m2umol trains, from the driver's own samples.
busy() {
    local sampler run=$out/run
    rm -rf "$run"
    nvidia-smi --query-gpu=utilization.gpu --format=csv,noheader,nounits -lms 200 >"$out/utilisation.csv" &
    sampler=$!
    "$build/examples/m2umol/m2umol" pretrain --recipe m2umol --data "$data" --out "$run" --epochs 20 --batch 256 \
        --evaluate-every 20
    local status=$?
    kill $sampler
    sort -n "$out/utilisation.csv" | awk '{ v[NR] = $1 } END { print "median GPU utilisation:", v[int((NR + 1) / 2)], "%" }'
    return $status
}

# The whole way from shards to a file of vectors, by the model that `busy` left behind: its last line is JSON.
embed_shards() {
    "$build/examples/m2umol/m2umol" embed --model "$out/run/model.safetensors" --data "$data" --out "$out/vectors.npy" \
        2>"$out/embed_bar.log" || return
    sed -n 's|.* molecules, \([0-9]*\)/s.*|{"molecules_per_s": \1}|p' "$out/embed_bar.log" | tail -n 1
}

# Share of the memory's and the FP32 units' peak per kernel, from the GPU's counters.
counters() {
    ncu --launch-skip 1500 --launch-count 450 --csv --clock-control none --metrics \
        gpu__time_duration.sum,dram__throughput.avg.pct_of_peak_sustained_elapsed,sm__inst_executed_pipe_fma.avg.pct_of_peak_sustained_active \
        "$build/bench/bench_pretrain_step" --data "$data" --batch 256 --steps 3 --json
}

# Functors above 512 bytes are launched through memory that holds one at a time: there must be none.
small_functors() {
    local program
    for program in bench/bench_pretrain_step tests/test_ops; do
        cuobjdump -res-usage "$build/$program" || return
    done >"$out/kernels.txt" 2>&1
    echo "$(grep -c cuda_parallel_launch "$out/kernels.txt") kernels"
    ! grep cuda_parallel_launch_constant_memory "$out/kernels.txt"
}

export data kokkos deps out build python
export -f build_all many_molecules busy embed_shards counters small_functors

start=$SECONDS
if $make; then
    part build 420 build_all || exit 1
fi
tests=$build/tests
! command -v cuobjdump >/dev/null || part small_functors 60 small_functors
part test_ops 90 "$tests/test_ops"
part test_core 90 "$tests/test_core"
part test_checks 60 "$tests/test_checks"
part parity 60 "$tests/m2u_parity" tests/golden
step=$build/bench/bench_pretrain_step
products=(full)
[[ $device == cpu ]] || products+=(tf32)
if [[ -n $peer ]]; then
    part molecules 30 many_molecules "$(dirname "$peer")/mols.npz" "$out/mols3.npz"
fi
for batch in 256 2048; do
    for precision in "${products[@]}"; do
        measure "step_${batch}_$precision" "$step" --data "$data" --batch $batch --steps "$steps" \
            --products "$precision" --json
        if [[ -n $peer ]]; then
            TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=$([[ $precision == tf32 ]] && echo 1 || echo 0) \
                measure "peer_step_${batch}_$precision" "$python" "$peer" --data "$out/mols3.npz" --batch $batch \
                --steps "$steps" --encode-once --attn packed --groups 4 --fast-dropout --three-d on --device "$device"
        fi
    done
done
measure embed_2048 "$build/bench/bench_embed" --data "$data" --batch 2048 --block 2048 --steps "$steps" --json
if [[ -n $peer ]]; then
    measure peer_embed_2048 "$python" "$peer" --data "$out/mols3.npz" --batch 2048 --steps "$steps" --encode-once \
        --attn packed --groups 4 --mode embed --device "$device"
fi
if [[ $device == cuda ]]; then
    part busy 90 busy && tail -n 1 "$out/busy.log" && measure embed_shards embed_shards
    ! command -v ncu >/dev/null || part counters 120 counters
fi

printf '\n%-24s %14s\n' what molecules/s
sed -E 's/.*"name": "([^"]*)".*"molecules_per_s": *([0-9.e+]*).*/\1 \2/' "$results" |
    while read -r name rate; do printf '%-24s %14.0f\n' "$name" "$rate"; done
printf '\nin all %d s; logs and results in %s\n' $((SECONDS - start)) "$out"
if ((${#failed[@]} > 0)); then
    printf 'FAILED: %s\n' "${failed[*]}"
    exit 1
fi
