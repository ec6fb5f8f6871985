//! The input of one call, as the command line has it: JSON of a type, or bytes.

use clap::Args;
use serde_json::Value;

use crate::{
    files,
    formats::{
        bytes::from_hex,
        json,
        shape::{self, Signature},
    },
    report::failure::Failure,
};

/// The options of a command that calls an entry point.
#[derive(Args)]
pub struct InputArguments {
    /// The input as JSON, @FILE or @- for stdin. Needs types.
    #[arg(long, value_name = "JSON", allow_negative_numbers = true)]
    pub input: Option<String>,
    /// The input as bytes in hex.
    #[arg(long, value_name = "HEX", conflicts_with = "input")]
    input_hex: Option<String>,
    /// A file with the bytes of the input; - for stdin.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["input", "input_hex"])]
    input_bytes: Option<String>,
}

impl InputArguments {
    /// Whether there is one.
    pub const fn is_given(&self) -> bool {
        self.input.is_some() || self.input_hex.is_some() || self.input_bytes.is_some()
    }

    /// The bytes of the input.
    pub fn bytes(&self, entry: &str, signature: Option<&Signature>) -> Result<Vec<u8>, Failure> {
        let syntax = |reason: String| Failure::InputSyntax { reason };
        if let Some(text) = &self.input_hex {
            return from_hex(text).ok_or_else(|| syntax("not bytes in hex".into()));
        }
        if let Some(file) = &self.input_bytes {
            return Ok(files::argument(&format!("@{file}"))?.1);
        }
        match (&self.input, signature) {
            (Some(json), Some(signature)) => {
                let json = json::parse(&files::text_argument(json)?)
                    .map_err(|error| syntax(format!("not JSON: {error}")))?;
                shape::encode(&signature.input, &json).map_err(Failure::Input)
            }
            (Some(_), None) => Err(Failure::Usage {
                reason: format!(
                    "how {entry:?} takes its input is not known: say it with --types, or give \
                     bytes with --input-hex or --input-bytes"
                ),
            }),
            (None, Some(signature)) => match shape::encode(&signature.input, &Value::Null) {
                Ok(bytes) => Ok(bytes),
                Err(_) => Err(Failure::Usage {
                    reason: format!("{entry:?} takes {}: give --input", signature.input),
                }),
            },
            (None, None) => Ok(Vec::new()),
        }
    }
}
