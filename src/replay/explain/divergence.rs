//! The first point at which a plugin differs from the recording, reported so that its cause can be found.

use alloc::{string::String, vec::Vec};
use core::fmt;

use crate::replay::json::Json;

macro_rules! causes {
    ($($(#[$meta:meta])* $cause:ident = $code:literal, $word:literal => $sentence:literal;)*) => {
        /// What a divergence most likely comes from.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Cause {
            $($(#[$meta])* $cause,)*
        }

        impl Cause {
            /// All causes.
            pub const ALL: &[Self] = &[$(Self::$cause,)*];

            /// The cause in a word, the same in every version.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$cause => $word,)* }
            }

            /// The cause in a sentence.
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$cause => $sentence,)* }
            }

            /// The exit code of a program that ends with this cause, the same in every version.
            pub const fn exit_code(self) -> u8 {
                match self { $(Self::$cause => $code,)* }
            }
        }
    };
}

causes! {
    /// The plugin got another input.
    DifferentInput = 10, "different-input" => "the plugin got another input than was recorded";
    /// A host function answered differently before.
    DifferentAnswer = 11, "different-answer" => "a host function answered differently";
    /// The plugin's module is not the one that was recorded.
    PluginChanged = 12, "plugin-changed" => "the plugin is not the module that was recorded";
    /// Only the fuel differs.
    Fuel = 13, "fuel" => "the plugin does the same, but its fuel differs";
    /// Only linear memory differs, or whether it could grow.
    Memory = 14, "memory" => "the plugin's linear memory differs";
    /// The plugin did not do something that was recorded.
    Missing = 15, "missing" => "something that was recorded did not happen";
    /// The plugin did something that was not recorded.
    Extra = 16, "extra" => "something happened that was not recorded";
    /// The trace breaks off.
    Truncated = 17, "truncated" => "the trace breaks off here";
    /// The same module with the same inputs requested or returned something else.
    DifferentRequest = 18, "different-request" =>
        "the plugin was told the same and does something else: the trace was edited, or the hosts \
         do not compute alike";
    /// The plugin was loaded with other limits, grants, configuration or tables.
    DifferentSetup = 19, "different-setup" => "the plugin was loaded with other settings";
    /// Only the clock differs.
    Time = 20, "time" => "the same happened at another time";
    /// Values of the trace are redacted, and the plugin may have decided by one of them.
    Redaction = 21, "redaction" =>
        "values of the trace are redacted, and the plugin may have decided by one of them";
}

/// One side of a difference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Side {
    /// What the differing field holds, decoded; what happened, if it is no field.
    pub value: String,
    /// The bytes in hexadecimal, cut at 256 of them; empty if there are none.
    pub hex: String,
    /// Fuel of the call that was left, if it is known.
    pub fuel_left: Option<u64>,
    /// All of the bytes; empty if there are none.
    pub bytes: Vec<u8>,
}

impl Side {
    pub(in crate::replay) fn of(value: impl Into<String>) -> Self {
        Self { value: value.into(), ..Self::default() }
    }

    fn json(&self, json: &mut Json) {
        json.text("value", &self.value);
        json.text("hex", &self.hex);
        json.optional("fuel_left", self.fuel_left);
    }
}

/// Where a replay left its trace, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Divergence {
    /// Number of the recorded event that did not come.
    pub event: u64,
    /// Number of the call in the trace, from 1; 0 before the first.
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
    /// What speaks for the cause; empty if the difference itself does.
    pub because: String,
    /// The last events before, oldest first, a line each.
    pub before: Vec<String>,
}

impl Divergence {
    /// The report for tools: one JSON object with the fields `event`, `call`, `plugin`, `entry`,
    /// `function`, `field`, `expected` and `got` (`value`, `hex`, `fuel_left`), `cause`,
    /// `explanation`, `because` and `before`. What there is not is `null`.
    #[must_use]
    pub fn to_json(&self) -> String {
        Json::object(|json| self.json(json))
    }

    pub(in crate::replay) fn json(&self, json: &mut Json) {
        json.plain("event", self.event);
        json.plain("call", self.call);
        json.text("plugin", &self.plugin);
        json.text("entry", &self.entry);
        json.optional_text("function", self.function.as_deref());
        json.optional_text("field", self.field.as_deref());
        json.nested("expected", |json| self.expected.json(json));
        json.nested("got", |json| self.got.json(json));
        json.text("cause", self.cause.as_str());
        json.text("explanation", self.cause.explanation());
        json.text("because", &self.because);
        json.texts("before", &self.before);
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "diverged at event {}", self.event)?;
        if self.call > 0 {
            write!(f, ", in call {} ({}.{})", self.call, self.plugin, self.entry)?;
        }
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
        write!(f, "  likely    {}: {}", self.cause.as_str(), self.cause.explanation())?;
        if !self.because.is_empty() {
            write!(f, " ({})", self.because)?;
        }
        writeln!(f)?;
        if !self.before.is_empty() {
            writeln!(f, "  before it")?;
            for line in &self.before {
                writeln!(f, "    {line}")?;
            }
        }
        Ok(())
    }
}
