//! The source files of a crate, parsed, by the path of their module.

use std::{collections::BTreeMap, fs, path::Path};

pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A source file.
pub struct SourceFile {
    /// From the root of the repository, with `/`.
    pub path: String,
    pub syntax: syn::File,
}

/// Every Rust file under `directory`, by its path from the root of the repository.
pub fn rust_files(directory: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![String::from(directory)];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(Path::new(ROOT).join(&directory)).expect("it is a directory") {
            let entry = entry.expect("it can be read");
            let name = entry.file_name().into_string().expect("UTF-8");
            let path = format!("{directory}/{name}");
            if entry.file_type().expect("it has a type").is_dir() {
                if name != "target" {
                    open.push(path);
                }
            } else if name.ends_with(".rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

pub fn text(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).expect("it can be read")
}

pub fn parse(path: &str) -> syn::File {
    syn::parse_file(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files of the crate whose modules lie in `root`, by module path: `""` is the root module, then
/// `host`, `host::plugin` and so on.
pub fn crate_files(root: &str, main: &str, without: &str) -> BTreeMap<String, SourceFile> {
    let files = rust_files(root).into_iter().filter(|path| !path.starts_with(without));
    files
        .map(|path| {
            let inside = path[root.len() + 1..].trim_end_matches(".rs");
            let inside = inside.strip_suffix("/mod").unwrap_or(inside);
            let module = if inside == main { String::new() } else { inside.replace('/', "::") };
            (module, SourceFile { syntax: parse(&path), path })
        })
        .collect()
}
