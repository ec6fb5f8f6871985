//! Rows as a table in [TOON](https://github.com/toon-format/spec) (version 4), written straight
//! into a response.
//!
//! It writes this one shape and reads nothing: a document of one tabular array, named after the
//! table, with the rows' ids before the columns. The text is byte for byte what the official `toon-format`
//! crate makes of the same data; that crate is the oracle in `tests/it/host/toon.rs`.
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

mod quoting;

use core::fmt::{self, Write};

use quoting::{escaped_len, like_number_in_hex, must_quote};

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
/// As with [`Writer`], what does not fit is counted; [`ended_len`](Self::ended_len) says how many bytes
/// are used in all, and [`rewind`](Self::rewind) takes rows back.
#[derive(Debug)]
pub struct ToonTable {
    /// The text around the document, and where it starts.
    text: OpenList,
    start: usize,
    /// Behind the table's name.
    name_end: Mark,
    name_len: usize,
    /// Where the count of rows goes, which is known only at the end.
    count_at: Mark,
    rows: usize,
}

impl ToonTable {
    /// Begins a document of the table `table`: the rows' ids under the name `id`, then these columns.
    pub fn begin<'n>(
        writer: &mut Writer<'_>,
        table: &str,
        id: &str,
        columns: impl IntoIterator<Item = &'n str>,
    ) -> Self {
        let text = writer.begin_list();
        let start = writer.position();
        key(writer, table);
        let name_end = writer.mark();
        let name_len = writer.position().saturating_sub(start);
        writer.u8(b'[');
        let count_at = writer.mark();
        writer.raw(b"]{");
        key(writer, id);
        for column in columns {
            writer.u8(b',');
            key(writer, column);
        }
        writer.raw(b"}:");
        Self { text, start, name_end, name_len, count_at, rows: 0 }
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
        Ok(())
    }

    /// Takes back what was written since `mark`, where `rows` rows were written.
    pub fn rewind(&mut self, writer: &mut Writer<'_>, mark: Mark, rows: usize) {
        writer.rewind(mark);
        self.rows = rows;
    }

    /// How many rows there are.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Where the writer will be once the document is [ended](Self::end).
    #[must_use]
    pub fn ended_len(&self, writer: &Writer<'_>) -> usize {
        let len = match self.rows {
            0 => self.name_len.saturating_add(EMPTY.len()),
            rows => self.len(writer).saturating_add(digits(rows)),
        };
        self.start.saturating_add(len).saturating_add(Writer::list_overhead(len))
    }

    /// Ends the document and the text.
    pub fn end(self, writer: &mut Writer<'_>) {
        if self.rows == 0 {
            // TOON has one form for an empty array, and it names no columns.
            writer.rewind(self.name_end);
            writer.raw(EMPTY);
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

/// What stands behind the name of a table without rows.
const EMPTY: &[u8] = b": []";

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
    if !value.is_finite() {
        return writer.raw(b"null");
    }
    let negative = value < 0.0; // So -0 is none.
    if negative {
        writer.u8(b'-');
    }
    let value = value.abs();
    let whole = value as u64;
    let most = if negative { i64::MIN.unsigned_abs() } else { u64::MAX - 1 };
    if whole as f64 == value && whole <= most {
        display(writer, whole);
    } else {
        decimal(writer, value);
    }
}

/// A finite positive double that is no 64-bit integer. Not by `core`'s formatting, which brings
/// twice the code: it can round to any number of digits too, which nothing else of a host asks for.
fn decimal(writer: &mut Writer<'_>, value: f64) {
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value);
    let (text, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let count = (whole.len() + fraction.len()) as i32;
    // How many of the digits are before the point.
    let point = whole.len() as i32 + exponent;
    let tie = is_below_half(value, count - point);
    if point <= 0 {
        writer.raw(b"0.");
    }
    zeros(writer, -point);
    for (at, digit) in (0..).zip(whole.bytes().chain(fraction.bytes())) {
        if at == point && at > 0 {
            writer.u8(b'.');
        }
        // An odd digit is that of the upper text already: below a power of two the doubles are twice as
        // close as above it, so the lower text may read as the double before.
        let up = tie && at + 1 == count && digit.is_multiple_of(2);
        writer.u8(digit + u8::from(up));
    }
    zeros(writer, point - count);
}

fn zeros(writer: &mut Writer<'_>, count: i32) {
    (0..count).for_each(|_| writer.u8(b'0'));
}

/// Whether a value lies in the middle between two decimals with this many places after the point, of
/// which the one nearer to zero is even. If both read as the value, both are its shortest text: `ryu`
/// then takes the even one, and `core` the one farther from zero, as the reference does.
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
    let quote = bytes.is_empty() || like_number_in_hex(bytes);
    if quote {
        writer.u8(b'"');
    }
    let len = bytes.len().saturating_mul(2);
    let bytes = if writer.fits(len) {
        bytes
    } else {
        writer.count(len);
        &[]
    };
    for &byte in bytes {
        writer.raw(&[hex(byte >> 4), hex(byte)]);
    }
    if quote {
        writer.u8(b'"');
    }
}

/// The digit of the lower four bits.
const fn hex(byte: u8) -> u8 {
    match byte & 15 {
        digit @ 0..=9 => b'0' + digit,
        letter => b'a' - 10 + letter,
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
    let mut rest = text.as_bytes();
    if !writer.fits(rest.len()) {
        // The response is too small already, and only has to say by how much.
        writer.count(escaped_len(rest));
        rest = &[];
    }
    let mut plain = 0;
    for (at, &byte) in rest.iter().enumerate() {
        if byte > 0x1f && byte != b'"' && byte != b'\\' {
            continue;
        }
        if plain < at {
            writer.raw(rest.get(plain..at).unwrap_or_default());
        }
        plain = at + 1;
        writer.u8(b'\\');
        match byte {
            b'\n' => writer.u8(b'n'),
            b'\r' => writer.u8(b'r'),
            b'\t' => writer.u8(b't'),
            0..=0x1f => writer.raw(&[b'u', b'0', b'0', b'0' + (byte >> 4), hex(byte)]),
            _ => writer.u8(byte),
        }
    }
    writer.raw(rest.get(plain..).unwrap_or_default());
    if let Some(id) = id {
        writer.u8(b':');
        display(writer, id);
    }
    writer.u8(b'"');
}
