//! `--stub`: answers in place of a host function of a device, which this program does not have.
//!
//! A stub gives the same answers in every run: one for all calls, or a list from a file or a trace, one
//! answer for each call. It does not look at requests.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use sochdb_wasmi::{
    abi::{Capability, IMPORT_MODULE, Name, Status},
    database::Storage,
    host::{HostCallResult, HostFunction, HostFunctionContext, Message},
    trace::{Data, Event, HostCallEvent, TraceReader},
};

use crate::{
    files::{self, trace_file::TraceFile},
    formats::{bytes::from_hex, json, shape},
    report::failure::Failure,
};

/// `MODULE.FUNCTION[:GRANT]=ANSWERS`.
#[derive(Clone)]
pub struct StubArgument {
    module: String,
    name: String,
    /// Of the manifest's `can_call_host`. Default: `MODULE.FUNCTION`.
    grant: Option<String>,
    answers: Source,
}

/// Where the answers come from.
#[derive(Clone)]
enum Source {
    Always(Answer),
    Lines(PathBuf),
    Trace(PathBuf),
}

/// One answer.
#[derive(Clone)]
enum Answer {
    Bytes(Vec<u8>),
    /// Of a trace: the buffer of then was too small for so many bytes.
    Needs(usize),
    Fails(Status),
}

impl FromStr for StubArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "it is MODULE.FUNCTION=ANSWERS, or MODULE.FUNCTION:GRANT=ANSWERS";
        let (function, answers) = text.split_once('=').ok_or(form)?;
        let (function, grant) = match function.split_once(':') {
            Some((function, grant)) => (function, Some(grant.to_owned())),
            None => (function, None),
        };
        let (module, name) = function.split_once('.').ok_or(form)?;
        for part in [module, name] {
            Name::new(part).map_err(|error| format!("{function}: {error}"))?;
        }
        if module == IMPORT_MODULE {
            return Err(format!("{function}: this program has SochDB's own functions"));
        }
        let answers = match (answers.strip_prefix('@'), answers.strip_prefix("from ")) {
            (Some(path), _) => Source::Lines(path.into()),
            (None, Some(path)) => Source::Trace(path.into()),
            (None, None) => Source::Always(answers.parse()?),
        };
        Ok(Self { module: module.into(), name: name.into(), grant, answers })
    }
}

impl FromStr for Answer {
    type Err = String;

    /// Bytes in hex, `JSON as TYPE`, or `status -4`.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(code) = text.strip_prefix("status ") {
            let code = code.trim();
            let status = Status::ALL.into_iter().find(|status| status.code().to_string() == code);
            return status.map(Self::Fails).ok_or_else(|| format!("{code} is not a status"));
        }
        if let Some((value, kind)) = text.rsplit_once(" as ") {
            let signature = shape::signature(&format!("() -> {kind}"));
            let signature = signature.map_err(|error| error.to_string())?;
            let value = json::parse(value).map_err(|error| format!("not JSON: {error}"))?;
            let bytes = shape::encode(&signature.output, &value);
            return bytes.map(Self::Bytes).map_err(|error| error.to_string());
        }
        let bytes = from_hex(text).map(Self::Bytes);
        bytes.ok_or_else(|| format!("{text:?} is not bytes in hex, JSON as TYPE, or a status"))
    }
}

impl StubArgument {
    /// The module that plugins import the function from.
    pub fn module(&self) -> &str {
        &self.module
    }

    /// The function, with its answers read.
    pub fn read(&self) -> Result<Stub, Failure> {
        let Self { module, name, grant, answers } = self;
        let function = format!("{module}.{name}");
        let mut grant = grant.clone();
        let answers = match answers {
            Source::Always(answer) => Answers::Always(answer.clone()),
            Source::Lines(path) => Answers::Listed(lines(path, &function)?.into_iter()),
            Source::Trace(path) => {
                let (recorded, answers) = recorded(path, &function)?;
                grant = grant.or(recorded);
                Answers::Listed(answers.into_iter())
            }
        };
        let grant = grant.unwrap_or_else(|| function.clone());
        Ok(Stub { function, name: name.clone(), grant, answers, calls: 0 })
    }
}

/// The answers of a file, one in each line.
fn lines(path: &Path, function: &str) -> Result<Vec<Answer>, Failure> {
    let text = files::text_argument(&format!("@{}", path.display()))?;
    let answer = |(at, line): (usize, &str)| {
        line.parse().map_err(|reason| Failure::Usage {
            reason: format!("--stub {function}: {}: line {}: {reason}", path.display(), at + 1),
        })
    };
    text.lines().enumerate().map(answer).collect()
}

/// What a trace has: the grant, and the answers in their order.
fn recorded(path: &Path, function: &str) -> Result<(Option<String>, Vec<Answer>), Failure> {
    let damaged = |error| Failure::Trace { path: path.into(), error };
    let usage = |reason: String| Failure::Usage {
        reason: format!("--stub {function}: {}: {reason}", path.display()),
    };
    let mut reader = TraceReader::new(TraceFile::open(path)?);
    let (mut found, mut grant, mut answers) = (None, None, Vec::new());
    while let Some(entry) = reader.read().map_err(damaged)? {
        if let Event::Function(known) = &entry.event
            && format!("{}.{}", known.module, known.name) == function
        {
            found = Some(known.id);
            if let Capability::Named(name) = known.capability {
                grant = Some(name.to_owned());
            }
        }
        if let Event::HostCall(HostCallEvent { function, status, response, .. }) = &entry.event
            && Some(*function) == found
        {
            answers.push(match (*status, response) {
                (..0, response) => failure(Status::from_code(*status), response),
                (_, Data::Full(bytes)) => Answer::Bytes(bytes.to_vec()),
                (_, Data::Digest { .. } | Data::Absent { .. }) => {
                    return Err(usage("the trace has digests in place of answers".into()));
                }
            });
        }
    }
    match found {
        Some(_) => Ok((grant, answers)),
        None => Err(usage("the host of this trace had no such function".into())),
    }
}

/// A recorded failure. With [`Status::BufferTooSmall`], the response begins with the needed length.
fn failure(status: Status, response: &Data<'_>) -> Answer {
    if let (Status::BufferTooSmall, Data::Full([a, b, c, d, ..])) = (status, response) {
        return Answer::Needs(u32::from_le_bytes([*a, *b, *c, *d]) as usize);
    }
    Answer::Fails(status)
}

/// A host function that gives prepared answers.
pub struct Stub {
    /// With its module.
    pub function: String,
    name: String,
    /// What the manifest has to grant.
    pub grant: String,
    answers: Answers,
    calls: u64,
}

enum Answers {
    Always(Answer),
    Listed(std::vec::IntoIter<Answer>),
}

impl Stub {
    /// A function that is there and never called.
    pub fn unanswered(module: &str, name: &str) -> Self {
        let function = format!("{module}.{name}");
        let answers = Answers::Listed(Vec::new().into_iter());
        Self { grant: function.clone(), function, name: name.into(), answers, calls: 0 }
    }
}

impl<S: Storage> HostFunction<S> for Stub {
    fn name(&self) -> &str {
        &self.name
    }

    fn capability(&self) -> Capability<'_> {
        Capability::Named(&self.grant)
    }

    fn execute(
        &mut self,
        _context: &mut HostFunctionContext<'_, S>,
        _request: &[u8],
        response: &mut [u8],
    ) -> HostCallResult {
        let answer = match &mut self.answers {
            Answers::Always(answer) => answer.clone(),
            Answers::Listed(answers) => match answers.next() {
                Some(answer) => answer,
                None => {
                    let Self { function, calls, .. } = self;
                    let text = format!("--stub {function} has {calls} answers and no more");
                    return HostCallResult::Error(Message::new(text));
                }
            },
        };
        self.calls += 1;
        match answer {
            Answer::Needs(needed) => HostCallResult::BufferTooSmall { needed },
            Answer::Fails(status) => failed(status, response.len()),
            Answer::Bytes(bytes) => match response.get_mut(..bytes.len()) {
                Some(place) => {
                    place.copy_from_slice(&bytes);
                    HostCallResult::Success(bytes.len())
                }
                None => HostCallResult::BufferTooSmall { needed: bytes.len() },
            },
        }
    }
}

/// The failure of this status.
fn failed(status: Status, capacity: usize) -> HostCallResult {
    let message = Message::new("an answer of --stub");
    match status {
        Status::PermissionDenied => HostCallResult::PermissionDenied(message),
        Status::NotFound => HostCallResult::NotFound(message),
        Status::InvalidArgs => HostCallResult::InvalidArgs(message),
        Status::BufferTooSmall => HostCallResult::BufferTooSmall { needed: capacity + 1 },
        Status::LimitExceeded => HostCallResult::LimitExceeded(message),
        Status::Error => HostCallResult::Error(message),
    }
}
