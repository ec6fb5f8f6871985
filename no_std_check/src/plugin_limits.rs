//! What the weather plugin may use on a device. Both firmwares run it.

use sochdb_wasmi::limits::Limits;

/// Its limits.
pub const LIMITS: Limits = Limits {
    memory_bytes: 64 << 10,
    table_elements: 64,
    fuel_per_call: 5_000_000,
    stack_bytes: 8 << 10,
    recursion: 64,
    module_bytes: 64 << 10,
    results: 1,
    locals: 256,
    host_calls: 10_000,
    rows: 10_000,
    bytes: 1 << 20,
    deadline_ms: None,
    slice_fuel: 10_000,
    ..Limits::DEFAULT
};
