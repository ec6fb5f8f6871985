#!/usr/bin/env bash
# Builds the firmware for both machines, and for one of them without the validator, runs it, and
# fails unless
#
# - every step of the job went as it must and nothing was left on the heap (the firmware's exit),
# - every machine reports the same, and what report.txt says,
#   but for the run with all four years, which has other answers,
# - flash, heap and stack are within budgets.txt.
#
# With BLESS=1 it writes report.txt instead of comparing it.
set -euo pipefail
cd "$(dirname "$0")"

need() { # command, package
  command -v "$1" >/dev/null && return
  echo "$1 is missing: apt-get install -y --no-install-recommends $2" >&2
  exit 1
}
need qemu-system-arm qemu-system-arm
need qemu-system-riscv32 qemu-system-misc
need size binutils

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

machine() { # name, target, features, qemu and its arguments
  local name=$1 target=$2 features=$3
  shift 3
  rustup target list --installed | grep -qx "$target" || {
    echo "the target is missing: rustup target add $target" >&2
    exit 1
  }
  cargo build --quiet --locked --release --target "$target" --no-default-features --features "$features"
  local image=$target_dir/$target/release/firmware
  echo
  echo "== $name"
  # -icount: time is counted in instructions, so a run is the same on every computer.
  timeout 300 "$@" -icount shift=5,align=off,sleep=off -nographic \
    -semihosting-config enable=on,target=native -kernel "$image" </dev/null >"$scratch/output" || {
    cat "$scratch/output"
    fail "$name: the run ended with $?"
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
  within "$name" small_ram $(($(used small_heap_reach) + $(used small_stack_peak)))
  within "$name" job_ram $(($(used job_heap_reach) + $(used job_stack_peak)))
}

arm=(qemu-system-arm -machine mps2-an386 -cpu cortex-m4)
machine cortex-m4 thumbv7em-none-eabihf deterministic,validate,compact "${arm[@]}"
# After the one with the validator, which is what it relies on.
machine trusted thumbv7em-none-eabihf deterministic,compact "${arm[@]}"
# All four years.
machine roomy thumbv7em-none-eabihf deterministic,validate,compact,roomy "${arm[@]}"
machine rv32imac riscv32imac-unknown-none-elf deterministic,validate qemu-system-riscv32 -M virt -bios none

if [ "${BLESS:-}" = 1 ]; then
  cp "$scratch/cortex-m4" report.txt
fi
echo
for name in cortex-m4 trusted rv32imac; do
  if [ -f "$scratch/$name" ]; then
    diff report.txt "$scratch/$name" || fail "$name: the report is not what report.txt says"
  fi
done
[ $failed = 0 ] && cat report.txt && echo && echo "every machine did the job within their budgets"
exit $failed
