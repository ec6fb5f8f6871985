//! Files that are written beside their place and appear there when they are whole: whatever happens
//! before that, the file that may be there stays as it is.
//!
//! On a signal that ends the program, what is not whole is removed; a recording is kept, and the
//! user is told where it is. Devices and pipes are written as they are: there is nothing to replace.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tempfile::NamedTempFile;

/// What becomes of a file that is not finished when the program is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupted {
    /// It is removed.
    Removed,
    /// It stays, under the name that it was written under.
    Kept,
}

/// Files that are being written.
static WRITTEN: Mutex<Vec<(PathBuf, Interrupted)>> = Mutex::new(Vec::new());

fn written() -> MutexGuard<'static, Vec<(PathBuf, Interrupted)>> {
    WRITTEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file that is being written.
pub struct Unfinished {
    place: Place,
}

enum Place {
    /// Beside `target`, which it will replace.
    Beside { file: NamedTempFile, target: PathBuf },
    /// Where it is: a device or a pipe.
    There(File),
}

impl Unfinished {
    /// Begins a file that will be at `path`.
    pub fn begin(path: &Path, interrupted: Interrupted) -> io::Result<Self> {
        if let Some(stream) = stream(path)? {
            return Ok(Self { place: Place::There(stream) });
        }
        let found = match fs::metadata(path) {
            Ok(found) => Some(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if found.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if found.is_some() {
            // Also whether it may be written: replacing it would not ask.
            let there = OpenOptions::new().write(true).open(path)?;
            if found.as_ref().is_some_and(|found| !found.is_file()) {
                return Ok(Self { place: Place::There(there) });
            }
        }
        // A link stays one.
        let target = if found.is_some() { fs::canonicalize(path)? } else { end_of_links(path) };
        let (mut prefix, mut suffix) = (OsString::new(), ".tmp");
        if interrupted == Interrupted::Kept {
            suffix = ".partial";
        } else {
            prefix.push(".");
        }
        prefix.push(target.file_name().unwrap_or_default());
        prefix.push(".");
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(suffix);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // The umask is taken off, as of any new file.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let mut written = written();
        let file = builder.tempfile_in(directory(&target))?;
        written.push((file.path().into(), interrupted));
        drop(written);
        if let Some(found) = found {
            file.as_file().set_permissions(found.permissions())?;
        }
        Ok(Self { place: Place::Beside { file, target } })
    }

    /// Another handle of the file, to write to.
    pub fn handle(&self) -> io::Result<File> {
        match &self.place {
            Place::Beside { file, .. } => file.as_file().try_clone(),
            Place::There(file) => file.try_clone(),
        }
    }

    /// Gives the file its name.
    pub fn finish(self) -> io::Result<()> {
        let Place::Beside { file, target } = self.place else { return Ok(()) };
        file.as_file().sync_all()?;
        // No signal comes between.
        let mut written = written();
        let path = file.path().to_path_buf();
        let persisted = file.persist(&target);
        written.retain(|(known, _)| *known != path);
        persisted.map_err(|error| error.error)?;
        sync_directory(&target)
    }

    /// Gives up: the file stays under the name that it was written under, if there is anything in it.
    /// Returns that name.
    pub fn keep(self) -> Option<PathBuf> {
        let Place::Beside { file, .. } = self.place else { return None };
        let mut written = written();
        let path = file.path().to_path_buf();
        written.retain(|(known, _)| *known != path);
        match file.as_file().metadata() {
            Ok(found) if found.len() > 0 => file.keep().is_ok().then_some(path),
            _ => None,
        }
    }
}

/// Writes a file, over the one that may be there, whole or not at all.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = Unfinished::begin(path, Interrupted::Removed)?;
    file.handle()?.write_all(bytes)?;
    file.finish()
}

/// A directory beside its place that appears there with all its files: the project of `new`.
pub struct UnfinishedDirectory {
    directory: tempfile::TempDir,
}

impl UnfinishedDirectory {
    /// Begins a directory that will be at `path`.
    pub fn begin(path: &Path) -> io::Result<Self> {
        let mut prefix = OsString::from(".");
        prefix.push(path.file_name().unwrap_or_default());
        prefix.push(".");
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(".tmp");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o777));
        }
        let mut written = written();
        let directory = builder.tempdir_in(directory(path))?;
        written.push((directory.path().into(), Interrupted::Removed));
        Ok(Self { directory })
    }

    /// Where its files are written for now.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Gives the directory its name.
    pub fn finish(self, path: &Path) -> io::Result<()> {
        let mut written = written();
        fs::rename(self.path(), path)?;
        written.retain(|(known, _)| known != self.path());
        // Under its old name there is nothing to be removed.
        let _ = self.directory.keep();
        sync_directory(path)
    }
}

impl UnfinishedDirectory {
    /// Gives one of its files the name `path`, and removes the directory.
    pub fn finish_file(self, file: &Path, path: &Path) -> io::Result<()> {
        let mut written = written();
        fs::rename(file, path)?;
        written.retain(|(known, _)| known != self.path());
        drop(self);
        sync_directory(path)
    }
}

/// Takes away what is not finished, and says what is kept: for the end by a signal.
pub fn interrupted() -> String {
    let mut talk = String::new();
    for (path, interrupted) in written().drain(..) {
        let kept = match interrupted {
            Interrupted::Kept => fs::metadata(&path).is_ok_and(|found| found.len() > 0),
            Interrupted::Removed => false,
        };
        if kept {
            talk += &format!("interrupted: the incomplete recording is in {}\n", path.display());
        } else if path.is_dir() {
            let _ = fs::remove_dir_all(&path);
        } else {
            let _ = fs::remove_file(&path);
        }
    }
    talk
}

/// Stdout or stderr, if a path stands for them: they may be a file that has something in it already.
/// `-` stands for neither: it would be a file of that name, which nobody wants.
fn stream(path: &Path) -> io::Result<Option<File>> {
    if path == Path::new("-") {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "nothing is written to -: name a file (./- if that is its name), or /dev/stdout",
        ));
    }
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        let is = |names: [&str; 3]| names.iter().any(|name| path == Path::new(name));
        if is(["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]) {
            return Ok(Some(io::stdout().as_fd().try_clone_to_owned()?.into()));
        }
        if is(["/dev/stderr", "/dev/fd/2", "/proc/self/fd/2"]) {
            return Ok(Some(io::stderr().as_fd().try_clone_to_owned()?.into()));
        }
    }
    Ok(None)
}

/// Where links lead to whose end is not there yet: there the file will be.
fn end_of_links(path: &Path) -> PathBuf {
    let mut path = path.to_path_buf();
    // A circle of links is an error before this.
    for _ in 0..40 {
        let Ok(next) = fs::read_link(&path) else { break };
        path = directory(&path).join(next);
    }
    path
}

fn directory(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// A name in a directory must survive, too.
fn sync_directory(path: &Path) -> io::Result<()> {
    match cfg!(unix) {
        true => File::open(directory(path))?.sync_all(),
        false => Ok(()),
    }
}
