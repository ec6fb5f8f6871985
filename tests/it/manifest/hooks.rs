//! Hooks of a plugin: in a manifest, and when it is loaded or replaced under one.

use sochdb_wasmi::{
    abi::message::HookEvent,
    capability::{Capabilities, GlobError, Globs},
    database::{Database, MemoryLimits},
    host::{
        HookError, Host, HostConfig, LoadError, NoClock, PluginConfig, ReplaceError, Replacement,
    },
    manifest::ManifestLoadError,
};

use super::toml::{with, wrong};

const WRONG: [(&str, u32, u32, &str); 13] = [
    ("[capabilities]\ncan_call_plugin = [\"a\", \"b c\"]", 5, 25, "glob"),
    ("[capabilities]\ncan_call_plugin = \"a\"", 5, 19, "wrong_type"),
    ("[hooks]\nbefore_insert = \"a\"", 5, 17, "wrong_type"),
    ("[hooks]\nbefore_insert = [\"a\", 5]", 5, 23, "wrong_type"),
    ("[hooks]\nbefore_insert = [\"a\", \"b\", \"a\"]", 5, 28, "duplicate"),
    ("[hooks]\nbefore_insert = [\"a\", { function = \"a\" }]", 5, 23, "duplicate"),
    ("[hooks]\nbefore_insert = [{ tables = [\"a\"] }]", 5, 18, "missing_field"),
    ("[hooks]\nbefore_insert = [{ entry = \"a\" }]", 5, 20, "unknown_field"),
    ("[hooks]\nbefore_insert = [{ function = \"a\", tables = [\"b*c\"] }]", 5, 46, "glob"),
    ("[hooks]\nbefore_insert = [{ function = \"a\", tables = [] }]", 5, 45, "unsupported"),
    ("[hooks]\nbefore_insert = [\"a\"]\ntables = [\"a-b\"]", 6, 11, "glob"),
    ("[hooks]\nafter_insert = [\"a\", 1]\ntables = [\"a-b\"]", 5, 22, "wrong_type"),
    ("[hooks]\ntables = []", 5, 10, "unsupported"),
];

#[test]
fn what_is_wrong_with_hooks_is_named_with_its_line_and_column() {
    for (more, line, column, problem) in WRONG {
        let (found_line, found_column, found, text) = wrong(more);
        assert_eq!((found_line, found_column, found), (line, column, problem), "{more}\n{text}");
    }
    let entries: Vec<String> = (0..33).map(|hook| format!("\"f{hook}\"")).collect();
    let (line, _, problem, text) =
        wrong(&format!("[hooks]\nafter_update = [{}]", entries.join(",")));
    assert_eq!((line, problem), (5, "hook"));
    assert!(text.ends_with("there are more than 32 hooks, 32 are allowed"), "{text}");
}

#[test]
fn hooks_have_their_own_tables_or_those_of_the_section_or_all() {
    let tables = |more: &str| {
        let manifest = with(more).expect("the manifest is right");
        let hook = manifest.config.hooks().first().expect("there is a hook").clone();
        hook.tables().as_slice().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(tables("[hooks]\nbefore_insert = [\"a\"]"), [""; 0]);
    assert_eq!(tables("[hooks]\nbefore_insert = [\"a\"]\ntables = [\"t\"]"), ["t"]);
    let own = "[hooks]\ntables = [\"t\"]\n[[hooks.before_insert]]\nfunction = \"a\"\n";
    assert_eq!(tables(own), ["t"]);
    assert_eq!(tables(&format!("{own}tables = [\"u*\", \"v\"]")), ["u*", "v"]);
}

#[test]
fn a_hook_watches_the_tables_that_match_it_and_that_its_plugin_may_read() {
    let readable = Globs::new(&["orders*", "stock"]).expect("patterns");
    let watched = |tables: &[&str]| {
        let config = PluginConfig::default().with_hook(HookEvent::AfterInsert, "f", tables);
        let config = config.expect("a hook");
        let [hook] = config.hooks() else { panic!("one hook") };
        ["orders", "orders_2", "stock", "stocks", "secret"]
            .into_iter()
            .filter(|table| hook.watches(table, &readable))
            .collect::<Vec<_>>()
    };
    assert_eq!(watched(&[]), ["orders", "orders_2", "stock"]);
    assert_eq!(watched(&["orders_*", "secret"]), ["orders_2"]);
}

#[test]
fn hooks_that_are_no_hooks_are_refused() {
    let config =
        || PluginConfig::default().with_hook(HookEvent::AfterInsert, "f", &[]).expect("one");
    let error = config().with_hook(HookEvent::AfterInsert, "f", &["t"]).expect_err("twice");
    assert_eq!(error, HookError::Twice(HookEvent::AfterInsert));
    let error = config().with_hook(HookEvent::AfterInsert, "g", &["*t"]).expect_err("a star");
    assert_eq!(error, HookError::Glob(GlobError::StarInside { at: 0 }));
    config().with_hook(HookEvent::BeforeInsert, "f", &[]).expect("another event");
    let full = (0..31).try_fold(config(), |config, hook| {
        config.with_hook(HookEvent::BeforeDelete, &format!("f{hook}"), &[])
    });
    let error = full.expect("32 hooks").with_hook(HookEvent::BeforeDelete, "g", &[]);
    assert_eq!(error, Err(HookError::TooMany));
}

/// A plugin with the entry points `check` and `tally`.
fn plugin(entries: &str) -> Vec<u8> {
    let entries = entries
        .split(' ')
        .filter(|entry| !entry.is_empty())
        .map(|entry| format!("(func (export \"{entry}\") (param i32) (result i32) i32.const 0)"));
    let wat = format!(
        "(module (memory (export \"memory\") 1)
            (global (export \"sochdb_plugin\") i32 (i32.const 0))
            (data (i32.const 0)
                \"\\01\\00\\00\\00\\00\\04\\00\\00\\00\\01\\00\\00\\00\\08\\00\\00\\00\\01\\00\\00\")
            {})",
        entries.collect::<String>()
    );
    wat::parse_str(wat).expect("this is WebAssembly")
}

fn host() -> Host<sochdb_wasmi::database::MemoryStorage> {
    Host::new(HostConfig::default(), Database::in_memory(MemoryLimits::default()), NoClock)
}

fn reads(tables: &[&str]) -> PluginConfig {
    PluginConfig::new(Capabilities {
        can_read_table: Globs::new(tables).expect("patterns"),
        ..Capabilities::default()
    })
}

#[test]
fn a_hook_without_its_entry_point_is_an_error_when_the_plugin_is_loaded() {
    let mut host = host();
    let config = reads(&["*"]).with_hook(HookEvent::BeforeDelete, "tally", &[]).expect("a hook");
    let error = host.load("p", &plugin("check"), &config).expect_err("there is no tally");
    let (event, entry) = (HookEvent::BeforeDelete, "tally".into());
    assert_eq!(error, LoadError::HookEntry { event, entry });
    assert_eq!(
        error.to_string(),
        "the hook before_delete is the entry point \"tally\", and the module has no function (i32) -> \
         i32 of that name"
    );
    // An export that is not a function is not an entry point.
    let config = reads(&["*"]).with_hook(HookEvent::BeforeDelete, "memory", &[]).expect("a hook");
    let error = host.load("p", &plugin("check"), &config).expect_err("no entry point");
    assert!(matches!(error, LoadError::HookEntry { .. }));
    assert_eq!(host.plugins().count(), 0);
    // Its name is free.
    host.load("p", &plugin("check"), &PluginConfig::default()).expect("a plugin");

    let manifest =
        with("[capabilities]\ncan_read_table = [\"*\"]\n[hooks]\nbefore_insert = [\"f\"]");
    let error = manifest.expect("right").load(&mut host, &plugin("check")).expect_err("no f");
    assert!(matches!(error, ManifestLoadError::Load(LoadError::HookEntry { .. })), "{error}");
}

/// A hook gets the rows of its tables, so one of tables that its plugin may not read would either show
/// them or silently never run.
#[test]
fn a_hook_of_tables_that_the_plugin_may_not_read_is_an_error_when_it_is_loaded() {
    let mut host = host();
    let mut denied = |readable: &[&str], tables: &[&str]| {
        let config = reads(readable).with_hook(HookEvent::AfterInsert, "check", tables);
        match host.load("p", &plugin("check"), &config.expect("a hook")) {
            Ok(plugin) => {
                host.unload(plugin);
                None
            }
            Err(LoadError::HookDenied { pattern, .. }) => Some(pattern.to_string()),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(denied(&[], &[]).as_deref(), Some("*"));
    assert_eq!(denied(&[], &["a"]).as_deref(), Some("a"));
    assert_eq!(denied(&["a"], &["a", "b"]).as_deref(), Some("b"));
    assert_eq!(denied(&["a*"], &["*"]).as_deref(), Some("*"));
    assert_eq!(denied(&["a", "ab"], &["a*"]).as_deref(), Some("a*"));
    assert_eq!(denied(&["a*"], &["a", "ab*"]), None);
    assert_eq!(denied(&["a"], &[]), None);
}

#[test]
fn a_new_version_without_a_hook_of_the_old_one_is_refused_unless_it_is_allowed() {
    let hooked = |event, entry: &str, tables: &[&str]| {
        reads(&["orders*", "stock"]).with_hook(event, entry, tables).expect("a hook")
    };
    let (before, after) = (HookEvent::BeforeInsert, HookEvent::AfterInsert);
    let wasm = plugin("check tally");
    let missing = |old: &PluginConfig, new: &PluginConfig| {
        let mut host = host();
        let plugin = host.load("p", &wasm, old).expect("the plugin loads");
        match host.replace(plugin, &wasm, new) {
            Ok(()) => None,
            Err(ReplaceError::MissingHooks { hooks }) => {
                let allowed = Replacement::new().allow_missing_hooks();
                host.replace_with(plugin, &wasm, new, allowed).expect("it is allowed");
                Some(hooks.join(", "))
            }
            Err(error) => panic!("{error}"),
        }
    };
    let old = hooked(before, "check", &["orders*"]);
    assert_eq!(missing(&old, &old), None);
    // What matters is what is watched, not who watches.
    assert_eq!(missing(&old, &hooked(before, "tally", &[])), None);
    let orders = Some("before_insert on \"orders*\"");
    assert_eq!(missing(&old, &hooked(after, "check", &[])).as_deref(), orders);
    assert_eq!(missing(&old, &hooked(before, "check", &["orders"])).as_deref(), orders);
    assert_eq!(missing(&old, &reads(&["orders*", "stock"])).as_deref(), orders);
    // A hook of all tables that may be read watches less if less may be read.
    let all = hooked(before, "check", &[]);
    let fewer = reads(&["orders*"]).with_hook(before, "check", &[]).expect("a hook");
    let stock = Some("before_insert on \"stock\"");
    assert_eq!(missing(&all, &fewer).as_deref(), stock);
}
