//! Requests of every host function, by a plugin that may do everything.

use std::collections::BTreeSet;

use sochdb_wasmi::abi::{
    HOST_FUNCTIONS, Seq, Value,
    message::{
        Bound, Comparison, Condition, ConfigRequest, DeleteRequest, Format, IndexQuery, LogLevel,
        LogRequest, LookupRequest, MetricKind, MetricRequest, NewRow, ReadRequest, RowSelector,
        SearchRequest, WriteMode, WriteRequest,
    },
};

use crate::{
    damage::damage,
    random::Random,
    support::{self, Probe, encoded, vector},
};

/// Reads, writes and deletes.
fn on_rows() -> Vec<Vec<u8>> {
    let (empty, all) = (Seq::empty(), RowSelector::ALL);
    let read = ReadRequest {
        table: "items",
        rows: all,
        columns: empty,
        limit: Some(3),
        format: Format::Rows,
    };
    let place = vector(&[1.0, 2.0, 3.0]);
    let nested = [Value::Int(1), Value::Text("x")];
    let odd = [Value::Array(Seq::new(&nested)), Value::Ref { table: "items", id: 1 }];
    let values = [Value::Text("bolt"), Value::Int(7), Value::Float(1.5), Value::Binary(&place)];
    let rows = [NewRow { id: Some(1), values: Seq::new(&values) }];
    let wrong_rows = [NewRow { id: None, values: Seq::new(&odd) }];
    let write = WriteRequest {
        table: "items",
        mode: WriteMode::Upsert,
        columns: empty,
        rows: Seq::new(&rows),
    };
    let names = ["name", "place"];
    vec![
        encoded(&read),
        encoded(&ReadRequest {
            format: Format::Toon,
            rows: RowSelector::List(Seq::new(&[1, 2, 9])),
            ..read
        }),
        encoded(&write),
        encoded(&WriteRequest {
            rows: Seq::new(&wrong_rows),
            columns: Seq::new(&names),
            mode: WriteMode::Insert,
            ..write
        }),
        encoded(&DeleteRequest {
            table: "items",
            rows: RowSelector::Range { from: 3, until: Some(5) },
        }),
    ]
}

/// Searches and lookups.
fn on_vectors_and_indexes() -> Vec<Vec<u8>> {
    let place = vector(&[1.0, 2.0, 3.0]);
    let names = ["name", "place"];
    let conditions =
        [Condition { column: "stock", comparison: Comparison::Less, value: Value::Int(9) }];
    let prefix = [Value::Text("bo")];
    let point = [Value::Int(7)];
    let lookup = LookupRequest {
        table: "items",
        index: "by_name",
        query: IndexQuery::Prefix(Seq::new(&prefix)),
        reverse: true,
        limit: None,
        after: Some(&[1, 2]),
        columns: Some(Seq::empty()),
    };
    vec![
        encoded(&SearchRequest {
            table: "items",
            column: "place",
            query: &place,
            k: 2,
            filter: Seq::new(&conditions),
            columns: Some(Seq::new(&names)),
        }),
        encoded(&lookup),
        encoded(&LookupRequest {
            query: IndexQuery::Range {
                lower: Bound::Included(Seq::new(&point)),
                upper: Bound::Unbounded,
            },
            index: "by_stock",
            after: None,
            columns: None,
            ..lookup
        }),
    ]
}

/// Good requests, one or more of each function.
fn good() -> Vec<Vec<u8>> {
    let labels = [("a", "b"), ("c", "d")];
    let others = [
        encoded(&MetricRequest {
            kind: MetricKind::Histogram,
            name: "m",
            labels: Seq::new(&labels),
            value: 0.5,
        }),
        encoded(&LogRequest { level: LogLevel::Info, message: "text" }),
        encoded(&ConfigRequest { key: "greeting" }),
        Vec::new(),
    ];
    [on_rows(), on_vectors_and_indexes(), others.into()].concat()
}

pub fn target() -> impl FnMut(&mut Random) {
    let good = good();
    let mut probe = Probe::new();
    for id in 1..20 {
        let place = vector(&[id as f32, 0.0, 1.0]);
        let values = support::item("bolt", id, &place);
        probe.host.database_mut().insert("items", Some(id as u64), &values).expect("a good row");
    }
    let (mut inputs, mut seen) = (0, BTreeSet::new());
    move |random| {
        let mut request = good[random.below(good.len())].clone();
        damage(random, &mut request);
        // No longer than the probe's buffers; and mostly of the function that it is meant for.
        request.truncate(60_000);
        let name = HOST_FUNCTIONS[random.below(HOST_FUNCTIONS.len())].name;
        let capacity = random.pick(&[0, 1, 3, 4, 17, 200, 5000]);
        let answer = probe.raw(name, &request, capacity);
        assert!(
            answer.status <= capacity as i32,
            "{name} answers {} bytes in {capacity}",
            answer.status
        );
        // Damage that is always refused for the same reason would find nothing.
        (inputs, _) = (inputs + 1, seen.insert(answer.status.min(0)));
        assert!(inputs < 10_000 || seen.len() >= 4, "only {seen:?} in {inputs} inputs");
        if random.one_in(50) {
            probe.host.database().check().expect("the database is sound");
        }
    }
}
