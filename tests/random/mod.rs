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

/// Numbers that are the same in every run: a linear congruential generator, which a seed begins.
pub struct Random(pub u64);

impl Random {
    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    /// One of two.
    pub fn bool(&mut self) -> bool {
        self.below(2) == 1
    }
}
