//! Any bytes at all: the reader and the replay name what is wrong, take no more memory than there
//! are bytes, and never panic. What is a trace is read back as it was written.

use crate::{counting, tracing};
use counting::peak_bytes;
use proptest::prelude::*;
use sochdb_wasmi::{
    abi::{
        Capability, Seq,
        wire::{self, Reader, Wire},
    },
    audit::{FunctionId, PluginId},
    limits::Limits,
    trace::*,
};
use tracing::*;

/// Reads and replays, and returns whether the trace was taken as whole.
fn taken_as_whole(trace: &[u8]) -> bool {
    let (peak, result) = peak_bytes(|| read_all(trace));
    // The reader holds one frame, in a buffer that doubles, and takes 16 KiB at a time.
    assert!(peak <= 3 * trace.len() as i64 + (64 << 10), "{peak} bytes for {}", trace.len());
    let replay = replayed(trace);
    if let (Err(_), Ok(replay)) = (&result, &replay) {
        assert!(!replay.is_exact());
    }
    result.is_ok() && replay.is_ok_and(|replay| replay.is_exact())
}

#[derive(Clone, Debug)]
enum Damage {
    Set(usize, u8),
    Cut(usize, usize),
    Insert(usize, Vec<u8>),
    Copy(usize, usize, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<usize>();
    prop_oneof![
        (at, any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (at, 1_usize..200).prop_map(|(at, len)| Damage::Cut(at, len)),
        (at, prop::collection::vec(any::<u8>(), 1..40)).prop_map(|(at, b)| Damage::Insert(at, b)),
        (at, at, 1_usize..200).prop_map(|(from, to, len)| Damage::Copy(from, to, len)),
    ]
}

fn apply(trace: &mut Vec<u8>, damage: &Damage) {
    let len = trace.len().max(1);
    match damage {
        Damage::Set(at, byte) => {
            if let Some(target) = trace.get_mut(at % len) {
                *target = *byte;
            }
        }
        Damage::Cut(at, count) => {
            let at = at % len;
            trace.drain(at.min(trace.len())..(at + count).min(trace.len()));
        }
        Damage::Insert(at, bytes) => {
            let at = (at % len).min(trace.len());
            trace.splice(at..at, bytes.iter().copied());
        }
        Damage::Copy(from, to, count) => {
            let from = from % len;
            let part = trace[from.min(trace.len())..(from + count).min(trace.len())].to_vec();
            let to = (to % len).min(trace.len());
            trace.splice(to..to, part);
        }
    }
}

proptest! {
    #![proptest_config(crate::random::exactly(300))]

    #[test]
    fn random_bytes_are_no_trace(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(!taken_as_whole(&bytes));
        let behind_magic = [&MAGIC[..], &bytes].concat();
        prop_assert!(!taken_as_whole(&behind_magic));
    }

    /// Payloads that somebody else chained.
    #[test]
    fn random_events_in_a_right_chain_do_no_harm(
        keep in 0_usize..14,
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..5),
    ) {
        let mut forge = Forge::after(&small_trace(), keep);
        for (at, bytes) in payloads.iter().enumerate() {
            let number = [(keep + at) as u8];
            forge.payload(&[&number[..], bytes].concat());
        }
        prop_assert!(!taken_as_whole(&forge.trace));
    }

    #[test]
    fn a_damaged_trace_is_never_taken_as_whole(damages in prop::collection::vec(damage(), 1..4)) {
        let whole = small_trace();
        let mut trace = whole.clone();
        damages.iter().for_each(|damage| apply(&mut trace, damage));
        prop_assert_eq!(taken_as_whole(&trace), trace == whole);
    }

    /// An event with any change that its type allows, in a right chain: told, or the same.
    #[test]
    fn a_changed_payload_in_a_right_chain_does_no_harm(
        at in 0_usize..14, place in any::<usize>(), byte in any::<u8>(),
    ) {
        let trace = small_trace();
        let mut forge = Forge::after(&trace, at);
        let mut bytes = payload(&trace, &frames(&trace)[at]).to_vec();
        let place = place % bytes.len();
        bytes[place] = byte;
        forge.payload(&bytes);
        for frame in &frames(&trace)[at + 1..] {
            forge.payload(payload(&trace, frame));
        }
        let _ = read_all(&forge.trace);
        let _ = replayed(&forge.trace);
    }
}

/// A length that lies costs no memory.
#[test]
fn a_frame_that_says_it_is_long_costs_what_is_there() {
    let trace = small_trace();
    let mut lying = trace[..frames(&trace)[3].start].to_vec();
    let offset = lying.len() as u64;
    lying.extend(MAX_FRAME_LEN.to_le_bytes());
    lying.extend([7; 100]);
    let (peak, result) = peak_bytes(|| read_all(&lying));
    assert_eq!(result, Err(TraceError::Torn { event: 3, offset }));
    assert!(peak < 64 << 10, "{peak} bytes");
}

// Every event comes back.

fn data() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..50)
}

fn as_data(kind: u8, bytes: &[u8], len: u32) -> Data<'_> {
    match kind % 3 {
        0 => Data::Full(bytes),
        1 => Data::Digest { len, digest: Digest::of(bytes) },
        _ => Data::Absent { len },
    }
}

#[track_caller]
fn assert_round_trip(event: &Event<'_>) {
    let mut buffer = [0; 1024];
    let len = wire::encode(event, &mut buffer).unwrap();
    let decoded: Event<'_> = wire::decode(&buffer[..len]).unwrap();
    assert_eq!(&decoded, event);
    // A buffer that is too small is told how much would do, and no byte less is enough.
    assert_eq!(wire::encode(event, &mut { buffer }[..len - 1]).unwrap_err().needed, len);
    // No part of it is an event of its own.
    for end in 0..len {
        assert!(Event::decode(&mut Reader::new(&buffer[..end])).is_err());
    }
}

const ENDINGS: [Ending; 9] = [
    Ending::Output,
    Ending::Failed,
    Ending::Trap,
    Ending::StackOverflow,
    Ending::Limit,
    Ending::Stopped,
    Ending::Denied,
    Ending::OutputTooLarge,
    Ending::Commit,
];

proptest! {
    #![proptest_config(crate::random::cases())]

    #[test]
    fn every_event_is_read_as_it_was_written(
        text in "\\PC{0,20}", name in "[a-z_]{1,12}", names in prop::collection::vec("[a-z]{1,8}", 0..6),
        bytes in data(), more in data(), kinds in any::<(u8, u8)>(), digest in any::<[u8; 16]>(),
        a in any::<u64>(), b in any::<u64>(), c in any::<u64>(), small in any::<u16>(),
        x in any::<u32>(), y in any::<u32>(), status in any::<i32>(), flag in any::<bool>(),
        tag in 0_usize..9,
    ) {
        let digest = Digest(digest);
        let plugin = PluginId(small.into());
        let (first, second) = (as_data(kinds.0, &bytes, x), as_data(kinds.1, &more, y));
        let columns: Vec<&str> = names.iter().map(String::as_str).collect();
        let limits = Limits {
            memory_bytes: x, table_elements: y, fuel_per_call: a, stack_bytes: x, recursion: y,
            module_bytes: x, host_calls: y, rows: x, bytes: b,
            deadline_ms: flag.then_some(y), slice_fuel: c, ..Limits::default()
        };
        let load = Load {
            plugin, name: &name, module: &bytes, limits, trap_on_denied: flag,
            capabilities: digest, config: digest,
        };
        let events = [
            Event::Header(Header {
                abi_version: x, wasmi: &name, compilation: y, features: x, prices: digest,
                mode: if flag { Mode::Full } else { Mode::Digest }, ring: flag,
                redaction: flag.then_some(digest),
            }),
            Event::Checkpoint(Checkpoint { previous: &bytes, audited: a }),
            Event::Function(Function {
                id: FunctionId(small), module: &name, name: &text,
                capability: [Capability::Always, Capability::Named(&name), Capability::ReadTable][tag % 3],
            }),
            Event::Table(Table { name: &name, columns: Seq::new(&columns) }),
            Event::Load(load),
            Event::Replace(load),
            Event::Restore(Restore { plugin }),
            Event::Unload(Unload { plugin }),
            Event::Nested(Nested {
                caller: flag.then_some(plugin), depth: x, started_us: a, deadline_ms: flag.then_some(y),
            }),
            Event::CallIn(CallIn {
                plugin, entry: &text, input: first, fuel: a, sliced: flag, time_us: b,
            }),
            Event::HostCall(HostCallEvent {
                function: FunctionId(small), time_us: a, fuel_left: b, fuel_host: c,
                request: first, capacity: x, status,
                stop: [Stop::No, Stop::OutOfFuel, Stop::Denied, Stop::Stopped][tag % 4],
                table: flag.then_some(&name), rows: y, visited: x, moved: c, response: second,
            }),
            Event::Growth(Growth {
                asked: a,
                refusal: if flag { GrowthRefusal::Limit } else { GrowthRefusal::OutOfMemory },
            }),
            Event::Slice(Slice {
                time_us: a, fuel_left: b,
                end: [SliceEnd::Continue, SliceEnd::Stopped, SliceEnd::Deadline][tag % 3],
            }),
            Event::CallOut(CallOut {
                ending: ENDINGS[tag], code: status, output: first, fuel_left: a, memory_bytes: x,
                memory: flag.then_some(digest),
            }),
            Event::End(End {}),
        ];
        events.iter().for_each(assert_round_trip);
    }
}

/// Around what has room in the short form of a host call: 16 bits, and the table that the request
/// names.
fn near_usual() -> impl Strategy<Value = (FunctionId, bool, [u32; 5], i32)> {
    let near = || prop_oneof![0_u32..300, 65_530_u32..65_541];
    let numbers = [near(), near(), near(), near(), near()];
    // The response may be one byte longer or shorter than the status says.
    ((0_u16..11).prop_map(FunctionId), any::<bool>(), numbers, -1_i32..2)
}

proptest! {
    #![proptest_config(crate::random::exactly(1000))]

    #[test]
    fn host_calls_of_either_form_are_read_as_they_were_written(
        (function, named, numbers, off) in near_usual(),
    ) {
        let [fuel_host, rows, visited, beside, len] = numbers;
        let request = b"\x04days\x00\x07";
        let response = vec![0x5a; len as usize];
        let moved = u64::from(beside) + (request.len() + response.len()) as u64;
        let event = Event::HostCall(HostCallEvent {
            function, time_us: u64::MAX, fuel_left: u64::MAX, fuel_host: fuel_host.into(),
            capacity: u32::MAX, rows, visited,
            moved: moved.saturating_add_signed(off.into()),
            table: named.then_some("days"), status: len as i32 + off, stop: Stop::No,
            request: Data::Full(request), response: Data::Full(&response),
        });
        let mut buffer = vec![0; response.len() + 200];
        let len = wire::encode(&event, &mut buffer).unwrap();
        prop_assert_eq!(&wire::decode::<Event<'_>>(&buffer[..len]).unwrap(), &event);
        let of_table = function.builtin().is_some_and(|f| f.spec().capability.is_of_table());
        let fits = numbers[..4].iter().all(|number| *number <= 65_535) && off == 0;
        let usual = fits && response.len() <= 65_535 && named == of_table;
        prop_assert_eq!(buffer[1], u8::from(!usual));
        prop_assert!(!usual || len == 36 + request.len() + response.len());
    }
}
