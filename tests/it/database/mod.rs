//! The engine over storages in RAM: rows, indexes, vectors, limits, atomicity, damage.

mod atomicity;
#[cfg(feature = "replay")]
mod conformance;
mod corruption;
mod index;
mod index_model;
mod limits;
mod rows;
mod vectors;
