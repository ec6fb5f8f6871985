//! Errors as `anyhow` prints them: a line for the error and one for each cause.
#![cfg(all(feature = "replay", feature = "redb", feature = "manifest"))]

use std::{error::Error, io};

use sochdb_wasmi::{
    IoError,
    abi::{
        Name,
        wire::{WireError, WireErrorKind},
    },
    capability::Globs,
    database::{DatabaseError, RedbConfig, RedbStorage, SchemaError, StorageError},
    host::{CallError, LoadError, RegistryError, ReplaceError},
    limits::{Limit, LimitExceeded},
    manifest::{Manifest, ManifestLoadError},
    replay::{DiffError, DiffOptions, InferError, MinimiseError, ReplayError, diff, infer},
    testing::Corpus,
    trace::{RecordError, Recorder, TraceError, TraceReader},
};

/// The lines that `anyhow` prints, without the numbers of causes.
fn printed(error: impl Error + Send + Sync + 'static) -> Vec<String> {
    let error = anyhow::Error::new(error);
    let text = format!("{error:?}");
    assert!(!text.is_empty());
    error.chain().map(ToString::to_string).collect()
}

/// Whether nothing is lost, every text has the text of its cause, and nothing is there twice.
#[track_caller]
fn whole(error: impl Error + Send + Sync + 'static, causes: usize) {
    let lines = printed(error);
    assert_eq!(lines.len(), causes + 1, "{lines:#?}");
    for pair in lines.windows(2) {
        let [line, cause] = pair else { panic!("two lines") };
        assert!(line.contains(cause), "{cause:?} is lost in {line:?}");
        assert_ne!(line, cause, "it is there twice");
        assert_eq!(line.matches(&**cause).count(), 1, "{cause:?} is twice in {line:?}");
    }
}

const NO_SPACE: i32 = 28;

fn no_space() -> StorageError {
    StorageError::Io(IoError::at("some/file.db", io::Error::from_raw_os_error(NO_SPACE)))
}

/// The error of the operating system at the end of the chain.
#[track_caller]
fn of_the_system(error: impl Error + Send + Sync + 'static) -> io::Error {
    let error = anyhow::Error::new(error);
    let last = error.chain().last().and_then(|last| last.downcast_ref::<io::Error>());
    let last = last.unwrap_or_else(|| panic!("the chain of {error:?} does not end with one"));
    match last.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(last.kind(), last.to_string()),
    }
}

fn exceeded() -> LimitExceeded {
    LimitExceeded { limit: Limit::StoreRows, allowed: 1, asked: 2 }
}

// "The store's device failed with code 28": no words, no file, no `io::Error`. `Error::source` was
// implemented for one type of some thirty, so that `anyhow` printed one line for each of them.
#[test]
fn errors_have_their_causes_and_each_text_once() {
    let name = || Name::new("no name").expect_err("it has a space");
    let wire = || WireError { kind: WireErrorKind::InvalidUtf8, offset: 3 };
    let malformed = || TraceError::Malformed { event: 1, error: wire() };
    let loading = || LoadError::Limit(exceeded());
    whole(no_space(), 1);
    whole(StorageError::Full(exceeded()), 1);
    whole(DatabaseError::Storage(no_space()), 1);
    whole(DatabaseError::Storage(StorageError::InUse), 0);
    whole(DatabaseError::Schema(SchemaError::NoColumns), 0);
    whole(CallError::Commit(DatabaseError::Storage(no_space())), 2);
    whole(CallError::Limit(exceeded()), 1);
    whole(CallError::Restart(Box::new(loading())), 2);
    whole(CallError::Stopped, 0);
    whole(ReplaceError::Load(loading()), 1);
    whole(ReplaceError::Migration(CallError::Stopped), 1);
    let (cause, restore) = (ReplaceError::Migration(CallError::Stopped), loading());
    whole(ReplaceError::Lost { cause: cause.into(), restore: restore.into() }, 2);
    whole(LoadError::Name(name()), 1);
    whole(ManifestLoadError::Load(loading()), 1);
    whole(RegistryError::Name(name()), 1);
    whole(malformed(), 1);
    whole(TraceError::NoHeader, 0);
    whole(ReplayError::Trace(malformed()), 1);
    whole(ReplayError::Load { plugin: "p".into(), error: Box::new(loading()) }, 2);
    whole(ReplayError::Function(RegistryError::Name(name())), 1);
    whole(MinimiseError::Replay(ReplayError::Trace(malformed())), 1);
    whole(InferError { trace: 0, error: malformed() }, 2);
    whole(DiffError { second: true, error: ReplayError::Trace(malformed()) }, 2);
    whole(RecordError::Unwound, 0);
    let manifest = "[plugin]\nname = \"no name\"\nversion = \"1.0.0\"\n";
    whole(Manifest::from_toml(manifest).expect_err("the name has a space"), 1);
    let manifest = "[plugin]\nname = \"n\"\nversion = \"1\"\n";
    whole(Manifest::from_toml(manifest).expect_err("it is no version"), 1);
    whole(Manifest::unpack(&[]).expect_err("it is empty"), 0);
    whole(Globs::new(&["a*b"]).expect_err("a star inside"), 0);
}

#[test]
fn what_the_operating_system_said_is_at_the_end_of_the_chain() {
    let kept = of_the_system(CallError::Commit(DatabaseError::Storage(no_space())));
    assert_eq!(kept.raw_os_error(), Some(NO_SPACE));
    let text = CallError::Commit(DatabaseError::Storage(no_space())).to_string();
    assert!(text.ends_with("some/file.db: No space left on device (os error 28)"), "{text}");

    let nowhere = "no/such/directory/a.db";
    let error = RedbStorage::open(nowhere, RedbConfig::default()).expect_err("there is none");
    assert!(error.to_string().starts_with("no/such/directory"), "{error}");
    assert_eq!(of_the_system(DatabaseError::Storage(error)).kind(), io::ErrorKind::NotFound);

    let error = Corpus::new().replay_directory("no/such/directory").expect_err("there is none");
    assert_eq!(of_the_system(error).kind(), io::ErrorKind::NotFound);
}

/// A file that cannot be read or written.
#[derive(Debug)]
struct Broken;

impl embedded_io::ErrorType for Broken {
    type Error = io::Error;
}

impl embedded_io::Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::from_raw_os_error(5))
    }
}

impl embedded_io::Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::from_raw_os_error(NO_SPACE))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

// "The trace's sink failed: Other", for a full disk.
#[test]
fn a_trace_that_cannot_be_written_or_read_says_what_the_file_said() {
    let mut host = crate::support::host();
    host.record(Recorder::to(Broken, 1 << 16));
    let recorder = host.stop_recording().expect("it was recording");
    let error = recorder.error().expect("nothing could be written");
    assert!(error.to_string().ends_with("No space left on device (os error 28)"), "{error}");
    assert_eq!(of_the_system(error.clone()).raw_os_error(), Some(NO_SPACE));
    whole(error, 1);

    let read = || TraceReader::new(Broken).read().map(|_| ()).expect_err("it cannot be read");
    assert!(read().to_string().ends_with("Input/output error (os error 5)"), "{}", read());
    assert_eq!(of_the_system(read()).raw_os_error(), Some(5));
    whole(read(), 1);
    whole(infer([Broken]).expect_err("it cannot be read"), 2);
    whole(diff(Broken, Broken, DiffOptions::default()).expect_err("it cannot be read"), 2);
}
