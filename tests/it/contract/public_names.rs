//! The public names, as `.ci/public-names` lists them, follow the rule of `docs/stability.md`.

use std::{collections::BTreeMap, fs};

/// An item and its members: fields, variants, methods.
fn items() -> BTreeMap<String, Vec<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/public-names.txt");
    let list = fs::read_to_string(path).expect("the list is there");
    let mut items = BTreeMap::<String, Vec<String>>::new();
    for line in list.lines() {
        let (item, member) = line.split_once(": ").unwrap_or((line, ""));
        items.entry(item.into()).or_default().push(member.into());
    }
    items
}

/// What an embedder fills in, with `..` for the rest.
const SETTINGS: &[&str] = &[
    "audit::AuditEntry",
    "capability::Capabilities",
    "database::MemoryLimits",
    "database::RedbConfig",
    "host::HostConfig",
    "host::PluginConfig",
    "limits::Limits",
    "manifest::Manifest",
    "replay::DiffOptions",
];
/// Small and complete: a field or variant more would be another thing.
const COMPLETE: &[&str] = &[
    "abi::wire::BufferTooSmall",
    "abi::wire::WireError",
    "audit::FunctionId",
    "audit::PluginId",
    "database::BatchEntry",
    "database::Column",
    "database::Index",
    "database::KeyRange",
    "database::Polled",
    "database::Projection",
    "guest::RawText",
    "limits::LimitExceeded",
    "replay::DiffError",
    "replay::InferError",
    "replay::Line",
    "trace::Digest",
];
/// Covered by the version of the ABI, of traces or of stores.
const VERSIONED: &[&str] = &[
    "abi::Builtin",
    "abi::Capability",
    "abi::Descriptor",
    "abi::Status",
    "abi::Value",
    "abi::ValueKind",
    "database::ColumnType",
    "database::DistanceMetric",
];

/// A new field of a report or a new reason of an error broke whoever matched the old ones: some were
/// `#[non_exhaustive]` and some were not, by no rule.
#[test]
fn whatever_may_grow_is_non_exhaustive_and_nothing_else_is() {
    let mut wrong = Vec::new();
    for (item, members) in items() {
        let (kind, name) = item.split_once(' ').expect("a kind and a name");
        let parts = members.iter().any(|part| match kind {
            "struct" => part.starts_with("field "),
            "enum" => part.starts_with("variant "),
            _ => false,
        });
        if !parts {
            continue;
        }
        let versioned = name.starts_with("abi::message::") && !name.ends_with("Error")
            || name.starts_with("trace::")
                && !name.ends_with("Error")
                && name != "trace::NumberedEvent"
            || VERSIONED.contains(&name);
        let closed = versioned || SETTINGS.contains(&name) || COMPLETE.contains(&name);
        let open = members.iter().any(|member| member == "non-exhaustive");
        if open == closed {
            wrong.push(format!("{item} is {}", if open { "open" } else { "closed" }));
        }
    }
    assert!(wrong.is_empty(), "docs/stability.md says otherwise: {wrong:#?}");
}

/// The lists above would pass for anything if the names in them were gone.
#[test]
fn every_name_that_the_rule_names_is_public() {
    let items = items();
    for name in SETTINGS.iter().chain(COMPLETE).chain(VERSIONED) {
        let found = items.contains_key(&format!("struct {name}"))
            || items.contains_key(&format!("enum {name}"));
        assert!(found, "{name}");
    }
}

/// `host::Host` and `guest::Host`, `host::Slice` and `trace::Slice`, and five more pairs could not be imported
/// together, and a reader had to look up which one was meant.
#[test]
fn no_two_public_items_have_one_name() {
    let items = items();
    let mut known = BTreeMap::new();
    for item in items.keys() {
        // Functions are called with their module's name: `entry::run`.
        let (kind, path) = item.split_once(' ').expect("a kind and a path");
        if !matches!(kind, "fn" | "macro") {
            let name = path.rsplit("::").next().expect("a name");
            assert_eq!(known.insert(name, item), None, "{item} has the name of another item");
        }
    }
    assert!(known.len() > 100, "the list holds {} names", known.len());
}
