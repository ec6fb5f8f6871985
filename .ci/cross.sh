#!/usr/bin/env bash
# Runs the whole test suite, doctests included, on processors other than this machine's:
#
#   .ci/cross.sh [target...]   all five by default
#   .ci/cross.sh dispatch      this machine, with every feature of wasmi's dispatch
#
# Tests run in qemu's user mode, with compilers and C libraries from Debian. Every target has
# something of its own: 32-bit addresses (i686, armv7), the other byte order (s390x), another
# floating point unit.
#
# All tests run in the dev profile, with overflow checks and debug assertions, at opt-level 1: at 0
# they take several times as long in the emulator. The golden and the dispatch tests, which are
# about what a compiler might change, run in the release profile too, as a user of the crate
# builds it: with cargo's own settings in the place of this workspace's.
#
# Property tests that do not fix their number of cases draw 32 instead of 256 (PROPTEST_CASES
# overrides it): what is looked for here is the target and not the rare case. No test is left out.
set -euo pipefail
cd "$(dirname "$0")/.."

all=(i686-unknown-linux-gnu aarch64-unknown-linux-gnu armv7-unknown-linux-gnueabihf
  riscv64gc-unknown-linux-gnu s390x-unknown-linux-gnu)
[ $# -gt 0 ] || set -- "${all[@]}"

export PROPTEST_CASES=${PROPTEST_CASES:-32}
export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0
export CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
# What only the tests need is not worth optimising, and is half of the time that a build takes.
release=(--release)
for package in wast wasm-encoder wat proptest regex-syntax toon-format serde_json; do
  release+=(--config "profile.release.package.$package.opt-level=0")
done

# Debian's names of the compiler and of the C library, qemu's of the processor.
describe() {
  case $1 in
    i686-unknown-linux-gnu) gnu=i686-linux-gnu libc=i386 qemu=i386 ;;
    aarch64-unknown-linux-gnu) gnu=aarch64-linux-gnu libc=arm64 qemu=aarch64 ;;
    armv7-unknown-linux-gnueabihf) gnu=arm-linux-gnueabihf libc=armhf qemu=arm ;;
    riscv64gc-unknown-linux-gnu) gnu=riscv64-linux-gnu libc=riscv64 qemu=riscv64 ;;
    s390x-unknown-linux-gnu) gnu=s390x-linux-gnu libc=s390x qemu=s390x ;;
    *) echo "unknown target $1; known: ${all[*]} dispatch" >&2; exit 2 ;;
  esac
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
rows=()
failed=0
# A name for the table, then the command. Goes on after a failure, to see what else fails.
run() {
  local name=$1 began=$SECONDS outcome=passed passed
  shift
  printf '\n== %s\n' "$name"
  "$@" 2>&1 | tee "$log" || { outcome=FAILED; failed=1; }
  passed=$(awk '/^test result:/ { n += $4 } END { print n + 0 }' "$log")
  rows+=("$(printf '%-46s %s %4s tests %5ss' "$name" $outcome "$passed" $((SECONDS - began)))")
}

bits=(--test golden --test dispatch)
if [ "$*" = dispatch ]; then
  # The crate asks for the portable dispatch. Features add up, so an embedder who has wasmi for other
  # ends may turn on the rest, which must change nothing.
  for features in "" wasmi/auto-dispatch wasmi/indirect-dispatch; do
    run "${features:-as in Cargo.toml}" cargo test --features "$features" "${bits[@]}"
    run "${features:-as in Cargo.toml}, release" \
      cargo test "${release[@]}" --features "$features" "${bits[@]}"
  done
else
  missing=()
  for target in "$@"; do
    describe "$target"
    command -v "$gnu-gcc" >/dev/null || missing+=("gcc-$gnu" "libc6-dev-$libc-cross")
    command -v "qemu-$qemu" >/dev/null || missing+=(qemu-user)
  done
  if [ ${#missing[@]} -gt 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}"
  fi
  rustup target add "$@"

  export CARGO_PROFILE_DEV_OPT_LEVEL=1
  for target in "$@"; do
    describe "$target"
    variable=CARGO_TARGET_$(tr a-z- A-Z_ <<<"$target")
    export "${variable}_LINKER=$gnu-gcc" "${variable}_RUNNER=qemu-$qemu -L /usr/$gnu"
    run "$target" cargo test --target "$target" --features replay --no-fail-fast
    run "$target, release" cargo test --target "$target" "${release[@]}" "${bits[@]}"
  done
fi

printf '\n'
printf '%s\n' "${rows[@]}"
exit $failed
