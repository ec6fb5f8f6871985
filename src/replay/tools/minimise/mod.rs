//! Shrinks a failing trace: fewer calls, fewer rows, shorter answers, as long as it fails in the
//! same way.
//!
//! Every try runs the plugins again; answers go to whoever asks the same function next. What is left
//! is recorded again, so that it is a whole trace. The same trace and plugins give the same result.

mod answer;
mod calls;
mod ddmin;
mod failure;
mod minimiser;
mod result;
mod rust_test;
mod search;
mod settings;

pub use failure::{Failure, MinimiseError};
pub use result::{Minimised, Progress};
pub use settings::Minimiser;
