//! What capabilities grant, and which patterns are refused.

use proptest::prelude::*;
use sochdb_wasmi::{
    abi::Capability,
    capability::{Capabilities, Glob, GlobError, Globs},
};

#[test]
fn the_default_grants_nothing_but_what_needs_nothing() {
    for capabilities in [Capabilities::default(), Capabilities::observability_only()] {
        for capability in [
            Capability::ReadTable,
            Capability::WriteTable,
            Capability::VectorSearch,
            Capability::IndexSearch,
            Capability::Named("x"),
        ] {
            assert!(!capabilities.grants(capability, "t"), "{capability}");
        }
        assert!(capabilities.grants(Capability::Always, "t"));
        assert!(!capabilities.can_read(""));
    }
}

#[test]
fn read_only_reads_and_searches_its_tables_and_no_other() {
    let capabilities = Capabilities::read_only(&["weather", "log_*"]).unwrap();
    for table in ["weather", "log_", "log_2026"] {
        assert!(capabilities.can_read(table));
        assert!(capabilities.grants(Capability::VectorSearch, table));
        assert!(capabilities.grants(Capability::IndexSearch, table));
        assert!(!capabilities.can_write(table));
    }
    for table in ["weather2", "weathe", "Weather", "log", ""] {
        assert!(!capabilities.can_read(table));
        assert!(!capabilities.grants(Capability::VectorSearch, table));
        assert!(!capabilities.grants(Capability::IndexSearch, table));
    }
}

#[test]
fn a_search_needs_its_switch_and_the_table() {
    let mut capabilities = Capabilities::read_only(&["*"]).unwrap();
    capabilities.can_vector_search = false;
    assert!(!capabilities.grants(Capability::VectorSearch, "t"));
    assert!(capabilities.grants(Capability::IndexSearch, "t"));
    capabilities.can_read_table = Globs::default();
    assert!(!capabilities.grants(Capability::IndexSearch, "t"));
}

#[test]
fn writing_does_not_include_reading() {
    let capabilities =
        Capabilities { can_write_table: Globs::new(&["t"]).unwrap(), ..Capabilities::default() };
    assert!(capabilities.can_write("t"));
    assert!(!capabilities.can_read("t"));
}

#[test]
fn a_named_capability_is_matched_by_its_own_patterns() {
    let capabilities = Capabilities {
        can_call_host: Globs::named(&["radio.send-*", "7segment"]).unwrap(),
        ..Capabilities::default()
    };
    assert!(capabilities.can_call("radio.send-fast"));
    assert!(capabilities.grants(Capability::Named("7segment"), "any"));
    assert!(!capabilities.can_call("radio.receive"));
}

#[test]
fn patterns_that_could_never_match_are_refused_with_their_place() {
    let name32 = "n".repeat(32);
    let name33 = "n".repeat(33);
    for (pattern, error) in [
        ("", GlobError::Empty),
        ("a*b", GlobError::StarInside { at: 1 }),
        ("**", GlobError::StarInside { at: 0 }),
        ("*a", GlobError::StarInside { at: 0 }),
        ("a.b", GlobError::Character { at: 1 }),
        ("1a", GlobError::Character { at: 0 }),
        ("é", GlobError::Character { at: 0 }),
        (&name33, GlobError::TooLong { len: 33 }),
        (&format!("{name33}*"), GlobError::TooLong { len: 34 }),
    ] {
        assert_eq!(Glob::new(pattern), Err(error), "{pattern:?}");
    }
    assert!(Glob::new(&name32).unwrap().matches(&name32));
    assert!(Glob::new(&format!("{name32}*")).unwrap().matches(&name32));
    assert_eq!(Glob::named("a b"), Err(GlobError::Character { at: 1 }));
}

#[test]
fn eight_patterns_fit_and_nine_are_refused() {
    assert!(Globs::new(&["t"; 8]).is_ok());
    assert_eq!(Globs::new(&["t"; 9]), Err(GlobError::TooMany { count: 9 }));
}

proptest! {
    #![proptest_config(crate::random::cases())]

    #[test]
    fn a_glob_matches_as_soch_db_says(pattern in "[ab_]{0,3}\\*?", name in "[ab_]{0,4}") {
        if let Ok(glob) = Glob::new(&pattern) {
            let expected = match pattern.strip_suffix('*') {
                Some(prefix) => name.starts_with(prefix),
                None => name == pattern,
            };
            prop_assert_eq!(glob.matches(&name), expected);
        }
    }

    #[test]
    fn no_pattern_panics(pattern: String, name: String) {
        for glob in [Glob::new(&pattern), Glob::named(&pattern)] {
            match glob {
                Ok(glob) => {
                    let _ = glob.matches(&name);
                    prop_assert_eq!(glob.as_str(), pattern.as_str());
                }
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }
}
