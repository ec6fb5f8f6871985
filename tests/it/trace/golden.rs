//! The trace of the main job is the same, byte for byte, on every target.
//!
//! `BLESS=1 cargo test --all-features --test it trace::golden` writes the committed line anew.

use crate::{compare, golden_trace as trace, lines};

const WEATHER: &[u8] = include_bytes!("../../../examples/plugins/weather.wasm");
const COUNTER: &str = include_str!("../../../examples/plugins/counter.wat");
const DAYS: &str = include_str!("../../../examples/data/seattle-weather.csv");

#[test]
fn the_trace_of_the_main_job_is_the_committed_one() {
    let counter = wat::parse_str(COUNTER).unwrap();
    let mut line = String::new();
    let mut watch = trace::watch(&mut line);
    lines::write_lines_watched(&mut String::new(), WEATHER, &counter, DAYS, &mut watch).unwrap();
    drop(watch);
    compare::compare("trace.txt", &line);
}
