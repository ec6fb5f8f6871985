//! Shrinks a recorded answer: fewer rows, shorter texts and bytes.

use alloc::{vec, vec::Vec};

use crate::{
    abi::{
        Builtin, Seq, Value,
        message::{
            ConfigResponse, Format, Hit, LastErrorResponse, LookupResponse, ReadRequest, Row,
            RowsResponse, SearchResponse, ToonResponse,
        },
        wire::{self, Wire, Writer},
    },
    host::tape::Recorded,
    trace::{Data, Event, HostCallEvent, Stop},
};

/// A row of an answer, or what is like one.
#[derive(Clone, Debug)]
struct Item<'a> {
    id: u64,
    distance: f32,
    values: Vec<Value<'a>>,
}

/// A response taken apart.
#[derive(Clone, Debug)]
enum Parts<'a> {
    Rows { rows: Vec<Item<'a>>, next: Option<u64> },
    Lookup { rows: Vec<Item<'a>>, next: Option<&'a [u8]> },
    Hits { rows: Vec<Item<'a>> },
    Toon { text: &'a str, next: Option<u64> },
    Text(&'a str),
    Config(Value<'a>),
    Bytes(&'a [u8]),
}

/// An answer that can be made smaller.
#[derive(Clone, Debug)]
pub(super) struct Answer<'a> {
    parts: Parts<'a>,
}

impl<'a> Answer<'a> {
    /// The answer of a host call; `None` if it has nothing that could go: a failure, the ids of
    /// written rows, a count.
    pub(super) fn of(call: &HostCallEvent<'a>) -> Option<Self> {
        if call.status <= 0 || call.stop != Stop::No {
            return None;
        }
        let (Data::Full(request), Data::Full(response)) = (call.request, call.response) else {
            return None;
        };
        let len = usize::try_from(call.status).ok()?;
        let response = response.get(..len)?;
        let parts = match call.function.builtin() {
            None | Some(Builtin::CallPlugin) => Parts::Bytes(response),
            Some(Builtin::SochRead) => {
                let request: ReadRequest<'_> = wire::decode(request).ok()?;
                match request.format {
                    Format::Rows => {
                        let RowsResponse { rows, next } = wire::decode(response).ok()?;
                        Parts::Rows { rows: rows.iter().map(item).collect(), next }
                    }
                    Format::Toon => {
                        let ToonResponse { text, next } = wire::decode(response).ok()?;
                        Parts::Toon { text, next }
                    }
                }
            }
            Some(Builtin::IndexLookup) => {
                let LookupResponse { rows, next } = wire::decode(response).ok()?;
                Parts::Lookup { rows: rows.iter().map(item).collect(), next }
            }
            Some(Builtin::VectorSearch) => {
                let SearchResponse { hits } = wire::decode(response).ok()?;
                let item = |hit: Hit<'a>| Item {
                    id: hit.id,
                    distance: hit.distance,
                    values: hit.values.iter().collect(),
                };
                Parts::Hits { rows: hits.iter().map(item).collect() }
            }
            Some(Builtin::GetConfig) => {
                let ConfigResponse { value } = wire::decode(response).ok()?;
                Parts::Config(value)
            }
            Some(Builtin::LastError) => {
                let LastErrorResponse { text } = wire::decode(response).ok()?;
                Parts::Text(text)
            }
            Some(
                Builtin::SochWrite
                | Builtin::SochDelete
                | Builtin::EmitMetric
                | Builtin::LogMessage,
            ) => return None,
        };
        Some(Self { parts })
    }

    fn items(&self) -> &[Item<'a>] {
        if let Parts::Rows { rows, .. } | Parts::Lookup { rows, .. } | Parts::Hits { rows } =
            &self.parts
        {
            rows
        } else {
            &[]
        }
    }

    fn items_mut(&mut self) -> Option<&mut Vec<Item<'a>>> {
        if let Parts::Rows { rows, .. } | Parts::Lookup { rows, .. } | Parts::Hits { rows } =
            &mut self.parts
        {
            Some(rows)
        } else {
            None
        }
    }

    /// How many rows it has.
    pub(super) fn rows(&self) -> usize {
        self.items().len()
    }

    /// The same with these rows only.
    pub(super) fn with_rows(&self, keep: &[usize]) -> Self {
        let mut fewer = self.clone();
        let kept = keep.iter().filter_map(|&at| self.items().get(at).cloned()).collect();
        if let Some(items) = fewer.items_mut() {
            *items = kept;
        }
        fewer
    }

    /// The same made small at once: 0 with nothing in it that can go, 1 with its first row only, 2 with
    /// all rows and nothing in them.
    pub(super) fn at_level(&self, level: u8) -> Self {
        match level {
            0 => self.with_rows(&[]).without_values(),
            1 => self.with_rows(&[0]),
            _ => self.without_values(),
        }
    }

    /// The same with empty texts and bytes, and without saying that there is more.
    fn without_values(&self) -> Self {
        let mut smaller = self.without_next().unwrap_or_else(|| self.clone());
        for (place, len) in self.lengths().into_iter().enumerate() {
            if len > 0 {
                smaller = smaller.shortened(place, 0);
            }
        }
        smaller
    }

    /// Whether it says that there is more, and the same without that.
    pub(super) fn without_next(&self) -> Option<Self> {
        let mut last = self.clone();
        match &mut last.parts {
            Parts::Rows { next, .. } | Parts::Toon { next, .. } => next.take().map(drop),
            Parts::Lookup { next, .. } => next.take().map(drop),
            Parts::Hits { .. } | Parts::Text(_) | Parts::Config(_) | Parts::Bytes(_) => None,
        }?;
        Some(last)
    }

    /// The lengths of what can be shortened, in bytes.
    pub(super) fn lengths(&self) -> Vec<usize> {
        match &self.parts {
            Parts::Toon { text, .. } | Parts::Text(text) => vec![text.len()],
            Parts::Bytes(bytes) => vec![bytes.len()],
            Parts::Config(value) => vec![value_len(value)],
            Parts::Rows { .. } | Parts::Lookup { .. } | Parts::Hits { .. } => {
                self.items().iter().flat_map(|item| &item.values).map(value_len).collect()
            }
        }
    }

    /// The same with the part at `place` in [`lengths`](Self::lengths) cut to `len` bytes.
    pub(super) fn shortened(&self, place: usize, len: usize) -> Self {
        let mut shorter = self.clone();
        match &mut shorter.parts {
            Parts::Toon { text, .. } | Parts::Text(text) => *text = cut_text(text, len),
            Parts::Bytes(bytes) => *bytes = bytes.get(..len).unwrap_or(bytes),
            Parts::Config(value) => *value = cut(value, len),
            Parts::Rows { rows, .. } | Parts::Lookup { rows, .. } | Parts::Hits { rows } => {
                let mut values = rows.iter_mut().flat_map(|item| &mut item.values);
                if let Some(value) = values.nth(place) {
                    *value = cut(value, len);
                }
            }
        }
        shorter
    }

    /// The event with this answer.
    pub(super) fn put_into(&self, recorded: &Recorded) -> Option<Recorded> {
        let Event::HostCall(call) = recorded.event() else { return None };
        let response = self.encode();
        let event = Event::HostCall(HostCallEvent {
            status: i32::try_from(response.len()).ok()?,
            rows: match self.items_are_rows() {
                true => u32::try_from(self.rows()).ok()?,
                false => call.rows,
            },
            response: Data::Full(&response),
            ..call
        });
        Some(Recorded::new(recorded.number, &event))
    }

    const fn items_are_rows(&self) -> bool {
        matches!(self.parts, Parts::Rows { .. } | Parts::Lookup { .. } | Parts::Hits { .. })
    }

    fn encode(&self) -> Vec<u8> {
        let row = |item: &'_ Item<'a>| -> (u64, Vec<Value<'a>>) { (item.id, item.values.clone()) };
        let owned: Vec<_> = self.items().iter().map(row).collect();
        let rows = || -> Vec<Row<'_>> {
            owned.iter().map(|(id, values)| Row { id: *id, values: Seq::new(values) }).collect()
        };
        match &self.parts {
            Parts::Rows { next, .. } => {
                let rows = rows();
                encoded(&RowsResponse { rows: Seq::new(&rows), next: *next })
            }
            Parts::Lookup { next, .. } => {
                let rows = rows();
                encoded(&LookupResponse { rows: Seq::new(&rows), next: *next })
            }
            Parts::Hits { rows } => {
                let hit = |(item, (id, values)): (&Item<'a>, &'_ (u64, Vec<Value<'a>>))| {
                    (*id, item.distance, values.clone())
                };
                let hits: Vec<_> = rows.iter().zip(&owned).map(hit).collect();
                let hits: Vec<Hit<'_>> = hits
                    .iter()
                    .map(|(id, distance, values)| Hit {
                        id: *id,
                        distance: *distance,
                        values: Seq::new(values),
                    })
                    .collect();
                encoded(&SearchResponse { hits: Seq::new(&hits) })
            }
            Parts::Toon { text, next } => encoded(&ToonResponse { text, next: *next }),
            Parts::Text(text) => encoded(&LastErrorResponse { text }),
            Parts::Config(value) => encoded(&ConfigResponse { value: *value }),
            Parts::Bytes(bytes) => bytes.to_vec(),
        }
    }
}

fn item(row: Row<'_>) -> Item<'_> {
    Item { id: row.id, distance: 0.0, values: row.values.iter().collect() }
}

fn value_len(value: &Value<'_>) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Binary(bytes) => bytes.len(),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Float(_)
        | Value::Array(_)
        | Value::Object(_)
        | Value::Ref { .. } => 0,
    }
}

fn cut<'a>(value: &Value<'a>, len: usize) -> Value<'a> {
    match *value {
        Value::Text(text) => Value::Text(cut_text(text, len)),
        Value::Binary(bytes) => Value::Binary(bytes.get(..len).unwrap_or(bytes)),
        other @ (Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Float(_)
        | Value::Array(_)
        | Value::Object(_)
        | Value::Ref { .. }) => other,
    }
}

/// At most `len` bytes, whole characters.
fn cut_text(text: &str, len: usize) -> &str {
    let end = (0..=len.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    text.get(..end.unwrap_or(0)).unwrap_or(text)
}

fn encoded<'m>(message: &impl Wire<'m>) -> Vec<u8> {
    let mut counter = Writer::new(&mut []);
    message.encode(&mut counter);
    let mut bytes = vec![0; counter.position()];
    message.encode(&mut Writer::new(&mut bytes));
    bytes
}
