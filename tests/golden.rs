//! The main job gives the same bits on every target, in every profile, with every dispatch of the
//! interpreter.
//!
//! `BLESS=1 cargo test --test golden --test dispatch` writes the committed lines anew.

extern crate alloc;

#[path = "golden/compare.rs"]
mod compare;
#[path = "golden/lines.rs"]
mod lines;

const WEATHER: &[u8] = include_bytes!("../examples/plugins/weather.wasm");
const COUNTER: &str = include_str!("../examples/plugins/counter.wat");
const DAYS: &str = include_str!("../examples/data/seattle-weather.csv");

#[test]
fn the_main_job_gives_the_committed_lines() {
    let mut text = String::new();
    let counter = wat::parse_str(COUNTER).unwrap();
    lines::write_lines(&mut text, WEATHER, &counter, DAYS).unwrap();
    compare::compare("weather.txt", &text);
}
