//! The audit log keeps the last entries in order and counts the rest.

use std::collections::VecDeque;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use sochdb_wasmi::{
    abi::{HOST_FUNCTIONS, Name, Status, wire},
    audit::{AuditEntry, AuditLog, AuditSink, FunctionId, MAX_KEPT_DENIALS, PluginId},
};

fn entry(time_us: u64) -> AuditEntry {
    AuditEntry { time_us, ..AuditEntry::EMPTY }
}

#[test]
fn an_array_keeps_the_last_entries_in_order() {
    let mut log = AuditLog::new([const { AuditEntry::EMPTY }; 3]);
    assert!(log.is_empty());
    assert_eq!(log.iter().count(), 0);
    for time in 0..5 {
        assert_eq!(log.push(entry(time * 10)), time + 1);
    }
    let kept: Vec<_> = log.iter().map(|entry| (entry.sequence, entry.time_us)).collect();
    assert_eq!(kept, [(3, 20), (4, 30), (5, 40)]);
    assert_eq!(log.iter().next_back().unwrap().sequence, log.total());
    assert_eq!((log.len(), log.capacity(), log.overwritten(), log.total()), (3, 3, 2, 5));
}

fn denial(plugin: u16, function: u16, table: &str) -> AuditEntry {
    AuditEntry {
        plugin: PluginId(plugin.into()),
        function: FunctionId(function),
        table: Some(Name::new(table).unwrap()),
        status: Status::PermissionDenied.code(),
        ..AuditEntry::EMPTY
    }
}

/// A plugin without grants asked for a table, was denied, and pushed the entry out of the log with 256
/// log messages, which need no grant.
#[test]
fn a_denial_is_not_pushed_out_by_what_is_allowed() {
    for capacity in [4, 5, 16, 256] {
        let mut log = AuditLog::new(vec![AuditEntry::EMPTY; capacity]);
        log.push(entry(0));
        log.push(denial(1, 0, "payroll"));
        for time in 0..1000 {
            log.push(entry(time));
            let sequences: Vec<_> = log.iter().map(|entry| entry.sequence).collect();
            assert!(sequences.is_sorted(), "{sequences:?}");
            assert_eq!(sequences.len(), log.len());
            assert!(sequences.contains(&2), "{capacity}: after {time}");
            assert_eq!(log.overwritten(), log.total() - log.len() as u64);
        }
        // All others are the newest ones.
        let others = log.iter().skip(1).map(|entry| entry.sequence);
        assert!(others.eq(1002 - (capacity as u64 - 2)..=1002));
    }
}

#[test]
fn the_same_denial_is_kept_once_and_one_plugin_does_not_take_all_places() {
    let mut log = AuditLog::new(vec![AuditEntry::EMPTY; 256]);
    for time in 0..10_000_u64 {
        log.push(denial(1, 0, "payroll"));
        log.push(denial(1, 1, &format!("t{time}")));
    }
    log.push(denial(2, 0, "payroll"));
    (0..1000).for_each(|time| {
        log.push(entry(time));
    });
    let kept: Vec<_> = log.iter().filter(|entry| entry.status < 0).collect();
    let of = |plugin| kept.iter().filter(|entry| entry.plugin == PluginId(plugin)).count();
    assert_eq!((of(1), of(2)), (MAX_KEPT_DENIALS / 2, 1));
    assert_eq!((kept[0].sequence, kept[1].sequence, kept[2].sequence), (1, 2, 4));
    assert_eq!(log.len(), 256);
}

#[test]
fn a_log_without_room_counts_everything_as_overwritten() {
    let mut log = AuditLog::new([]);
    log.push(entry(1));
    log.push(entry(2));
    assert_eq!(log.iter().count(), 0);
    assert_eq!((log.len(), log.capacity(), log.overwritten(), log.total()), (0, 0, 2, 2));
}

#[test]
fn a_sequence_that_the_caller_sets_is_replaced() {
    let mut log = AuditLog::new([const { AuditEntry::EMPTY }; 1]);
    log.push(AuditEntry { sequence: 99, ..AuditEntry::EMPTY });
    assert_eq!(log.iter().next().unwrap().sequence, 1);
}

#[test]
fn function_ids_name_the_table_of_host_functions() {
    for (index, function) in HOST_FUNCTIONS.iter().enumerate() {
        assert_eq!(FunctionId(index.try_into().unwrap()).name(), Some(function.name));
    }
    assert_eq!(FunctionId(u16::MAX).name(), None);
}

#[test]
fn a_line_says_everything() {
    let mut entry = AuditEntry {
        sequence: 12,
        time_us: 1500,
        plugin: PluginId(0),
        function: FunctionId(1),
        table: Some(Name::new("weather").unwrap()),
        status: -1,
        rows: 0,
        bytes_in: 34,
        bytes_out: 0,
        caller: None,
        depth: 0,
    };
    assert_eq!(
        entry.display("weather", entry.function.name().unwrap()).to_string(),
        "#12 t=1500us weather soch_write table=weather status=-1 (permission denied) rows=0 in=34 \
         out=0"
    );
    entry.table = None;
    entry.status = 7;
    assert_eq!(
        entry.display("p", "f").to_string(),
        "#12 t=1500us p f status=7 (ok) rows=0 in=34 out=0"
    );
}

#[test]
fn a_sink_sees_what_the_log_keeps() {
    struct Lines(Vec<String>);
    impl AuditSink for Lines {
        fn record(&mut self, entry: &AuditEntry) {
            self.0.push(entry.display("p", "f").to_string());
        }
    }
    let mut sink = Lines(Vec::new());
    let sinks: [&mut dyn AuditSink; 1] = [&mut sink];
    for sink in sinks {
        sink.record(&entry(5));
    }
    assert!(sink.0[0].starts_with("#0 t=5us p f"));
}

/// The same entry as serde sees it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Mirror {
    sequence: u64,
    time_us: u64,
    plugin: u32,
    function: u16,
    table: Option<String>,
    status: i32,
    rows: u32,
    bytes_in: u32,
    bytes_out: u32,
    caller: Option<u32>,
    depth: u8,
}

prop_compose! {
    fn entries()(
        (sequence, time_us) in any::<(u64, u64)>(),
        (plugin, function) in any::<(u32, u16)>(),
        table in proptest::option::of("[a-z_][a-z0-9_]{0,31}"),
        status: i32,
        (rows, bytes_in, bytes_out) in any::<(u32, u32, u32)>(),
        (caller, depth) in any::<(Option<u32>, u8)>(),
    ) -> AuditEntry {
        AuditEntry {
            sequence,
            time_us,
            plugin: PluginId(plugin),
            function: FunctionId(function),
            table: table.map(|name| Name::new(&name).unwrap()),
            status,
            rows,
            bytes_in,
            bytes_out,
            caller: caller.map(PluginId),
            depth,
        }
    }
}

proptest! {
    #![proptest_config(crate::random::cases())]

    /// The newest entries, and before them those denials whose turn came when there was room.
    #[test]
    fn a_ring_with_denials_holds_the_newest_entries_and_the_first_denials(
        capacity in 0_usize..24,
        pushed in prop::collection::vec((0_u16..3, any::<bool>(), 0_u16..3), 0..120),
    ) {
        let mut log = AuditLog::new(vec![AuditEntry::EMPTY; capacity]);
        let mut queue: VecDeque<AuditEntry> = VecDeque::new();
        let mut kept: Vec<AuditEntry> = Vec::new();
        let most = capacity / 4;
        for (at, (plugin, denied, function)) in pushed.into_iter().enumerate() {
            let mut entry = denial(plugin, function, "t");
            if !denied {
                entry.status = 0;
            }
            log.push(entry.clone());
            entry.sequence = at as u64 + 1;
            queue.push_back(entry);
            // What is next in turn when the log is full is kept at once or overwritten.
            while queue.len() + kept.len() >= capacity.max(1)
                && queue.front().is_some_and(|entry| entry.status < 0)
                && at as u64 + 1 >= capacity as u64
            {
                let own = kept.iter().filter(|entry| entry.plugin == queue[0].plugin).count();
                let known = kept.iter().any(|entry| {
                    (entry.plugin, entry.function) == (queue[0].plugin, queue[0].function)
                });
                if known || kept.len() >= most || own >= most.div_ceil(2) {
                    break;
                }
                kept.extend(queue.pop_front());
            }
            while queue.len() + kept.len() > capacity {
                queue.pop_front();
            }
            let expected = kept.iter().chain(&queue).map(|entry| entry.sequence);
            let found: Vec<_> = log.iter().map(|entry| entry.sequence).collect();
            prop_assert!(expected.eq(found.iter().copied()), "{found:?}");
        }
    }

    #[test]
    fn a_ring_is_the_end_of_a_queue(capacity in 0_usize..6, count in 0_u64..20) {
        let mut log = AuditLog::new(vec![AuditEntry::EMPTY; capacity].into_boxed_slice());
        let mut model = VecDeque::new();
        for time in 0..count {
            log.push(entry(time));
            model.push_back(time);
            if model.len() > capacity {
                model.pop_front();
            }
            prop_assert!(log.iter().map(|entry| entry.time_us).eq(model.iter().copied()));
            prop_assert_eq!(log.len(), model.len());
            prop_assert_eq!(log.total(), time + 1);
            prop_assert_eq!(log.overwritten(), time + 1 - model.len() as u64);
        }
    }

    #[test]
    fn an_entry_is_on_the_wire_as_postcard_writes_it(entry in entries()) {
        let mirror = Mirror {
            sequence: entry.sequence,
            time_us: entry.time_us,
            plugin: entry.plugin.0,
            function: entry.function.0,
            table: entry.table.as_deref().map(str::to_owned),
            status: entry.status,
            rows: entry.rows,
            bytes_in: entry.bytes_in,
            bytes_out: entry.bytes_out,
            caller: entry.caller.map(|caller| caller.0),
            depth: entry.depth,
        };
        let mut buffer = [0; 128];
        let len = wire::encode(&entry, &mut buffer).unwrap();
        prop_assert_eq!(&buffer[..len], postcard::to_allocvec(&mirror).unwrap());
        prop_assert_eq!(wire::decode::<AuditEntry>(&buffer[..len]).unwrap(), entry);
        for cut in 0..len {
            prop_assert!(wire::decode::<AuditEntry>(&buffer[..cut]).is_err());
        }
    }

    #[test]
    fn damaged_bytes_decode_where_postcard_decodes_them(
        entry in entries(),
        at in any::<proptest::sample::Index>(),
        byte: u8,
    ) {
        let mut buffer = [0; 128];
        let len = wire::encode(&entry, &mut buffer).unwrap();
        let bytes = &mut buffer[..len];
        bytes[at.index(len)] = byte;
        let ours = wire::decode::<AuditEntry>(bytes);
        let oracle = postcard::take_from_bytes::<Mirror>(bytes).ok().filter(|(mirror, rest)| {
            let table = mirror.table.as_deref();
            // Names of plugins stand there, too, and those may have hyphens.
            rest.is_empty() && table.is_none_or(|name| Name::plugin(name).is_ok())
        });
        prop_assert_eq!(ours.is_ok(), oracle.is_some());
        if let (Ok(ours), Some((oracle, _))) = (ours, oracle) {
            prop_assert_eq!(ours.status, oracle.status);
            prop_assert_eq!(ours.function.0, oracle.function);
        }
    }
}
