//! `new`: a project that builds and passes its own test at once.

use std::{fs, path::Path, process::Command};

use super::{directory, sochdb};

// Without --path it depends on the clone that the program was built in: a project that depended on a version
// which is not published yet did not build.
#[test]
fn a_new_project_builds_passes_its_test_and_runs() {
    let parent = directory("new");
    let project = parent.join("notes");
    // What an earlier run of this test left.
    let _ = fs::remove_dir_all(&project);
    // The project lies inside this crate's target directory, but is not formatted as this crate is.
    fs::write(parent.join("rustfmt.toml"), "").expect("the directory can be written to");
    let clone = env!("CARGO_MANIFEST_DIR");
    let parent_text = parent.to_str().expect("the path is UTF-8");
    let ran = sochdb(&["new", "notes", "--dir", parent_text, "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let files = ran.json()["files"].as_array().expect("a list").len();
    assert_eq!(files, 11);

    // The same crates as those of this test, which are here already, in a directory that stays from
    // run to run.
    fs::copy(Path::new(clone).join("Cargo.lock"), project.join("Cargo.lock")).expect("a copy");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-target");
    let cargo = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO"))
            .args(arguments)
            .current_dir(&project)
            .env("CARGO_TARGET_DIR", &target)
            .env_remove("RUSTFLAGS")
            // Nobody debugs it: a third of the time to build it.
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("CARGO_INCREMENTAL", "0")
            .output()
            .expect("cargo starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        text
    };
    let text = cargo(&["test", "--offline"]);
    assert!(text.contains("test a_note_that_was_added_is_there"), "{text}");
    cargo(&["fmt", "--check"]);

    // And as its README says. The test has built the plugin.
    let wasm = target.join("wasm32-unknown-unknown/release/notes.wasm");
    let path = |path: &Path| path.to_str().expect("the path is UTF-8").to_string();
    let (wasm, manifest) = (path(&wasm), path(&project.join("plugin.toml")));
    let schema = path(&project.join("schema.toml"));
    let ran = sochdb(&[
        "run",
        &wasm,
        "add",
        "--input",
        "\"buy milk\"",
        "--manifest",
        &manifest,
        "--schema",
        &schema,
    ]);
    assert_eq!((ran.code, &*ran.stdout), (0, "1\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("[INFO notes] a note was added"), "{}", ran.stderr);
    let ran = sochdb(&["inspect", &wasm, "--manifest", &manifest]);
    assert!(ran.code == 0 && ran.stdout.contains("length: u64 -> u32"), "{}", ran.stdout);
}

#[test]
fn a_directory_that_is_there_is_left_alone() {
    let parent = directory("there");
    fs::create_dir_all(parent.join("taken")).expect("the directory can be made");
    let parent = parent.to_str().expect("the path is UTF-8");
    let ran = sochdb(&["new", "taken", "--dir", parent, "--json"]);
    assert_eq!((ran.code, &*ran.error().0), (4, "exists"));
    assert_eq!(fs::read_dir(Path::new(parent).join("taken")).expect("it is there").count(), 0);
}

/// `new my-notes` was refused, and `new fn` wrote a project that Cargo does not build.
#[test]
fn a_hyphen_in_the_name_of_a_project_is_an_underscore_in_its_plugin() {
    let parent = directory("hyphens");
    let _ = fs::remove_dir_all(parent.join("my-notes"));
    let parent_text = parent.to_str().expect("the path is UTF-8");
    let ran = sochdb(&["new", "my-notes", "--dir", parent_text, "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let read = |name: &str| fs::read_to_string(parent.join("my-notes").join(name)).expect("a file");
    assert!(read("Cargo.toml").contains("name = \"my-notes\""));
    assert!(read("plugin.toml").contains("name = \"my_notes\""));
    assert!(read("build.sh").contains("release/my_notes.wasm"));
    assert!(read("tests/plugin.rs").contains("release/my_notes.wasm"));
}

#[test]
fn a_name_that_no_plugin_can_have_is_refused() {
    let parent = directory("names");
    let parent = parent.to_str().expect("the path is UTF-8");
    for name in
        ["1st", "_x", "-x", "a/b", "a.b", "", "fn", "self", "async", "test", "std", "postcard"]
    {
        let ran = sochdb(&["new", "--dir", parent, "--json", "--", name]);
        assert_eq!((ran.code, &*ran.error().0), (3, "project_name"), "{name}");
    }
    let ran = sochdb(&["new", "notes", "--dir", parent, "--path", "nowhere", "--json"]);
    assert_eq!((ran.code, &*ran.error().0), (4, "io"));
    assert_eq!(fs::read_dir(parent).expect("it is there").count(), 0);
}
