//! Rows as a table in [TOON](https://github.com/toon-format/spec) (version 4), written straight
//! into a response.
//!
//! It writes this one shape and reads nothing: a document of one tabular array, named after the
//! table, with `id` before the columns. The text is byte for byte what the official `toon-format`
//! crate makes of the same data; that crate is the oracle in `tests/toon.rs`.
//!
//! | [`Value`] | In a cell |
//! |---|---|
//! | `Null` | `null` |
//! | `Bool`, `Int`, `UInt` | as they are |
//! | `Float` | decimal without exponent; `-0` is `0`; NaN and infinities are `null`, as TOON demands |
//! | `Text` | itself, quoted where it could be taken for something else |
//! | `Binary` | a text: two lowercase hexadecimal digits a byte |
//! | `Ref` | a text: `"table:id"` |
//! | `Array`, `Object` | cannot stand in a cell: [`ToonError`] |

use core::fmt::{self, Write};

use crate::abi::{
    Value,
    wire::{Mark, OpenList, Writer},
};

/// A value that has no place in a table: an array or an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToonError {
    /// Which of the row's values, counted from 0, the id not counted.
    pub column: usize,
    /// What it is: `array` or `object`.
    pub kind: &'static str,
}

impl fmt::Display for ToonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {} has an {}, which a TOON table cannot hold", self.column, self.kind)
    }
}

impl core::error::Error for ToonError {}

/// A TOON document being written as a text on the wire (its count of bytes, then UTF-8):
/// [`begin`](Self::begin), any number of [`row`](Self::row)s, [`end`](Self::end). Nothing else may
/// be written to the writer in between.
///
/// As with [`Writer`], what does not fit is counted; [`fits`](Self::fits) tells, and
/// [`undo`](Self::undo) takes the last row back.
#[derive(Debug)]
pub struct ToonTable {
    /// The text around the document, and where it starts.
    text: OpenList,
    start: usize,
    /// Behind the table's name.
    name_end: Mark,
    /// Where the count of rows goes, which is known only at the end.
    count_at: Mark,
    rows: usize,
    last: Option<Mark>,
}

impl ToonTable {
    /// Begins a document of the table `table` with these columns after `id`.
    pub fn begin<'n>(
        writer: &mut Writer<'_>,
        table: &str,
        columns: impl IntoIterator<Item = &'n str>,
    ) -> Self {
        let text = writer.begin_list();
        let start = writer.position();
        key(writer, table);
        let name_end = writer.mark();
        writer.u8(b'[');
        let count_at = writer.mark();
        writer.raw(b"]{id");
        for column in columns {
            writer.u8(b',');
            key(writer, column);
        }
        writer.raw(b"}:");
        Self { text, start, name_end, count_at, rows: 0, last: None }
    }

    /// Writes a row. There must be one value for each column.
    ///
    /// # Errors
    /// [`ToonError`] for an array or object; the row is taken back then.
    pub fn row(
        &mut self,
        writer: &mut Writer<'_>,
        id: u64,
        values: &mut dyn Iterator<Item = Value<'_>>,
    ) -> Result<(), ToonError> {
        let mark = writer.mark();
        writer.raw(b"\n  ");
        display(writer, id);
        for (column, value) in values.enumerate() {
            writer.u8(b',');
            if !cell(writer, value) {
                writer.rewind(mark);
                return Err(ToonError { column, kind: value.kind() });
            }
        }
        self.rows = self.rows.saturating_add(1);
        self.last = Some(mark);
        Ok(())
    }

    /// Takes back the last row. Only one row can be taken back after another was written.
    pub fn undo(&mut self, writer: &mut Writer<'_>) {
        if let Some(mark) = self.last.take() {
            writer.rewind(mark);
            self.rows = self.rows.saturating_sub(1);
        }
    }

    /// How many rows there are.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// How many bytes [`end`](Self::end) will add (it may also take some away, if there is no
    /// row).
    pub fn overhead(&self, writer: &Writer<'_>) -> usize {
        let digits = digits(self.rows);
        digits + Writer::list_overhead(self.len(writer).saturating_add(digits))
    }

    /// Whether everything so far, once ended, and `more` bytes after it, fit the writer's buffer.
    pub fn fits(&self, writer: &Writer<'_>, more: usize) -> bool {
        writer.fits(self.overhead(writer).saturating_add(more))
    }

    /// Ends the document and the text.
    pub fn end(self, writer: &mut Writer<'_>) {
        if self.rows == 0 {
            // TOON has one form for an empty array, and it names no columns.
            writer.rewind(self.name_end);
            writer.raw(b": []");
        } else {
            let mut buffer = [0; MAX_DIGITS];
            let mut digits = Writer::new(&mut buffer);
            let mark = digits.mark();
            display(&mut digits, self.rows);
            writer.insert(self.count_at, digits.since(mark));
        }
        let len = self.len(writer);
        writer.end_list(self.text, len);
    }

    fn len(&self, writer: &Writer<'_>) -> usize {
        writer.position().saturating_sub(self.start)
    }
}

/// Decimal digits of the largest count.
const MAX_DIGITS: usize = 20;

const fn digits(count: usize) -> usize {
    match count.checked_ilog10() {
        Some(log) => log as usize + 1,
        None => 1,
    }
}

/// Lets `core::fmt` write numbers into a [`Writer`].
struct Text<'a, 'b>(&'a mut Writer<'b>);

impl Write for Text<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.raw(text.as_bytes());
        Ok(())
    }
}

fn display(writer: &mut Writer<'_>, value: impl fmt::Display) {
    // `Text` never fails, nor do the numbers that are displayed here.
    let _ = write!(Text(writer), "{value}");
}

/// Writes a value; false, and nothing written, for one that cannot stand in a cell.
fn cell(writer: &mut Writer<'_>, value: Value<'_>) -> bool {
    match value {
        Value::Null => writer.raw(b"null"),
        Value::Bool(value) => display(writer, value),
        Value::Int(value) => display(writer, value),
        Value::UInt(value) => display(writer, value),
        Value::Float(value) => float(writer, value),
        Value::Text(text) if must_quote(text) => quoted(writer, text, None),
        Value::Text(text) => writer.raw(text.as_bytes()),
        Value::Binary(bytes) => binary(writer, bytes),
        Value::Ref { table, id } => quoted(writer, table, Some(id)),
        Value::Array(_) | Value::Object(_) => return false,
    }
    true
}

/// The shortest decimal that reads back as the same double, without exponent. Whole numbers in
/// the range of a 64-bit integer have all their digits, so they read back as the same integer too.
fn float(writer: &mut Writer<'_>, value: f64) {
    let unsigned = value as u64;
    let signed = value as i64;
    if !value.is_finite() {
        writer.raw(b"null");
    } else if unsigned as f64 == value && unsigned != u64::MAX {
        // -0 is among them.
        display(writer, unsigned);
    } else if signed as f64 == value && signed != i64::MAX {
        display(writer, signed);
    } else {
        decimal(writer, value);
    }
}

/// A finite double that is no 64-bit integer. Not by `core`'s formatting, which brings twice the
/// code: it can round to any number of digits too, which nothing else of a host asks for.
fn decimal(writer: &mut Writer<'_>, value: f64) {
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value);
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i16 = exponent.parse().unwrap_or_default();
    let places = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len() as i32);
    let mut digits = digits.as_bytes();
    let mut corrected = [0; 24];
    if is_below_half(value, places - i32::from(exponent))
        && let Some(copy) = corrected.get_mut(..digits.len())
    {
        copy.copy_from_slice(digits);
        if let Some(last) = copy.last_mut() {
            *last += 1;
        }
        digits = copy;
    }
    let digits = core::str::from_utf8(digits).unwrap_or_default();
    if exponent == 0 {
        return writer.raw(digits.as_bytes());
    }
    let zeros = |writer: &mut Writer<'_>, count: usize| (0..count).for_each(|_| writer.u8(b'0'));
    let unsigned = digits.trim_start_matches('-');
    if unsigned.len() < digits.len() {
        writer.u8(b'-');
    }
    // With an exponent there is one digit before the point.
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let places = usize::from(exponent.unsigned_abs());
    if exponent < 0 {
        writer.raw(b"0.");
        zeros(writer, places.saturating_sub(1));
    }
    writer.raw(whole.as_bytes());
    writer.raw(fraction.as_bytes());
    if exponent > 0 {
        zeros(writer, places.saturating_sub(fraction.len()));
    }
}

/// Whether a value lies in the middle between two decimals of so many places behind the point, of
/// which the one nearer to zero is even. Both are the shortest text then: `ryu` takes the even one,
/// and `core` the one that is farther from zero, as the reference does.
fn is_below_half(value: f64, places: i32) -> bool {
    const FRACTION: u32 = f64::MANTISSA_DIGITS - 1;
    let bits = value.to_bits();
    let exponent = (bits >> FRACTION) as i32 & 0x7ff;
    let hidden = u64::from(exponent > 0) << FRACTION;
    let mantissa = bits & ((1 << FRACTION) - 1) | hidden;
    let zeros = mantissa.trailing_zeros();
    // The value is an odd number times two to this power. In the middle it is half of 10^-places
    // times an odd number, which has as many twos as 2^-(places + 1).
    let power = exponent.max(1) - 1075 + zeros as i32;
    // `odd * 5^places` is one more than twice the decimal nearer to zero, and 5 is 1 modulo 4.
    let odd = mantissa.checked_shr(zeros).unwrap_or(0);
    places > 0 && power == -(places + 1) && odd % 4 == 1
}

fn binary(writer: &mut Writer<'_>, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or_default();
    let hex = bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    let quote = bytes.is_empty() || like_number(hex.clone());
    if quote {
        writer.u8(b'"');
    }
    hex.for_each(|digit| writer.u8(digit));
    if quote {
        writer.u8(b'"');
    }
}

/// The name of the table or of a column: plain if it is made like an identifier.
fn key(writer: &mut Writer<'_>, name: &str) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    match name.as_bytes() {
        [first, rest @ ..]
            if (first.is_ascii_alphabetic() || *first == b'_')
                && rest.iter().all(|&byte| plain(byte)) =>
        {
            writer.raw(name.as_bytes());
        }
        _ => quoted(writer, name, None),
    }
}

/// A text in quotes, and what follows it after a colon.
fn quoted(writer: &mut Writer<'_>, text: &str, id: Option<u64>) {
    writer.u8(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => writer.raw(&[b'\\', byte]),
            b'\n' => writer.raw(b"\\n"),
            b'\r' => writer.raw(b"\\r"),
            b'\t' => writer.raw(b"\\t"),
            0..=0x1f => {
                // Formatting a byte does not fail.
                let _ = write!(Text(writer), "\\u{byte:04x}");
            }
            _ => writer.u8(byte),
        }
    }
    if let Some(id) = id {
        writer.u8(b':');
        display(writer, id);
    }
    writer.u8(b'"');
}

/// Whether a text, written plainly, could be read as something else.
fn must_quote(text: &str) -> bool {
    let special = |byte: u8| {
        matches!(byte, 0..=0x1f | b',' | b':' | b'"' | b'\\' | b'[' | b']' | b'{' | b'}')
    };
    matches!(text, "" | "true" | "false" | "null")
        || text.starts_with([' ', '-', '#'])
        || text.ends_with(' ')
        || text.bytes().any(special)
        || like_number(text.bytes())
}

/// Whether a text looks like a number: a sign perhaps, digits, perhaps a point and digits, perhaps
/// an exponent. Leading zeros count, so this is wider than what reads back as a number.
fn like_number(text: impl Iterator<Item = u8>) -> bool {
    let mut text = text.peekable();
    text.next_if(|byte| matches!(byte, b'+' | b'-'));
    let digits = |text: &mut core::iter::Peekable<_>| {
        let mut some = false;
        while text.next_if(u8::is_ascii_digit).is_some() {
            some = true;
        }
        some
    };
    if !digits(&mut text) {
        return false;
    }
    if text.next_if_eq(&b'.').is_some() && !digits(&mut text) {
        return false;
    }
    if text.next_if(|byte| matches!(byte, b'e' | b'E')).is_some() {
        text.next_if(|byte| matches!(byte, b'+' | b'-'));
        if !digits(&mut text) {
            return false;
        }
    }
    text.next().is_none()
}
