//! Which hooks a plugin has: entry points that are bound to events and to tables. It runs none of them.

use alloc::{boxed::Box, format, string::String, vec::Vec};
use core::fmt;

use crate::{
    abi::message::HookEvent,
    capability::{Glob, GlobError, Globs},
    host::error::{LoadError, Loading},
};

/// The most hooks of a plugin.
pub const MAX_HOOKS: usize = 32;

/// An entry point of a plugin that the host calls when rows of tables change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    event: HookEvent,
    entry: Box<str>,
    tables: Globs,
}

impl Hook {
    /// The event.
    #[must_use]
    pub const fn event(&self) -> HookEvent {
        self.event
    }

    /// Name of the entry point.
    #[must_use]
    pub fn entry(&self) -> &str {
        &self.entry
    }

    /// The tables, of those that the plugin may read. No pattern means all of these.
    #[must_use]
    pub const fn tables(&self) -> &Globs {
        &self.tables
    }

    /// The patterns that count: its own, or those of the tables that its plugin may read.
    fn patterns<'g>(&'g self, readable: &'g Globs) -> &'g [Glob] {
        let own = self.tables.as_slice();
        if own.is_empty() { readable.as_slice() } else { own }
    }

    /// Whether it watches a table, if its plugin may read those of `readable`.
    #[must_use]
    pub fn watches(&self, table: &str, readable: &Globs) -> bool {
        readable.matches(table) && (self.tables.as_slice().is_empty() || self.tables.matches(table))
    }
}

/// Why a hook is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HookError {
    /// A pattern of its tables is invalid.
    Glob(GlobError),
    /// An entry point is bound to the same event twice.
    Twice(HookEvent),
    /// There are [`MAX_HOOKS`] hooks already.
    TooMany,
}

impl fmt::Display for HookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Glob(error) => error.fmt(f),
            Self::Twice(event) => {
                write!(f, "an entry point has the hook {} twice", event.as_str())
            }
            Self::TooMany => {
                write!(f, "there are more than {MAX_HOOKS} hooks, {MAX_HOOKS} are allowed")
            }
        }
    }
}

impl core::error::Error for HookError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            // Its text is the text of this.
            Self::Glob(error) => error.source(),
            Self::Twice(_) | Self::TooMany => None,
        }
    }
}

/// The hooks of a plugin: by number of the event, and those of one event in the order in which they were
/// added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hooks(Vec<Hook>);

impl Hooks {
    pub(crate) fn as_slice(&self) -> &[Hook] {
        &self.0
    }

    pub(crate) fn add(
        &mut self,
        event: HookEvent,
        entry: &str,
        tables: Globs,
    ) -> Result<(), HookError> {
        if self.0.iter().any(|hook| hook.event == event && *hook.entry == *entry) {
            return Err(HookError::Twice(event));
        }
        if self.0.len() >= MAX_HOOKS {
            return Err(HookError::TooMany);
        }
        let at = self.0.partition_point(|hook| hook.event.number() <= event.number());
        self.0.insert(at, Hook { event, entry: entry.into(), tables });
        Ok(())
    }

    /// Checks that the plugin has the entry points and may read the tables.
    pub(crate) fn check(&self, readable: &Globs, has: impl Fn(&str) -> bool) -> Loading<()> {
        for hook in &self.0 {
            let (event, entry) = (hook.event, &*hook.entry);
            if !has(entry) {
                return Err(LoadError::HookEntry { event, entry: entry.into() }.into());
            }
            let denied = hook.tables.as_slice().iter().find(|glob| !readable.covers(glob));
            let pattern = match denied {
                Some(glob) => glob.as_str(),
                None if readable.as_slice().is_empty() => "*",
                None => continue,
            };
            let (entry, pattern) = (entry.into(), pattern.into());
            return Err(LoadError::HookDenied { event, entry, pattern }.into());
        }
        Ok(())
    }

    /// What these watch and `newer` do not, in words: event and pattern. A pattern that several newer ones
    /// cover only together counts, too.
    pub(crate) fn vanished(
        &self,
        readable: &Globs,
        newer: &Self,
        newer_readable: &Globs,
    ) -> Vec<String> {
        let mut vanished = Vec::new();
        for hook in &self.0 {
            let same = newer.0.iter().filter(|other| other.event == hook.event);
            for glob in hook.patterns(readable) {
                let mut others = same.clone().flat_map(|other| other.patterns(newer_readable));
                if !others.any(|other| other.covers(glob)) {
                    let text = format!("{} on \"{glob}\"", hook.event.as_str());
                    if !vanished.contains(&text) {
                        vanished.push(text);
                    }
                }
            }
        }
        vanished
    }
}
