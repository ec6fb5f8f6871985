//! A plugin is replaced by another version while the host runs, and goes back to the version before.

mod memory;
mod model;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{counting, support};
use counting::{live_bytes, peak_bytes};
use proptest::prelude::*;
use sochdb_wasmi::{
    abi::{
        Seq, Value,
        message::{NewRow, WriteMode, WriteRequest},
    },
    audit::PluginId,
    capability::{Capabilities, Globs},
    database::{ColumnType, Database, MemoryLimits, TableSchema},
    host::{
        CallError, FuelSlice, Host, HostConfig, LoadError, NoClock, PluginConfig, ReplaceError,
        Replacement, SliceDecision,
    },
    meter::Meter,
    replay::Replayer,
    trace::{Event, Recorder, TraceReader},
};
use support::{encoded, roomy};

/// What `migrate` of a version does after it inserted a row.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Migration {
    None,
    Returns,
    Fails,
    Traps,
    Loops,
}

/// A version of the plugin: `version` answers its number, `count` how often it was called since the
/// memory was new, `insert` inserts a row, and `told` answers the input of `migrate`.
fn version(number: u8, migration: Migration) -> Vec<u8> {
    wat::parse_str(wat(number, migration)).unwrap()
}

fn wat(number: u8, migration: Migration) -> String {
    let request = encoded(&WriteRequest {
        table: "notes",
        mode: WriteMode::Insert,
        columns: Seq::empty(),
        rows: Seq::new(&[NewRow { id: None, values: Seq::new(&[Value::Text("row")]) }]),
    });
    let bytes: String = request.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let len = request.len();
    let then = match migration {
        Migration::None => None,
        Migration::Returns => Some("(i32.const 0)"),
        Migration::Fails => Some("(i32.const -77)"),
        Migration::Traps => Some("(unreachable)"),
        Migration::Loops => Some("(loop (br 0)) (i32.const 0)"),
    };
    let migrate = then.map(|then| {
        format!(
            r#"(func (export "migrate") (param i32) (result i32)
                (memory.copy (i32.const 2048) (i32.const 256) (local.get 0))
                (i32.store (i32.const 604) (local.get 0))
                (drop (call $insert (i32.const 0)))
                {then})"#
        )
    });
    let migrate = migrate.unwrap_or_default();
    format!(
        r#"(module
            (import "sochdb" "soch_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (global (export "sochdb_plugin") i32 (i32.const 0))
            (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
            (data (i32.const 1024) "{bytes}")
            (func (export "version") (param i32) (result i32)
                (i32.store8 (i32.const 512) (i32.const {number})) (i32.const 1))
            (func (export "count") (param i32) (result i32)
                (i32.store8 (i32.const 600) (i32.add (i32.load8_u (i32.const 600)) (i32.const 1)))
                (i32.store8 (i32.const 512) (i32.load8_u (i32.const 600)))
                (i32.const 1))
            (func $insert (export "insert") (param i32) (result i32) (local i32)
                (local.set 1 (call $write
                    (i32.const 1024) (i32.const {len}) (i32.const 4096) (i32.const 64)))
                (select (local.get 1) (i32.const 0) (i32.lt_s (local.get 1) (i32.const 0))))
            (func (export "told") (param i32) (result i32)
                (memory.copy (i32.const 512) (i32.const 2048) (i32.load (i32.const 604)))
                (i32.load (i32.const 604)))
            {migrate})"#
    )
}

/// A version that lacks `count` and `told`.
fn smaller(number: u8) -> Vec<u8> {
    let wat = wat(number, Migration::None);
    wat::parse_str(wat.replace(r#"(export "count")"#, "").replace(r#"(export "told")"#, ""))
        .unwrap()
}

fn config() -> PluginConfig {
    let notes = || Globs::new(&["notes"]).unwrap();
    let capabilities = Capabilities {
        can_read_table: notes(),
        can_write_table: notes(),
        ..Capabilities::default()
    };
    PluginConfig::new(capabilities).with_limits(roomy())
}

fn empty_host() -> Host {
    let mut database = Database::in_memory(MemoryLimits::default());
    let notes = TableSchema::new("notes").and_then(|t| t.column("text", ColumnType::Text));
    database.create_table(notes.unwrap()).unwrap();
    Host::new(HostConfig::default(), database, NoClock)
}

fn loaded() -> (Host, PluginId) {
    let mut host = empty_host();
    let plugin = host.load("plugin", &version(1, Migration::None), &config()).unwrap();
    (host, plugin)
}

fn byte(host: &mut Host, plugin: PluginId, entry: &str) -> u8 {
    host.call(plugin, entry, &[]).unwrap().output[0]
}

fn rows(host: &Host) -> usize {
    usize::try_from(host.database().storage().rows()).unwrap()
}

/// What must not change when a replacement fails.
fn state(host: &Host, plugin: PluginId) -> impl PartialEq + std::fmt::Debug + use<> {
    let entries: Vec<_> = host.entries(plugin).map(String::from).collect();
    let plugins: Vec<_> = host.plugins().map(|(id, name)| (id, name.to_string())).collect();
    let mut metrics = String::new();
    host.render_metrics(&mut metrics).unwrap();
    (entries, plugins, host.report(plugin), host.descriptor(plugin), rows(host), metrics)
}

#[test]
fn a_replaced_plugin_keeps_its_id_name_counters_and_rows() {
    let (mut host, plugin) = loaded();
    let other = host.load("other", &version(9, Migration::None), &config()).unwrap();
    for _ in 0..3 {
        host.call(plugin, "insert", &[]).unwrap();
    }
    host.replace(plugin, &version(2, Migration::None), &config()).unwrap();
    assert_eq!(byte(&mut host, plugin, "version"), 2);
    assert_eq!(host.find("plugin"), Some(plugin));
    assert_eq!(host.plugins().map(|(id, _)| id).collect::<Vec<_>>(), [plugin, other]);
    host.call(plugin, "insert", &[]).unwrap();
    assert_eq!(rows(&host), 4);
    // Three before, and two of the new version.
    let mut metrics = String::new();
    host.render_metrics(&mut metrics).unwrap();
    assert!(metrics.contains("sochdb_plugin_calls_total{plugin=\"plugin\"} 5"), "{metrics}");
    let writes: Vec<_> = host.audit().iter().map(|entry| entry.plugin).collect();
    assert_eq!(writes, [plugin; 4]);
    assert!(host.audit().iter().all(|entry| host.describe(entry).to_string().contains("plugin")));
}

#[test]
fn a_replacement_that_is_refused_leaves_the_old_version_as_it_was() {
    let (mut host, plugin) = loaded();
    host.call(plugin, "insert", &[]).unwrap();
    assert_eq!(byte(&mut host, plugin, "count"), 1);
    let good = version(2, Migration::None);
    let before = state(&host, plugin);
    let mut refused = |wasm: &[u8], config: &PluginConfig| {
        let error = host.replace(plugin, wasm, config).unwrap_err();
        assert_eq!(state(&host, plugin), before, "{error}");
        error
    };
    assert_eq!(refused(b"no module", &config()), ReplaceError::Load(LoadError::NotWasm));
    let truncated = refused(&good[..good.len() - 3], &config());
    assert!(matches!(truncated, ReplaceError::Load(LoadError::InvalidModule { .. })));
    let tight = refused(&good, &config().with_free_ram(1));
    assert!(matches!(tight, ReplaceError::Load(LoadError::NotEnoughRam { .. })));
    let no_buffer = refused(&good, &config().with_static_memory());
    assert_eq!(no_buffer, ReplaceError::Load(LoadError::NoStaticMemory { needed: 65_536 }));
    let missing = refused(&smaller(2), &config());
    let entries = ["count", "told"].map(Box::from).to_vec();
    assert_eq!(missing, ReplaceError::MissingEntries { entries });
    assert_eq!(
        missing.to_string(),
        "the new version lacks entry points of the old one: \"count\", \"told\""
    );
    // The next call of the old version finds its memory.
    assert_eq!(byte(&mut host, plugin, "count"), 2);
    assert_eq!(host.rollback(plugin), Err(ReplaceError::NothingKept(plugin)));

    let stranger = PluginId(77);
    let error = host.replace(stranger, &good, &config()).unwrap_err();
    assert_eq!(error, ReplaceError::NoSuchPlugin(stranger));
    assert_eq!(host.rollback(stranger), Err(error));
    let table = host.database().table_id("notes").unwrap();
    let row = [Value::Text("pending")];
    let rows = [NewRow { id: None, values: Seq::new(&row) }];
    let (mut meter, insert) = (Meter::new(&roomy()), WriteMode::Insert);
    let database = host.database_mut();
    database
        .write(table, insert, &Seq::empty(), &Seq::new(&rows), &mut meter, &mut |_| {})
        .unwrap();
    let error = host.replace(plugin, &good, &config()).unwrap_err();
    assert_eq!(error, ReplaceError::TransactionPending);
}

#[test]
fn wider_grants_are_refused_by_name() {
    let (mut host, plugin) = loaded();
    let globs = |patterns: &[&str]| Globs::new(patterns).unwrap();
    let granted = |capabilities| PluginConfig::new(capabilities).with_limits(roomy());
    let base = config().capabilities;
    let wider: [(Capabilities, &[&str]); 6] = [
        (
            Capabilities { can_read_table: globs(&["notes", "notes*"]), ..base.clone() },
            &["can_read_table \"notes*\""],
        ),
        (
            Capabilities { can_write_table: globs(&["*"]), ..base.clone() },
            &["can_write_table \"*\""],
        ),
        (
            Capabilities { can_write_table: globs(&["a", "notes", "b"]), ..base.clone() },
            &["can_write_table \"a\"", "can_write_table \"b\""],
        ),
        (Capabilities { can_vector_search: true, ..base.clone() }, &["can_vector_search"]),
        (Capabilities { can_index_search: true, ..base.clone() }, &["can_index_search"]),
        (
            Capabilities { can_call_host: Globs::named(&["x.y"]).unwrap(), ..base.clone() },
            &["can_call_host \"x.y\""],
        ),
    ];
    let good = version(2, Migration::None);
    for (capabilities, grants) in wider {
        let config = granted(capabilities);
        let error = host.replace(plugin, &good, &config).unwrap_err();
        let grants: Vec<String> = grants.iter().map(ToString::to_string).collect();
        assert_eq!(error, ReplaceError::WiderGrants { grants: grants.clone() });
        assert!(grants.iter().all(|grant| error.to_string().contains(grant)));
        assert_eq!(byte(&mut host, plugin, "version"), 1);
        // The caller can say so.
        let allowed = Replacement::new().allow_wider_grants();
        host.replace_with(plugin, &good, &config, allowed).unwrap();
        host.rollback(plugin).unwrap();
    }
    // Fewer grants, and the same, are no question.
    let narrower =
        granted(Capabilities { can_write_table: globs(&["notes"]), ..Default::default() });
    host.replace(plugin, &good, &narrower).unwrap();
    host.call(plugin, "insert", &[]).unwrap();
    // And they hold: this is wider than what the plugin has now.
    assert!(matches!(
        host.replace(plugin, &good, &config()),
        Err(ReplaceError::WiderGrants { grants }) if grants == ["can_read_table \"notes\""]
    ));
}

#[test]
fn entry_points_may_vanish_if_the_caller_says_so() {
    let (mut host, plugin) = loaded();
    let allowed = Replacement::new().allow_missing_entries();
    host.replace_with(plugin, &smaller(2), &config(), allowed).unwrap();
    assert!(matches!(host.call(plugin, "count", &[]), Err(CallError::NoSuchEntry { .. })));
    // A migration need not be there for ever.
    host.replace(plugin, &version(3, Migration::Returns), &config()).unwrap();
    host.replace(plugin, &version(4, Migration::None), &config()).unwrap();
    assert_eq!(byte(&mut host, plugin, "version"), 4);
}

#[test]
fn a_migration_runs_first_and_is_told_the_version_before() {
    let (mut host, plugin) = loaded();
    let replacement = Replacement::new().from_version("1.2.0-beta");
    host.replace_with(plugin, &version(2, Migration::Returns), &config(), replacement).unwrap();
    assert_eq!(rows(&host), 1);
    assert_eq!(host.call(plugin, "told", &[]).unwrap().output, b"\x0a1.2.0-beta");
    host.replace(plugin, &version(3, Migration::Returns), &config()).unwrap();
    assert_eq!(host.call(plugin, "told", &[]).unwrap().output, b"\x00");
    assert_eq!(rows(&host), 2);
    // A version that does not fit the Input Buffer is an error of the migration.
    let long = "1".repeat(300);
    let replacement = Replacement::new().from_version(&long);
    let error = host
        .replace_with(plugin, &version(4, Migration::Returns), &config(), replacement)
        .unwrap_err();
    let too_large = CallError::InputTooLarge { len: 302, capacity: 256 };
    assert_eq!(error, ReplaceError::Migration(too_large));
    assert_eq!(byte(&mut host, plugin, "version"), 3);
}

#[test]
fn a_migration_that_fails_changes_nothing() {
    for migration in [Migration::Fails, Migration::Traps, Migration::Loops] {
        let (mut host, plugin) = loaded();
        host.call(plugin, "insert", &[]).unwrap();
        host.replace(plugin, &version(2, Migration::None), &config()).unwrap();
        assert_eq!(byte(&mut host, plugin, "count"), 1);
        let before = state(&host, plugin);
        let mut tight = config();
        tight.limits.fuel_per_call = 100_000;
        let error = host.replace(plugin, &version(3, migration), &tight).unwrap_err();
        let ReplaceError::Migration(error) = error else { panic!("{error}") };
        match migration {
            Migration::Fails => assert!(matches!(error, CallError::Failed { code: -77, .. })),
            Migration::Traps => assert!(matches!(error, CallError::Trap { .. })),
            _ => assert!(matches!(error, CallError::Limit(_))),
        }
        assert_eq!(state(&host, plugin), before);
        assert_eq!(byte(&mut host, plugin, "version"), 2);
        assert_eq!(byte(&mut host, plugin, "count"), 2);
        // Also the version before the old one is still kept.
        host.rollback(plugin).unwrap();
        assert_eq!(byte(&mut host, plugin, "version"), 1);
    }
}

#[test]
fn a_panic_of_the_slice_hook_in_a_migration_brings_the_old_version_back() {
    let (mut host, plugin) = loaded();
    assert_eq!(byte(&mut host, plugin, "count"), 1);
    let mut slow = config();
    slow.limits.slice_fuel = 500;
    let looping = version(2, Migration::Loops);
    for unload_first in [false, true] {
        let before = state(&host, plugin);
        host.set_slice_hook(|_: &FuelSlice| -> SliceDecision { panic!("the embedder's") });
        let old = version(1, Migration::None);
        let mut replacement = Replacement::new();
        if unload_first {
            replacement = replacement.unload_first(&old);
        }
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            host.replace_with(plugin, &looping, &slow, replacement)
        }));
        assert!(unwound.is_err());
        host.set_slice_hook(|_: &FuelSlice| SliceDecision::Continue);
        assert_eq!(state(&host, plugin), before);
        assert_eq!(byte(&mut host, plugin, "version"), 1);
    }
    assert_eq!(rows(&host), 0);
}

#[test]
fn a_rollback_brings_back_module_grants_and_limits_once() {
    let (mut host, plugin) = loaded();
    assert_eq!(byte(&mut host, plugin, "count"), 1);
    let nothing = PluginConfig::new(Capabilities::default()).with_limits(roomy());
    host.replace(plugin, &version(2, Migration::None), &nothing).unwrap();
    assert!(host.call(plugin, "insert", &[]).is_err());
    host.rollback(plugin).unwrap();
    assert!(host.entries(plugin).any(|entry| entry == "told"));
    assert_eq!(byte(&mut host, plugin, "version"), 1);
    // Its memory is as it was after loading: what was in it may be older than the tables.
    assert_eq!(byte(&mut host, plugin, "count"), 1);
    host.call(plugin, "insert", &[]).unwrap();
    assert_eq!(host.rollback(plugin), Err(ReplaceError::NothingKept(plugin)));
    let forget = Replacement::new().without_rollback();
    host.replace_with(plugin, &version(3, Migration::None), &config(), forget).unwrap();
    assert_eq!(host.rollback(plugin), Err(ReplaceError::NothingKept(plugin)));
    assert_eq!(byte(&mut host, plugin, "version"), 3);
}

#[test]
fn the_module_to_restore_must_be_the_one_that_is_loaded() {
    let (mut host, plugin) = loaded();
    let other = version(8, Migration::None);
    let replacement = Replacement::new().unload_first(&other);
    let error = host.replace_with(plugin, &other, &config(), replacement).unwrap_err();
    assert_eq!(error, ReplaceError::Load(LoadError::OtherModule));
    assert_eq!(byte(&mut host, plugin, "version"), 1);
}
