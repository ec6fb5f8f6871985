//! The host's functions as methods, over one scratch buffer.
//!
//! What a method returns borrows from the scratch, so the compiler keeps it from being overwritten
//! by the next call. A plugin that must hold an answer across calls copies what it needs, or
//! [splits](HostHandle::split) the scratch.

use core::ops::ControlFlow;

use super::{
    Fields, FromValue, HostCallError, HostImport, Lookup, Scan, WriteBatch, call, call::ask,
    call_as, exchange, imports, pages::Page, send,
};
use crate::abi::{
    Seq, Status, Value,
    message::{
        ConfigRequest, DeleteRequest, Format, IndexQuery, LastErrorRequest, LogLevel, LogRequest,
        MetricKind, MetricRequest, NewRow, ReadRequest, RowSelector, RowsResponse, SearchRequest,
        SearchResponse, ToonResponse, WriteMode, WriteRequest, WriteResponse,
    },
    wire::{Reader, Wire},
};

/// The host, as a plugin sees it.
#[derive(Debug)]
pub struct HostHandle<'s> {
    scratch: &'s mut [u8],
}

impl<'s> HostHandle<'s> {
    /// The host, with a buffer for the request and the response of one call at a time.
    pub const fn new(scratch: &'s mut [u8]) -> Self {
        Self { scratch }
    }

    /// The scratch.
    pub(super) const fn scratch(&mut self) -> &mut [u8] {
        self.scratch
    }

    /// Two handles on parts of the scratch, the first with `first` bytes (or all there are), for a
    /// call whose answer is held during other calls.
    pub fn split(&mut self, first: usize) -> (HostHandle<'_>, HostHandle<'_>) {
        let (a, b) = self.scratch.split_at_mut(first.min(self.scratch.len()));
        (HostHandle::new(a), HostHandle::new(b))
    }

    /// Calls any function; [`call`](call()) says how.
    ///
    /// # Errors
    /// [`HostCallError`].
    pub fn call<'a, F: HostImport>(
        &'a mut self,
        request: &F::Request<'_>,
    ) -> Result<F::Response<'a>, HostCallError>
    where
        F::Response<'a>: Wire<'a>,
    {
        call::<F>(request, self.scratch)
    }

    /// `soch_read` with all its options. The format is [`Format::Rows`] whatever `request` says.
    ///
    /// # Errors
    /// [`HostCallError`].
    pub fn read(&mut self, request: &ReadRequest<'_>) -> Result<RowsResponse<'_>, HostCallError> {
        let request = ReadRequest { format: Format::Rows, ..*request };
        call::<imports::SochRead>(&request, self.scratch)
    }

    /// `soch_read` with all its options, as a TOON document. The format is [`Format::Toon`]
    /// whatever `request` says.
    ///
    /// # Errors
    /// [`HostCallError`].
    pub fn read_toon(
        &mut self,
        request: &ReadRequest<'_>,
    ) -> Result<ToonResponse<'_>, HostCallError> {
        let request = ReadRequest { format: Format::Toon, ..*request };
        call_as::<imports::SochRead, _>(&request, self.scratch)
    }

    /// The row of an id. No columns means all.
    ///
    /// # Errors
    /// [`HostCallError`]; [`Status::NotFound`] if there is no such row.
    #[inline]
    pub fn read_one(
        &mut self,
        table: &str,
        id: u64,
        columns: &[&str],
    ) -> Result<Fields<'_>, HostCallError> {
        let request = ReadRequest {
            table,
            rows: RowSelector::One(id),
            columns: Seq::new(columns),
            limit: None,
            format: Format::Rows,
        };
        Fields::single(ask::<imports::SochRead>(&request, self.scratch)?)?
            .ok_or(HostCallError::new(Status::NotFound))
    }

    /// The rows of a list of ids, those that exist. No columns means all.
    ///
    /// The response's `next`, if any, is how many of the ids were looked at.
    ///
    /// # Errors
    /// [`HostCallError`].
    pub fn read_list(
        &mut self,
        table: &str,
        ids: &[u64],
        columns: &[&str],
    ) -> Result<RowsResponse<'_>, HostCallError> {
        let request = ReadRequest {
            table,
            rows: RowSelector::List(Seq::new(ids)),
            columns: Seq::new(columns),
            limit: None,
            format: Format::Rows,
        };
        call::<imports::SochRead>(&request, self.scratch)
    }

    /// The rows from the id `from` on, up to before `until`, page by page. No columns means all.
    pub fn scan<'a>(
        &'a mut self,
        table: &'a str,
        from: u64,
        until: Option<u64>,
        columns: &'a [&'a str],
    ) -> Scan<'a> {
        let request = ReadRequest {
            table,
            rows: RowSelector::ALL,
            columns: Seq::new(columns),
            limit: None,
            format: Format::Rows,
        };
        Scan::new(self.scratch, request, from, until)
    }

    /// `soch_write` with all its options.
    ///
    /// # Errors
    /// [`HostCallError`].
    pub fn write(
        &mut self,
        request: &WriteRequest<'_>,
    ) -> Result<WriteResponse<'_>, HostCallError> {
        call::<imports::SochWrite>(request, self.scratch)
    }

    fn write_row(
        &mut self,
        table: &str,
        mode: WriteMode,
        id: Option<u64>,
        columns: &[&str],
        values: &[Value<'_>],
    ) -> Result<u64, HostCallError> {
        let rows = [NewRow { id, values: Seq::new(values) }];
        let request =
            WriteRequest { table, mode, columns: Seq::new(columns), rows: Seq::new(&rows) };
        // A list of one id.
        let mut response = ask::<imports::SochWrite>(&request, self.scratch)?;
        if response.u32()? == 1 { Ok(response.u64()?) } else { Err(Status::Error.into()) }
    }

    /// Inserts one row under an id that the host assigns, and returns the id.
    ///
    /// # Errors
    /// [`HostCallError`].
    pub fn insert(
        &mut self,
        table: &str,
        columns: &[&str],
        values: &[Value<'_>],
    ) -> Result<u64, HostCallError> {
        self.write_row(table, WriteMode::Insert, None, columns, values)
    }

    /// Changes columns of one row.
    ///
    /// # Errors
    /// [`HostCallError`]; [`Status::NotFound`] if there is no such row.
    pub fn update(
        &mut self,
        table: &str,
        id: u64,
        columns: &[&str],
        values: &[Value<'_>],
    ) -> Result<(), HostCallError> {
        self.write_row(table, WriteMode::Update, Some(id), columns, values).map(|_| ())
    }

    /// Changes columns of the row of this id, or inserts it.
    ///
    /// # Errors
    /// [`HostCallError`].
    pub fn upsert(
        &mut self,
        table: &str,
        id: u64,
        columns: &[&str],
        values: &[Value<'_>],
    ) -> Result<(), HostCallError> {
        self.write_row(table, WriteMode::Upsert, Some(id), columns, values).map(|_| ())
    }

    /// Many rows in as few calls of `soch_write` as the scratch allows.
    ///
    /// # Errors
    /// [`HostCallError`] if the scratch is too small for the names alone.
    pub fn batch(
        &mut self,
        table: &str,
        mode: WriteMode,
        columns: &[&str],
    ) -> Result<WriteBatch<'_>, HostCallError> {
        WriteBatch::new(self.scratch, table, mode, columns)
    }

    /// Deletes rows and returns how many there were.
    ///
    /// # Errors
    /// [`HostCallError`].
    pub fn delete(&mut self, table: &str, rows: RowSelector<'_>) -> Result<u64, HostCallError> {
        let request = DeleteRequest { table, rows };
        call::<imports::SochDelete>(&request, self.scratch).map(|response| response.count)
    }

    /// `vector_search`: the rows nearest to a query, nearest first.
    ///
    /// # Errors
    /// [`HostCallError`].
    pub fn search(
        &mut self,
        request: &SearchRequest<'_>,
    ) -> Result<SearchResponse<'_>, HostCallError> {
        call::<imports::VectorSearch>(request, self.scratch)
    }

    /// As [`search`](Self::search), but hands each hit to `each`, with its distance, until there is no
    /// more or `each` breaks. It takes less code and fuel, as only those columns are looked at that
    /// `each` takes.
    ///
    /// # Errors
    /// [`HostCallError`], and what `each` returns.
    pub fn search_each<E: From<HostCallError>>(
        &mut self,
        request: &SearchRequest<'_>,
        mut each: impl FnMut(f32, &mut Fields<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let mut page = self.hits(request)?;
        while let Some((distance, mut fields)) = page.hit(self.scratch)? {
            if each(distance, &mut fields)?.is_break() {
                break;
            }
            page.pass(&mut fields)?;
        }
        Ok(())
    }

    fn hits(&mut self, request: &SearchRequest<'_>) -> Result<Page, HostCallError> {
        let place = exchange::<imports::VectorSearch>(request, self.scratch)?;
        let page = Page::begin(self.scratch, &place)?;
        Ok(page)
    }

    /// Entries of an index in its order, page by page. [`Lookup`] has the options.
    pub fn lookup<'a>(
        &'a mut self,
        table: &'a str,
        index: &'a str,
        query: IndexQuery<'a>,
    ) -> Lookup<'a> {
        Lookup::new(self.scratch, table, index, query)
    }

    fn metric(
        &mut self,
        kind: MetricKind,
        name: &str,
        labels: &[(&str, &str)],
        value: f64,
    ) -> Result<(), HostCallError> {
        let request = MetricRequest { kind, name, labels: Seq::new(labels), value };
        send::<imports::EmitMetric>(&request, self.scratch)
    }

    /// Adds to a counter. The names of the labels must rise.
    ///
    /// # Errors
    /// [`HostCallError`]; [`Status::InvalidArgs`] if the name is in use for another kind, also by another
    /// plugin, [`Status::LimitExceeded`] if the host has no room for a new series.
    pub fn counter(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        value: f64,
    ) -> Result<(), HostCallError> {
        self.metric(MetricKind::Counter, name, labels, value)
    }

    /// Sets a gauge. The names of the labels must rise.
    ///
    /// # Errors
    /// [`HostCallError`]; [`Status::InvalidArgs`] if the name is in use for another kind, also by another
    /// plugin, [`Status::LimitExceeded`] if the host has no room for a new series.
    pub fn gauge(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        value: f64,
    ) -> Result<(), HostCallError> {
        self.metric(MetricKind::Gauge, name, labels, value)
    }

    /// Observes a value in a histogram. The names of the labels must rise.
    ///
    /// # Errors
    /// [`HostCallError`]; [`Status::InvalidArgs`] if the name is in use for another kind, also by another
    /// plugin, [`Status::LimitExceeded`] if the host has no room for a new series.
    pub fn histogram(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        value: f64,
    ) -> Result<(), HostCallError> {
        self.metric(MetricKind::Histogram, name, labels, value)
    }

    /// Logs a text.
    ///
    /// # Errors
    /// [`HostCallError`].
    pub fn log(&mut self, level: LogLevel, message: &str) -> Result<(), HostCallError> {
        send::<imports::LogMessage>(&LogRequest { level, message }, self.scratch)
    }

    /// The plugin's configuration under `key`.
    ///
    /// # Errors
    /// [`HostCallError`]; [`Status::NotFound`] if there is no such key, [`Status::InvalidArgs`] if its
    /// value is not a `T`.
    pub fn config<'a, T: FromValue<'a>>(&'a mut self, key: &str) -> Result<T, HostCallError> {
        T::take(&mut self.config_value(key)?)
    }

    /// The value in a [`ConfigResponse`](crate::abi::message::ConfigResponse), which has nothing else.
    pub(super) fn config_value(&mut self, key: &str) -> Result<Reader<'_>, HostCallError> {
        ask::<imports::GetConfig>(&ConfigRequest { key }, self.scratch)
    }

    /// As [`config`](Self::config), with `default` for a key that does not exist.
    ///
    /// # Errors
    /// As [`config`](Self::config), but for [`Status::NotFound`].
    pub fn config_or<'a, T: FromValue<'a>>(
        &'a mut self,
        key: &str,
        default: T,
    ) -> Result<T, HostCallError> {
        match self.config(key) {
            Err(error) if error.status == Status::NotFound => Ok(default),
            result => result,
        }
    }

    /// What the host said about the last host call that failed since the entry point was called.
    ///
    /// # Errors
    /// [`HostCallError`]; [`Status::NotFound`] if none has failed, [`Status::BufferTooSmall`] for a text
    /// that does not fit the scratch, which [`MAX_ERROR_LEN`](super::MAX_ERROR_LEN)` + 1` bytes always
    /// hold. The text is still there after either.
    pub fn last_error(&mut self) -> Result<&str, HostCallError> {
        call::<imports::LastError>(&LastErrorRequest {}, self.scratch).map(|response| response.text)
    }
}
