#!/usr/bin/env bash
# Runs the whole test suite, doctests included, on processors other than this machine's:
#
#   .ci/cross.sh [target...]        all of them by default
#
# Tests run in qemu's user mode, with a compiler and C library from Debian. Every target has
# something of its own: 32-bit addresses (i686, armv7), another byte order (s390x), another floating
# point unit and another dispatch of the interpreter (see Cargo.toml).
#
# All tests run in the dev profile, with overflow checks and debug assertions, at opt-level 1: what
# takes a minute at 0 in the emulator takes seconds. The golden and the dispatch tests then run in
# the release profile as well, because they are about what optimisation could change. On this
# machine's own target both run at opt-level 0 too, with `cargo test`.
#
# Property tests draw 32 cases each instead of 256 (PROPTEST_CASES overrides it): the emulator is
# about 20 times slower, and what they look for here is the target and not the rare case. No test
# is left out.
set -euo pipefail
cd "$(dirname "$0")/.."

all="i686-unknown-linux-gnu aarch64-unknown-linux-gnu armv7-unknown-linux-gnueabihf \
riscv64gc-unknown-linux-gnu s390x-unknown-linux-gnu"
# shellcheck disable=SC2086 # the list is split on purpose
[ $# -gt 0 ] || set -- $all

export PROPTEST_CASES=${PROPTEST_CASES:-32}
export CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_PROFILE_DEV_DEBUG=0
# Not needed for build scripts and macros, and each would be built twice.
export CARGO_INCREMENTAL=0

# target -> Debian's name of the compiler, of the C library, and qemu's of the processor
describe() {
  case $1 in
    i686-unknown-linux-gnu) gnu=i686-linux-gnu libc=i386 qemu=i386 ;;
    aarch64-unknown-linux-gnu) gnu=aarch64-linux-gnu libc=arm64 qemu=aarch64 ;;
    armv7-unknown-linux-gnueabihf) gnu=arm-linux-gnueabihf libc=armhf qemu=arm ;;
    riscv64gc-unknown-linux-gnu) gnu=riscv64-linux-gnu libc=riscv64 qemu=riscv64 ;;
    s390x-unknown-linux-gnu) gnu=s390x-linux-gnu libc=s390x qemu=s390x ;;
    *) echo "unknown target $1; known: $all" >&2; exit 2 ;;
  esac
}

missing=()
for target in "$@"; do
  describe "$target"
  command -v "$gnu-gcc" >/dev/null || missing+=("gcc-$gnu" "libc6-dev-$libc-cross")
  command -v "qemu-$qemu" >/dev/null || missing+=(qemu-user)
done
if [ ${#missing[@]} -gt 0 ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq "${missing[@]}"
fi
rustup target add "$@"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
rows=()
failed=0
for target in "$@"; do
  describe "$target"
  upper=${target^^}
  export "CARGO_TARGET_${upper//-/_}_LINKER=$gnu-gcc"
  export "CARGO_TARGET_${upper//-/_}_RUNNER=qemu-$qemu -L /usr/$gnu"
  printf '\n== %s\n' "$target"
  began=$SECONDS
  : >"$log"
  outcome=passed
  { cargo test --target "$target" --no-fail-fast \
      && cargo test --target "$target" --release --test golden --test dispatch; } 2>&1 \
    | tee "$log" || outcome=failed
  [ $outcome = passed ] || failed=1
  passed=$(awk '/^test result:/ { n += $4 } END { print n + 0 }' "$log")
  rows+=("$(printf '%-32s %-7s %5s tests %5ss' \
    "$target" $outcome "$passed" $((SECONDS - began)))")
done

printf '\n'
printf '%s\n' "${rows[@]}"
exit $failed
