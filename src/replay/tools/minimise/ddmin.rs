//! Delta debugging: fewer items, as long as it still fails.

use alloc::vec::Vec;

/// What a try says: whether it still fails; `None` if the search is over and nothing was tried.
pub(super) type Verdict = Option<bool>;

/// As few of `items`, in their order, as `fails` still says yes to. It is asked with parts of them:
/// none at first, then halves, quarters and so on left out, until no single one can be, or the search is
/// over. The same answers give the same result.
pub(super) fn ddmin<T: Clone>(items: Vec<T>, mut fails: impl FnMut(&[T]) -> Verdict) -> Vec<T> {
    if items.is_empty() {
        return items;
    }
    match fails(&[]) {
        Some(true) => Vec::new(),
        Some(false) => ddmin_to(items, usize::MAX, fails),
        None => items,
    }
}

/// As [`ddmin`], without the try with none, and with no more than so many parts.
pub(super) fn ddmin_to<T: Clone>(
    items: Vec<T>,
    parts: usize,
    mut fails: impl FnMut(&[T]) -> Verdict,
) -> Vec<T> {
    let mut items = items;
    let least = items.len().div_ceil(parts.max(1)).max(1);
    let mut chunk = items.len().div_ceil(2);
    loop {
        let mut at = 0;
        let mut fewer = false;
        while at < items.len() {
            let end = (at + chunk).min(items.len());
            let mut without = items.clone();
            without.drain(at..end);
            // That nothing is not enough is known.
            let verdict = if without.is_empty() { Some(false) } else { fails(&without) };
            match verdict {
                Some(true) => {
                    items = without;
                    fewer = true;
                }
                Some(false) => at = end,
                None => return items,
            }
        }
        match chunk <= least {
            true if !fewer || least > 1 => return items,
            true => {}
            false => chunk = chunk.div_ceil(2).max(least),
        }
    }
}

/// A length below `len` that `fails` says yes to, as short as halving finds before the search is over;
/// `None` if no shorter one fails.
pub(super) fn shortest(len: usize, mut fails: impl FnMut(usize) -> Verdict) -> Option<usize> {
    if len == 0 {
        return None;
    }
    match fails(0) {
        Some(true) => return Some(0),
        Some(false) => {}
        None => return None,
    }
    let (mut low, mut high) = (0, len);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        match fails(middle) {
            Some(true) => high = middle,
            Some(false) => low = middle,
            None => break,
        }
    }
    (high < len).then_some(high)
}
