//! The calls that run inside each other: the embedder's, and those that plugins make in it.

/// What the embedder's call allows all calls in it, and how deep they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain {
    /// When the embedder's call began.
    pub(crate) started_us: u64,
    /// Its deadline, counted from then.
    pub(crate) deadline_ms: Option<u32>,
    /// How many calls are around the running one.
    pub(crate) depth: u8,
    /// How many there may be.
    #[cfg_attr(not(feature = "hooks"), allow(dead_code, reason = "no plugin calls another one"))]
    pub(crate) limit: u8,
}

/// How deep calls of plugins by plugins may be, unless the embedder says otherwise.
const NESTING: u8 = 4;

impl Default for Chain {
    fn default() -> Self {
        Self { started_us: 0, deadline_ms: None, depth: 0, limit: NESTING }
    }
}
