//! Comparing lines with a committed file.

use std::{env, fs, path::Path};

/// Compares `lines` with the file of this name beside this one. With `BLESS=1` in the environment
/// the file is written instead.
#[track_caller]
pub fn compare(name: &str, lines: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if env::var_os("BLESS").is_some_and(|value| value == "1") {
        fs::write(&path, lines).unwrap_or_else(|error| panic!("{name}: {error}"));
        return;
    }
    let committed =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}; {HOW}"));
    let (mut now, mut then) = (lines.lines(), committed.lines());
    for number in 1.. {
        match (now.next(), then.next()) {
            (None, None) => return,
            (now, then) => assert_eq!(now, then, "line {number} of {name} differs; {HOW}"),
        }
    }
}

const HOW: &str = "if that is meant, .ci/bless writes it";
