//! The record of every host call that a plugin made: entries, a ring that keeps the last ones, and
//! a trait for sending them elsewhere.
//!
//! It holds no heap and no texts but table names. It does not decide what is recorded, does not
//! know plugins' names, and does not read a clock: the host gives it finished entries.

mod bytes;

use core::fmt;

use crate::abi::{Builtin, HOST_FUNCTIONS, Name, Status};

/// Which plugin: its number in the host, given in order of loading. After 4,294,967,295 it begins again,
/// and passes the plugins that are loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PluginId(pub u32);

/// Which host function: its index in the host's registry. The first ones are
/// [`HOST_FUNCTIONS`] in order, those of an embedder follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionId(pub u16);

impl FunctionId {
    /// The function, if it is one of [`HOST_FUNCTIONS`].
    #[must_use]
    pub fn builtin(self) -> Option<Builtin> {
        Builtin::from_number(self.0)
    }

    /// The function's name, if it is one of [`HOST_FUNCTIONS`].
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        HOST_FUNCTIONS.get(usize::from(self.0)).map(|function| function.name)
    }
}

/// One host call.
///
/// On the wire (postcard), in this order: `sequence` and `time_us` as varint(u64), `plugin` as
/// varint(u32), `function` as varint(u16), `table` as an option of a text, `status` as zigzag varint(i32),
/// `rows`, `bytes_in` and `bytes_out` as varint(u32), `caller` as an option of a varint(u32), `depth` as a
/// byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number: 1 for the first entry of a log, then rising by 1. [`AuditLog::push`] sets it.
    pub sequence: u64,
    /// When the call began, in microseconds of the host's clock.
    pub time_us: u64,
    /// Who called.
    pub plugin: PluginId,
    /// What was called.
    pub function: FunctionId,
    /// The table that the request named, or for `call_plugin` the plugin, if it did and if it is a name.
    pub table: Option<Name>,
    /// What the call returned: a length in bytes, or a negative [`Status`].
    pub status: i32,
    /// Rows that the call answered, wrote or deleted.
    pub rows: u32,
    /// Bytes of the request.
    pub bytes_in: u32,
    /// Bytes of the response.
    pub bytes_out: u32,
    /// The plugin on whose behalf `plugin` ran; `None` if the embedder called it.
    #[cfg(feature = "hooks")]
    pub caller: Option<PluginId>,
    /// How many calls of plugins were around the one that made the host call: 0 if the embedder called.
    #[cfg(feature = "hooks")]
    pub depth: u8,
}

impl AuditEntry {
    /// An entry of zeros, to fill the buffer of a new log with.
    pub const EMPTY: Self = Self {
        sequence: 0,
        time_us: 0,
        plugin: PluginId(0),
        function: FunctionId(0),
        table: None,
        status: 0,
        rows: 0,
        bytes_in: 0,
        bytes_out: 0,
        #[cfg(feature = "hooks")]
        caller: None,
        #[cfg(feature = "hooks")]
        depth: 0,
    };

    #[inline]
    const fn is_denial(&self) -> bool {
        self.status == Status::PermissionDenied.code()
    }

    /// The plugin on whose behalf it was made, and how many calls were around that: nobody and none without
    /// the feature `hooks`, as no plugin calls another one then.
    pub(crate) const fn called(&self) -> (Option<PluginId>, u8) {
        #[cfg(feature = "hooks")]
        return (self.caller, self.depth);
        #[cfg(not(feature = "hooks"))]
        (None, 0)
    }

    /// Sets what [`called`](Self::called) returns.
    pub(crate) const fn set_called(&mut self, called: (Option<PluginId>, u8)) {
        #[cfg(feature = "hooks")]
        {
            (self.caller, self.depth) = called;
        }
        #[cfg(not(feature = "hooks"))]
        let _ = called;
    }

    /// Whether `table` is the name of a plugin.
    fn names_plugin(&self) -> bool {
        self.function.builtin() == Some(Builtin::CallPlugin)
    }

    /// Whether both are about the same: who, what, and which table.
    fn is_like(&self, other: &Self) -> bool {
        self.plugin == other.plugin
            && self.function == other.function
            && self.table.as_deref() == other.table.as_deref()
    }

    /// The entry as one line, with the names of its plugin and function:
    ///
    /// `#12 t=1500us weather soch_write table=weather status=-1 (permission denied) rows=0 in=34
    /// out=0`
    ///
    /// and ` caller=0 depth=1` behind it, with the number of the plugin on whose behalf it ran, if there is
    /// one.
    #[must_use]
    pub const fn display<'a>(&'a self, plugin: &'a str, function: &'a str) -> impl fmt::Display {
        Line { entry: self, plugin, function, caller: None }
    }

    /// As [`display`](Self::display), with the name of the [`caller`](Self::caller) in place of its number.
    #[must_use]
    #[cfg_attr(not(feature = "host"), allow(dead_code, reason = "a host knows names"))]
    pub(crate) const fn display_called<'a>(
        &'a self,
        plugin: &'a str,
        function: &'a str,
        caller: Option<&'a str>,
    ) -> impl fmt::Display {
        Line { entry: self, plugin, function, caller }
    }
}

struct Line<'a> {
    entry: &'a AuditEntry,
    plugin: &'a str,
    function: &'a str,
    caller: Option<&'a str>,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entry, plugin, function, caller } = self;
        write!(f, "#{} t={}us {plugin} {function}", entry.sequence, entry.time_us)?;
        if let Some(name) = &entry.table {
            let what = if entry.names_plugin() { "plugin" } else { "table" };
            write!(f, " {what}={name}")?;
        }
        let words = match entry.status {
            0.. => "ok",
            code => Status::from_code(code).as_str(),
        };
        write!(
            f,
            " status={} ({words}) rows={} in={} out={}",
            entry.status, entry.rows, entry.bytes_in, entry.bytes_out
        )?;
        let (known, depth) = entry.called();
        match (known, caller) {
            (None, _) => Ok(()),
            (Some(_), Some(name)) => write!(f, " caller={name} depth={depth}"),
            (Some(id), None) => write!(f, " caller={} depth={depth}", id.0),
        }
    }
}

/// A place that every entry is sent to as it is made: a file, a radio, a test.
pub trait AuditSink {
    /// Takes one entry. Called during the host call, so it should be quick.
    fn record(&mut self, entry: &AuditEntry);
}

/// How many denials an [`AuditLog`] keeps beyond their turn, at most.
pub const MAX_KEPT_DENIALS: usize = 16;

/// The last entries, in a ring over a fixed buffer: an array on a device, a boxed slice in a
/// bigger host. The newest entry takes the place of the oldest. A buffer without room is allowed;
/// then every entry counts as overwritten.
///
/// **Denials stay.** An entry with [`Status::PermissionDenied`] is not overwritten when its turn comes, so
/// that a plugin cannot push its own denial out with harmless calls: up to a quarter of the buffer and
/// [`MAX_KEPT_DENIALS`] are kept, half of them at most of one plugin. They are the first ones, each once
/// for the same plugin, function and table. A plugin that is denied more often than that is seen in
/// the ring, in its [counters](crate::host::metrics::HostCounters), and by a sink.
#[derive(Clone, Debug)]
pub struct AuditLog<B> {
    buffer: B,
    /// Where the next entry goes.
    next: usize,
    /// Where the last entry went.
    last: usize,
    /// How many entries there were in all.
    total: u64,
    /// Where the denials are that stay, oldest first.
    kept: heapless::Vec<u32, MAX_KEPT_DENIALS>,
    /// The open entry of a log without room for any.
    spare: AuditEntry,
}

impl<B: AsRef<[AuditEntry]> + AsMut<[AuditEntry]>> AuditLog<B> {
    /// An empty log over `buffer`, whose entries are never looked at.
    pub const fn new(buffer: B) -> Self {
        Self {
            buffer,
            next: 0,
            last: 0,
            total: 0,
            kept: heapless::Vec::new(),
            spare: AuditEntry::EMPTY,
        }
    }

    /// Adds `entry`, whose [`sequence`](AuditEntry::sequence) is set here, and returns that
    /// number.
    pub fn push(&mut self, entry: AuditEntry) -> u64 {
        *self.open() = entry;
        self.close().sequence
    }

    /// The entry to come, in its place in the ring, for a caller that fills it bit by bit. It
    /// still holds what it overwrites, and counts only once it is [closed](Self::close).
    #[inline]
    pub fn open(&mut self) -> &mut AuditEntry {
        self.buffer.as_mut().get_mut(self.next).unwrap_or(&mut self.spare)
    }

    /// Adds the open entry, giving it its [`sequence`](AuditEntry::sequence).
    #[inline]
    pub fn close(&mut self) -> &AuditEntry {
        // One entry a nanosecond fills 64 bits in 584 years.
        self.total = self.total.wrapping_add(1);
        let slots = self.buffer.as_mut();
        let capacity = slots.len();
        if let Some(entry) = slots.get_mut(self.next) {
            entry.sequence = self.total;
        } else {
            self.spare.sequence = self.total;
        }
        self.last = self.next;
        // A comparison instead of a remainder: a division is a call on the smallest cores.
        self.next += 1;
        if self.next >= capacity {
            self.next = 0;
        }
        if slots.get(self.next).is_some_and(AuditEntry::is_denial) && self.total >= capacity as u64
        {
            self.keep_denials();
        }
        self.last()
    }

    /// Moves on to the next entry that may be overwritten. Fewer than a quarter of the entries stay,
    /// so there is one.
    #[cold]
    fn keep_denials(&mut self) {
        let slots = self.buffer.as_ref();
        let most = (slots.len() / 4).min(MAX_KEPT_DENIALS);
        while let Some(denial) = slots.get(self.next).filter(|entry| entry.is_denial()) {
            let at = u32::try_from(self.next).unwrap_or(u32::MAX);
            if !self.kept.contains(&at) {
                let kept = || self.kept.iter().filter_map(|at| slots.get(*at as usize));
                let own = kept().filter(|kept| kept.plugin == denial.plugin).count();
                let room = self.kept.len() < most && own < most.div_ceil(2);
                let known = kept().any(|kept| kept.is_like(denial));
                if known || !room || self.kept.push(at).is_err() {
                    return;
                }
            }
            self.next += 1;
            if self.next >= slots.len() {
                self.next = 0;
            }
        }
    }

    /// The entry that was closed last, also in a log without room.
    #[inline]
    pub(crate) fn last(&self) -> &AuditEntry {
        self.buffer.as_ref().get(self.last).unwrap_or(&self.spare)
    }

    /// The entries still there, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &AuditEntry> {
        let slots = self.buffer.as_ref();
        let (newer, older) = slots.split_at_checked(self.next).unwrap_or((slots, &[]));
        // Until the ring is full, what is behind `next` was never written.
        let older = if self.total >= slots.len() as u64 { older } else { &[] };
        let split = slots.len() - older.len();
        let at = |base: usize| move |(at, entry)| (base + at, entry);
        let ring = older.iter().enumerate().map(at(split));
        let ring = ring.chain(newer.iter().enumerate().map(at(0)));
        let ring = ring.filter(|(at, _)| !self.kept.contains(&(*at as u32)));
        let kept = self.kept.iter().filter_map(|at| slots.get(*at as usize));
        kept.chain(ring.map(|(_, entry)| entry))
    }

    /// How many entries are still there.
    pub fn len(&self) -> usize {
        let capacity = self.capacity();
        usize::try_from(self.total).map_or(capacity, |total| total.min(capacity))
    }

    /// Whether no entry is there.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many entries can be there.
    pub fn capacity(&self) -> usize {
        self.buffer.as_ref().len()
    }

    /// How many entries were there and are no more.
    pub fn overwritten(&self) -> u64 {
        self.total - self.len() as u64
    }

    /// How many entries there were in all.
    pub const fn total(&self) -> u64 {
        self.total
    }
}
