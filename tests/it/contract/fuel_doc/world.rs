//! A database with a model beside it: random calls, each with its price by the page.

use super::prices::*;
use crate::{random::Random, support};
use sochdb_wasmi::{
    abi::{
        Seq, Value,
        message::{
            Bound, Comparison, Condition, ConfigRequest, DeleteRequest, Format, IndexQuery,
            LastErrorRequest, LogLevel, LogRequest, LookupRequest, MetricKind, MetricRequest,
            NewRow, ReadRequest, RowSelector, SearchRequest, WriteMode, WriteRequest,
        },
        wire::Wire,
    },
    database::{ColumnType, Database, MemoryLimits, TableSchema},
    host::{Host, HostConfig, NoClock, PluginConfig},
};
use std::collections::BTreeMap;
use support::{Answer, Probe, REQUEST, RESPONSE, RESPONSE_CAPACITY, encoded, everything, roomy};

// --- lengths, as docs/abi.md has them ------------------------------------------------------------

pub(super) fn varint(mut value: u64) -> usize {
    let mut len = 1;
    while value >= 0x80 {
        value >>= 7;
        len += 1;
    }
    len
}

pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[derive(Clone, Debug)]
pub(super) struct Item {
    name: String,
    stock: i64,
    price: Option<f64>,
    place: [f32; 3],
}

/// Bytes before the values: the version, and the presence, norm and components of the vector.
pub(super) const ITEM_FRONT: usize = 1 + 5 + 4 * 3;

impl Item {
    pub(super) fn values_len(&self) -> usize {
        let name = 1 + varint(self.name.len() as u64) + self.name.len();
        name + 1 + varint(zigzag(self.stock)) + self.price.map_or(1, |_| 9)
    }

    pub(super) fn stored(&self) -> usize {
        ITEM_FRONT + self.values_len()
    }
}

/// A row of `notes(text text, number int)`: no vector, so version and count are before the values.
pub(super) const NOTE_FRONT: usize = 2;

pub(super) fn note_stored(text: &str, number: i64) -> usize {
    NOTE_FRONT + 1 + varint(text.len() as u64) + text.len() + 1 + varint(zigzag(number))
}

// --- the model ------------------------------------------------------------------------------------

pub(super) struct World {
    pub(super) probe: Probe,
    pub(super) prices: Prices,
    random: Random,
    /// Fuel of the probe's own code around a host call.
    own: u64,
    pub(super) items: BTreeMap<u64, Item>,
    notes: BTreeMap<u64, (String, i64)>,
    pub(super) calls: usize,
}

impl World {
    pub(super) fn new() -> Self {
        let mut database = Database::in_memory(MemoryLimits::default());
        database.create_table(support::items()).expect("a table");
        let notes = TableSchema::new("notes")
            .and_then(|table| table.column("text", ColumnType::Text))
            .and_then(|table| table.column("number", ColumnType::Int))
            .expect("a schema");
        database.create_table(notes).expect("a table");
        let host = Host::new(HostConfig::default(), database, NoClock);
        let config = PluginConfig::new(everything())
            .with_limits(roomy())
            .set("colour", "a colour of more than sixteen bytes")
            .expect("a setting");
        let mut probe = Probe::with(host, config);
        let prices = Prices::of_the_page();
        // A request outside memory is refused, and pays for the call alone.
        let refused = probe.enter("call", "soch_read", [u32::MAX, 1, RESPONSE, 0], 1, &[]);
        let own = refused.expect("a status").1.fuel - prices.of("call");
        let (items, notes) = (BTreeMap::new(), BTreeMap::new());
        Self { probe, prices, random: Random(7), own, items, notes, calls: 0 }
    }

    /// Makes a host call, and compares its fuel with `pays` and what every call pays.
    pub(super) fn call<'a>(&mut self, name: &str, request: &impl Wire<'a>, pays: u64) -> Answer {
        self.call_into(name, request, pays, RESPONSE_CAPACITY)
    }

    /// The same, with a response of this capacity.
    pub(super) fn call_into<'a>(
        &mut self,
        name: &str,
        request: &impl Wire<'a>,
        pays: u64,
        capacity: u32,
    ) -> Answer {
        let request = encoded(request);
        let numbers = [REQUEST, request.len() as u32, RESPONSE, capacity];
        let (answer, report) =
            self.probe.enter("call", name, numbers, 1, &request).expect("a status");
        let response = usize::try_from(answer.status).unwrap_or(0);
        let expected = self.prices.of("call")
            + self.prices.bytes(request.len())
            + self.prices.bytes(response)
            + pays;
        assert_eq!(report.fuel - self.own, expected, "{name}, request {request:02x?}");
        self.calls += 1;
        answer
    }

    pub(super) fn item(&mut self, id: u64) -> Item {
        let name = "n".repeat(self.random.below(40) as usize);
        let price = self.random.bool().then_some(1.5);
        let x = self.random.below(100) as f32;
        // `stock` has a unique index.
        let stock = id as i64 * if self.random.bool() { 1 } else { -1 };
        Item { name, stock, price, place: [x, 1.0, 2.0] }
    }

    pub(super) fn an_id(&mut self) -> u64 {
        1 + self.random.below(60)
    }

    pub(super) fn write_item(&mut self) {
        let id = self.an_id();
        let new = self.item(id);
        let p = &self.prices;
        let mut pays =
            p.of("row") + p.bytes(ITEM_FRONT) + p.bytes(new.values_len()) + p.of("write");
        // Two indexes: by_name, and by_stock, which is unique.
        match self.items.get(&id) {
            None => pays += 2 * p.of("write") + p.of("seek"),
            Some(old) => {
                pays += p.bytes(old.stored());
                pays += if old.name == new.name { 0 } else { 2 * p.of("write") };
                pays += if old.stock == new.stock { 0 } else { 2 * p.of("write") + p.of("seek") };
            }
        }
        let place = support::vector(&new.place);
        let values = [
            Value::Text(&new.name),
            Value::Int(new.stock),
            new.price.into(),
            Value::Binary(&place),
        ];
        let rows = [NewRow { id: Some(id), values: Seq::new(&values) }];
        let mode = WriteMode::Upsert;
        let request =
            WriteRequest { table: "items", mode, columns: Seq::empty(), rows: Seq::new(&rows) };
        assert!(self.call("soch_write", &request, pays).status > 0);
        self.items.insert(id, new);
    }

    pub(super) fn write_note(&mut self) {
        let id = self.an_id() + 1000 * (1 + self.calls as u64);
        let text = "t".repeat(self.random.below(50) as usize);
        let number = self.random.below(1 << 30) as i64;
        let p = &self.prices;
        let rest = note_stored(&text, number) - NOTE_FRONT;
        let pays = p.of("row") + p.bytes(NOTE_FRONT) + p.bytes(rest) + p.of("write");
        let values = [Value::Text(&text), Value::Int(number)];
        let rows = [NewRow { id: Some(id), values: Seq::new(&values) }];
        let mode = WriteMode::Insert;
        let request =
            WriteRequest { table: "notes", mode, columns: Seq::empty(), rows: Seq::new(&rows) };
        assert!(self.call("soch_write", &request, pays).status > 0);
        self.notes.insert(id, (text, number));
    }

    pub(super) fn read_range(&mut self) {
        let (from, until) = (self.an_id(), self.an_id());
        let limit = self.random.bool().then(|| 1 + self.random.below(20) as u32);
        let format = if self.random.bool() { Format::Rows } else { Format::Toon };
        // The row that the page stops at is visited too.
        let visited = limit.map_or(usize::MAX, |limit| limit as usize + 1);
        let p = &self.prices;
        let mut pays = p.of("seek");
        if from < until {
            for item in self.items.range(from..until).take(visited).map(|(_, item)| item) {
                pays += p.of("row") + p.bytes(item.stored());
            }
        }
        let rows = RowSelector::Range { from, until: Some(until) };
        let request = ReadRequest { table: "items", rows, columns: Seq::empty(), limit, format };
        self.call("soch_read", &request, pays);
    }

    pub(super) fn read_list(&mut self) {
        let ids: Vec<u64> = (0..self.random.below(12)).map(|_| self.an_id()).collect();
        let p = &self.prices;
        let stored = |id| self.items.get(id).map_or(0, |item| p.bytes(item.stored()));
        let pays = ids.iter().map(|id| p.of("row") + stored(id)).sum();
        let request = ReadRequest {
            table: "items",
            rows: RowSelector::List(Seq::new(&ids)),
            columns: Seq::new(&["price"]),
            limit: None,
            format: Format::Rows,
        };
        self.call("soch_read", &request, pays);
    }

    pub(super) fn read_one(&mut self) {
        let id = self.an_id();
        let whole = self.random.bool();
        let columns: &[&str] = if whole { &[] } else { &["name", "place"] };
        let p = &self.prices;
        let stored = self.items.get(&id).map_or(0, |item| p.bytes(item.stored()));
        let pays = p.of("row") + if whole { 0 } else { stored };
        let request = ReadRequest {
            table: "items",
            rows: RowSelector::One(id),
            columns: Seq::new(columns),
            limit: None,
            format: Format::Rows,
        };
        self.call("soch_read", &request, pays);
    }

    pub(super) fn delete_items(&mut self) {
        let ids: Vec<u64> = (0..self.random.below(4)).map(|_| self.an_id()).collect();
        let mut pays = 0;
        for id in &ids {
            pays += self.prices.of("row");
            // The row, which is read for its index entries, and the entries of two indexes.
            if let Some(item) = self.items.remove(id) {
                pays += self.prices.bytes(item.stored()) + 3 * self.prices.of("write");
            }
        }
        let rows = RowSelector::List(Seq::new(&ids));
        self.call("soch_delete", &DeleteRequest { table: "items", rows }, pays);
    }

    pub(super) fn delete_notes(&mut self) {
        let count = self.notes.len() as u64;
        let p = &self.prices;
        // A seek for every 64 rows, and one more if their number is a multiple of it.
        let pays = (count / 64 + 1) * p.of("seek") + count * (p.of("row") + p.of("write"));
        let rows = RowSelector::Range { from: 0, until: None };
        self.call("soch_delete", &DeleteRequest { table: "notes", rows }, pays);
        self.notes.clear();
    }

    pub(super) fn search(&mut self) {
        let k = 1 + self.random.below(5) as u32;
        let wanted = self.random.bool();
        let conditions =
            [Condition { column: "price", comparison: Comparison::NotEqual, value: Value::Null }];
        let filter = if self.random.bool() { Seq::new(&conditions) } else { Seq::empty() };
        let p = &self.prices;
        let mut pays = p.of("seek");
        let mut found: Vec<(f32, u64)> = Vec::new();
        for (&id, item) in &self.items {
            pays += p.of("row") + p.bytes(item.values_len() * filter.len());
            if filter.is_empty() || item.price.is_some() {
                pays += p.of("dimensions8") * 3_u64.div_ceil(8);
                found.push((item.place[0], id));
            }
        }
        found.sort_by(|a, b| a.partial_cmp(b).expect("no NaN"));
        for (_, id) in found.iter().take(k as usize).filter(|_| wanted) {
            pays += p.of("row") + p.bytes(self.items[id].stored());
        }
        let query = support::vector(&[0.0, 1.0, 2.0]);
        let (table, column, query) = ("items", "place", &*query);
        let columns = wanted.then(Seq::empty);
        self.call(
            "vector_search",
            &SearchRequest { table, column, query, k, filter, columns },
            pays,
        );
    }

    pub(super) fn look_up(&mut self) {
        let limit = self.random.bool().then(|| 1 + self.random.below(40) as u32);
        let wanted = self.random.bool();
        let reverse = self.random.bool();
        let mut order: Vec<(i64, u64)> =
            self.items.iter().map(|(&id, item)| (item.stock, id)).collect();
        order.sort_unstable();
        if reverse {
            order.reverse();
        }
        let visited = limit.map_or(usize::MAX, |limit| limit as usize + 1);
        let entries: Vec<_> = order.iter().take(visited).collect();
        let p = &self.prices;
        // A seek at the start, and one more after every 16 entries, if the walk goes on behind them.
        let stopped = entries.len() == visited;
        let walked = if stopped { entries.len() - 1 } else { entries.len() };
        let mut pays = p.of("seek") * (1 + walked as u64 / 16);
        for (_, id) in entries {
            pays += p.of("row");
            pays += if wanted { p.of("row") + p.bytes(self.items[id].stored()) } else { 0 };
        }
        let request = LookupRequest {
            table: "items",
            index: "by_stock",
            query: IndexQuery::Range { lower: Bound::Unbounded, upper: Bound::Unbounded },
            reverse,
            limit,
            after: None,
            columns: wanted.then(Seq::empty),
        };
        self.call("index_lookup", &request, pays);
    }

    pub(super) fn the_rest(&mut self) {
        let text = "x".repeat(self.random.below(60) as usize);
        let labels = [("kind", &*text)];
        let metric = MetricRequest {
            kind: MetricKind::Counter,
            name: "seen",
            labels: Seq::new(&labels),
            value: 1.0,
        };
        self.call("emit_metric", &metric, 0);
        self.call("log_message", &LogRequest { level: LogLevel::Debug, message: &text }, 0);
        let key = if self.random.bool() { "colour" } else { "shape" };
        self.call("get_config", &ConfigRequest { key }, 0);
        self.call("last_error", &LastErrorRequest {}, 0);
    }
}
