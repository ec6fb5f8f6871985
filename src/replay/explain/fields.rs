//! All of an event, field by field, for people and for tools.

use alloc::{string::String, vec::Vec};

use super::{difference, names::Names};
use crate::{
    abi::{
        inspect::{Field, Fields},
        wire::WireError,
    },
    trace::{Data, Event, HostCallEvent},
};

/// How much of a request is shown in one line, in characters, and of one of its fields.
const REQUEST_LINE: usize = 100;

impl Names {
    /// The fields of an event. The request and the answer of SochDB's host functions are decoded,
    /// with columns by name: `request.table`, `response.rows[3].temp_max`. What cannot be decoded
    /// stands in hexadecimal, under `request` and `response`; `request.malformed` says why.
    #[must_use]
    pub fn fields(&self, event: &Event<'_>) -> Vec<Field> {
        let fields = Fields::of(event);
        let Event::HostCall(call) = event else { return fields };
        let mut decoded = Vec::new();
        for field in fields {
            let inside = match &*field.path {
                "request" => self.request(call),
                "response" => self.response(call),
                _ => None,
            };
            match inside {
                None => {
                    let malformed = (field.path == "request").then(|| self.malformed(call));
                    decoded.push(field);
                    if let Some(error) = malformed.flatten() {
                        let path = "request.malformed".into();
                        decoded.push(Field { path, value: alloc::format!("{error}") });
                    }
                }
                Some(inside) => decoded.extend(inside.into_iter().map(|inner| Field {
                    path: alloc::format!("{}.{}", field.path, inner.path),
                    value: inner.value,
                })),
            }
        }
        decoded
    }

    /// What a host call asks for, in one line: the fields of its request, without the table, the columns
    /// and what is left at its default: `index="by_date" limit=3`. A long request is cut.
    #[must_use]
    pub fn request_line(&self, call: &HostCallEvent<'_>) -> String {
        let mut line = String::new();
        let fields = self.fields(&Event::HostCall(*call));
        let asked = fields.iter().filter_map(|field| {
            let path = field.path.strip_prefix("request")?;
            Some((path.strip_prefix('.').unwrap_or("request"), field.value.as_str()))
        });
        for (path, value) in asked {
            let left_out = path == "table" || path.starts_with("columns");
            if left_out || matches!(value, "none" | "false" | "unbounded" | "empty") {
                continue;
            }
            if line.len() > REQUEST_LINE {
                line += " …";
                break;
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line += path;
            line.push('=');
            match value.char_indices().nth(REQUEST_LINE) {
                None => line += value,
                Some((at, _)) => {
                    line += value.get(..at).unwrap_or_default();
                    line.push('…');
                }
            }
        }
        line
    }

    /// Why the request of a host call cannot be decoded, if its bytes are those that were asked.
    pub(in crate::replay) fn malformed(&self, call: &HostCallEvent<'_>) -> Option<WireError> {
        if let Data::Full(request) = call.request
            && !self.is_redacted()
        {
            difference::malformed(call.function, request)
        } else {
            None
        }
    }

    fn request(&self, call: &HostCallEvent<'_>) -> Option<Vec<Field>> {
        let Data::Full(request) = call.request else { return None };
        difference::request(self, call.function, request).filter(|fields| !fields.is_empty())
    }

    fn response(&self, call: &HostCallEvent<'_>) -> Option<Vec<Field>> {
        let (Data::Full(request), Data::Full(response)) = (call.request, call.response) else {
            return None;
        };
        let answered = call.status >= 0 && !response.is_empty();
        let fields =
            answered.then(|| difference::response(self, call.function, request, response))??;
        Some(fields).filter(|fields| !fields.is_empty())
    }
}
