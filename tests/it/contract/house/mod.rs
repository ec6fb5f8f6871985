//! The house: no files import each other in a circle, and no rooms do.

mod crates;
mod imports;
