//! All of an event, field by field, for people and for tools.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{explain, names::Names};
use crate::{
    abi::{
        inspect::{Field, Fields},
        wire::WireError,
    },
    trace::{Data, Event, HostCallEvent},
};

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

    /// Why the request of a host call cannot be decoded, if its bytes are those that were asked.
    pub(super) fn malformed(&self, call: &HostCallEvent<'_>) -> Option<WireError> {
        match call.request {
            Data::Full(request) if !self.is_redacted() => {
                explain::malformed(call.function, request)
            }
            _ => None,
        }
    }

    fn request(&self, call: &HostCallEvent<'_>) -> Option<Vec<Field>> {
        let Data::Full(request) = call.request else { return None };
        explain::request(self, call.function, request).filter(|fields| !fields.is_empty())
    }

    fn response(&self, call: &HostCallEvent<'_>) -> Option<Vec<Field>> {
        let (Data::Full(request), Data::Full(response)) = (call.request, call.response) else {
            return None;
        };
        let answered = call.status >= 0 && !response.is_empty();
        let fields =
            answered.then(|| explain::response(self, call.function, request, response))??;
        Some(fields).filter(|fields| !fields.is_empty())
    }
}

/// The path of the first differing field of two messages, and both sides. An item that only one of
/// them has is shown whole, and of the other one how many it has.
pub(super) fn difference(
    a: Option<&Field>,
    b: Option<&Field>,
    all_a: &[Field],
    all_b: &[Field],
) -> (String, String, String) {
    let (Some(x), Some(y)) = (a, b) else {
        let (path, all) = match (a, b) {
            (Some(field), _) => (&field.path, all_a),
            (None, Some(field)) => (&field.path, all_b),
            (None, None) => return (String::new(), String::new(), String::new()),
        };
        let whole = item(path, all);
        let (a, b) =
            if a.is_some() { (whole, "nothing".into()) } else { ("nothing".into(), whole) };
        return (path.clone(), a, b);
    };
    if x.path == y.path {
        return (x.path.clone(), x.value.clone(), y.value.clone());
    }
    let inside = |outer: &Field, inner: &Field| {
        inner.path.strip_prefix(outer.path.as_str()).is_some_and(|rest| rest.starts_with('['))
    };
    if inside(x, y) {
        return (x.path.clone(), x.value.clone(), items(&x.path, all_b));
    }
    if inside(y, x) {
        return (y.path.clone(), items(&y.path, all_a), y.value.clone());
    }
    // One of two lists is longer.
    for (of, all, first) in [(x, all_a, true), (y, all_b, false)] {
        let Some((list, _)) = of.path.rsplit_once(']').and_then(|(p, _)| p.rsplit_once('[')) else {
            continue;
        };
        let other = if first { all_b } else { all_a };
        if other.iter().any(|field| field.path.starts_with(item_path(&of.path))) {
            continue;
        }
        let (whole, rest) = (item(&of.path, all), items(list, other));
        let path = item_path(&of.path).to_string();
        return if first { (path, whole, rest) } else { (path, rest, whole) };
    }
    (x.path.clone(), x.value.clone(), format!("nothing, but {} = {}", y.path, y.value))
}

/// Up to the end of the first index: `rows[3]` of `rows[3].temp_max`.
fn item_path(path: &str) -> &str {
    path.split_inclusive(']').next().unwrap_or(path)
}

/// The fields of the item that a field is in.
fn item(path: &str, all: &[Field]) -> String {
    let item = item_path(path);
    let inside = all.iter().filter(|field| field.path.starts_with(item)).map(|field| {
        let name = field.path.get(item.len()..).unwrap_or_default();
        match name.trim_start_matches('.') {
            "" => field.value.clone(),
            name => format!("{name} = {}", field.value),
        }
    });
    inside.collect::<Vec<_>>().join(", ")
}

/// How many items a list has, and the first of them.
fn items(list: &str, all: &[Field]) -> String {
    let list = list.split('[').next().unwrap_or(list);
    let mut paths: Vec<&str> = all
        .iter()
        .map(|field| field.path.as_str())
        .filter(|path| path.strip_prefix(list).is_some_and(|rest| rest.starts_with('[')))
        .map(item_path)
        .collect();
    paths.dedup();
    match paths.as_slice() {
        [] => "empty".into(),
        [one] => format!("1 item: {}", item(one, all)),
        [first, ..] => format!("{} items, the first: {}", paths.len(), item(first, all)),
    }
}
