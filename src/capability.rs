//! What a plugin may do: patterns of tables it may read and write, and switches for the rest.
//!
//! It only answers yes or no. The capability that each function needs is in
//! [`HOST_FUNCTIONS`](crate::abi::HOST_FUNCTIONS), asking before each call is the host's work, and
//! counting what was allowed is [`limits`](crate::limits)' and [`meter`](crate::meter)'s.
//!
//! What a plugin that is called by another one may do is what it was granted itself: `can_call_plugin` is
//! about who may call, and nothing is handed on.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use heapless::String;

use crate::abi::{Capability, MAX_NAME_LEN};

/// The longest [`Glob`], in bytes: a name and a `*`.
pub const MAX_GLOB_LEN: usize = MAX_NAME_LEN + 1;

/// The most patterns in a [`Globs`].
pub const MAX_GLOBS: usize = 8;

/// A pattern of names, by SochDB's rule: `*` matches every name, a `*` at the end every name that
/// begins with what is before it, and anything else only itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Glob(String<MAX_GLOB_LEN, u8>);

/// Why a text is not a [`Glob`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GlobError {
    /// It has no characters.
    Empty,
    /// It is longer than a name can be, the `*` not counted.
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// A `*` is not at the end.
    StarInside {
        /// Offset of the `*` in bytes.
        at: usize,
    },
    /// No name has this character in this place, so the pattern could never match.
    Character {
        /// Offset of the character in bytes.
        at: usize,
    },
    /// There are more than [`MAX_GLOBS`] patterns.
    TooMany {
        /// How many there are.
        count: usize,
    },
}

impl fmt::Display for GlobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "a pattern is empty"),
            Self::TooLong { len } => {
                write!(f, "a pattern has {len} bytes, at most {MAX_NAME_LEN} and a * are allowed")
            }
            Self::StarInside { at } => {
                write!(f, "a pattern has a * at byte {at}, it may only be at the end")
            }
            Self::Character { at } => {
                write!(f, "a pattern has a character at byte {at} that no name has there")
            }
            Self::TooMany { count } => {
                write!(f, "there are {count} patterns, at most {MAX_GLOBS} are allowed")
            }
        }
    }
}

impl core::error::Error for GlobError {}

impl Glob {
    /// A pattern of table names.
    ///
    /// # Errors
    /// [`GlobError`] says what is wrong and where; a pattern that could match no
    /// [`Name`](crate::abi::Name) is refused rather than kept in vain.
    pub fn new(pattern: &str) -> Result<Self, GlobError> {
        Self::checked(pattern, |at, byte| {
            byte.is_ascii_alphabetic() || byte == b'_' || at > 0 && byte.is_ascii_digit()
        })
    }

    /// A pattern of [names of plugins](crate::abi::Name::plugin).
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn plugin(pattern: &str) -> Result<Self, GlobError> {
        Self::checked(pattern, |at, byte| {
            let later = byte.is_ascii_digit() || byte == b'-';
            byte.is_ascii_alphabetic() || byte == b'_' || at > 0 && later
        })
    }

    /// A pattern of named capabilities, whose names are made of ASCII letters, digits, `_`, `.`
    /// and `-`.
    ///
    /// # Errors
    /// [`GlobError`] says what is wrong and where.
    pub fn named(pattern: &str) -> Result<Self, GlobError> {
        Self::checked(pattern, |_, byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
        })
    }

    fn checked(pattern: &str, allowed: fn(usize, u8) -> bool) -> Result<Self, GlobError> {
        if pattern.is_empty() {
            return Err(GlobError::Empty);
        }
        let literal = pattern.strip_suffix('*').unwrap_or(pattern);
        if let Some((at, byte)) = literal.bytes().enumerate().find(|&(at, b)| !allowed(at, b)) {
            return Err(match byte {
                b'*' => GlobError::StarInside { at },
                _ => GlobError::Character { at },
            });
        }
        if literal.len() > MAX_NAME_LEN {
            return Err(GlobError::TooLong { len: pattern.len() });
        }
        // At most a name and the star, so it fits.
        let too_long = GlobError::TooLong { len: pattern.len() };
        String::try_from(pattern).map(Self).map_err(|_| too_long)
    }

    /// Whether `name` is one of those meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => self.0 == name,
        }
    }

    /// Whether every name that `other` matches is one of those meant.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => other.0.strip_suffix('*').unwrap_or(&other.0).starts_with(prefix),
            None => self == other,
        }
    }

    /// The pattern as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// At most [`MAX_GLOBS`] patterns; a name matches if one of them does. Empty by default, which
/// matches nothing.
///
/// They are on the heap: a plugin has three lists of few patterns, and as arrays for all that there
/// may be they were 800 bytes of each frame that a plugin's grants go through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Globs(Box<[Glob]>);

impl Globs {
    /// Patterns of table names.
    ///
    /// # Errors
    /// [`GlobError`] of the first pattern that is wrong, or [`GlobError::TooMany`].
    pub fn new(patterns: &[&str]) -> Result<Self, GlobError> {
        Self::collect(patterns, Glob::new)
    }

    /// Patterns of names of plugins.
    ///
    /// # Errors
    /// [`GlobError`] of the first pattern that is wrong, or [`GlobError::TooMany`].
    pub fn plugins(patterns: &[&str]) -> Result<Self, GlobError> {
        Self::collect(patterns, Glob::plugin)
    }

    /// Patterns of named capabilities.
    ///
    /// # Errors
    /// [`GlobError`] of the first pattern that is wrong, or [`GlobError::TooMany`].
    pub fn named(patterns: &[&str]) -> Result<Self, GlobError> {
        Self::collect(patterns, Glob::named)
    }

    fn collect(
        patterns: &[&str],
        parse: fn(&str) -> Result<Glob, GlobError>,
    ) -> Result<Self, GlobError> {
        let mut globs = Vec::with_capacity(patterns.len().min(MAX_GLOBS));
        for pattern in patterns {
            let glob = parse(pattern)?;
            if globs.len() == MAX_GLOBS {
                return Err(GlobError::TooMany { count: patterns.len() });
            }
            globs.push(glob);
        }
        Ok(Self(globs.into()))
    }

    /// Whether one of the patterns matches.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|glob| glob.matches(name))
    }

    /// Whether one of the patterns matches every name that `glob` matches.
    #[must_use]
    pub fn covers(&self, glob: &Glob) -> bool {
        self.0.iter().any(|own| own.covers(glob))
    }

    /// The patterns that no pattern of `others` covers. What several of them cover only together is
    /// among these.
    fn beyond<'g>(&'g self, others: &'g Self) -> impl Iterator<Item = &'g Glob> {
        self.0.iter().filter(|glob| !others.covers(glob))
    }

    /// The patterns, as they were given.
    #[must_use]
    pub fn as_slice(&self) -> &[Glob] {
        &self.0
    }
}

/// What one plugin may do. The default is nothing.
///
/// ```
/// use sochdb_wasmi::capability::{Capabilities, Globs};
///
/// let granted = Capabilities {
///     can_read_table: Globs::new(&["weather", "monthly_*"])?,
///     can_write_table: Globs::new(&["weather"])?,
///     ..Capabilities::default()
/// };
/// assert!(granted.can_read("monthly_rain") && !granted.can_write("monthly_rain"));
/// # Ok::<(), sochdb_wasmi::capability::GlobError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Tables that it may read. Default none.
    pub can_read_table: Globs,
    /// Tables that it may write and delete from. Default none; does not include reading.
    pub can_write_table: Globs,
    /// Whether it may search vectors, in tables that it may read. Default no.
    pub can_vector_search: bool,
    /// Whether it may look up indexes, of tables that it may read. Default no.
    pub can_index_search: bool,
    /// Named capabilities of functions that an embedder adds ([`Globs::named`]). Default none.
    pub can_call_host: Globs,
    /// Names of plugins that it may call ([`Globs::plugins`]). Default none. A plugin that it calls does what
    /// that one may do.
    pub can_call_plugin: Globs,
}

impl Capabilities {
    /// SochDB's preset for a plugin that only observes: nothing is granted. Logs, metrics and its
    /// own configuration need no grant.
    #[must_use]
    pub fn observability_only() -> Self {
        Self::default()
    }

    /// SochDB's preset for a plugin that analyses: it may read `tables` (patterns), and search
    /// their indexes and vectors.
    ///
    /// # Errors
    /// [`GlobError`] of the first pattern that is wrong, or [`GlobError::TooMany`].
    pub fn read_only(tables: &[&str]) -> Result<Self, GlobError> {
        Ok(Self {
            can_read_table: Globs::new(tables)?,
            can_vector_search: true,
            can_index_search: true,
            ..Self::default()
        })
    }

    /// What is granted here and not in `before`: the name of each capability, and its pattern in quotes
    /// if it has one.
    #[must_use]
    #[allow(dead_code, reason = "hosts compare grants")]
    pub(crate) fn wider_than(&self, before: &Self) -> Vec<alloc::string::String> {
        let Self {
            can_read_table,
            can_write_table,
            can_vector_search,
            can_index_search,
            can_call_host,
            can_call_plugin,
        } = self;
        let globs = [
            ("can_read_table", can_read_table, &before.can_read_table),
            ("can_write_table", can_write_table, &before.can_write_table),
            ("can_call_host", can_call_host, &before.can_call_host),
            ("can_call_plugin", can_call_plugin, &before.can_call_plugin),
        ];
        let switches = [
            ("can_vector_search", *can_vector_search && !before.can_vector_search),
            ("can_index_search", *can_index_search && !before.can_index_search),
        ];
        let mut wider = Vec::new();
        for (name, own, others) in globs {
            wider.extend(own.beyond(others).map(|glob| alloc::format!("{name} \"{glob}\"")));
        }
        wider.extend(switches.iter().filter(|(_, wider)| *wider).map(|(name, _)| (*name).into()));
        wider
    }

    /// Whether it may read `table`.
    #[must_use]
    pub fn can_read(&self, table: &str) -> bool {
        self.can_read_table.matches(table)
    }

    /// Whether it may write `table`.
    #[must_use]
    pub fn can_write(&self, table: &str) -> bool {
        self.can_write_table.matches(table)
    }

    /// Whether it has the named capability `name`.
    #[must_use]
    pub fn can_call(&self, name: &str) -> bool {
        self.can_call_host.matches(name)
    }

    /// Whether it may call the plugin `plugin`.
    #[must_use]
    pub fn can_call_plugin(&self, plugin: &str) -> bool {
        self.can_call_plugin.matches(plugin)
    }

    /// Whether a function that needs `capability` may be called on `table`: the name of a table, or
    /// of a plugin for [`Capability::CallPlugin`]. Named capabilities and [`Capability::Always`] do not
    /// look at it.
    #[must_use]
    pub fn grants(&self, capability: Capability<'_>, table: &str) -> bool {
        match capability {
            Capability::Always => true,
            Capability::ReadTable => self.can_read(table),
            Capability::WriteTable => self.can_write(table),
            Capability::VectorSearch => self.can_vector_search && self.can_read(table),
            Capability::IndexSearch => self.can_index_search && self.can_read(table),
            Capability::CallPlugin => self.can_call_plugin(table),
            Capability::Named(name) => self.can_call(name),
        }
    }
}
