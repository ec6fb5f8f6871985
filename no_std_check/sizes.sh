#!/usr/bin/env bash
# What each part of the firmware costs on the Cortex-M4: first with a feature the other way and
# everything built anew, then whose code it is, by the names of symbols.
set -euo pipefail
cd "$(dirname "$0")"
. ./needs.sh
target=thumbv7em-none-eabihf
need size binutils
need nm binutils
need_target $target
needs_met
image=${CARGO_TARGET_DIR:-target}/$target/release/firmware

flash() { # features -> bytes
  cargo build --quiet --locked --release --target $target --no-default-features --features "$1"
  size -A "$image" | awk '$1 ~ /^\.(vector_table|text|rodata|data)$/ { sum += $2 } END { print sum }'
}

all=$(flash deterministic,validate,reasons,compact)
printf '%-40s %8s %8s\n' "features" "bytes" "more"
printf '%-40s %8d\n' "deterministic, validate, compact" "$all"
variant() { # what, features
  local bytes
  bytes=$(flash "$2")
  printf '%-40s %8d %+8d\n' "$1" "$bytes" $((bytes - all))
}
variant "without the validator, with SHA-256" deterministic,reasons,compact
variant "without compact plugins" deterministic,validate,reasons
variant "without canonical NaNs" validate,reasons,compact
variant "without what the interpreter says" deterministic,validate,compact
variant "with all four years of days" deterministic,validate,reasons,compact,roomy

flash deterministic,validate,reasons,compact >/dev/null
echo
printf '%-40s %8s\n' "whose it is" "bytes"
nm -C -S -t d --size-sort "$image" | awk '
  $3 !~ /^[tTrRdD]$/ { next }
  {
    bytes = $2 + 0
    name = $0
    sub(/^[^ ]+ [^ ]+ [^ ]+ /, "", name)
    owner = "other"
    if (name ~ /OUTLINED_FUNCTION/) owner = "pieces that functions share"
    else if (name ~ /sochdb_wasmi::host/) owner = "sochdb-wasmi, host"
    else if (name ~ /sochdb_wasmi::database/) owner = "sochdb-wasmi, database"
    else if (name ~ /sochdb_wasmi/) owner = "sochdb-wasmi, the rest"
    else if (name ~ /wasmparser::validator/) owner = "wasmparser, validator"
    else if (name ~ /wasmparser/) owner = "wasmparser, reader"
    else if (name ~ /wasmi::engine::executor/) owner = "wasmi, executor"
    else if (name ~ /wasmi::engine::translator|wasmi_ir/) owner = "wasmi, translator"
    else if (name ~ /wasmi/) owner = "wasmi, the rest"
    else if (name ~ /flt2dec|fmt::float/) owner = "numbers as text"
    else if (name ~ /(core|alloc)(\[|::)/) owner = "core and alloc"
    else if (name ~ /firmware/) owner = "the firmware"
    bytes_of[owner] += bytes
    sum += bytes
  }
  END {
    for (owner in bytes_of) printf "%-40s %8d\n", owner, bytes_of[owner]
    printf "%-40s %8d\n", "constants without a name, plugins, days", '"$all"' - sum
  }' | sort -k 1.41nr
