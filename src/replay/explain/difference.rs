//! From two different things to the first field in which they differ.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt::Write;

use super::{
    divergence::{Cause, Side},
    names::Names,
};
use crate::{
    abi::{
        Builtin,
        inspect::{Field, Fields},
        message::*,
        wire,
    },
    audit::FunctionId,
    for_each_host_function,
    host::tape::Got,
    trace::{CallOut, Data, Ending, Event},
};

/// Bytes of hexadecimal that a report shows.
const SHOWN: usize = 256;

/// A difference, before it is known which call it is in.
pub(in crate::replay) struct Difference {
    pub(in crate::replay) field: Option<String>,
    pub(in crate::replay) expected: Side,
    pub(in crate::replay) got: Side,
}

impl Difference {
    pub(in crate::replay) fn of_values(
        field: &str,
        expected: impl ToString,
        got: impl ToString,
    ) -> Self {
        Self {
            field: Some(field.into()),
            expected: Side::of(expected.to_string()),
            got: Side::of(got.to_string()),
        }
    }
}

macro_rules! decoders {
    ($($type:ident, $name:ident, $request:ty, $response:ty, $capability:ident, $doc:literal;)*) => {
        /// The fields of a request of SochDB's functions; `None` if it is malformed or another's.
        fn request_fields(function: FunctionId, bytes: &[u8]) -> Option<Vec<Field>> {
            match function.name()? {
                $(stringify!($name) => fields::<$request>(bytes),)*
                _ => None,
            }
        }

        /// Why a request of SochDB's functions cannot be decoded; `None` if it can be, or is another's.
        pub(in crate::replay) fn malformed(function: FunctionId, bytes: &[u8]) -> Option<wire::WireError> {
            match function.name()? {
                $(stringify!($name) => wire::decode::<$request>(bytes).err(),)*
                _ => None,
            }
        }

        fn plain_response_fields(function: FunctionId, bytes: &[u8]) -> Option<Vec<Field>> {
            match function.name()? {
                $(stringify!($name) => fields::<$response>(bytes),)*
                _ => None,
            }
        }
    };
}
for_each_host_function!(decoders);

fn fields<'a, T: wire::Wire<'a> + crate::abi::inspect::Inspect>(
    bytes: &'a [u8],
) -> Option<Vec<Field>> {
    Some(Fields::of(&wire::decode::<T>(bytes).ok()?))
}

/// The fields of a request, columns by name.
pub(in crate::replay) fn request(
    names: &Names,
    function: FunctionId,
    bytes: &[u8],
) -> Option<Vec<Field>> {
    let mut fields = request_fields(function, bytes)?;
    if let Some(columns) = columns(names, function, bytes) {
        Names::name_values(&columns, &mut fields);
    }
    Some(fields)
}

/// The fields of a response to a request, columns by name.
pub(in crate::replay) fn response(
    names: &Names,
    function: FunctionId,
    request: &[u8],
    bytes: &[u8],
) -> Option<Vec<Field>> {
    let toon = function.builtin() == Some(Builtin::SochRead)
        && wire::decode::<ReadRequest<'_>>(request).is_ok_and(|r| r.format == Format::Toon);
    let mut fields = match toon {
        true => fields::<ToonResponse<'_>>(bytes)?,
        false => plain_response_fields(function, bytes)?,
    };
    if let Some(columns) = columns(names, function, request) {
        Names::name_values(&columns, &mut fields);
    }
    Some(fields)
}

/// The columns that a request names, or those of its table.
fn columns(names: &Names, function: FunctionId, request: &[u8]) -> Option<Vec<String>> {
    let owned = |columns: crate::abi::Seq<'_, &str>, table: &str| -> Vec<String> {
        match columns.is_empty() {
            true => names.columns(table).to_vec(),
            false => columns.iter().map(String::from).collect(),
        }
    };
    match function.builtin()? {
        Builtin::SochRead => {
            let request: ReadRequest<'_> = wire::decode(request).ok()?;
            Some(owned(request.columns, request.table))
        }
        Builtin::SochWrite => {
            let request: WriteRequest<'_> = wire::decode(request).ok()?;
            Some(owned(request.columns, request.table))
        }
        Builtin::VectorSearch => {
            let request: SearchRequest<'_> = wire::decode(request).ok()?;
            Some(owned(request.columns?, request.table))
        }
        Builtin::IndexLookup => {
            let request: LookupRequest<'_> = wire::decode(request).ok()?;
            Some(owned(request.columns?, request.table))
        }
        Builtin::SochDelete
        | Builtin::EmitMetric
        | Builtin::LogMessage
        | Builtin::GetConfig
        | Builtin::LastError
        | Builtin::CallPlugin => None,
    }
}

/// The function that a plugin asked, and its request: decoded if it can be, or in hexadecimal.
pub(in crate::replay) fn asked(names: &Names, got: &Got) -> (String, String) {
    match got {
        Got::HostCall { function, absent: Some(len), .. } => {
            (names.function(*function), format!("{len} bytes that are not in memory"))
        }
        Got::HostCall { function, request, capacity, .. } => {
            let mut text = request_text(names, *function, request);
            let _ = write!(text, ", for {capacity} bytes of response");
            (names.function(*function), text)
        }
        Got::Growth { asked } => ("memory.grow".into(), format!("{asked} bytes")),
        Got::Slice => ("slice".into(), String::new()),
    }
}

/// A request in one line: decoded if it can be, or in hexadecimal.
fn request_text(names: &Names, function: FunctionId, request: &[u8]) -> String {
    match self::request(names, function, request) {
        Some(fields) => fields
            .iter()
            .map(|field| format!("{} = {}", field.path, field.value))
            .collect::<Vec<_>>()
            .join(", "),
        None => match malformed(function, request) {
            Some(error) => format!("{}, which is malformed: {error}", hex(request)),
            None => hex(request),
        },
    }
}

/// What differs between what was recorded and what the plugin did.
pub(in crate::replay) fn difference(names: &Names, expected: &Event<'_>, got: &Got) -> Difference {
    let (function, request, capacity) = match got {
        Got::HostCall { function, request, absent: None, capacity } => {
            (*function, request.as_slice(), *capacity)
        }
        Got::HostCall { function, absent: Some(len), .. } => {
            let got = format!(
                "a call of {} with a request of {len} bytes that are not in memory",
                names.function(*function)
            );
            return Difference::of_values("request", shown(names, expected), got);
        }
        Got::Growth { asked } => {
            let got = format!("growth of linear memory to {asked} bytes, refused");
            return Difference::of_values("event", shown(names, expected), got);
        }
        Got::Slice => {
            return Difference::of_values("event", shown(names, expected), "the end of a slice");
        }
    };
    let Event::HostCall(call) = expected else {
        let got = format!("a call of {}", names.function(function));
        return Difference {
            field: Some("event".into()),
            expected: Side { value: shown(names, expected), ..Side::default() },
            got: Side { value: got, ..bytes_side(request) },
        };
    };
    if call.function != function {
        let side = |function: FunctionId, request: &[u8]| {
            let text = request_text(names, function, request);
            let value = format!("{} with {text}", names.function(function));
            Side { value, ..bytes_side(request) }
        };
        let expected = match call.request {
            Data::Full(recorded) => side(call.function, recorded),
            Data::Digest { .. } | Data::Absent { .. } => Side::of(names.function(call.function)),
        };
        let got = side(function, request);
        return Difference { field: Some("function".into()), expected, got };
    }
    let Data::Full(recorded) = call.request else {
        let got = format!("{} bytes", request.len());
        return Difference::of_values("request", shown(names, expected), got);
    };
    if recorded == request {
        return Difference::of_values("response capacity", call.capacity, capacity);
    }
    let sides = (self::request(names, function, recorded), self::request(names, function, request));
    bytes_difference("request", recorded, request, sides)
}

/// The first field in which two messages differ, or the first byte if they cannot be decoded.
pub(in crate::replay) fn bytes_difference(
    what: &str,
    expected: &[u8],
    got: &[u8],
    fields: (Option<Vec<Field>>, Option<Vec<Field>>),
) -> Difference {
    let (field, expected_value, got_value) = match fields {
        (Some(a), Some(b)) if a != b => {
            let fields = (a.clone(), b.clone());
            let at = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
            let (a, b) = (a.get(at), b.get(at));
            let (path, a, b) =
                crate::replay::explain::field_difference::difference(a, b, &fields.0, &fields.1);
            (format!("{what}.{path}"), a, b)
        }
        _ => {
            let at = expected.iter().zip(got).take_while(|(a, b)| a == b).count();
            let value = |bytes: &[u8]| match bytes.get(at) {
                Some(byte) => format!("{byte:#04x}"),
                None => format!("the end, after {} bytes", bytes.len()),
            };
            (format!("{what}[{at}]"), value(expected), value(got))
        }
    };
    Difference {
        field: Some(field),
        expected: Side { value: expected_value, ..bytes_side(expected) },
        got: Side { value: got_value, ..bytes_side(got) },
    }
}

/// A side that has these bytes.
pub(in crate::replay) fn bytes_side(bytes: &[u8]) -> Side {
    Side { hex: hex(bytes), bytes: bytes.to_vec(), ..Side::default() }
}

/// The first difference between two ends of a call, fuel and memory last, with the cause that these
/// are; `None` if they are equal in what is compared.
pub(in crate::replay) fn end_difference(
    expected: &CallOut<'_>,
    got: &CallOut<'_>,
    compared: Compared,
) -> Option<(Difference, Option<Cause>)> {
    if compared.ending && expected.ending != got.ending {
        let text = |call: &CallOut<'_>| {
            if let Data::Full(text) = call.output
                && call.ending != Ending::Output
            {
                format!("{} ({})", call.ending.as_str(), String::from_utf8_lossy(text))
            } else {
                call.ending.as_str().to_string()
            }
        };
        return Some((Difference::of_values("ending", text(expected), text(got)), None));
    }
    if compared.ending && expected.code != got.code {
        return Some((Difference::of_values("code", expected.code, got.code), None));
    }
    if compared.ending
        && compared.trap
        && expected.ending == Ending::Trap
        && let (Data::Full(a), Data::Full(b)) = (expected.output, got.output)
        && a != b
    {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        return Some((Difference::of_values("trap", text(a), text(b)), None));
    }
    if compared.ending
        && expected.ending == Ending::Output
        && let (Data::Full(a), Data::Full(b)) = (expected.output, got.output)
        && a != b
    {
        return Some((bytes_difference("output", a, b, (None, None)), None));
    }
    if compared.fuel && expected.fuel_left != got.fuel_left {
        let difference = Difference::of_values("fuel", expected.fuel_left, got.fuel_left);
        return Some((difference, Some(Cause::Fuel)));
    }
    if compared.memory && expected.memory_bytes != got.memory_bytes {
        let (a, b) = (expected.memory_bytes, got.memory_bytes);
        return Some((Difference::of_values("memory bytes", a, b), Some(Cause::Memory)));
    }
    if compared.memory
        && let (Some(a), Some(b)) = (expected.memory, got.memory)
        && a != b
    {
        return Some((Difference::of_values("digest of linear memory", a, b), Some(Cause::Memory)));
    }
    None
}

/// What of a call's end is compared.
#[derive(Clone, Copy)]
pub(in crate::replay) struct Compared {
    pub(in crate::replay) ending: bool,
    /// The texts of traps too: both are of the same interpreter.
    pub(in crate::replay) trap: bool,
    pub(in crate::replay) fuel: bool,
    pub(in crate::replay) memory: bool,
}

/// An event in words.
pub(in crate::replay) fn shown(names: &Names, event: &Event<'_>) -> String {
    let line = crate::replay::explain::event_text::Line { number: 0, event, names }.to_string();
    line.strip_prefix("#0 ").unwrap_or(&line).to_string()
}

/// Bytes in hexadecimal, cut visibly.
fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes.iter().take(SHOWN) {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    if bytes.len() > SHOWN {
        let _ = write!(text, "… ({} bytes)", bytes.len());
    }
    text
}
