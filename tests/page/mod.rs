//! Parts of a page that are rendered from the code: compared, or written with `BLESS=1`.

use std::{env, fs};

/// Compares the parts of `page` that stand between `<!-- begin NAME, generated -->` and
/// `<!-- end NAME -->` with what the code has; `BLESS=1` writes them.
pub fn check(page: &str, parts: &[(&str, String)]) {
    let path = format!("{}/{page}", env!("CARGO_MANIFEST_DIR"));
    let doc = fs::read_to_string(&path).expect("the page is there");
    let mut rendered = doc.clone();
    for (name, text) in parts {
        let begin = format!("<!-- begin {name}, generated -->\n");
        let end = format!("<!-- end {name} -->");
        let from = rendered.find(&begin).unwrap_or_else(|| panic!("{page} has no {begin}"));
        let from = from + begin.len();
        let to = rendered.find(&end).unwrap_or_else(|| panic!("{page} has no {end}"));
        rendered.replace_range(from..to, &format!("\n{text}\n"));
    }
    if env::var_os("BLESS").is_some() {
        // Other tests read it, perhaps now.
        if rendered != doc {
            fs::write(&path, rendered).expect("the page can be written");
        }
    } else {
        assert!(doc == rendered, "{page} is out of date: run .ci/bless");
    }
}

/// A number with commas between thousands; above 2^31, one less than a power of two as such.
#[allow(dead_code, reason = "not every page has numbers")]
pub fn number(value: u64) -> String {
    if value > 1 << 31 && (value == u64::MAX || (value + 1).is_power_of_two()) {
        return format!("2^{} - 1", 64 - value.leading_zeros());
    }
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
