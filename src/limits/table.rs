//! The limits of a plugin as a table: one entry each, and everything that lists them is made from it.
//!
//! It does not enforce them. Where that happens depends on the limit: the meter, the host's checks, the interpreter.

/// Hands the table of limits to the macro `$then`. A new limit is one entry here, and the check.
///
/// An entry: field, type and default; the range a manifest may give; its key in a manifest; how a trace
/// shows what a call used; the first version of [`Limits`](super::Limits) in bytes that has it; the
/// variant and the words of [`Limit`](super::Limit), if a plugin can reach it; what it limits.
///
/// **Append only.** The order is that of the bytes. A new entry goes to the end of `plugin`, `since` the
/// [`VERSION`](super::Limits::VERSION) after the last published one. Bytes of an older version are read with the
/// default of what they lack. What does not belong to one plugin is under `other`.
macro_rules! for_each_limit {
    ($then:path) => {
        $then! {
            plugin {
                memory_bytes: u32 = 16_777_216, from 1 to 2_147_483_648,
                    toml "memory_limit_bytes", scaled "memory_limit_mb" 20,
                    used Memory, since 1, reached LinearMemory "bytes of linear memory",
                    "The most linear memory, in bytes.";
                table_elements: u32 = 1_024, from 0 to 4_294_967_295,
                    toml "table_elements",
                    used Unrecorded, since 1, reached TableElements "table elements",
                    "The most elements in a table of functions.";
                fuel_per_call: u64 = 1_000_000, from 1 to 18_446_744_073_709_551_615,
                    toml "fuel_limit",
                    used Fuel, since 1, reached Fuel "fuel per call",
                    "Fuel per call, for the plugin's code and the host's work together.";
                stack_bytes: u32 = 65_536, from 1 to 4_294_967_295,
                    toml "stack_bytes",
                    used Unrecorded, since 1, reached StackOrRecursion "stack height or recursion depth",
                    "Size of the interpreter's value stack, in bytes.";
                recursion: u32 = 256, from 1 to 4_294_967_295,
                    toml "recursion",
                    used Unrecorded, since 1,
                    "The deepest nesting of calls inside the plugin.";
                module_bytes: u32 = 1_048_576, from 1 to 4_294_967_295,
                    toml "module_bytes",
                    used Unrecorded, since 1, reached ModuleSize "bytes of module",
                    "The largest module, in bytes. It bounds the time and the memory that loading takes, as fuel does not.";
                results: u32 = 32, from 1 to 32,
                    toml "results",
                    used Unrecorded, since 1, reached Results "values of a function or block",
                    "The most values that a function or a block may return. Each branch to such a block is code for all of them, which takes RAM.";
                locals: u32 = 10_000, from 0 to 4_294_967_295,
                    toml "locals",
                    used Unrecorded, since 1, reached Locals "locals of a function",
                    "The most locals of a function, without its parameters.";
                host_calls: u32 = 100_000, from 1 to 4_294_967_295,
                    toml "host_calls",
                    used HostCalls, since 1, reached HostCalls "host calls per call",
                    "Host calls per call.";
                rows: u32 = 100_000, from 1 to 4_294_967_295,
                    toml "rows",
                    used Rows, since 1, reached Rows "rows visited per call",
                    "Rows that host functions may visit, per call.";
                bytes: u64 = 16_777_216, from 1 to 18_446_744_073_709_551_615,
                    toml "bytes",
                    used Bytes, since 1, reached Bytes "bytes moved per call",
                    "Bytes that host functions may move in requests, responses and rows, per call.";
                deadline_ms: Option<u32> = Some(100), from 1 to 4_294_967_295,
                    toml "timeout_ms", unlimited "no_timeout",
                    used Time, since 1, reached Deadline "milliseconds per call",
                    "Time per call, in milliseconds of the host's clock: the plugin's code and the host's work, but not loading or the commit. The host looks at the clock several times within a tenth of the deadline or within 1 ms, whichever is longer, but not during a host call. Debug builds are much slower.";
                slice_fuel: u64 = 100_000, from 1 to 18_446_744_073_709_551_615,
                    toml "slice_fuel",
                    used Unrecorded, since 1,
                    "Fuel of a slice: after each the host asks the slice hook, and a trace has an event.";
                log_messages: u32 = 1_000, from 0 to 4_294_967_295,
                    toml "log_messages",
                    used LogMessages, since 2, reached LogMessages "log messages per call",
                    "Messages that the plugin may log, per call.";
                log_bytes: u32 = 65_536, from 0 to 4_294_967_295,
                    toml "log_bytes",
                    used Unrecorded, since 2, reached LogBytes "bytes of log messages per call",
                    "Bytes of log messages per call, counted as they are printed: cut and escaped.";
                metric_series: u32 = 128, from 0 to 4_294_967_295,
                    toml "metric_series",
                    used Unrecorded, since 2, reached PluginMetricSeries "metric series of the plugin",
                    "Series of metrics that the plugin may have. The host has a limit for all plugins together.";
            }
            other {
                StoreRows "rows in the store", "Rows in the store.";
                StoreBytes "bytes in the store", "Bytes in the store.";
                KeyBytes "bytes of an index key", "Bytes in a key of the store: an index entry whose columns are too long.";
                ValueBytes "bytes of a stored row", "Bytes of a row as it is stored, in a storage that cannot hold larger ones.";
                MetricSeries "metric series", "Series of metrics that the host keeps.";
                Exports "exports of a module", "Exports of a module.";
                Tables "tables of a module", "Tables of a module.";
                Plugins "plugins", "Plugins that the host holds.";
                Nesting "calls of plugins inside each other", "Calls of plugins by plugins that run inside each other.";
            }
        }
    };
}
pub(crate) use for_each_limit;
