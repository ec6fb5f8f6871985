//! The first difference of two traces.

mod call;
mod comparison;
mod report;
mod side;

pub use comparison::diff;
pub use report::{Diff, DiffError, DiffOptions};
