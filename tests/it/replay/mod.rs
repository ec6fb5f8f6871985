//! Replays of traces and the tools above them.

mod bless;
mod broken_off;
mod corpus;
mod diff;
mod divergence;
mod grants;
mod job;
mod limits;
mod minimise;
mod report;
mod shown;
