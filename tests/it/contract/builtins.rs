//! The table of host functions is the only place that knows them by name.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sochdb_wasmi::{
    abi::{Builtin, HOST_FUNCTIONS},
    audit::FunctionId,
};

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("src is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Host functions were known by string in seven files behind `_ =>`: a new one compiled, and was
/// redacted whole, unexplained and not minimised. A match on `Builtin` does not compile then.
#[test]
fn no_source_but_the_table_names_a_host_function_in_a_string() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 100);
    for path in files.iter().filter(|path| !path.ends_with("abi/functions.rs")) {
        let source = fs::read_to_string(path).expect("it can be read");
        for (at, line) in source.lines().enumerate() {
            for function in HOST_FUNCTIONS {
                let named = line.contains(&format!("\"{}\"", function.name));
                let place = format!("{}:{}", path.display(), at + 1);
                assert!(!named, "{place}: match on abi::Builtin, not on {:?}", function.name);
            }
        }
    }
}

#[test]
fn the_number_of_a_function_is_its_place_in_the_table() {
    assert_eq!(Builtin::ALL.len(), HOST_FUNCTIONS.len());
    for (at, (function, spec)) in Builtin::ALL.iter().zip(HOST_FUNCTIONS).enumerate() {
        assert_eq!(function.spec(), *spec);
        let id = FunctionId(u16::try_from(at).expect("few"));
        assert_eq!((id.builtin(), id.name()), (Some(*function), Some(spec.name)));
        assert_eq!(function.answers_nothing(), spec.response == "()");
    }
    let behind = u16::try_from(HOST_FUNCTIONS.len()).expect("few");
    assert_eq!(FunctionId(behind).builtin(), None);
}
