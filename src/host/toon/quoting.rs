//! Which texts have to be in quotes in a TOON table, and how long they are there. It does not write them.

/// Whether the digits of these bytes look like a number: decimal digits, and perhaps an `e` that is
/// neither the first nor the last.
pub(super) fn like_number_in_hex(bytes: &[u8]) -> bool {
    const E: u8 = 14;
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    let mut exponents = 0;
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            match nibble {
                0..=9 => {}
                E if exponents == 0 => exponents = 1,
                _ => return false,
            }
        }
    }
    first >> 4 != E && last & 15 != E
}

/// Bytes of a text in quotes, without them.
pub(super) fn escaped_len(text: &[u8]) -> usize {
    let escaped = |&byte: &u8| match byte {
        b'\n' | b'\r' | b'\t' | b'"' | b'\\' => 2_usize,
        0..=0x1f => 6,
        _ => 1,
    };
    text.iter().map(escaped).sum()
}

/// Whether a text, written plainly, could be read as something else.
pub(super) fn must_quote(text: &str) -> bool {
    let special = |byte: u8| {
        matches!(byte, 0..=0x1f | b',' | b':' | b'"' | b'\\' | b'[' | b']' | b'{' | b'}')
    };
    matches!(text, "" | "true" | "false" | "null")
        || matches!(text.as_bytes(), [b' ' | b'-' | b'#', ..] | [.., b' '])
        || text.bytes().any(special)
        || like_number(text.as_bytes())
}

/// Whether a text looks like a number: a sign perhaps, digits, perhaps a point
/// and digits, perhaps an exponent. Leading zeros count, so this is wider than what reads back as a
/// number.
fn like_number(text: &[u8]) -> bool {
    let after_sign = |text: &'_ [u8]| match text {
        [b'+' | b'-', rest @ ..] => rest.len(),
        _ => text.len(),
    };
    let rest = |len: usize| text.get(text.len().saturating_sub(len)..).unwrap_or_default();
    let after_digits = |from: usize| {
        let from = rest(from);
        let count = from.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (count > 0).then_some(from.len() - count)
    };
    let Some(mut left) = after_digits(after_sign(text)) else { return false };
    if let [b'.', fraction @ ..] = rest(left) {
        let Some(behind) = after_digits(fraction.len()) else { return false };
        left = behind;
    }
    if let [b'e' | b'E', exponent @ ..] = rest(left) {
        let Some(behind) = after_digits(after_sign(exponent)) else { return false };
        left = behind;
    }
    left == 0
}
