#!/usr/bin/env bash
# Builds the firmware for both machines, and for one of them without the validator, runs it, and
# fails unless
#
# - every step of the job went as it must and nothing was left on the heap (the firmware's exit),
# - every machine reports the same, and what report.txt says,
#   but for the run with all four years, which has other answers,
# - flash, heap and stack are within budgets.txt,
# - both machines compute the lines of tests/golden/, in several profiles and with both dispatches
#   of the interpreter, record the same trace byte for byte, and replay those of tests/traces/, which
#   were recorded on a desk,
# - a panic and a fault of the processor end a run with an error.
#
# With BLESS=1 it writes report.txt instead of comparing it.
set -euo pipefail
cd "$(dirname "$0")"
. ./needs.sh

arm=thumbv7em-none-eabihf
riscv=riscv32imac-unknown-none-elf

# All needs, before the first build.
need qemu-system-arm qemu-system-arm
need qemu-system-riscv32 qemu-system-misc
need size binutils
need timeout coreutils
need_target $arm
need_target $riscv
need_rust_src
needs_met

target_dir=${CARGO_TARGET_DIR:-target}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

fail() {
  echo "$1" >&2
  failed=1
}

within() { # machine, what, measured
  local limit
  limit=$(awk -v machine="$1" -v what="$2" '$1 == machine && $2 == what { print $3 }' budgets.txt)
  printf '  %-26s %8d of %8d\n' "$2" "$3" "$limit"
  [ "$3" -le "$limit" ] || fail "$1: $2 is over its budget by $(($3 - limit)) bytes"
}

used() { # what
  sed -n "s/^used: $1 //p" "$scratch/output"
}

# Builds for a target: target, features, more arguments of cargo.
build() {
  local target=$1 features=$2
  shift 2
  cargo build --quiet --locked --target "$target" --no-default-features --features "$features" "$@"
}

# Runs an image in QEMU: target, image, arguments of the program.
start() {
  local target=$1 image=$2 semihosting=enable=on,target=native,arg=program
  shift 2
  local machine=(qemu-system-arm -machine mps2-an386 -cpu cortex-m4)
  [ "$target" = $arm ] || machine=(qemu-system-riscv32 -M virt -bios none)
  for argument in "$@"; do semihosting+=,arg=$argument; done
  # -icount: time is counted in instructions, so a run is the same on every computer.
  timeout 300 "${machine[@]}" -icount shift=5,align=off,sleep=off -nographic \
    -semihosting-config "$semihosting" -kernel "$image" </dev/null
}

# Builds the smallest there is, for the Cortex-M4: a core and an alloc that are made for size and end
# where they would panic, and no frame pointers. None of this is stable Rust; the compiler is the one
# of rust-toolchain.toml all the same. The firmware is without `reasons`: if a step failed, it would
# say which, and not in the words of the interpreter why. What it does is the same.
smallest() { # features
  mkdir -p "$target_dir/smallest"
  local specification=$target_dir/smallest/$arm.json
  RUSTC_BOOTSTRAP=1 rustc -Zunstable-options --print target-spec-json --target $arm \
    | sed 's/"frame-pointer": "always"/"frame-pointer": "may-omit"/' >"$specification"
  RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Clink-arg=-Tlink.x -Clink-arg=--icf=all -Zunstable-options \
    -Cllvm-args=-tail-merge-threshold=3000 -Cllvm-args=-machine-sink-split=false \
    -Cllvm-args=-disable-machine-licm -Cllvm-args=-apply-ext-tsp-for-size \
    -Cpanic=immediate-abort -Zlocation-detail=none -Zfmt-debug=none" \
    cargo build --quiet --locked --release --bin firmware --target-dir "$target_dir/smallest" \
    --target "$specification" -Zjson-target-spec \
    -Zbuild-std=core,alloc -Zbuild-std-features=optimize_for_size \
    --no-default-features --features "$1"
}

# Runs the firmware and looks at what it takes: name, target, directory of targets.
machine() {
  local name=$1 target=$2 image=${3:-$target_dir}/$2/release/firmware
  echo
  echo "== $name"
  start "$target" "$image" >"$scratch/output" || {
    local ended=$?
    cat "$scratch/output"
    fail "$name: the run ended with $(ended_with $ended)"
    return
  }
  # The first line is the name of the machine.
  sed -e 1d -e '/^used: /d' "$scratch/output" >"$scratch/$name"
  head -n 1 "$scratch/output"

  size -A "$image" | awk '$1 ~ /^\.(vector_table|text|rodata|data|bss)$/ { printf "  %-26s %8d\n", $1, $2 }'
  sed -n 's/^used: \([^ ]*\) \(.*\)/\1 \2/p' "$scratch/output" \
    | while read -r what amount; do printf '  %-26s %8d\n' "$what" "$amount"; done
  within "$name" flash "$(size -A "$image" \
    | awk '$1 ~ /^\.(vector_table|text|rodata|data)$/ { sum += $2 } END { print sum }')"
  within "$name" small_ram \
    $(($(used small_heap_reach) + $(used small_stack_peak) + $(used small_memory)))
  within "$name" job_ram $(($(used job_heap_reach) + $(used job_stack_peak) + $(used job_memory)))
}

# Computes the golden lines on a machine: target, profile's directory, what it is, and trace.txt if
# it was built to record.
golden() {
  echo
  echo "== golden lines: $3"
  start "$1" "$target_dir/$1/$2/golden" >"$scratch/golden" || fail "$3: the run ended with $(ended_with $?)"
  (cd ../tests/golden && cat ${4:-} weather.txt operators.txt) | diff <(sed 1d "$scratch/golden") - \
    && echo "  as committed" || fail "$3: other lines than tests/golden/"
}

# Ends a run on purpose, and looks at how it ends: target, how to go wrong, the exit.
goes_wrong() {
  local ended=0
  start "$1" "$target_dir/$1/release/faults" "$2" >/dev/null || ended=$?
  printf '  %-30s %-12s ends with %3d\n' "$1" "$2" $ended
  [ $ended = "$3" ] || fail "$1: $2 ended with $ended and not with $3"
}

build $arm deterministic,validate,reasons,compact --release
machine cortex-m4 $arm
golden $arm release "Cortex-M4, opt-level z, compact"
echo
echo "== freezer"
ended=0
start $arm "$target_dir/$arm/release/freezer" >"$scratch/output" || ended=$?
grep -v '^used: ' "$scratch/output" || true
if [ $ended = 0 ]; then
  within freezer ram $(($(used freezer_heap_reach) + $(used freezer_stack_peak) + $(used freezer_memory)))
else
  fail "freezer: the run ended with $(ended_with $ended)"
fi
build $riscv deterministic,validate,reasons --release
machine rv32imac $riscv
golden $riscv release "RV32IMAC, opt-level z"

echo
echo "== what goes wrong ends the run"
for target in $arm $riscv; do
  goes_wrong $target nothing 0
  for how in panic index heap; do goes_wrong $target $how 101; done
  for how in instruction address; do goes_wrong $target $how 102; done
done

# After the one with the validator, which is what it relies on.
build $arm deterministic,reasons,compact --release
machine trusted $arm
# All four years.
build $arm deterministic,validate,reasons,compact,roomy --release --bin firmware
machine roomy $arm

smallest deterministic,validate,compact
machine smallest $arm "$target_dir/smallest"
smallest deterministic,compact
machine smallest-trusted $arm "$target_dir/smallest"

# The other size profile with the other dispatch, and a build with overflow checks and debug
# assertions: at opt-level 0 it would be a matter of hours in the emulator.
CARGO_PROFILE_RELEASE_OPT_LEVEL=s build $arm deterministic,validate,reasons,replay --release --bin golden
golden $arm release "Cortex-M4, opt-level s, with the job's trace and replays" trace.txt
CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_OPT_LEVEL=1 build $riscv deterministic,validate,reasons,compact,replay --bin golden
golden $riscv debug "RV32IMAC, debug, compact, with the job's trace and replays" trace.txt

if [ "${BLESS:-}" = 1 ]; then
  cp "$scratch/cortex-m4" report.txt
fi
echo
for name in cortex-m4 trusted rv32imac smallest smallest-trusted; do
  if [ -f "$scratch/$name" ]; then
    diff report.txt "$scratch/$name" || fail "$name: the report is not what report.txt says"
  fi
done
[ $failed = 0 ] && cat report.txt && echo && echo "every machine did the job within their budgets"
exit $failed
