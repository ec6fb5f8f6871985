//! docs/trace.md is true: its examples are what the code writes, and every event has one.
//!
//! `BLESS=1` writes the examples anew.

use std::{env, fs};

use sochdb_wasmi::{
    abi::{Capability, HOST_FUNCTIONS, Seq, wire},
    audit::{FunctionId, PluginId},
    limits::Limits,
    trace::{chain, *},
};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/trace.md");

/// Each example's name, and the event.
fn examples() -> Vec<(&'static str, Event<'static>)> {
    let mut examples = before_calls();
    examples.extend(of_calls());
    examples
}

fn before_calls() -> Vec<(&'static str, Event<'static>)> {
    let (digest, plugin) = (Digest::of(b"an example"), PluginId(0));
    let load = Load {
        plugin,
        name: "weather",
        module: &[0xab; 32],
        limits: Limits::default(),
        trap_on_denied: false,
        capabilities: digest,
        config: digest,
    };
    vec![
        (
            "header",
            Event::Header(Header {
                abi_version: 1,
                wasmi: "2.0.0",
                compilation: 0,
                features: 1,
                prices: digest,
                mode: Mode::Full,
                ring: false,
                redaction: None,
            }),
        ),
        ("checkpoint", Event::Checkpoint(Checkpoint { previous: &[0x5a; 32], audited: 300 })),
        (
            "function",
            Event::Function(Function {
                id: FunctionId(HOST_FUNCTIONS.len() as u16),
                module: "device",
                name: "read_sensor",
                capability: Capability::Named("device.sensor"),
            }),
        ),
        ("table", Event::Table(Table { name: "days", columns: Seq::new(&["date", "temp_max"]) })),
        ("load", Event::Load(load)),
        ("unload", Event::Unload(Unload { plugin })),
        ("replace", Event::Replace(Load { module: &[0xcd; 32], ..load })),
        ("restore", Event::Restore(Restore { plugin })),
        (
            "nested call",
            Event::Nested(Nested {
                caller: Some(plugin),
                depth: 1,
                started_us: 1000,
                deadline_ms: None,
            }),
        ),
    ]
}

fn of_calls() -> Vec<(&'static str, Event<'static>)> {
    let (digest, plugin) = (Digest::of(b"an example"), PluginId(0));
    let call = HostCallEvent {
        function: FunctionId(0),
        time_us: 1500,
        fuel_left: 999_000,
        fuel_host: 120,
        capacity: 256,
        rows: 1,
        visited: 1,
        moved: 13,
        table: Some("days"),
        status: 3,
        stop: Stop::No,
        request: Data::Full(&[4, b'd', b'a', b'y', b's', 0, 7, 0, 0, 0]),
        response: Data::Full(&[1, 7, 0]),
    };
    vec![
        (
            "call in",
            Event::CallIn(CallIn {
                plugin,
                entry: "month_report",
                input: Data::Full(b"\x072015-11"),
                fuel: 1_000_000,
                sliced: true,
                time_us: 1490,
            }),
        ),
        ("host call", Event::HostCall(call)),
        (
            "host call that failed",
            Event::HostCall(HostCallEvent { status: -2, rows: 0, response: Data::EMPTY, ..call }),
        ),
        ("refused growth", Event::Growth(Growth { asked: 131_072, refusal: GrowthRefusal::Limit })),
        (
            "slice",
            Event::Slice(Slice { time_us: 2000, fuel_left: 900_000, end: SliceEnd::Continue }),
        ),
        (
            "call out",
            Event::CallOut(CallOut {
                ending: Ending::Output,
                code: 2,
                output: Data::Full(&[30, 1]),
                fuel_left: 890_000,
                memory_bytes: 65_536,
                memory: Some(digest),
            }),
        ),
        ("end", Event::End(End {})),
    ]
}

/// Bytes in lines of 16.
fn hex(bytes: &[u8]) -> String {
    let line = |line: &[u8]| {
        let pairs: Vec<_> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        pairs.join(" ") + "\n"
    };
    bytes.chunks(16).map(line).collect()
}

/// The page with every example as it should be.
fn rendered(doc: &str) -> String {
    let mut shown = vec![("magic", hex(&MAGIC))];
    for (name, event) in examples() {
        let mut buffer = [0; 512];
        let len = wire::encode(&event, &mut buffer).unwrap();
        assert_eq!(wire::decode(&buffer[..len]), Ok(event), "{name}");
        shown.push((name, hex(&buffer[..len])));
    }
    let mut out = doc.to_owned();
    for (name, bytes) in shown {
        let open = format!("```hex {name}\n");
        let start = out.find(&open).unwrap_or_else(|| panic!("no example of {name}")) + open.len();
        let end = start + out[start..].find("```").expect("a closed fence");
        out.replace_range(start..end, &bytes);
    }
    out
}

#[test]
fn every_event_has_an_example_that_is_true() {
    let doc = fs::read_to_string(PATH).expect("docs/trace.md is there");
    let rendered = rendered(&doc);
    if env::var_os("BLESS").is_some_and(|value| value == "1") {
        // The other tests read it, perhaps now.
        if rendered != doc {
            fs::write(PATH, rendered).expect("docs/trace.md can be written");
        }
        return;
    }
    for (number, (now, then)) in rendered.lines().zip(doc.lines()).enumerate() {
        assert_eq!(now, then, "line {} of docs/trace.md; .ci/bless writes it", number + 1);
    }
    assert!(rendered == doc);
    assert_eq!(doc.matches("```hex ").count(), examples().len() + 1, "an example of nothing");
}

/// What the page says of frames and of the chain, done by hand.
#[test]
fn frames_are_chained_as_the_page_says() {
    use sha2::{Digest as _, Sha256};
    let payload = [5, 11];
    let mut hash = Sha256::new();
    hash.update([0; 32]);
    hash.update([2, 0, 0, 0]);
    hash.update(payload);
    let link: [u8; 32] = hash.finalize().into();
    assert_eq!(chain::next(&chain::START, &payload), link);
    assert_eq!(chain::check(&link), link[..8]);
    assert_eq!((FRAME_HEADER_LEN, CHECK_LEN, MAX_FRAME_LEN), (12, 8, 256 << 20));
}

/// The numbers of modes, endings and the like that the page names.
#[test]
fn enumerations_have_the_numbers_of_the_page() {
    let doc = fs::read_to_string(PATH).unwrap();
    let named = |texts: &[&str]| {
        let list: Vec<_> =
            texts.iter().enumerate().map(|(n, text)| format!("{n} {text}")).collect();
        assert!(doc.contains(&list.join(", ")), "{list:?}");
    };
    use Ending::*;
    let endings =
        [Output, Failed, Trap, StackOverflow, Limit, Stopped, Denied, OutputTooLarge, Commit];
    for (number, ending) in endings.into_iter().enumerate() {
        assert_eq!(ending as usize, number);
    }
    named(&endings.map(Ending::as_str));
    named(&["no", "out of fuel", "denied"]);
    assert_eq!([Stop::No, Stop::OutOfFuel, Stop::Denied].map(|stop| stop as u8), [0, 1, 2]);
    assert_eq!([Mode::Full, Mode::Digest].map(|mode| mode as u8), [0, 1]);
    assert_eq!([GrowthRefusal::Limit, GrowthRefusal::OutOfMemory].map(|r| r as u8), [0, 1]);
    let ends = [SliceEnd::Continue, SliceEnd::Stopped, SliceEnd::Deadline];
    assert_eq!(ends.map(|end| end as u8), [0, 1, 2]);
}
