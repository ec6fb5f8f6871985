//! The first difference of two lists of fields, as a path and both sides. It knows no event.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use crate::abi::inspect::Field;

/// The path of the first differing field of two messages, and both sides. An item that only one of
/// them has is shown whole, and of the other one how many it has.
pub(in crate::replay) fn difference(
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
