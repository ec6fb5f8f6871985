//! Tests that go through every place of something, where that takes too long.

/// One place in how many is to be looked at: all of them, unless `SOCHDB_WASMI_EVERY` says otherwise,
/// as `.ci/cross.sh` does for an emulator.
pub fn every() -> usize {
    match std::env::var("SOCHDB_WASMI_EVERY") {
        Ok(every) => every.parse().expect("SOCHDB_WASMI_EVERY is a number from 1"),
        Err(_) => 1,
    }
}

/// How many cases a random test tries. Seeds of cases that fail are kept beside the test, and tried
/// first the next time: commit them with the correction.
#[allow(dead_code, reason = "not every user is random")]
pub fn cases(cases: u32) -> proptest::test_runner::Config {
    let persistence =
        proptest::test_runner::FileFailurePersistence::WithSource("proptest-regressions");
    proptest::test_runner::Config {
        cases,
        failure_persistence: Some(Box::new(persistence)),
        ..Default::default()
    }
}
