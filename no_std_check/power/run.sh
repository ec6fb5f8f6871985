#!/usr/bin/env bash
# Builds the firmware that loses its power, runs it, and fails unless it came through all resets
# and reports what report.txt says (BLESS=1 writes that). With `sizes` it says what the storage on
# flash adds to the image, too, which takes a second build.
set -euo pipefail
cd "$(dirname "$0")"
. ../needs.sh
target=thumbv7em-none-eabihf
need qemu-system-arm qemu-system-arm
need size binutils
need timeout coreutils
need_target "$target"
needs_met

image=${CARGO_TARGET_DIR:-target}/$target/release/power
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

run() {
  # -icount: time is counted in instructions, so a run is the same on every computer.
  timeout 300 qemu-system-arm -machine mps2-an386 -cpu cortex-m4 \
    -icount shift=5,align=off,sleep=off -nographic \
    -semihosting-config enable=on,target=native -kernel "$image" </dev/null >"$scratch/output" || {
    local ended=$?
    cat "$scratch/output"
    echo "the run ended with $(ended_with $ended)" >&2
    exit 1
  }
}

flash() {
  size -A "$image" | awk '$1 ~ /^\.(vector_table|text|rodata|data)$/ { sum += $2 } END { print sum }'
}

cargo build --quiet --locked --release
run
with=$(flash)
grep -v '^used: ' "$scratch/output" >"$scratch/report"
if [ "${BLESS:-}" = 1 ]; then
  cp "$scratch/report" report.txt
fi
diff report.txt "$scratch/report" || { echo "the report is not what report.txt says" >&2; exit 1; }
cat "$scratch/output"
# State, heap and the deepest stack of any operation of the storage, the simulated flash's own
# kilobyte of counters among it.
ram=$(awk '/^used: storage_(state|heap) / { sum += $3 }
  /^used: stack_of_/ { if ($3 > most) most = $3 }
  END { print sum + most }' "$scratch/output")
echo "the storage takes at most $ram bytes of RAM, stack and all"
[ "$ram" -le 16384 ] || { echo "that is more than 16 KiB" >&2; exit 1; }

if [ "${1:-}" = sizes ]; then
  cargo build --quiet --locked --release --no-default-features --features reasons
  run
  echo
  echo "the same in RAM:"
  sed -n '/^used: /p' "$scratch/output"
  without=$(flash)
  echo "image with the storage on flash $with bytes, in RAM $without bytes: $((with - without)) more"
fi
