//! `new`: a plugin project that builds and passes its own test at once.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::json;
use sochdb_wasmi::abi::Name;

use crate::{
    files::{self, unfinished::UnfinishedDirectory},
    report::{failure::Failure, output::Report},
};

/// Names that Cargo or the compiler refuses for a crate: keywords, and crates that the project has already.
const TAKEN: &[&str] = &[
    "Self",
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "postcard",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "sochdb_wasmi",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// Files of the project, with `@NAME@` for the plugin's name, `@PACKAGE@` for the crate's, and `@SOURCE@` for where the SDK is.
const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("template/Cargo.toml.in")),
    ("rust-toolchain.toml", include_str!("template/rust-toolchain.toml.in")),
    (".cargo/config.toml", include_str!("template/config.toml.in")),
    (".gitignore", include_str!("template/gitignore.in")),
    ("build.sh", include_str!("template/build.sh.in")),
    ("plugin.toml", include_str!("template/plugin.toml.in")),
    ("plugin.types", include_str!("template/plugin.types.in")),
    ("schema.toml", include_str!("template/schema.toml.in")),
    ("README.md", include_str!("template/README.md.in")),
    ("src/lib.rs", include_str!("template/lib.rs.in")),
    ("tests/plugin.rs", include_str!("template/test.rs.in")),
];

#[derive(Args)]
pub struct Arguments {
    /// The plugin's name, and the name of its directory.
    name: String,
    /// Where to create the directory.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// A clone of sochdb-wasmi to depend on. Default: the clone that this program was built in, if it is
    /// still there; the published version otherwise.
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

/// Writes the project.
pub fn new(arguments: &Arguments) -> Result<Report, Failure> {
    let name = &arguments.name;
    // A crate may have hyphens in its name, which are _ in its module's; a plugin has the module's name.
    let plugin = name.replace('-', "_");
    let usable = Name::new(&plugin).is_ok()
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && !TAKEN.contains(&plugin.as_str());
    if !usable {
        return Err(Failure::ProjectName { name: name.clone() });
    }
    let source = source(arguments.path.clone().or_else(built_in).as_deref())?;
    let project = arguments.dir.join(name);
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |error| Failure::Io { path, error }
    };
    if project.symlink_metadata().is_ok() {
        return Err(Failure::Exists { path: project });
    }
    let unfinished = UnfinishedDirectory::begin(&project).map_err(io(&project))?;
    for (file, template) in FILES {
        let path = unfinished.path().join(file);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(io(parent))?;
        }
        let text = template
            .replace("@NAME@", &plugin)
            .replace("@PACKAGE@", name)
            .replace("@SOURCE@", &source);
        files::write(&path, text.as_bytes())?;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let script = unfinished.path().join("build.sh");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).map_err(io(&script))?;
    }
    unfinished.finish(&project).map_err(io(&project))?;
    let written: Vec<_> = FILES.iter().map(|(file, _)| *file).collect();
    let directory = project.display().to_string();
    Ok(Report {
        data: format!("{directory}\n"),
        talk: format!(
            "A plugin that keeps notes; it depends on sochdb-wasmi by {source}. Next:\n  cd {directory}\n  cargo test\n  ./build.sh\n"
        ),
        json: json!({ "directory": directory, "files": written }),
        code: 0,
    })
}

/// Where the project gets the SDK from, as in a dependency of Cargo's.
fn source(path: Option<&Path>) -> Result<String, Failure> {
    let Some(path) = path else {
        let (major, minor) = (env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"));
        return Ok(format!("version = \"{major}.{minor}\""));
    };
    let manifest = path.join("Cargo.toml");
    let io = |error| Failure::Io { path: manifest.clone(), error };
    let absolute = fs::canonicalize(&manifest).map_err(io)?;
    let directory = absolute.parent().unwrap_or(&absolute).display().to_string();
    // The escapes of JSON's strings are all TOML's too.
    Ok(format!("path = {}", json!(directory)))
}

/// The clone that this program was built in. Cargo unpacks published packages, too, but with a file that
/// no clone has.
fn built_in() -> Option<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_clone =
        directory.join("Cargo.toml").is_file() && !directory.join(".cargo_vcs_info.json").exists();
    is_clone.then(|| directory.into())
}
