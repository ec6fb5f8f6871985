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

/// The fields of `Limits`.
fn defaults() -> String {
    let mut table = String::from("| field | what it limits | default |\n|---|---|---|\n");
    for spec in LIMITS {
        let default = or_none(spec.of(&Limits::DEFAULT));
        writeln!(table, "| `{}` | {} | {default} |", spec.field, spec.doc)
            .expect("a String takes all");
    }
    table
}

/// The constants of the crate that stand on the page of limits, by the paths that it has.
fn constants() -> [(&'static str, u64); 13] {
    use sochdb_wasmi::{abi, capability, database, host};
    [
        ("abi::MAX_NAME_LEN", abi::MAX_NAME_LEN as u64),
        ("abi::MAX_DEPTH", abi::MAX_DEPTH.into()),
        ("capability::MAX_GLOBS", capability::MAX_GLOBS as u64),
        ("database::MAX_COLUMNS", database::MAX_COLUMNS as u64),
        ("database::MAX_INDEXES", database::MAX_INDEXES as u64),
        ("database::MAX_INDEX_COLUMNS", database::MAX_INDEX_COLUMNS as u64),
        ("database::MAX_DIMENSIONS", database::MAX_DIMENSIONS.into()),
        ("database::MAX_CONDITIONS", database::MAX_CONDITIONS as u64),
        ("database::MAX_KEY_LEN", database::MAX_KEY_LEN as u64),
        ("host::MAX_CONFIG_KEY_LEN", host::MAX_CONFIG_KEY_LEN as u64),
        ("host::MAX_MESSAGE_LEN", host::MAX_MESSAGE_LEN as u64),
        ("host::metrics::MAX_LABELS", host::metrics::MAX_LABELS as u64),
        ("host::metrics::MAX_LABEL_VALUE", host::metrics::MAX_LABEL_VALUE as u64),
    ]
}

/// The page's table of constants was written by hand, and nothing compared it with the code.
#[test]
fn the_fixed_limits_on_the_page_are_those_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/limits.md");
    let page = std::fs::read_to_string(path).expect("the page is there");
    let rows = page.lines().filter(|line| line.starts_with("| `") && line.contains("::MAX_"));
    let value = |row: &str| {
        let cell = row.split('|').nth(2)?.trim();
        cell.split(' ').next()?.replace(',', "").parse::<u64>().ok()
    };
    let shown: Vec<_> = rows.map(|row| (row.split('`').nth(1), value(row))).collect();
    let expected: Vec<_> =
        constants().iter().map(|(name, value)| (Some(*name), Some(*value))).collect();
    assert_eq!(shown, expected);
}

#[test]
fn the_pages_list_the_limits_of_the_code() {
    let parts = [("resources", resources()), ("limits", fields())];
    page::check("docs/limits.md", &[("defaults", defaults())]);
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
