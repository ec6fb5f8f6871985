//! What a replacement takes in memory, and how versions share static buffers.

use super::*;

// A host gave each plugin that it loaded a new number, and had 65,535 of them.
#[test]
fn replacing_a_plugin_takes_no_number_and_no_memory() {
    let (mut host, plugin) = loaded();
    let wasm = version(2, Migration::None);
    let config = config();
    let mut live = 0;
    for round in 0..90 {
        host.replace(plugin, &wasm, &config).unwrap();
        if round % 3 == 0 {
            host.rollback(plugin).unwrap();
            host.replace(plugin, &wasm, &config).unwrap();
        }
        host.replace(plugin, &version(3, Migration::Fails), &config).unwrap_err();
        match round {
            0 => live = live_bytes(),
            _ => assert_eq!(live_bytes(), live),
        }
    }
    assert_eq!(host.load("next", &wasm, &config), Ok(PluginId(plugin.0 + 1)));
}

#[test]
fn what_is_kept_of_a_version_is_within_its_bound() {
    let (mut host, plugin) = loaded();
    // What lists and threads take once is taken.
    host.replace(plugin, &version(2, Migration::None), &config()).unwrap();
    host.unload(plugin);
    let before = live_bytes();
    let old = version(1, Migration::None);
    let plugin = host.load("plugin", &old, &config()).unwrap();
    drop(old);
    let one = live_bytes() - before;
    let wasm = version(2, Migration::None);
    let (peak, replaced) = peak_bytes(|| host.replace(plugin, &wasm, &config()));
    replaced.unwrap();
    let limits = config().limits;
    let bound = limits.ram_bound(wasm.len() as u32).unwrap();
    let kept = live_bytes() - before - one - wasm.capacity() as i64;
    assert!(kept > 0 && kept < bound.kept().unwrap() as i64, "{kept} bytes are kept");
    // Without its linear memory, which is the most of it.
    assert!(kept < one / 2, "{kept} of {one} bytes are kept");
    assert!(peak < bound.total().unwrap() as i64, "{peak} bytes at a time");
    // Nothing of it stays when the plugin goes.
    host.replace(plugin, &wasm, &config()).unwrap();
    host.unload(plugin);
    drop(wasm);
    assert_eq!(live_bytes(), before);
}

fn buffer(len: usize) -> &'static mut [u8] {
    vec![0xee; len].leak()
}

#[test]
fn with_one_static_buffer_the_old_version_has_to_go_first() {
    let mut host = empty_host();
    host.add_static_memory(buffer(1 << 16));
    let config = config().with_static_memory();
    let old = version(1, Migration::None);
    let plugin = host.load("plugin", &old, &config).unwrap();
    assert_eq!(byte(&mut host, plugin, "count"), 1);
    let new = version(2, Migration::Returns);
    let no_buffer = ReplaceError::Load(LoadError::NoStaticMemory { needed: 65_536 });
    assert_eq!(host.replace(plugin, &new, &config), Err(no_buffer));
    assert_eq!(byte(&mut host, plugin, "count"), 2);

    // It comes back from its module if the new one fails, and the buffer with it.
    let alone = Replacement::new().unload_first(&old);
    let failing = version(2, Migration::Traps);
    let error = host.replace_with(plugin, &failing, &config, alone).unwrap_err();
    assert!(matches!(error, ReplaceError::Migration(CallError::Trap { .. })));
    let error = host.replace_with(plugin, &smaller(2), &config, alone).unwrap_err();
    assert!(matches!(error, ReplaceError::MissingEntries { .. }));
    assert_eq!(host.find("plugin"), Some(plugin));
    assert_eq!(byte(&mut host, plugin, "version"), 1);
    assert_eq!(byte(&mut host, plugin, "count"), 1);
    assert!(host.take_static_memory().is_none());

    host.replace_with(plugin, &new, &config, alone).unwrap();
    assert_eq!(byte(&mut host, plugin, "version"), 2);
    assert_eq!(rows(&host), 1);
    assert_eq!(host.rollback(plugin), Err(ReplaceError::NothingKept(plugin)));
    host.unload(plugin);
    assert_eq!(host.take_static_memory().map(|buffer| buffer.len()), Some(1 << 16));
}

#[test]
fn with_two_static_buffers_versions_take_turns() {
    let mut host = empty_host();
    host.add_static_memory(buffer(1 << 16));
    host.add_static_memory(buffer(1 << 17));
    let config = config().with_static_memory();
    let plugin = host.load("plugin", &version(1, Migration::None), &config).unwrap();
    for number in 2..6 {
        host.replace(plugin, &version(number, Migration::Returns), &config).unwrap();
        assert_eq!(byte(&mut host, plugin, "version"), number);
        let failing = version(9, Migration::Traps);
        assert!(host.replace(plugin, &failing, &config).is_err());
        assert_eq!(byte(&mut host, plugin, "version"), number);
    }
    // The version that is kept has no buffer: the one of the newer is its own.
    let other = host.take_static_memory().unwrap();
    host.rollback(plugin).unwrap();
    assert_eq!(byte(&mut host, plugin, "version"), 4);
    assert!(host.take_static_memory().is_none());
    // From static memory to the heap, and back: the buffer is free in between, and may be taken.
    host.add_static_memory(other);
    let heap = super::config();
    host.replace(plugin, &version(7, Migration::None), &heap).unwrap();
    let buffers = [host.take_static_memory().unwrap(), host.take_static_memory().unwrap()];
    let no_buffer = ReplaceError::Load(LoadError::NoStaticMemory { needed: 65_536 });
    assert_eq!(host.rollback(plugin), Err(no_buffer));
    assert_eq!(byte(&mut host, plugin, "version"), 7);
    buffers.into_iter().for_each(|buffer| host.add_static_memory(buffer));
    host.rollback(plugin).unwrap();
    assert_eq!(byte(&mut host, plugin, "version"), 4);
}

#[test]
fn a_device_with_room_for_one_plugin_has_never_two_in_memory() {
    let old = version(1, Migration::None);
    let new = version(2, Migration::None);
    let mut host = empty_host();
    let plugin = host.load("plugin", &old, &config()).unwrap();
    let own = config();
    host.unload(plugin);
    let (alone, loaded) = peak_bytes(|| host.load("plugin", &old, &own));
    let plugin = loaded.unwrap();
    let replacement = Replacement::new().unload_first(&old);
    let (peak, replaced) = peak_bytes(|| host.replace_with(plugin, &new, &own, replacement));
    replaced.unwrap();
    // Beside what was there, which was the old version: names, and a module larger by its number.
    assert!(peak < alone / 16, "{peak} bytes more than a plugin, which takes {alone}");
    let replacement = Replacement::new().unload_first(&new);
    let failing = version(3, Migration::Fails);
    let (peak, failed) = peak_bytes(|| host.replace_with(plugin, &failing, &own, replacement));
    failed.unwrap_err();
    assert!(peak < alone / 8, "{peak} bytes more than a plugin, which takes {alone}");
    assert_eq!(byte(&mut host, plugin, "version"), 2);
}
