//! Why an unchanged plugin does something else: a guess at the cause of a divergence.
//!
//! A module is deterministic, so a divergence means that its inputs differed, or that the hosts compute
//! differently. Which input it was is a guess, and the report names what the guess rests on: a value that
//! stands in the input or in an answer, or else the last answer up to which everything was the same, fuel
//! included.

use alloc::{format, string::String, vec, vec::Vec};

use super::{difference::Difference, divergence::Cause, names::Names};
use crate::{
    abi::wire::Writer,
    host::tape::Recorded,
    trace::{Data, Event},
};

/// What a plugin was given in a call until it diverged.
pub(in crate::replay) struct Evidence<'a> {
    pub(in crate::replay) names: &'a Names,
    pub(in crate::replay) input: &'a [u8],
    /// The host calls of the call that were answered, oldest first.
    pub(in crate::replay) answered: &'a [Recorded],
    /// Hosts with these features may compute differently.
    pub(in crate::replay) other_features: bool,
}

impl Evidence<'_> {
    /// The likely cause of a difference, and what speaks for it.
    pub(in crate::replay) fn cause(&self, difference: &Difference) -> (Cause, String) {
        let expected = encodings(&difference.expected.value);
        let got = encodings(&difference.got.value);
        let tells = |bytes: &[u8]| stands_in(&got, bytes) && !stands_in(&expected, bytes);
        if tells(self.input) {
            return (Cause::DifferentInput, "the value is in the input".into());
        }
        let mut last = None;
        for recorded in self.answered.iter().rev() {
            let Event::HostCall(call) = recorded.event() else { continue };
            let Data::Full(response) = call.response else { continue };
            if response.is_empty() {
                continue;
            }
            let (number, function) = (recorded.number, self.names.function(call.function));
            if tells(response) {
                let because = format!("the value is in the answer of {function}, #{number}");
                return (Cause::DifferentAnswer, because);
            }
            last = last.or(Some((number, function)));
        }
        match last {
            _ if self.other_features => {
                let because = "it was recorded by a build with other features";
                (Cause::DifferentRequest, because.into())
            }
            Some((number, function)) => {
                let because =
                    format!("everything was equal up to the answer of {function}, #{number}");
                (Cause::DifferentAnswer, because)
            }
            None if !self.input.is_empty() => {
                (Cause::DifferentInput, "nothing was answered before it".into())
            }
            None => (Cause::DifferentRequest, "it had received nothing before".into()),
        }
    }
}

/// How a value that a report shows may stand in bytes. What is so short that it stands everywhere
/// is not among them.
fn encodings(value: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    if let Some(text) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
        // What is escaped does not stand there like this.
        found.extend((!text.contains('\\')).then(|| text.as_bytes().to_vec()));
    } else if let Some((_, digits)) = value.split_once(" bytes ") {
        found.extend(bytes(digits));
    } else if let Ok(number) = value.parse::<i64>() {
        found.push(written(|writer| writer.i64(number)));
        found.push(number.to_le_bytes().to_vec());
        found.extend(i32::try_from(number).ok().map(|number| number.to_le_bytes().to_vec()));
        found.extend(u64::try_from(number).ok().map(|number| written(|writer| writer.u64(number))));
    } else if let Ok(number) = value.parse::<f64>() {
        found.push(number.to_le_bytes().to_vec());
        found.push((number as f32).to_le_bytes().to_vec());
    }
    found.retain(|bytes| bytes.len() > 1);
    found
}

fn written(write: impl Fn(&mut Writer<'_>)) -> Vec<u8> {
    let mut bytes = vec![0; 10];
    let mut writer = Writer::new(&mut bytes);
    write(&mut writer);
    let len = writer.position();
    bytes.truncate(len);
    bytes
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
            _ => None,
        })
        .collect()
}

/// Whether one of the values stands somewhere in `bytes`. Two bytes say nothing of many.
fn stands_in(values: &[Vec<u8>], bytes: &[u8]) -> bool {
    let short = if bytes.len() < 4096 { 2 } else { 3 };
    values
        .iter()
        .filter(|value| value.len() >= short)
        .any(|value| bytes.windows(value.len()).any(|window| window == value.as_slice()))
}

/// A text without its numbers, which change when a trace is shortened.
pub(in crate::replay) fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '0'..='9' if out.ends_with('#') => {}
            '0'..='9' => out.push('#'),
            other => out.push(other),
        }
    }
    out
}
