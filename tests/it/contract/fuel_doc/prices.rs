//! The prices, read from the table of `docs/fuel.md`.

use std::{collections::BTreeMap, fs};

pub(super) fn page() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/fuel.md"))
        .expect("docs/fuel.md is there")
}

/// The prices of the page: rows of a table that begin with a name in backquotes and a number.
pub(super) struct Prices(BTreeMap<String, u64>);

impl Prices {
    pub(super) fn of_the_page() -> Self {
        let row = |line: &str| {
            let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
            let name = cells.next()?.strip_prefix('`')?.strip_suffix('`')?.to_string();
            Some((name, cells.next()?.replace(',', "").parse().ok()?))
        };
        let prices = Self(page().lines().filter_map(row).collect());
        for name in ["call", "seek", "row", "write", "bytes16", "dimensions8"] {
            assert!(prices.0.contains_key(name), "the page has no price {name}");
        }
        prices
    }

    pub(super) fn of(&self, name: &str) -> u64 {
        self.0[name]
    }

    /// Every amount of bytes is rounded up to 16 by itself.
    pub(super) fn bytes(&self, count: usize) -> u64 {
        self.of("bytes16") * (count as u64).div_ceil(16)
    }
}
