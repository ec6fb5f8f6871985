//! Tests that go through every place of something, where that takes too long.

/// One place in how many is looked at. `cargo test` takes one in five, so that it ends within minutes;
/// `.ci/run` sets `SOCHDB_WASMI_EVERY` to 1 and takes all of them, `.ci/cross.sh` sets it for its emulators.
pub fn every() -> usize {
    match std::env::var("SOCHDB_WASMI_EVERY") {
        Ok(every) => every.parse().expect("SOCHDB_WASMI_EVERY is a number from 1"),
        Err(_) => 5,
    }
}
