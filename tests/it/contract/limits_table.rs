//! The table of limits, and the pages that are made from it. `BLESS=1` writes those.

use crate::page;

use std::{collections::BTreeSet, fmt::Write as _};

use page::number;
use sochdb_wasmi::limits::{LIMITS, Limits};

fn or_none(value: Option<u64>) -> String {
    value.map_or_else(|| "none".into(), number)
}

/// The fields of `[resources]`.
fn resources() -> String {
    let mut table = String::from(
        "| field | what it limits | default | at least | at most |\n|---|---|---|---|---|\n",
    );
    let mut row = |field: &str, what: &str, default: &str, min: &str, max: &str| {
        writeln!(table, "| `{field}` | {what} | {default} | {min} | {max} |")
            .expect("a String takes all");
    };
    for spec in LIMITS {
        let default = spec.of(&Limits::DEFAULT);
        row(spec.key, spec.doc, &or_none(default), &number(spec.min), &number(spec.max));
        if let Some((key, shift)) = spec.scaled {
            let what = format!("`{}` in units of {} bytes.", spec.key, number(1 << shift));
            let default = or_none(default.map(|value| value >> shift));
            row(key, &what, &default, "1", &number(spec.max >> shift));
        }
        if let Some(key) = spec.unlimited {
            row(
                key,
                &format!("`true` in place of `{}` lifts the limit.", spec.key),
                "false",
                "",
                "",
            );
        }
    }
    table
}

/// The limits in a packed manifest and in a trace.
fn fields() -> String {
    let mut table = String::from("| limit | type | since version |\n|---|---|---|\n");
    for spec in LIMITS {
        writeln!(table, "| `{}` | {} | {} |", spec.field, spec.type_name, spec.since)
            .expect("a String takes all");
    }
    table
}

#[test]
fn the_pages_list_the_limits_of_the_code() {
    let parts = [("resources", resources()), ("limits", fields())];
    page::check("docs/manifest.md", &parts);
    page::check("docs/trace.md", &parts[1..]);
}

#[test]
fn every_limit_has_its_own_field_and_keys_and_a_default_within_its_range() {
    let mut names = BTreeSet::new();
    for spec in LIMITS {
        let keys = [Some(spec.key), spec.scaled.map(|(key, _)| key), spec.unlimited];
        for key in keys.into_iter().flatten() {
            assert!(names.insert(key), "{key} stands twice");
        }
        let default = spec.of(&Limits::DEFAULT);
        assert!(default.is_none_or(|value| (spec.min..=spec.max).contains(&value)), "{spec:?}");
        assert!(spec.doc.ends_with('.'), "{}: a sentence", spec.field);
    }
    // A field that two rows write would hide one of them.
    for spec in LIMITS {
        let mut limits = Limits::DEFAULT;
        spec.set(&mut limits, Some(spec.min));
        for other in LIMITS.iter().filter(|other| other.field != spec.field) {
            assert_eq!(other.of(&limits), other.of(&Limits::DEFAULT), "{}", spec.field);
        }
        assert_eq!(spec.of(&limits), Some(spec.min));
    }
}
