//! The types of the wire once more, as serde sees them: owned, and encoded by the `postcard` crate.

use std::fmt::Debug;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sochdb_wasmi::abi::{self, Seq, message, wire::Wire};

/// A type of serde's that stands for one of ours.
pub trait Mirror: Serialize + DeserializeOwned + Clone + PartialEq + Debug {
    type Ours: Wire<'static> + Copy + Debug + PartialEq + 'static;

    /// Ours, made of slices. It leaks: tests are short.
    fn ours(&self) -> Self::Ours;

    /// Back again.
    fn of(ours: Self::Ours) -> Self;
}

macro_rules! plain {
    ($($type:ty),*) => {$(
        impl Mirror for $type {
            type Ours = $type;
            fn ours(&self) -> $type { *self }
            fn of(ours: $type) -> $type { ours }
        }
    )*};
}
plain!(bool, u32, u64, i64, f32, f64);

impl Mirror for String {
    type Ours = &'static str;
    fn ours(&self) -> &'static str {
        self.clone().leak()
    }
    fn of(ours: &'static str) -> Self {
        ours.to_owned()
    }
}

impl Mirror for Vec<u8> {
    type Ours = &'static [u8];
    fn ours(&self) -> &'static [u8] {
        self.clone().leak()
    }
    fn of(ours: &'static [u8]) -> Self {
        ours.to_owned()
    }
}

impl<T: Mirror> Mirror for Vec<T> {
    type Ours = Seq<'static, T::Ours>;
    fn ours(&self) -> Self::Ours {
        Seq::new(self.iter().map(T::ours).collect::<Vec<_>>().leak())
    }
    fn of(ours: Self::Ours) -> Self {
        assert_eq!(ours.iter().len(), ours.len());
        ours.iter().map(T::of).collect()
    }
}

impl<T: Mirror> Mirror for Option<T> {
    type Ours = Option<T::Ours>;
    fn ours(&self) -> Self::Ours {
        self.as_ref().map(T::ours)
    }
    fn of(ours: Self::Ours) -> Self {
        ours.map(T::of)
    }
}

impl<A: Mirror, B: Mirror> Mirror for (A, B) {
    type Ours = (A::Ours, B::Ours);
    fn ours(&self) -> Self::Ours {
        (self.0.ours(), self.1.ours())
    }
    fn of(ours: Self::Ours) -> Self {
        (A::of(ours.0), B::of(ours.1))
    }
}

/// Declares the mirrors of structs. The type of ours is given, as some have a lifetime.
macro_rules! structs {
    ($($name:ident = $ours:ty { $($field:ident: $type:ty),* $(,)? })*) => {
        /// Every message that is checked here.
        pub const MIRRORED: &[&str] = &[$(stringify!($name)),*];
        $(
            #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
            pub struct $name { $(pub $field: $type),* }

            impl Mirror for $name {
                type Ours = $ours;
                fn ours(&self) -> $ours {
                    message::$name { $($field: self.$field.ours()),* }
                }
                fn of(_ours: $ours) -> Self {
                    Self { $($field: Mirror::of(_ours.$field)),* }
                }
            }
        )*
    };
}

/// Declares the mirrors of enumerations without data.
macro_rules! tags {
    ($($name:ident { $($variant:ident),* })*) => {$(
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum $name { $($variant),* }

        impl Mirror for $name {
            type Ours = message::$name;
            fn ours(&self) -> message::$name {
                match self { $(Self::$variant => message::$name::$variant),* }
            }
            fn of(ours: message::$name) -> Self {
                match ours { $(message::$name::$variant => Self::$variant),* }
            }
        }
    )*};
}

tags! {
    Format { Rows, Toon }
    WriteMode { Insert, Update, Upsert }
    Comparison { Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual }
    MetricKind { Counter, Gauge, Histogram }
    LogLevel { Debug, Info, Warn, Error }
}

structs! {
    NewRow = message::NewRow<'static> { id: Option<u64>, values: Vec<Value> }
    Row = message::Row<'static> { id: u64, values: Vec<Value> }
    Condition = message::Condition<'static> { column: String, comparison: Comparison, value: Value }
    ReadRequest = message::ReadRequest<'static> {
        table: String, rows: RowSelector, columns: Vec<String>, limit: Option<u32>, format: Format,
    }
    RowsResponse = message::RowsResponse<'static> { rows: Vec<Row>, next: Option<u64> }
    ToonResponse = message::ToonResponse<'static> { text: String, next: Option<u64> }
    WriteRequest = message::WriteRequest<'static> {
        table: String, mode: WriteMode, columns: Vec<String>, rows: Vec<NewRow>,
    }
    WriteResponse = message::WriteResponse<'static> { ids: Vec<u64> }
    DeleteRequest = message::DeleteRequest<'static> { table: String, rows: RowSelector }
    DeleteResponse = message::DeleteResponse { count: u64 }
    SearchRequest = message::SearchRequest<'static> {
        table: String, column: String, query: Vec<u8>, k: u32, filter: Vec<Condition>,
        columns: Option<Vec<String>>,
    }
    Hit = message::Hit<'static> { id: u64, distance: f32, values: Vec<Value> }
    SearchResponse = message::SearchResponse<'static> { hits: Vec<Hit> }
    LookupRequest = message::LookupRequest<'static> {
        table: String, index: String, query: IndexQuery, reverse: bool, limit: Option<u32>,
        after: Option<Vec<u8>>, columns: Option<Vec<String>>,
    }
    LookupResponse = message::LookupResponse<'static> { rows: Vec<Row>, next: Option<Vec<u8>> }
    MetricRequest = message::MetricRequest<'static> {
        kind: MetricKind, name: String, labels: Vec<(String, String)>, value: f64,
    }
    LogRequest = message::LogRequest<'static> { level: LogLevel, message: String }
    ConfigRequest = message::ConfigRequest<'static> { key: String }
    ConfigResponse = message::ConfigResponse<'static> { value: Value }
    CallRequest = message::CallRequest<'static> { plugin: String, entry: String, input: Vec<u8> }
    LastErrorRequest = message::LastErrorRequest {}
    LastErrorResponse = message::LastErrorResponse<'static> { text: String }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    Text(String),
    Binary(Vec<u8>),
    Array(Vec<Value>),
    Object(Vec<(String, Value)>),
    Ref { table: String, id: u64 },
}

impl Mirror for Value {
    type Ours = abi::Value<'static>;
    fn ours(&self) -> Self::Ours {
        match self {
            Self::Null => abi::Value::Null,
            Self::Bool(value) => abi::Value::Bool(*value),
            Self::Int(value) => abi::Value::Int(*value),
            Self::UInt(value) => abi::Value::UInt(*value),
            Self::Float(value) => abi::Value::Float(*value),
            Self::Text(value) => abi::Value::Text(value.ours()),
            Self::Binary(value) => abi::Value::Binary(value.ours()),
            Self::Array(items) => abi::Value::Array(items.ours()),
            Self::Object(fields) => abi::Value::Object(fields.ours()),
            Self::Ref { table, id } => abi::Value::Ref { table: table.ours(), id: *id },
        }
    }
    fn of(ours: Self::Ours) -> Self {
        match ours {
            abi::Value::Null => Self::Null,
            abi::Value::Bool(value) => Self::Bool(value),
            abi::Value::Int(value) => Self::Int(value),
            abi::Value::UInt(value) => Self::UInt(value),
            abi::Value::Float(value) => Self::Float(value),
            abi::Value::Text(value) => Self::Text(Mirror::of(value)),
            abi::Value::Binary(value) => Self::Binary(Mirror::of(value)),
            abi::Value::Array(items) => Self::Array(Mirror::of(items)),
            abi::Value::Object(fields) => Self::Object(Mirror::of(fields)),
            abi::Value::Ref { table, id } => Self::Ref { table: Mirror::of(table), id },
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RowSelector {
    One(u64),
    List(Vec<u64>),
    Range { from: u64, until: Option<u64> },
}

impl Mirror for RowSelector {
    type Ours = message::RowSelector<'static>;
    fn ours(&self) -> Self::Ours {
        match self {
            Self::One(id) => message::RowSelector::One(*id),
            Self::List(ids) => message::RowSelector::List(ids.ours()),
            Self::Range { from, until } => {
                message::RowSelector::Range { from: *from, until: *until }
            }
        }
    }
    fn of(ours: Self::Ours) -> Self {
        match ours {
            message::RowSelector::One(id) => Self::One(id),
            message::RowSelector::List(ids) => Self::List(Mirror::of(ids)),
            message::RowSelector::Range { from, until } => Self::Range { from, until },
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum IndexQuery {
    Point(Vec<Value>),
    Prefix(Vec<Value>),
    Range { lower: Bound, upper: Bound },
}

impl Mirror for IndexQuery {
    type Ours = message::IndexQuery<'static>;
    fn ours(&self) -> Self::Ours {
        match self {
            Self::Point(values) => message::IndexQuery::Point(values.ours()),
            Self::Prefix(values) => message::IndexQuery::Prefix(values.ours()),
            Self::Range { lower, upper } => {
                message::IndexQuery::Range { lower: lower.ours(), upper: upper.ours() }
            }
        }
    }
    fn of(ours: Self::Ours) -> Self {
        match ours {
            message::IndexQuery::Point(values) => Self::Point(Mirror::of(values)),
            message::IndexQuery::Prefix(values) => Self::Prefix(Mirror::of(values)),
            message::IndexQuery::Range { lower, upper } => {
                Self::Range { lower: Mirror::of(lower), upper: Mirror::of(upper) }
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Bound {
    Unbounded,
    Included(Vec<Value>),
    Excluded(Vec<Value>),
}

impl Mirror for Bound {
    type Ours = message::Bound<'static>;
    fn ours(&self) -> Self::Ours {
        match self {
            Self::Unbounded => message::Bound::Unbounded,
            Self::Included(values) => message::Bound::Included(values.ours()),
            Self::Excluded(values) => message::Bound::Excluded(values.ours()),
        }
    }
    fn of(ours: Self::Ours) -> Self {
        match ours {
            message::Bound::Unbounded => Self::Unbounded,
            message::Bound::Included(values) => Self::Included(Mirror::of(values)),
            message::Bound::Excluded(values) => Self::Excluded(Mirror::of(values)),
        }
    }
}
