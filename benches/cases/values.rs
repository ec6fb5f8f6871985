//! Values and requests as bytes: those that take the host the most work for their length. Not by the
//! crate's encoder, which makes no invalid ones.

/// A value in bytes, under a name.
pub type Named = (String, Vec<u8>);

/// A count or an unsigned integer.
pub fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = vec![];
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// Bytes behind their count.
pub fn bytes(bytes: &[u8]) -> Vec<u8> {
    [varint(bytes.len() as u64), bytes.to_vec()].concat()
}

/// So many times the same bytes behind their count.
pub fn list(count: usize, item: &[u8]) -> Vec<u8> {
    [varint(count as u64), item.repeat(count)].concat()
}

pub fn text(text: &str) -> Vec<u8> {
    [vec![5], bytes(text.as_bytes())].concat()
}

/// The smallest values of each kind, and some longer ones.
pub fn small() -> Vec<Named> {
    let named = |name: &str, bytes: &[u8]| (name.to_owned(), bytes.to_vec());
    vec![
        named("null", &[0]),
        named("bool", &[1, 1]),
        named("int", &[2, 0]),
        named("long int", &[2, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
        named("uint", &[3, 0]),
        named("float", &[4, 0, 0, 0, 0, 0, 0, 0, 0]),
        named("empty text", &[5, 0]),
        named("text of two bytes", &[5, 2, 0xc3, 0xa9]),
        named("empty binary", &[6, 0]),
        named("empty array", &[7, 0]),
        named("empty object", &[8, 0]),
        named("array of one", &[7, 1, 0]),
        named("object of one", &[8, 1, 0, 0]),
        named("ref", &[9, 0, 0]),
        named("deep array", &[7, 1, 7, 1, 7, 1, 7, 1, 7, 1, 7, 1, 0]),
        named("deep object", &[8, 1, 0, 8, 1, 0, 8, 1, 0, 8, 1, 0, 8, 1, 0, 8, 1, 0, 0]),
    ]
}

/// Arrays of about `len` bytes.
pub fn arrays(len: usize) -> Vec<Named> {
    let array = |(name, item): Named| {
        let value = [vec![7], list(len / item.len(), &item)].concat();
        (format!("array of {name}"), value)
    };
    small().into_iter().map(array).collect()
}

/// Objects of about `len` bytes.
pub fn objects(len: usize) -> Vec<Named> {
    let object = |(name, item): Named| {
        let field = [vec![0], item].concat();
        let value = [vec![8], list(len / field.len(), &field)].concat();
        (format!("object of {name}"), value)
    };
    small().into_iter().map(object).collect()
}

/// Texts of about `len` bytes.
pub fn texts(len: usize) -> Vec<Named> {
    [
        ("ASCII", "a"),
        ("control characters", "\u{1}"),
        ("quotes", "\""),
        ("digits", "1"),
        ("letters of two bytes", "é"),
        ("letters of one and two bytes", "aé"),
        ("letters of three bytes", "語"),
        ("letters of four bytes", "😀"),
        ("marks that reorder", "\u{202e}"),
    ]
    .iter()
    .map(|(name, letter)| (format!("text of {name}"), text(&letter.repeat(len / letter.len()))))
    .collect()
}
