//! Tests that go through every place of something, where that takes too long.

/// One place in how many is to be looked at: all of them, unless `SOCHDB_WASMI_EVERY` says otherwise,
/// as `.ci/cross.sh` does for an emulator.
pub fn every() -> usize {
    match std::env::var("SOCHDB_WASMI_EVERY") {
        Ok(every) => every.parse().expect("SOCHDB_WASMI_EVERY is a number from 1"),
        Err(_) => 1,
    }
}
