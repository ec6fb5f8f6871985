//! The first thing that a plugin did otherwise than was recorded, told so that its cause is found.

use alloc::{string::String, vec::Vec};
use core::fmt;

/// What a divergence most likely comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The plugin got another input.
    DifferentInput,
    /// A host function answered otherwise before.
    DifferentAnswer,
    /// The plugin's module is not the one that was recorded.
    PluginChanged,
    /// Only the fuel differs.
    Fuel,
    /// Only linear memory differs, or whether it could grow.
    Memory,
    /// The plugin did not do something that was recorded.
    Missing,
    /// The plugin did something that was not recorded.
    Extra,
    /// The trace breaks off.
    Truncated,
    /// Values of the trace are redacted, and the plugin may have decided by one of them.
    Redaction,
}

impl Cause {
    /// The cause in a word, the same in every version.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DifferentInput => "different-input",
            Self::DifferentAnswer => "different-answer",
            Self::PluginChanged => "plugin-changed",
            Self::Fuel => "fuel",
            Self::Memory => "memory",
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Truncated => "truncated",
            Self::Redaction => "redaction",
        }
    }

    /// The cause in a sentence.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::DifferentInput => "the plugin got another input than was recorded",
            Self::DifferentAnswer => "a host function answered otherwise before this",
            Self::PluginChanged => "the plugin is not the module that was recorded",
            Self::Fuel => "the plugin does the same, but its fuel is counted otherwise",
            Self::Memory => "the plugin's linear memory is not what it was",
            Self::Missing => "the plugin did not do something that was recorded",
            Self::Extra => "the plugin did something that was not recorded",
            Self::Truncated => "the trace breaks off here",
            Self::Redaction => {
                "values of the trace are redacted, and the plugin may have decided by one of them"
            }
        }
    }
}

/// One side of a difference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// What the differing field holds, decoded; what happened, if it is no field.
    pub value: String,
    /// The bytes in hexadecimal, cut at 256 of them; empty if there are none.
    pub hex: String,
    /// Fuel of the call that was left, if it is known.
    pub fuel_left: Option<u64>,
}

/// Where a replay left its trace, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Number of the recorded event that did not come.
    pub event: u64,
    /// Number of the call in the trace, from 1.
    pub call: u64,
    /// Name of the plugin.
    pub plugin: String,
    /// Its entry point.
    pub entry: String,
    /// The host function, if it is about one.
    pub function: Option<String>,
    /// The first differing field: `request.rows[3].temp_max`, `output[12]`, `function`.
    pub field: Option<String>,
    /// What was recorded.
    pub expected: Side,
    /// What happened.
    pub got: Side,
    /// The most likely cause.
    pub cause: Cause,
    /// The last events before, oldest first, a line each.
    pub before: Vec<String>,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "diverged at event {}, in call {} ", self.event, self.call)?;
        write!(f, "({}.{})", self.plugin, self.entry)?;
        if let Some(function) = &self.function {
            write!(f, ", {function}")?;
        }
        if let Some(field) = &self.field {
            write!(f, ", at {field}")?;
        }
        writeln!(f)?;
        for (name, side) in [("expected", &self.expected), ("got", &self.got)] {
            write!(f, "  {name:<9} {}", side.value)?;
            if let Some(fuel) = side.fuel_left {
                write!(f, "  [{fuel} fuel left]")?;
            }
            writeln!(f)?;
            if !side.hex.is_empty() {
                writeln!(f, "            {}", side.hex)?;
            }
        }
        writeln!(f, "  likely    {}: {}", self.cause.as_str(), self.cause.explanation())?;
        if !self.before.is_empty() {
            writeln!(f, "  before it")?;
            for line in &self.before {
                writeln!(f, "    {line}")?;
            }
        }
        Ok(())
    }
}
