//! The interpreter's configuration: every WebAssembly feature is named here, on or off.

use wasmi::{CompilationMode, Config, Engine, OperatorCost};

use super::locals::NOP_FUEL;
use crate::limits::Limits;

/// An engine for one plugin. Each plugin has its own, so that its stack limits are its own and
/// its compiled code is freed when it is unloaded.
///
/// Not inlined: the configuration is 1 KB that shall not lie on the stack while a module is compiled.
#[inline(never)]
pub(crate) fn engine(limits: &Limits) -> Engine {
    let stack_bytes = limits.stack_bytes as usize;
    let mut config = Config::default();
    config
        // The interpreter refuses a minimum above the maximum.
        .set_min_stack_height(stack_bytes.min(1 << 10))
        .set_max_stack_height(stack_bytes)
        .set_max_recursion_depth(limits.recursion as usize)
        .set_max_cached_stacks(1)
        .consume_fuel(true)
        .operator_cost(OperatorCost { nop: NOP_FUEL, ..OperatorCost::default() })
        // Lazy modes charge the fuel of translation to whoever calls a function first.
        .compilation_mode(CompilationMode::Eager)
        .ignore_custom_sections(true)
        // Code that runs while loading would run before any limit is known to the plugin's user.
        .allow_start_fn(false);
    // It is the validator that looks at these.
    #[cfg(feature = "validate")]
    config
        .wasm_mutable_global(true)
        .wasm_sign_extension(true)
        .wasm_saturating_float_to_int(true)
        .wasm_multi_value(true)
        .wasm_bulk_memory(true)
        .wasm_reference_types(true)
        .wasm_extended_const(true)
        .wasm_tail_call(true)
        .floats(true)
        // A plugin may use pages of less than 64 KiB.
        .wasm_custom_page_sizes(true)
        // One memory, of 32-bit addresses: what the ABI's pointers mean.
        .wasm_multi_memory(false)
        .wasm_wide_arithmetic(false);
    // Two more are off because they are not built in, and wasmi then has no switch for them:
    // memory64, and SIMD, which gives wrong results on big-endian hosts and costs 116 KB of flash.
    Engine::new(&config)
}
