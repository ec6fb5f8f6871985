//! A failing trace as a test that can be put into a plugin's project.

use alloc::{format, string::String};

use super::{failure::Failure, result::Minimised};

impl Minimised {
    /// A test in Rust that replays the trace with one plugin. `trace` and `plugin` are the paths of
    /// their files as the test has them: the trace's from the directory of the package, the plugin's
    /// from the test's file.
    ///
    /// For a call that fails, the test holds the plugin to the failure: when it is mended, the test
    /// shows what it does now, and blessing records that. For a divergence, it holds the plugin to
    /// what the recorded one did.
    #[must_use]
    pub fn rust_test(&self, trace: &str, plugin: &str) -> String {
        let replay = format!("replay_trace({trace:?}, include_bytes!({plugin:?}))");
        self.test(&format!("sochdb_wasmi::testing::{replay};"))
    }

    /// As [`rust_test`](Self::rust_test), with the paths of all plugins that fail, in the order in which
    /// they were added to the [`Replayer`](crate::replay::Replayer). The test has those that the small
    /// trace calls ([`plugins`](Self::plugins)).
    pub fn rust_test_of<P: AsRef<str>>(&self, trace: &str, plugins: &[P]) -> String {
        let path = |place: &usize| plugins.get(*place).map_or("", AsRef::as_ref);
        if let [(_, place)] = self.plugins.as_slice() {
            return self.rust_test(trace, path(place));
        }
        let mut corpus = String::from("let corpus = sochdb_wasmi::testing::Corpus::new()");
        for (name, place) in &self.plugins {
            let plugin = path(place);
            corpus +=
                &format!("\n        .with_named_plugin({name:?}, include_bytes!({plugin:?}))");
        }
        corpus += &format!(
            ";\n    if let Err(error) = corpus.replay_file({trace:?}) {{\n        \
             panic!(\"{{error}}\");\n    }}"
        );
        self.test(&corpus)
    }

    /// A test that does `body`.
    fn test(&self, body: &str) -> String {
        let (name, then) = match &self.failure {
            Failure::Call { entry, ending, .. } => (
                format!("{entry} ends with {}", ending.as_str()),
                "It passes as long as that is so. When it is mended, look at what the test says and\n\
                 /// keep it with SOCHDB_WASMI_BLESS=1.",
            ),
            Failure::Divergence { entry, .. } => (
                format!("{entry} does as it did"),
                "It passes as soon as the plugin does what the recorded one did.",
            ),
        };
        let calls = match self.calls {
            1 => "one call".into(),
            calls => format!("{calls} calls"),
        };
        format!(
            "/// {}. A trace of {} calls, of which {calls} did it.\n/// {then}\n#[test]\nfn {}() {{\n    \
             {body}\n}}\n",
            line(&format!("{}", self.failure)),
            self.calls_before,
            identifier(&name),
        )
    }
}

/// A text in one line.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A name for a function: letters, digits and `_`.
fn identifier(text: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let name: String = text.chars().map(letter).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}
