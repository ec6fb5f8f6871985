//! How random tests are run: seeds of cases that fail are kept beside the test
//! (`NAME.proptest-regressions`) and tried first the next time. Commit them with the correction.

use proptest::test_runner::{Config, FileFailurePersistence};

/// As many cases as `PROPTEST_CASES` says, 256 without it.
pub fn cases() -> Config {
    let persistence = FileFailurePersistence::WithSource("proptest-regressions");
    Config { failure_persistence: Some(Box::new(persistence)), ..Config::default() }
}

/// This many cases, whatever `PROPTEST_CASES` says.
pub fn exactly(cases: u32) -> Config {
    Config { cases, ..self::cases() }
}
