//! Files that the program writes: whole or not at all, whatever happens meanwhile.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use super::{Ran, WEATHER, directory, file, path, sochdb, weather_arguments};
use crate::runner;

const BIN: &str = env!("CARGO_BIN_EXE_sochdb-wasmi");

/// The names in a directory of a test.
fn names(test: &str) -> Vec<String> {
    let entries = fs::read_dir(directory(test)).expect("the directory is there");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("an entry").file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<_> = entries.map(name).collect();
    names.sort();
    names
}

/// A directory of a test with nothing in it.
fn empty(test: &str) {
    let _ = fs::remove_dir_all(directory(test));
    directory(test);
}

/// Runs the program where no file may become larger than so many KiB.
fn limited(kib: u32, arguments: &[&str]) -> Ran {
    let program = runner::command(BIN);
    let output = Command::new("bash")
        .args(["-c", &format!("ulimit -f {kib}; exec \"$@\""), "bash"])
        .arg(program.get_program())
        .args(program.get_args())
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .output()
        .expect("bash starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let code = output.status.code().unwrap_or_else(|| panic!("ended by {:?}", output.status));
    Ran { code, stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A manifest that fits the weather plugin.
const MANIFEST: &str = "examples/plugins/weather.toml";

// A full disk left a cut module, which was in the place of the whole one.
#[test]
fn a_file_that_cannot_be_written_to_its_end_leaves_the_old_one_and_nothing_else() {
    empty("full");
    let target = file("full", "weather.wasm", "the old one");
    let ran =
        limited(16, &["inspect", WEATHER, "--manifest", MANIFEST, "--embed", &target, "--json"]);
    assert_eq!((ran.code, ran.error().0.as_str()), (4, "io"), "{}", ran.stderr);
    assert!(ran.stderr.contains("File too large (os error 27)"), "{}", ran.stderr);
    assert!(ran.stderr.contains("weather.wasm: "), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(&target).expect("it is there"), "the old one");
    assert_eq!(names("full"), ["weather.wasm"]);

    // Half a project.
    let into = directory("full");
    let into = into.to_str().expect("UTF-8");
    // An emulator ends under so low a limit itself, before it begins with the program.
    if !runner::is_emulated() {
        let ran = limited(1, &["new", "notes", "--dir", into, "--json"]);
        assert_eq!((ran.code, ran.error().0.as_str()), (4, "io"), "{}", ran.stderr);
        assert_eq!(names("full"), ["weather.wasm"]);
    }

    // `a.db.new`, and "the store's device failed with code 27", with exit code 3.
    let db = path("full", "a.db");
    let ran = limited(16, &["run", WEATHER, "peek_secret", "--db", &db, "--json"]);
    assert_eq!((ran.code, ran.error().0.as_str()), (4, "io"), "{}", ran.stderr);
    assert!(ran.stderr.contains("File too large (os error 27)"), "{}", ran.stderr);
    assert_eq!(names("full"), ["weather.wasm"]);
}

// "The trace's sink failed: Other", and half a trace in the place of a whole one.
#[test]
fn a_recording_that_cannot_be_written_to_its_end_is_kept_under_another_name() {
    empty("full_trace");
    let out = file("full_trace", "weather.trace", "the old one");
    let arguments = weather_arguments(&out);
    let mut arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    arguments.push("--json");
    let ran = limited(16, &arguments);
    assert_eq!((ran.code, ran.error().0.as_str()), (4, "record"), "{}", ran.stderr);
    assert!(ran.stderr.contains("File too large (os error 27)"), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(&out).expect("it is there"), "the old one");
    breaks_off("full_trace", &ran.stderr);
}

/// Beside the old trace there is one other, which is named, and breaks off.
fn breaks_off(test: &str, said: &str) {
    let names = names(test);
    let kept: Vec<_> = names.iter().filter(|name| name.ends_with(".partial")).collect();
    let [kept] = kept[..] else { panic!("not one is kept: {names:?}") };
    assert!(said.contains(&**kept), "{said}");
    let kept = directory(test).join(kept);
    let ran = sochdb(&["trace", "verify", kept.to_str().expect("UTF-8")]);
    assert_eq!(ran.code, 17, "{}", ran.stderr);
}

#[test]
fn a_device_is_written_as_it_is_and_says_why_it_cannot_be() {
    if !Path::new("/dev/full").exists() {
        panic!("this system has no /dev/full");
    }
    let arguments = weather_arguments("/dev/full");
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let ran = sochdb(&arguments);
    assert_eq!(ran.code, 4);
    let full = "/dev/full: the trace is not whole: the trace could not be written: No space left on \
                device (os error 28)";
    assert!(ran.stderr.contains(full), "{}", ran.stderr);
    let arguments = weather_arguments("/dev/null");
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    assert_eq!(sochdb(&arguments).code, 0);
    // Output that cannot be written was exit code 4 without a word.
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("it opens");
    let output = runner::command(BIN)
        .args(["inspect", WEATHER])
        .stdout(full)
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(4));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("stdout: No space left on device (os error 28)"), "{said}");
}

#[test]
fn what_a_file_was_stays_but_for_its_contents() {
    empty("kept_mode");
    let target = file("kept_mode", "old.wasm", "the old one");
    fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).expect("it is ours");
    let link = path("kept_mode", "link.wasm");
    std::os::unix::fs::symlink("old.wasm", &link).expect("a link");
    let ran = sochdb(&["inspect", WEATHER, "--manifest", MANIFEST, "--embed", &link]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
    let written = fs::metadata(&target).expect("it is there");
    assert_eq!((written.permissions().mode() & 0o777, written.len() > 1000), (0o640, true));
    assert_eq!(names("kept_mode"), ["link.wasm", "old.wasm"]);
    let ran = sochdb(&[
        "inspect",
        WEATHER,
        "--manifest",
        MANIFEST,
        "--pack",
        "no/such/dir.bin",
        "--json",
    ]);
    assert_eq!((ran.code, ran.error().0.as_str()), (4, "io"));
    assert!(ran.stderr.contains("no/such/dir.bin: No such file or directory"), "{}", ran.stderr);
}

// `--load t=/dev/full`, `inspect /dev/zero` and all others read until the machine had no memory left, and
// were killed without a word.
#[test]
fn a_device_without_end_is_read_up_to_a_limit() {
    let commands: [&[&str]; 5] = [
        &["run", WEATHER, "spin", "--load", "t=/dev/zero"],
        &["inspect", "/dev/full"],
        &["trace", "verify", "/dev/zero"],
        &["db", "tables", "/dev/zero"],
        &["run", WEATHER, "spin", "--manifest", "/dev/zero"],
    ];
    for command in commands {
        let ran = sochdb(&[command, &["--json"]].concat());
        assert_eq!((ran.code, ran.error().0.as_str()), (4, "io"), "{}", ran.stderr);
        assert!(ran.stderr.contains("more than 67108864 bytes"), "{}", ran.stderr);
    }
}

// `--pack /dev/stdout >> log` replaced the log by what was packed: /dev/stdout leads to the file.
#[test]
fn stdout_may_be_a_file_that_something_is_in() {
    let log = file("stdout", "log", "first\n");
    let output = runner::command(BIN)
        .args(["inspect", WEATHER, "--manifest", MANIFEST, "--pack", "/dev/stdout"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(fs::OpenOptions::new().append(true).open(&log).expect("it is there"))
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    let written = fs::read(&log).expect("it is there");
    assert!(written.starts_with(b"first\n"), "{written:?}");
    // The manifest, and after it what the command has to say.
    let said = String::from_utf8_lossy(&written);
    let (packed, said) = said.split_once("loads ").expect("the report is there");
    assert!(packed.contains("weather") && said.contains("yes"), "{packed} {said}");
}

// A link to a file that was not there yet was replaced by the file; `--out -` made a file called `-`.
#[test]
fn what_is_written_is_where_its_name_leads() {
    empty("links");
    let link = path("links", "link.bin");
    std::os::unix::fs::symlink("there.bin", &link).expect("a link");
    let ran = sochdb(&["inspect", WEATHER, "--manifest", MANIFEST, "--pack", &link]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
    assert_eq!(names("links"), ["link.bin", "there.bin"]);
    for option in ["--pack", "--embed"] {
        let ran = sochdb(&["inspect", WEATHER, "--manifest", MANIFEST, option, "-", "--json"]);
        assert_eq!((ran.code, ran.error().0.as_str()), (4, "io"), "{}", ran.stderr);
        assert!(ran.stderr.contains("./- if that is its name"), "{}", ran.stderr);
    }
    // It made the file, and looked on stdin for what it had written.
    let db = path("links", "a.db");
    assert_eq!(sochdb(&["run", WEATHER, "peek_secret", "--db", &db]).code, 0);
    let ran = sochdb(&["db", "convert", &db, "-", "--json"]);
    assert_eq!((ran.code, ran.error().0.as_str()), (2, "usage"), "{}", ran.stderr);
    assert!(!Path::new(env!("CARGO_MANIFEST_DIR")).join("-").exists());
    let ran = sochdb(&["run", WEATHER, "spin", "--db", "-", "--json"]);
    assert_eq!((ran.code, ran.error().0.as_str()), (2, "usage"), "{}", ran.stderr);
}

/// Whether these tests, and so the programs that they start, ignore a signal, as under `nohup`.
fn is_ignored(number: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or("0");
    u64::from_str_radix(mask.trim(), 16).expect("it is a mask") >> (number - 1) & 1 == 1
}

// `record --out` over a trace that was there left half of it when a signal ended it.
#[test]
fn a_recording_that_a_signal_ends_is_kept_under_another_name() {
    for (signal, number) in [("TERM", 15), ("INT", 2), ("HUP", 1)] {
        if is_ignored(number) {
            continue;
        }
        empty("signal");
        let out = file("signal", "small.trace", "the old one");
        let small = super::small_plugin("signal");
        let manifest = "[plugin]\nname = \"small\"\nversion = \"1.0.0\"\n[resources]\n\
                        fuel_limit = 1000000000000\nno_timeout = true\n";
        let manifest = file("signal", "m.toml", manifest);
        let calls = "{\"entry\": \"echo\", \"input_hex\": \"6869\"}\n{\"entry\": \"spin\"}\n";
        let calls = file("signal", "calls.jsonl", calls);
        let child = runner::command(BIN)
            .args(["record", &small, "--calls", &calls, "--manifest", &manifest, "--out", &out])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        // Until the first call is in the file.
        let is_recorded = || {
            let partial = |entry: fs::DirEntry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                name.ends_with(".partial") && entry.metadata().is_ok_and(|found| found.len() > 200)
            };
            fs::read_dir(directory("signal")).expect("it is there").flatten().any(partial)
        };
        for _ in 0..600 {
            if is_recorded() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(is_recorded(), "{:?}", names("signal"));
        let kill = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
        assert!(kill.expect("kill runs").success());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.signal(), Some(number), "{output:?}");
        assert_eq!(fs::read_to_string(&out).expect("it is there"), "the old one");
        breaks_off("signal", &String::from_utf8_lossy(&output.stderr));
    }
}
