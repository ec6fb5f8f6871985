//! Limits of modules and of the plugins that a host loads.

use super::*;

// A ninth table was refused as "no instance: too many tables", by a limit that stood nowhere.
#[test]
fn a_module_with_too_many_tables_is_refused_by_the_name_of_the_limit() {
    let load = |tables: usize| {
        let wasm = wat_plugin(&"(table 1 funcref)".repeat(tables));
        host().load("plugin", &wasm, &config()).map(|_| ())
    };
    assert_eq!(load(8), Ok(()));
    let exceeded = LimitExceeded { limit: Limit::Tables, allowed: 8, asked: 9 };
    assert_eq!(load(9), Err(LoadError::Limit(exceeded)));
}

// Of 945 allocations that failed while plugins were loaded and called, 900 ended the process: nothing
// looked at what a plugin needs before it was taken.
#[test]
fn a_plugin_that_may_need_more_ram_than_is_free_is_refused_before_anything_is_taken() {
    let wasm = wat_plugin("");
    let limits = Limits { memory_bytes: 1 << 16, ..roomy() };
    let bound = limits.ram_bound(wasm.len() as u32).unwrap();
    let config = config().with_limits(limits);
    let mut host = host();

    let enough = bound.total().unwrap();
    let (peak, refused) =
        peak_bytes(|| host.load("plugin", &wasm, &config.clone().with_free_ram(enough - 1)));
    assert_eq!(refused, Err(LoadError::NotEnoughRam { needed: enough, free: enough - 1 }));
    // The configuration was copied.
    assert!(peak < 1024, "{peak}");
    let plugin = host.load("plugin", &wasm, &config.clone().with_free_ram(enough)).unwrap();
    assert!(host.unload(plugin));

    // Static memory is not taken from what is free.
    host.add_static_memory(Box::leak(vec![0; 1 << 16].into()));
    let config = config.with_static_memory();
    let enough = enough - bound.memory;
    let refused = host.load("plugin", &wasm, &config.clone().with_free_ram(enough - 1));
    assert_eq!(refused, Err(LoadError::NotEnoughRam { needed: enough, free: enough - 1 }));
    assert!(host.load("plugin", &wasm, &config.with_free_ram(enough)).is_ok());
}

// A host that had loaded 65,535 plugins, one after the other, refused all others: "1 plugins asked,
// 16 allowed".
#[test]
fn a_host_loads_plugins_as_long_as_it_runs() {
    let wasm = wat_plugin("");
    let mut host = host();
    let config = config();
    let mut before = None;
    for _ in 0..66_000 {
        let plugin = host.load("plugin", &wasm, &config).unwrap();
        assert!(before < Some(plugin));
        before = Some(plugin);
        assert!(host.unload(plugin));
    }
}
