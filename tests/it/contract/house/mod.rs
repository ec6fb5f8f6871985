//! The house: files and functions have a size that can be read at once, no files import each other in a
//! circle, and every room uses only those below it, as ARCHITECTURE.md draws them.

mod crates;
mod imports;
mod plan;
mod sizes;
