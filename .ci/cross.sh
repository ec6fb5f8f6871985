#!/usr/bin/env bash
# Runs the whole test suite, doctests included, on processors other than this machine's:
#
#   .ci/cross.sh [target...]   all five by default
#   .ci/cross.sh dispatch      this machine, with every feature of wasmi's dispatch
#
# Compilers and C libraries come from Debian. i686 runs on the processor itself, if it and the kernel
# can, everything else in qemu's user mode. Every target has something of its own: 32-bit addresses
# (i686, armv7), the other byte order (s390x), another floating point unit.
#
# All tests, with all features, run in the dev profile, with overflow checks and debug assertions. The
# golden and the dispatch tests, which are about what a compiler might change, run with the default
# features in the release profile too, as a user of the crate builds it: with cargo's own settings in
# the place of this workspace's.
#
# What is looked for here is the target and not the rare case. So
# - property tests that do not fix their number of cases draw 32 instead of 256 (PROPTEST_CASES),
# - tests that cut the power, or damage a flash or a file, at each place do so at one in 97
#   (SOCHDB_WASMI_EVERY), and 15 processes are killed instead of 60,
# - some tests are left out: one compiles a new project for this machine, whatever the target, and one
#   makes ten thousand calls to see how a flash wears; those of figures make as many.
set -euo pipefail
cd "$(dirname "$0")/.."

all=(i686-unknown-linux-gnu aarch64-unknown-linux-gnu armv7-unknown-linux-gnueabihf
  riscv64gc-unknown-linux-gnu s390x-unknown-linux-gnu)
[ $# -gt 0 ] || set -- "${all[@]}"

export PROPTEST_CASES=${PROPTEST_CASES:-32} SOCHDB_WASMI_EVERY=${SOCHDB_WASMI_EVERY:-97}
skip=(--skip a_new_project_builds_passes_its_test_and_runs
  --skip no_page_is_worn_more_than_twice_as_much_as_the_mean --skip storage::flash_figures)
export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0
export CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
# What does not run for long is not worth optimising: Cargo.toml says so for release builds.
dev=()
for package in redb clap_builder indicatif regex-syntax wasm-encoder; do
  dev+=(--config "profile.dev.package.$package.opt-level=0")
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

log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT
# A name for the table, then the command: makes a line of the table from what the tests print. The
# output is kept until the end of the command, as others run beside it.
run() {
  local name=$1 output=$log/${1//\//-} began=$SECONDS outcome=passed passed
  shift
  "$@" >"$output" 2>&1 || { outcome=FAILED; touch "$log/.failed"; }
  passed=$(awk '/^test result:/ { n += $4 } END { print n + 0 }' "$output")
  # In one go, so that nothing comes between.
  printf '\n== %s\n%s\n' "$name" "$(<"$output")"
  printf '%-46s %s %4s tests %5ss\n' "$name" $outcome "$passed" $((SECONDS - began)) >>"$log/.rows"
}

bits=(--test golden --test dispatch)
if [ "$*" = dispatch ]; then
  # The crate asks for the portable dispatch. Features add up, so an embedder who has wasmi for other
  # ends may turn on the rest, which must change nothing.
  for features in "" wasmi/auto-dispatch wasmi/indirect-dispatch; do
    run "${features:-as in Cargo.toml}" cargo test --features "$features" "${bits[@]}"
    run "${features:-as in Cargo.toml}, release" \
      cargo test --release --features "$features" "${bits[@]}"
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

  # Whether this machine runs programs for i686: Debian's compiler makes one that needs no libraries.
  native() {
    [ "$qemu" = i386 ] || return 1
    echo 'int main(void) { return 0; }' | "$gnu-gcc" -static -x c -o "$log/.native" - && "$log/.native"
  }

  # At opt-level 0 tests take many times as long, the interpreter above all.
  export CARGO_PROFILE_DEV_OPT_LEVEL=1

  # All tests on one target.
  everything() {
    local target=$1 variable
    describe "$target"
    variable=CARGO_TARGET_$(tr a-z- A-Z_ <<<"$target")
    export "${variable}_LINKER=$gnu-gcc"
    if native; then
      # Programs look for the loader and libraries where Debian has them for this compiler.
      local flags="-Clink-arg=-Wl,--dynamic-linker=/usr/$gnu/lib/ld-linux.so.2,-rpath,/usr/$gnu/lib"
      export "${variable}_RUSTFLAGS=$flags" "${variable}_RUSTDOCFLAGS=$flags"
    else
      # The second is for tests that start programs themselves.
      export "${variable}_RUNNER=qemu-$qemu -L /usr/$gnu" SOCHDB_WASMI_RUNNER="qemu-$qemu -L /usr/$gnu"
    fi
    run "$target" cargo test --target "$target" "${dev[@]}" --all-features --no-fail-fast -- "${skip[@]}"
    run "$target, release" cargo test --target "$target" --release "${bits[@]}"
  }

  # Two at a time: while one runs its tests, which keep less than two processors busy, the next one
  # compiles. Cargo's own lock has them compile one after the other.
  started=()
  for target in "$@"; do
    while [ "$(jobs -rp | wc -l)" -ge 2 ]; do sleep 1; done
    everything "$target" &
    started+=($!)
  done
  for job in "${started[@]}"; do wait "$job" || touch "$log/.failed"; done
fi

printf '\n'
sort "$log/.rows"
[ ! -e "$log/.failed" ]
