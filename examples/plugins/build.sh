#!/bin/sh
# Builds the example plugins and puts each .wasm beside its sources.
#
#   build.sh           builds and replaces
#   build.sh --check   builds and fails if the bytes are not the ones that are there
#
# The bytes depend on the sources, the lock file and the toolchain of rust-toolchain.toml, not on
# where the checkout or Cargo's directories are: paths are remapped, and stable-metadata.sh keeps
# them out of symbol names.
set -eu

plugins="weather freezer"

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}/plugins
cargo_home=${CARGO_HOME:-$HOME/.cargo}
cd "$root"
sysroot=$(rustc --print sysroot)

status=0
for plugin in $plugins; do
    # Run where the plugin's own .cargo/config.toml is found; --config adds to its flags.
    (cd "$here/$plugin" && RUSTC_WRAPPER="$here/stable-metadata.sh" \
        cargo build --quiet --locked --release --target-dir "$target" --config "
        target.wasm32-unknown-unknown.rustflags = [
            '--remap-path-prefix=$cargo_home=/cargo',
            '--remap-path-prefix=$sysroot=/rust',
            '--remap-path-prefix=$root=/sochdb-wasmi',
        ]")
    built=$target/wasm32-unknown-unknown/release/$plugin.wasm
    kept=$here/$plugin.wasm
    if [ "${1:-}" = --check ]; then
        if cmp "$built" "$kept"; then
            echo "$plugin.wasm is what its source builds"
        else
            echo "$plugin.wasm is not what its source builds; run build.sh" >&2
            status=1
        fi
    else
        cp "$built" "$kept"
        echo "$plugin.wasm: $(wc -c <"$kept") bytes"
    fi
done
exit $status
