//! Which recorded calls other grants or limits would deny.

mod denial;
mod judge;

pub use denial::{Denial, Refusal, WhatIf};
pub use judge::what_if;
