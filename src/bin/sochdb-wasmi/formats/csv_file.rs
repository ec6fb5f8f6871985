//! CSV files: read once, checked for what a reader would take for something else, and handed out row
//! by row with the number of each row's line.
//!
//! Cells are read by the crate `csv`, which takes any bytes for CSV: a quote that is never closed makes
//! one cell of the rest of the file. What it would pass over is refused here, before it reads.
//! What the cells mean is not known here; `cell.rs` knows.

use std::{fmt, str::FromStr};

use csv::{ReaderBuilder, StringRecord};

/// What separates the cells of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delimiter(u8);

impl Default for Delimiter {
    fn default() -> Self {
        Self(b',')
    }
}

impl FromStr for Delimiter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.as_bytes()) {
            ("tab" | "\\t", _) => Ok(Self(b'\t')),
            (_, [b'"' | b'\n' | b'\r' | 0]) => Err("this character has another meaning".into()),
            (_, [byte]) if byte.is_ascii() => Ok(Self(*byte)),
            _ => Err("it is one ASCII character, or tab".into()),
        }
    }
}

impl fmt::Display for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            b'\t' => f.write_str("tab"),
            byte => write!(f, "{:?}", char::from(byte)),
        }
    }
}

impl Delimiter {
    /// The delimiter that the first line seems to have, if it has not the given one.
    fn seen(self, first: &str) -> Option<Self> {
        let count = |byte: u8| first.bytes().filter(|found| *found == byte).count();
        if count(self.0) > 0 {
            return None;
        }
        let others = [b',', b';', b'\t', b'|'].into_iter().filter(|other| count(*other) > 0);
        others.max_by_key(|other| count(*other)).map(Self)
    }

    /// As `--delimiter` takes it.
    fn argument(self) -> String {
        match self.0 {
            b'\t' => "tab".into(),
            byte => format!("'{}'", char::from(byte)),
        }
    }
}

/// Why a file is not read as CSV.
#[derive(Debug)]
pub enum CsvProblem {
    /// It is not UTF-8.
    NotUtf8 { byte: u8, column: usize },
    /// It begins as UTF-16 does.
    Utf16,
    /// A quoted cell is never closed.
    Unclosed,
    /// Something stands between the end of a quoted cell and the end of the cell.
    AfterQuote { opened: u64 },
    /// Spaces stand before the quote that opens a cell.
    SpaceBeforeQuote,
    /// A row has more or fewer cells than there are headers.
    Cells { expected: usize, found: usize, seen: Option<Delimiter> },
    /// It has no header.
    NoHeader,
    /// Two columns have this header.
    HeaderTwice(String),
    /// What else the reader says.
    Other(csv::Error),
}

impl fmt::Display for CsvProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 { byte, column } => write!(
                f,
                "the byte {byte:#04x}, byte {column} of the line, is not UTF-8: convert the file \
                 to UTF-8"
            ),
            Self::Utf16 => write!(f, "the file is UTF-16: convert it to UTF-8"),
            Self::Unclosed => write!(f, "the quote that opens here is never closed"),
            Self::AfterQuote { opened } => write!(
                f,
                "text follows the closing quote of the cell that opens in line {opened}; a quote \
                 inside a quoted cell is written twice"
            ),
            Self::SpaceBeforeQuote => write!(
                f,
                "spaces stand before the quote of a cell: a quoted cell begins with its quote"
            ),
            Self::Cells { expected, found, seen } => {
                write!(f, "CSV error: the row has {found} cells, the first line has {expected}")?;
                match seen {
                    Some(seen) => write!(f, "; {}", offer(*seen)),
                    None => Ok(()),
                }
            }
            Self::NoHeader => write!(f, "the first line has no names of columns"),
            Self::HeaderTwice(header) => write!(f, "two columns are headed {header:?}"),
            Self::Other(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CsvProblem {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Other(error) => std::error::Error::source(error),
            Self::NotUtf8 { .. }
            | Self::Utf16
            | Self::Unclosed
            | Self::AfterQuote { .. }
            | Self::SpaceBeforeQuote
            | Self::Cells { .. }
            | Self::NoHeader
            | Self::HeaderTwice(_) => None,
        }
    }
}

/// What is offered when a file seems to have another delimiter.
fn offer(seen: Delimiter) -> String {
    format!(
        "the first line seems to be separated by {seen}: --delimiter {} reads it",
        seen.argument()
    )
}

/// A problem and the line that it is in.
#[derive(Debug)]
pub struct InLine {
    pub line: u64,
    pub problem: CsvProblem,
}

/// A CSV file in memory, with its headers.
pub struct CsvFile {
    text: String,
    delimiter: Delimiter,
    pub headers: StringRecord,
    /// The line of the headers.
    pub first_line: u64,
    /// The delimiter that the headers seem to have, if it is not the given one.
    seen: Option<Delimiter>,
}

impl CsvFile {
    /// Takes the bytes of a file.
    pub fn new(bytes: Vec<u8>, delimiter: Delimiter) -> Result<Self, InLine> {
        let text = text(bytes)?;
        quotes(&text, delimiter)?;
        let mut file =
            Self { text, delimiter, headers: StringRecord::new(), first_line: 1, seen: None };
        let mut rows = file.rows();
        let read = rows.next().transpose()?;
        let Some((line, headers)) = read.filter(|(_, headers)| !headers.iter().all(str::is_empty))
        else {
            return Err(InLine { line: 1, problem: CsvProblem::NoHeader });
        };
        for (at, header) in headers.iter().enumerate() {
            if headers.iter().take(at).any(|earlier| earlier == header) {
                return Err(InLine { line, problem: CsvProblem::HeaderTwice(header.into()) });
            }
        }
        let first = headers.iter().next().filter(|_| headers.len() == 1);
        file.seen = first.and_then(|first| delimiter.seen(first));
        file.headers = headers;
        file.first_line = line;
        Ok(file)
    }

    /// The headers for an error that misses one, with the delimiter if it is probably another.
    pub fn found(&self) -> String {
        let headers: Vec<_> = self.headers.iter().map(|header| format!("{header:?}")).collect();
        match self.seen {
            Some(seen) => format!("{}; {}", headers.join(", "), offer(seen)),
            None => headers.join(", "),
        }
    }

    /// The length in bytes.
    pub const fn len(&self) -> u64 {
        self.text.len() as u64
    }

    /// The rows below the headers, each with the number of its line.
    pub fn records(&self) -> Rows<'_> {
        let mut rows = self.rows();
        // Reading it a second time finds what it found the first time.
        rows.next();
        rows.expected = Some(self.headers.len());
        rows.seen = self.seen;
        rows
    }

    fn rows(&self) -> Rows<'_> {
        let mut builder = ReaderBuilder::new();
        builder.has_headers(false).flexible(true).delimiter(self.delimiter.0);
        Rows {
            reader: builder.from_reader(self.text.as_bytes()),
            lines: Lines { text: &self.text, at: 0, line: 1 },
            expected: None,
            seen: None,
        }
    }
}

/// The rows of a file.
pub struct Rows<'f> {
    reader: csv::Reader<&'f [u8]>,
    lines: Lines<'f>,
    expected: Option<usize>,
    seen: Option<Delimiter>,
}

impl Rows<'_> {
    /// How many bytes are read.
    pub fn position(&self) -> u64 {
        self.reader.position().byte()
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<(u64, StringRecord), InLine>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut record = StringRecord::new();
        let before = self.reader.position().byte();
        let read = self.reader.read_record(&mut record);
        let line = self.lines.of_record_after(before);
        let failed = |problem| Some(Err(InLine { line, problem }));
        match (read, self.expected) {
            (Ok(false), _) => None,
            (Err(error), _) => failed(CsvProblem::Other(error)),
            (Ok(true), Some(expected)) if record.len() != expected => {
                let (found, seen) = (record.len(), self.seen);
                failed(CsvProblem::Cells { expected, found, seen })
            }
            (Ok(true), _) => Some(Ok((line, record))),
        }
    }
}

/// Numbers of lines, which end with a line feed, a carriage return, or both.
struct Lines<'t> {
    text: &'t str,
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of the record that begins at this byte or after it, behind empty lines.
    fn of_record_after(&mut self, byte: u64) -> u64 {
        let byte = usize::try_from(byte).unwrap_or(usize::MAX);
        let bytes = self.text.as_bytes();
        while let Some(found) = bytes.get(self.at) {
            let next = bytes.get(self.at.saturating_add(1));
            match found {
                b'\n' => self.line += 1,
                b'\r' if next != Some(&b'\n') => self.line += 1,
                b'\r' => {}
                _ if self.at >= byte => break,
                _ => {}
            }
            self.at += 1;
        }
        self.line
    }
}

/// The text of the file.
fn text(bytes: Vec<u8>) -> Result<String, InLine> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(InLine { line: 1, problem: CsvProblem::Utf16 });
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let before = bytes.get(..at).unwrap_or_default();
        let text = std::str::from_utf8(before).unwrap_or_default();
        let line = Lines { text, at: 0, line: 1 }.of_record_after(u64::MAX);
        let start = before.iter().rposition(|byte| matches!(byte, b'\n' | b'\r'));
        let column = at - start.map_or(0, |start| start + 1) + 1;
        let byte = bytes.get(at).copied().unwrap_or_default();
        InLine { line, problem: CsvProblem::NotUtf8 { byte, column } }
    })
}

/// Whether every quoted cell is closed, and ends there.
fn quotes(text: &str, delimiter: Delimiter) -> Result<(), InLine> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut line, mut opened, mut bytes) = (1, 1, text.bytes().peekable());
    // Whether a cell begins here, whether all of it was spaces, and whether this is inside of a quoted one.
    let (mut begins, mut blank, mut quoted) = (true, false, false);
    while let Some(byte) = bytes.next() {
        let end = byte == b'\n' || byte == b'\r' && bytes.peek() != Some(&b'\n');
        line += u64::from(end);
        match byte {
            b'"' if quoted => match bytes.peek().copied() {
                Some(b'"') => drop(bytes.next()),
                None | Some(b'\n' | b'\r') => quoted = false,
                Some(next) if next == delimiter.0 => quoted = false,
                Some(_) => {
                    return Err(InLine { line, problem: CsvProblem::AfterQuote { opened } });
                }
            },
            b'"' if begins => (quoted, opened, begins) = (true, line, false),
            b'"' if blank => return Err(InLine { line, problem: CsvProblem::SpaceBeforeQuote }),
            _ if quoted => {}
            _ => {
                blank = (begins || blank) && matches!(byte, b' ' | b'\t');
                begins = byte == delimiter.0 || matches!(byte, b'\n' | b'\r');
            }
        }
    }
    match quoted {
        true => Err(InLine { line: opened, problem: CsvProblem::Unclosed }),
        false => Ok(()),
    }
}
