#!/usr/bin/env bash
# What run.sh and power/run.sh say when something is missing or a run fails: neither builds or runs
# anything here.
#
# power/run.sh checked for no tool, so that it failed after the build with the shell's "command not
# found"; both printed "the run ended with 0" whatever the emulator's exit code was, as `$?` was that of
# the `cat` before it; and run.sh noticed that rust-src was missing after all other builds and runs.
set -euo pipefail
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

check() { # script, PATH, texts that it must print
  local script=$1 path=$2 text
  shift 2
  if PATH=$path CARGO_TARGET_DIR=$scratch/target "$BASH" "$script" >"$scratch/said" 2>&1; then
    echo "$script did not fail" >&2
    failed=1
  fi
  for text in "$@"; do
    grep -qF -- "$text" "$scratch/said" && continue
    echo "$script does not say: $text" >&2
    cat "$scratch/said" >&2
    failed=1
  done
}

# A directory of commands: those of this machine by their names, those that only end with a code.
bin() { # directory, names...
  mkdir -p "$scratch/$1"
  local name
  for name in "${@:2}"; do
    case $name in
      *=*) printf '#!/bin/sh\nexit %s\n' "${name#*=}" >"$scratch/$1/${name%=*}"
        chmod +x "$scratch/$1/${name%=*}" ;;
      *) ln -s "$(command -v "$name")" "$scratch/$1/$name" ;;
    esac
  done
}
shell=(awk cat diff dirname grep head mkdir mktemp rm sed sh)

# Nothing but a shell: every need is named, with what meets it, before anything is built.
bin nothing "${shell[@]}"
check power/run.sh "$scratch/nothing" "missing: cargo and rustc: https://rustup.rs" \
  "missing: qemu-system-arm: apt-get install -y --no-install-recommends qemu-system-arm" \
  "missing: size: apt-get install -y --no-install-recommends binutils" \
  "rustup target add thumbv7em-none-eabihf"
check run.sh "$scratch/nothing" "missing: cargo and rustc: https://rustup.rs" \
  "qemu-system-arm" "qemu-system-misc" "binutils" "rustup target add thumbv7em-none-eabihf" \
  "rustup target add riscv32imac-unknown-none-elf" "rustup component add rust-src"

# Everything there, and an emulator that ends with 7: so says the script.
bin fails "${shell[@]}" timeout size=0 cargo=0 qemu-system-arm=7 qemu-system-riscv32=7
sysroot=$scratch/sysroot
mkdir -p "$sysroot/lib/rustlib/src/rust/library"
for target in thumbv7em-none-eabihf riscv32imac-unknown-none-elf; do
  mkdir -p "$sysroot/lib/rustlib/$target/lib"
done
printf '#!/bin/sh\necho %s\n' "$sysroot" >"$scratch/fails/rustc"
chmod +x "$scratch/fails/rustc"
check power/run.sh "$scratch/fails" "the run ended with 7"
check run.sh "$scratch/fails" "cortex-m4: the run ended with 7" "freezer: the run ended with 7"

[ $failed = 0 ] && echo "missing tools and failed runs are named"
exit $failed
