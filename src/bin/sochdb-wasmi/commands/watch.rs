//! `--watch`: a command again whenever one of its files has changed.
//!
//! It looks at the time of the last change and at the length of each file, a few times a second.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::{Duration, SystemTime},
};

use crate::report::{
    failure::Failure,
    output::{self, Report},
};

const EVERY: Duration = Duration::from_millis(200);

/// A file, when it was changed and how long it is; nothing of one that is not there.
type Stamp = (PathBuf, Option<(SystemTime, u64)>);

/// Runs `command` now and after every change, until nobody reads what it prints.
pub fn watch(
    files: impl Fn() -> Vec<PathBuf>,
    command: impl Fn() -> Result<Report, Failure>,
    json: bool,
) -> ExitCode {
    let look = || -> Vec<Stamp> { files().into_iter().map(stamp).collect() };
    loop {
        // Looked at before it is read: what changes meanwhile is a change.
        let before = look();
        match output::show(command(), json) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
            Err(error) => {
                output::unwritten(&error);
                return ExitCode::from(4);
            }
        }
        output::note(&waiting_for(&before));
        let mut now = look();
        while now == before {
            thread::sleep(EVERY);
            now = look();
        }
        // A build writes its file in pieces.
        loop {
            thread::sleep(EVERY);
            let then = look();
            if then == now {
                break;
            }
            now = then;
        }
    }
}

/// What ends the waiting.
fn waiting_for(stamps: &[Stamp]) -> String {
    let names: Vec<_> = stamps.iter().map(|(path, _)| path.display().to_string()).collect();
    format!("waiting for a change of {}; Ctrl-C ends it", names.join(" or "))
}

fn stamp(path: PathBuf) -> Stamp {
    let found = look_at(&path).ok();
    (path, found)
}

fn look_at(path: &Path) -> io::Result<(SystemTime, u64)> {
    let metadata = fs::metadata(path)?;
    Ok((metadata.modified()?, metadata.len()))
}
