//! Packed manifests: the same manifest is the same bytes, nothing else is accepted, and a module
//! can carry one.

use proptest::prelude::*;
use sochdb_wasmi::{
    abi::{Name, Value, message::HookEvent, wire::WireErrorKind},
    capability::{Capabilities, GlobError, Globs},
    host::{HookError, OnDenied, PluginConfig},
    limits::{LIMITS, Limits},
    manifest::{
        Manifest, PACKED_VERSION, UnpackProblem, Version,
        section::{MANIFEST_SECTION, SectionError, embed, find},
    },
};

const WEATHER: &[u8] = include_bytes!("../../../examples/plugins/weather.wasm");

fn example() -> Manifest {
    let mut manifest = older();
    manifest.config.capabilities.can_call_plugin = Globs::plugins(&["eu-*"]).expect("patterns");
    manifest.config = manifest
        .config
        .with_hook(HookEvent::BeforeInsert, "length", &["month*"])
        .and_then(|config| config.with_hook(HookEvent::AfterDelete, "add", &[]))
        .expect("hooks");
    manifest
}

/// What versions 1 and 2 have of the example.
fn older() -> Manifest {
    let capabilities = Capabilities {
        can_read_table: Globs::new(&["notes", "month*"]).expect("patterns"),
        can_index_search: true,
        ..Capabilities::default()
    };
    let limits = Limits { fuel_per_call: 2_000_000, deadline_ms: None, ..Limits::default() };
    let config = PluginConfig::new(capabilities)
        .with_limits(limits)
        .with_on_denied(OnDenied::Trap)
        .set("max", 300_u64)
        .expect("a key");
    Manifest {
        entries: ["length".into(), "add".into()].into(),
        config,
        ..Manifest::new(
            Name::new("notes").expect("a name"),
            Version::new("1.0.0").expect("a version"),
        )
    }
}

#[test]
fn the_example_of_the_documentation_is_what_packing_gives() {
    let documentation = include_str!("../../../docs/manifest.md");
    let fence = documentation.split("```hex\n").nth(1).and_then(|rest| rest.split("```").next());
    let bytes: Vec<u8> = fence
        .expect("the documentation has an example")
        .lines()
        .flat_map(|line| line.split(';').next().unwrap_or_default().split_whitespace())
        .map(|pair| u8::from_str_radix(pair, 16).expect("the example is in hex"))
        .collect();
    let packed = example().pack();
    let hex: Vec<_> = packed.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(bytes, packed, "{}", hex.join(" "));
    assert_eq!(Manifest::unpack(&bytes), Ok(example()));
}

#[test]
fn what_is_cut_or_has_bytes_left_is_no_manifest() {
    let packed = example().pack();
    for len in 0..packed.len() {
        assert!(Manifest::unpack(&packed[..len]).is_err(), "{len} bytes");
    }
    let longer: Vec<u8> = packed.iter().copied().chain([0]).collect();
    assert!(Manifest::unpack(&longer).is_err());
}

#[test]
fn another_version_is_refused_by_name() {
    for version in [0, PACKED_VERSION + 1, u8::MAX] {
        let mut packed = example().pack();
        packed[0] = version;
        let error = Manifest::unpack(&packed).expect_err("another version");
        assert_eq!(error.problem, UnpackProblem::PackedVersion(version));
        assert_eq!(
            error.to_string(),
            format!(
                "the packed manifest has version {version}, this crate reads 1 to \
                 {PACKED_VERSION} (before byte 1 of the packed manifest)"
            )
        );
    }
}

/// A new limit changed the bytes of every packed manifest, and the manifests on devices were reported as
/// damaged. A manifest of version 1 lacks three limits and has their defaults.
#[test]
fn a_manifest_of_version_1_is_read_with_the_default_of_each_limit_that_it_lacks() {
    let packed = include_bytes!("../../images/manifest-v1/notes.manifest");
    assert_eq!(packed[0], 1);
    assert_eq!(Manifest::unpack(packed), Ok(older()));
    for len in 0..packed.len() {
        assert!(Manifest::unpack(&packed[..len]).is_err(), "{len} bytes");
    }
    // As version 2 it lacks bytes.
    let mut other = packed.to_vec();
    other[0] = 2;
    assert!(Manifest::unpack(&other).is_err());
    // Bytes of version 1 are canonical too: here 5 is a varint of two bytes.
    let mut longer = packed.to_vec();
    longer.splice(1..2, [0x85, 0x00]);
    let error = Manifest::unpack(&longer).expect_err("not what packing gave");
    assert_eq!(error.problem, UnpackProblem::NotCanonical);
}

/// Version 2 had no calls of plugins and no hooks: devices have manifests of it, and a host that asked
/// for the lists would report them as damaged.
#[test]
fn a_manifest_of_version_2_is_read_without_hooks_and_calls() {
    let packed = include_bytes!("../../images/manifest-v2/notes.manifest");
    assert_eq!(packed[0], 2);
    assert_eq!(Manifest::unpack(packed), Ok(older()));
    for len in 0..packed.len() {
        assert!(Manifest::unpack(&packed[..len]).is_err(), "{len} bytes");
    }
    let mut other = packed.to_vec();
    other[0] = PACKED_VERSION;
    assert!(Manifest::unpack(&other).is_err());
    let longer: Vec<u8> = packed.iter().copied().chain([0]).collect();
    assert!(Manifest::unpack(&longer).is_err());
}

#[test]
fn hooks_that_no_configuration_has_are_refused_with_the_reason() {
    let packed = example().pack();
    // The hooks are last: their count, "length" before inserts, "add" after deletes.
    let hooks = packed.len() - 23..packed.len();
    assert_eq!(packed[hooks.clone()], *b"\x02\0\x06length\x01\x06month*\x05\x03add\0");
    let with = |bytes: &[u8]| {
        let mut other = packed.clone();
        other.splice(hooks.clone(), bytes.iter().copied());
        Manifest::unpack(&other).map_err(|error| error.problem)
    };
    assert_eq!(with(b"\x02\x05\x03add\0\0\x06length\0"), Err(UnpackProblem::Order));
    let twice = Err(UnpackProblem::Hook(HookError::Twice(HookEvent::AfterInsert)));
    assert_eq!(with(b"\x02\x01\x03add\0\x01\x03add\0"), twice);
    let unknown = Err(UnpackProblem::Wire(WireErrorKind::UnknownVariant));
    assert_eq!(with(b"\x01\x06\x03add\0"), unknown);
    let glob = Err(UnpackProblem::Glob(GlobError::StarInside { at: 0 }));
    assert_eq!(with(b"\x01\0\x03add\x01\x02*a"), glob);
    let mut many = vec![33];
    (0..33).for_each(|hook| many.extend([2, 1, b'A' + hook, 0]));
    assert_eq!(with(&many), Err(UnpackProblem::Hook(HookError::TooMany)));
    // One less is a manifest.
    many[0] = 32;
    many.truncate(1 + 4 * 32);
    assert_eq!(with(&many).map(|manifest| manifest.config.hooks().len()), Ok(32));
}

#[test]
fn the_same_manifest_in_other_bytes_is_refused() {
    let packed = example().pack();
    // The length of the name, 5, as a varint of two bytes.
    let mut longer = packed.clone();
    longer.splice(1..2, [0x85, 0x00]);
    let error = Manifest::unpack(&longer).expect_err("not what packing gives");
    assert_eq!(error.problem, UnpackProblem::NotCanonical);
    // The entry points in another order: "add" and "length" are at 14 and 18.
    let mut swapped = packed.clone();
    swapped.splice(14..25, *b"\x06length\x03add");
    let error = Manifest::unpack(&swapped).expect_err("they do not rise");
    assert_eq!(error.problem, UnpackProblem::Order);
}

fn names() -> impl Strategy<Value = String> {
    "[a-z_][a-z0-9_]{0,31}"
}

fn globs() -> impl Strategy<Value = Globs> {
    prop::collection::vec(
        ("[a-z_][a-z0-9_]{0,31}", "\\*?").prop_map(|(name, star)| name + &star),
        0..=8,
    )
    .prop_map(|patterns| {
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        Globs::new(&patterns).expect("these are patterns")
    })
}

fn limits() -> impl Strategy<Value = Limits> {
    prop::collection::vec(any::<Option<u64>>(), LIMITS.len()).prop_map(|values| {
        let mut limits = Limits::default();
        for (spec, value) in LIMITS.iter().zip(values) {
            spec.set(&mut limits, value);
        }
        limits
    })
}

prop_compose! {
    fn manifests()(
        name in names(),
        entries in prop::collection::btree_set("[a-z]{1,9}", 0..5),
        (read, write, call) in (globs(), globs(), globs()),
        (vector, index, trap) in any::<(bool, bool, bool)>(),
        limits in limits(),
        hooks in prop::collection::vec((0_u8..6, "[a-z]{1,9}", globs()), 0..9),
        settings in prop::collection::btree_map(".{1,16}", any::<(u8, u64, f64, String)>(), 0..5),
    ) -> Manifest {
        let capabilities = Capabilities {
            can_read_table: read,
            can_write_table: write,
            can_vector_search: vector,
            can_index_search: index,
            can_call_host: call.clone(),
            can_call_plugin: call,
        };
        let on_denied = if trap { OnDenied::Trap } else { OnDenied::Status };
        let mut config =
            PluginConfig::new(capabilities).with_limits(limits).with_on_denied(on_denied);
        for (key, (kind, number, float, text)) in &settings {
            let value = match kind % 5 {
                0 => Value::UInt(*number),
                1 => Value::Int(number.cast_signed()),
                2 => Value::Float(*float),
                3 => Value::Binary(text.as_bytes()),
                _ => Value::Text(text),
            };
            config = config.set(key, value).expect("a key");
        }
        for (event, entry, tables) in &hooks {
            let event = HookEvent::from_number(*event).expect("an event");
            let tables: Vec<&str> = tables.as_slice().iter().map(|glob| glob.as_str()).collect();
            if let Ok(hooked) = config.clone().with_hook(event, entry, &tables) {
                config = hooked;
            }
        }
        Manifest {
            entries: entries.into_iter().map(String::into_boxed_str).collect(),
            config,
            ..Manifest::new(
                Name::new(&name).expect("a name"),
                Version::new("0.1.0").expect("a version"),
            )
        }
    }
}

proptest! {
    #![proptest_config(crate::random::cases())]

    #[test]
    fn a_manifest_comes_back_from_its_bytes(manifest in manifests()) {
        let packed = manifest.pack();
        prop_assert_eq!(Manifest::unpack(&packed), Ok(manifest));
    }

    #[test]
    fn bytes_that_unpack_are_those_that_packing_gives(
        manifest in manifests(),
        changes in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 1..4),
    ) {
        let mut bytes = manifest.pack();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(other) = Manifest::unpack(&bytes) {
            prop_assert_eq!(other.pack(), bytes);
        }
    }

    #[test]
    fn garbage_is_an_error_and_never_a_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..200),
        versioned: bool,
    ) {
        if let (true, Some(first)) = (versioned, bytes.first_mut()) {
            *first = 1;
        }
        if let Ok(manifest) = Manifest::unpack(&bytes) {
            prop_assert_eq!(manifest.pack(), bytes);
        }
    }

    #[test]
    fn a_section_that_was_put_into_a_module_is_found_in_it(
        contents in prop::collection::vec(any::<u8>(), 0..300),
        other in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let module = embed(WEATHER, MANIFEST_SECTION, &contents).expect("a module");
        prop_assert_eq!(find(&module, MANIFEST_SECTION), Ok(Some(&contents[..])));
        // The second time it takes the place of the first.
        let again = embed(&module, MANIFEST_SECTION, &other).expect("a module");
        prop_assert_eq!(find(&again, MANIFEST_SECTION), Ok(Some(&other[..])));
        prop_assert_eq!(again, embed(WEATHER, MANIFEST_SECTION, &other).expect("a module"));
    }

    #[test]
    fn looking_for_a_section_in_garbage_is_an_error_and_never_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        prop_assert!(find(&bytes, MANIFEST_SECTION).is_err());
        let module: Vec<u8> = b"\0asm\x01\0\0\0".iter().chain(&bytes).copied().collect();
        let _ = find(&module, MANIFEST_SECTION);
        if let Ok(embedded) = embed(&module, MANIFEST_SECTION, b"x") {
            prop_assert_eq!(find(&embedded, MANIFEST_SECTION), Ok(Some(&b"x"[..])));
        }
    }
}

#[test]
fn two_sections_of_one_name_are_refused() {
    let once = embed(WEATHER, MANIFEST_SECTION, b"a").expect("a module");
    let section = &once[WEATHER.len()..];
    let twice = [&once, section].concat();
    let offset = once.len() as u32;
    assert_eq!(find(&twice, MANIFEST_SECTION), Err(SectionError::Twice { offset }));
    assert_eq!(embed(&twice, MANIFEST_SECTION, b"b"), Err(SectionError::Twice { offset }));
}

#[test]
fn a_module_without_the_section_has_none() {
    assert_eq!(find(WEATHER, MANIFEST_SECTION), Ok(None));
    assert_eq!(find(b"\0asm", MANIFEST_SECTION), Err(SectionError::NotWasm));
    let cut = &WEATHER[..WEATHER.len() - 1];
    assert!(matches!(find(cut, MANIFEST_SECTION), Err(SectionError::Malformed { .. })));
}
