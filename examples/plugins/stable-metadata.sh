#!/bin/sh
# A RUSTC_WRAPPER for build.sh. Cargo gives every crate a `-C metadata` that it hashes from, among
# other things, the absolute path of a path dependency; it ends up in symbol names and so decides
# the order of functions. Here it is made of what Cargo says about the package instead, so that the
# same sources are the same bytes in every directory.
rustc=$1
shift
id=${CARGO_PKG_NAME:-none}-${CARGO_PKG_VERSION:-0}
count=$#
while [ "$count" -gt 0 ]; do
    argument=$1
    shift
    case $argument in
        metadata=*) argument=metadata=$id ;;
    esac
    set -- "$@" "$argument"
    count=$((count - 1))
done
exec "$rustc" "$@"
