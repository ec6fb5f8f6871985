# What run.sh and power/run.sh need, checked before anything is built, and how a run ended. Sourced by
# both, in a directory of their firmware: its rust-toolchain.toml decides which toolchain is checked.

missing=()

# A command: its name, Debian's package.
need() {
  command -v "$1" >/dev/null || missing+=("$1: apt-get install -y --no-install-recommends $2")
}

# The core of a target. Looked for where the compiler looks, so that it need not come from rustup.
need_target() {
  [ -d "$(sysroot)/lib/rustlib/$1/lib" ] || missing+=("the target $1: rustup target add $1")
}

# The source of core and alloc.
need_rust_src() {
  [ -d "$(sysroot)/lib/rustlib/src/rust/library" ] \
    || missing+=("the source of core: rustup component add rust-src")
}

sysroot() {
  rustc --print sysroot 2>/dev/null || echo /nonexistent
}

# Ends the script if anything is missing, with a command for each thing.
needs_met() {
  command -v cargo >/dev/null && command -v rustc >/dev/null \
    || missing=("cargo and rustc: https://rustup.rs" ${missing[@]+"${missing[@]}"})
  [ ${#missing[@]} = 0 ] && return
  printf 'missing: %s\n' "${missing[@]}" >&2
  exit 1
}

# Words for an exit code of a run under `timeout`.
ended_with() {
  case $1 in
    124) echo "124: it took longer than it may" ;;
    *) echo "$1" ;;
  esac
}
