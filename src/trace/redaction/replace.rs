//! Replaces the values of a host call, in the buffer where its event lies.

use super::{
    chosen::Redaction,
    pseudonym::{Class, Walk},
    shape::{Message, Shape},
};
use crate::{abi::Status, audit::FunctionId};

impl Redaction {
    /// Redacts request and response of a host call in place. As many bytes of the response as the
    /// status says are the answer; the rest was written and taken back.
    pub(in crate::trace) fn host_call(
        &self,
        function: FunctionId,
        request: &mut [u8],
        response: &mut [u8],
        status: i32,
    ) {
        let answered = usize::try_from(status).unwrap_or(0);
        let (answer, mut rest) = response.split_at_mut(answered.min(response.len()));
        // The length that would do is the host's word.
        if status == Status::BufferTooSmall.code() {
            rest = rest.get_mut(4..).unwrap_or_default();
        }
        // Read before it is redacted.
        let shape = self.shape(function, request);
        let redacted = match shape {
            Shape::Open => Some(()),
            Shape::Closed => None,
            Shape::Known(ref message) => {
                self.request(message, request).and_then(|()| self.answer(message, answer))
            }
        };
        if redacted.is_none() {
            Walk::new(&self.key, request).rest(Class::Binary);
            Walk::new(&self.key, answer).rest(Class::Binary);
        }
        if !matches!(shape, Shape::Open) {
            Walk::new(&self.key, rest).rest(Class::Binary);
        }
    }

    fn request(&self, message: &Message<'_>, request: &mut [u8]) -> Option<()> {
        let mut walk = Walk::new(&self.key, request);
        match message {
            Message::Config | Message::LastError | Message::Ids | Message::Read { .. } => {}
            Message::Log => {
                walk.u8()?;
                walk.redact_text(Class::Text)?;
                walk.finish()?;
            }
            Message::Metric => {
                walk.u8()?;
                walk.text()?;
                for _ in 0..walk.varint()? {
                    walk.text()?;
                    walk.redact_text(Class::Text)?;
                }
                walk.redact(8, Class::Float)?;
                walk.finish()?;
            }
            Message::Write { columns, values_at } => {
                walk.go_to(*values_at);
                for _ in 0..walk.varint()? {
                    if walk.u8()? == 1 {
                        walk.varint()?;
                    }
                    walk.values(*columns)?;
                }
                walk.finish()?;
            }
            Message::Search { vector, query_at, filter_at, table, .. } => {
                if *vector {
                    walk.go_to(*query_at);
                    walk.redact_text(Class::Binary)?;
                }
                walk.go_to(*filter_at);
                for _ in 0..walk.varint()? {
                    let is = self.is_chosen(table, walk.text()?);
                    walk.u8()?;
                    walk.value(Some(is))?;
                }
            }
            Message::Lookup { index, query_at, .. } => {
                walk.go_to(*query_at);
                walk.query(Some(*index))?;
                walk.u8()?;
                if walk.u8()? == 1 {
                    walk.varint()?;
                }
                if walk.u8()? == 1 && *index != 0 {
                    walk.redact_text(Class::Binary)?;
                }
            }
        }
        Some(())
    }

    fn answer(&self, message: &Message<'_>, answer: &mut [u8]) -> Option<()> {
        // A failure answers nothing.
        if answer.is_empty() {
            return Some(());
        }
        let mut walk = Walk::new(&self.key, answer);
        match message {
            Message::Log | Message::Metric | Message::Ids | Message::Write { .. } => Some(()),
            Message::Config => walk.value(Some(true)),
            Message::LastError => walk.redact_text(Class::Text),
            Message::Read { columns: 0, .. } => Some(()),
            Message::Read { toon: true, .. } => walk.redact_text(Class::Text),
            Message::Read { columns, .. } => walk.answered(*columns),
            Message::Search { vector, columns, .. } => {
                for _ in 0..walk.varint()? {
                    walk.varint()?;
                    if *vector {
                        walk.redact(4, Class::Single)?;
                    } else {
                        walk.skip(4)?;
                    }
                    walk.values(*columns)?;
                }
                Some(())
            }
            Message::Lookup { index, columns, .. } => {
                walk.answered(*columns)?;
                if walk.u8()? == 1 && *index != 0 {
                    walk.redact_text(Class::Binary)?;
                }
                Some(())
            }
        }
    }
}
