//! A panic inside the interpreter while it loads a module becomes an error: the last net, where panics
//! can be caught.
//!
//! It is for faults that are not known yet. Nothing here makes a call of a plugin safe from panics:
//! the interpreter's frames of running code cannot be unwound, and a panic under them may end the
//! process.

use crate::host::error::Loading;

/// What `load` returns, or [`LoadError::Interpreter`](crate::host::LoadError::Interpreter) with the text of
/// its panic. The panic hook was called before, so by default the text is on stderr too.
///
/// `load` must leave nothing half done that is used after an error. What it makes is gone by then, and
/// what it is lent is only read, or dropped by the caller.
#[cfg(feature = "std")]
pub(crate) fn catch_panic<T>(load: impl FnOnce() -> Loading<T>) -> Loading<T> {
    use alloc::{boxed::Box, string::String};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use crate::host::LoadError;

    catch_unwind(AssertUnwindSafe(load)).unwrap_or_else(|panic| {
        let reason = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
            (Some(text), _) => (*text).into(),
            (None, Some(text)) => text.clone(),
            (None, None) => "no text".into(),
        };
        Err(Box::new(LoadError::Interpreter { reason }))
    })
}

/// Without `std` nothing can be caught.
#[cfg(not(feature = "std"))]
pub(crate) fn catch_panic<T>(load: impl FnOnce() -> Loading<T>) -> Loading<T> {
    load()
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use alloc::boxed::Box;

    use super::catch_panic;
    use crate::host::error::LoadError;

    fn caught(load: fn()) -> LoadError {
        *catch_panic(|| {
            load();
            Ok(())
        })
        .unwrap_err()
    }

    #[test]
    fn a_panic_becomes_an_error_with_its_text() {
        let reason = |text: &str| LoadError::Interpreter { reason: text.into() };
        assert_eq!(caught(|| panic!("as it is")), reason("as it is"));
        assert_eq!(caught(|| panic!("with {}", 7)), reason("with 7"));
        assert_eq!(caught(|| std::panic::panic_any(7)), reason("no text"));
    }

    #[test]
    fn what_is_returned_is_passed_on() {
        assert_eq!(catch_panic(|| Ok(7)), Ok(7));
        assert_eq!(
            catch_panic::<()>(|| Err(LoadError::NotWasm.into())),
            Err(Box::new(LoadError::NotWasm))
        );
    }
}
