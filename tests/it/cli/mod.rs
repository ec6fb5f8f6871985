//! The command line by its user's eyes: exit codes, what is on stdout and what on stderr, and JSON.

mod csv;
mod db;
#[cfg(unix)]
mod files;
mod inspect;
mod load;
#[cfg(all(feature = "flash", feature = "redb"))]
mod look;
mod manifest;
mod new;
mod readme;
mod record;
mod replay;
mod report;
mod run;
mod stub;
mod trace;
mod what_if;

use crate::runner;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::OnceLock,
};

use serde_json::Value;
use sochdb_wasmi::replay::Cause;

const WEATHER: &str = "examples/plugins/weather.wasm";

/// What a command left.
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).expect("stdout is one JSON value")
    }

    /// Kind, line and column of the error that is on stdout, and on stderr as text.
    fn error(&self) -> (String, Option<u64>, Option<u64>) {
        let error = &self.json()["error"];
        let message = error["message"].as_str().expect("an error has a text");
        assert_eq!(self.stderr, format!("error: {message}\n"));
        let kind = error["kind"].as_str().expect("an error has a kind");
        (kind.into(), error["line"].as_u64(), error["column"].as_u64())
    }
}

/// Runs the program in the directory of the crate.
fn sochdb(arguments: &[&str]) -> Ran {
    sochdb_in(Path::new(env!("CARGO_MANIFEST_DIR")), arguments)
}

/// Runs the program in this directory.
fn sochdb_in(directory: &Path, arguments: &[&str]) -> Ran {
    let output = runner::command(env!("CARGO_BIN_EXE_sochdb-wasmi"))
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    Ran {
        code: output.status.code().expect("the program ends by itself"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// A file with these contents, in a directory of this test.
fn file(test: &str, name: &str, contents: impl AsRef<[u8]>) -> String {
    let path = directory(test).join(name);
    fs::write(&path, contents).expect("the file can be written");
    path.to_str().expect("the path is UTF-8").into()
}

/// The path of a file of this test that is not there yet.
fn path(test: &str, name: &str) -> String {
    let path = directory(test).join(name);
    // It may be from the last time.
    let _ = fs::remove_file(&path);
    path.to_str().expect("the path is UTF-8").into()
}

fn directory(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli").join(test);
    fs::create_dir_all(&directory).expect("the directory can be made");
    directory
}

/// What records the weather job into a trace, and the same bytes each time.
fn weather_arguments(out: &str) -> Vec<String> {
    let arguments = "record examples/plugins/weather.wasm --calls examples/data/weather-calls.jsonl \
         --manifest examples/plugins/weather.toml --types @examples/plugins/weather.types \
         --schema examples/data/weather-schema.toml --no-clock --out";
    arguments.split_whitespace().chain([out]).map(String::from).collect()
}

/// The path of a trace of the weather job.
fn weather_job() -> String {
    static RECORDED: OnceLock<String> = OnceLock::new();
    let record = || {
        let trace = path("weather_job", "weather.trace");
        let arguments = weather_arguments(&trace);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let ran = sochdb(&arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        trace
    };
    RECORDED.get_or_init(record).clone()
}

/// A plugin whose entry point `speak` logs this text as information.
fn speaking_plugin(test: &str, name: &str, text: &str) -> String {
    let len = u8::try_from(text.len()).expect("a short text");
    let wat = format!(
        r#"(module
        (import "sochdb" "log_message" (func $log (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (global (export "sochdb_plugin") i32 (i32.const 0))
        (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\40\00\00\00" "\00\02\00\00" "\40\00\00\00")
        (data (i32.const 64) "\01\{len:02x}{text}")
        (func (export "speak") (param i32) (result i32)
            (call $log (i32.const 64) (i32.const {}) (i32.const 0) (i32.const 0))))"#,
        text.len() + 2
    );
    file(test, name, wat::parse_str(wat).expect("this is a module"))
}

/// The weather plugin with another threshold, as `cargo build` would make it of changed sources: a
/// day is implausible from 18 °C between its highest and its lowest temperature on, not from 60.
fn changed_weather(test: &str) -> String {
    let mut wasm = fs::read(WEATHER).expect("the plugin is there");
    // f64.const 60.0, f64.lt
    let code = |degrees: f64| [&[0x44], &degrees.to_le_bytes()[..], &[0x63]].concat();
    let from = code(60.0);
    let places: Vec<_> =
        (0..wasm.len()).filter(|at| wasm.get(*at..*at + from.len()) == Some(&from)).collect();
    let [place] = places[..] else { panic!("the threshold is at {places:?}") };
    wasm[place..place + from.len()].copy_from_slice(&code(18.0));
    file(test, "changed.wasm", wasm)
}

/// A plugin without an SDK: `echo` answers its input, the others fail each in their own way.
fn small_plugin(test: &str) -> String {
    let wat = r#"(module
        (memory (export "memory") 1 1)
        (global (export "sochdb_plugin") i32 (i32.const 0))
        (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\40\00\00\00" "\00\02\00\00" "\40\00\00\00")
        (func (export "echo") (param i32) (result i32)
            (memory.copy (i32.const 512) (i32.const 256) (local.get 0))
            (local.get 0))
        (func (export "trap") (param i32) (result i32) unreachable)
        (func (export "spin") (param i32) (result i32) (loop (br 0)) unreachable)
        (func (export "fail") (param i32) (result i32) (i32.const -3))
        (func (export "boast") (param i32) (result i32) (i32.const 65))
        (func (export "other") (result i32) (i32.const 0)))"#;
    file(test, "small.wasm", wat::parse_str(wat).expect("this is a module"))
}

#[test]
fn the_help_has_every_exit_code_and_every_command() {
    let codes = sochdb(&["help", "exit-codes"]);
    assert_eq!((codes.code, &*codes.stderr), (0, ""));
    assert_eq!(sochdb(&["exit-codes"]).stdout.trim_end(), codes.stdout.trim_end());
    let help = sochdb(&["--help"]);
    assert_eq!((help.code, &*help.stderr), (0, ""));
    assert!(help.stdout.contains("--json"));
    let docs = fs::read_to_string("docs/cli.md").expect("it is there");
    for cause in Cause::ALL {
        let (code, word) = (cause.exit_code(), cause.as_str());
        assert!(codes.stdout.contains(&format!("  {code}  {word}")), "{code} {word}");
        assert!(docs.contains(&format!("| {code} | `{word}`: ")), "{code} {word}");
    }
    for code in (0..=4).chain(30..=34) {
        assert!(codes.stdout.contains(&format!("  {code}  ")), "{code}");
        assert!(docs.contains(&format!("| {code} | ")), "{code}");
    }
    let commands = [
        "run",
        "record",
        "replay",
        "what-if",
        "minimise",
        "trace",
        "db",
        "inspect",
        "new",
        "completions",
    ];
    for command in commands {
        assert!(help.stdout.contains(&format!("\n  {command} ")), "{command}");
        assert!(docs.contains(&format!("\n## `{command}`\n")), "{command}");
        let help = sochdb(&[command, "--help"]).stdout;
        assert!(help.contains("sochdb-wasmi help exit-codes"), "{command}");
        assert!(help.contains(&format!("Example:\n  sochdb-wasmi {command}")), "{command}");
    }
}

/// What an example in a help names was not an option any more.
#[test]
fn the_options_in_the_examples_of_the_help_are_options() {
    for command in ["run", "record", "replay", "what-if", "minimise", "inspect", "new"] {
        let help = sochdb(&[command, "--help"]).stdout;
        let (options, example) = help.split_once("Example:\n").expect("an example");
        let named = example.split_whitespace().filter(|word| word.starts_with("--"));
        for option in named {
            assert!(options.contains(&format!("{option} <")), "{command} {option}");
        }
    }
}

/// Scripts had to send stderr away, and errors with it.
#[test]
fn a_quiet_command_prints_data_and_errors_only() {
    let trace = weather_job();
    for arguments in [
        &["trace", "show", &trace, "--grep", "nothing of this"][..],
        &["run", WEATHER, "month_report", "--input", "\"2014-07\""],
        &["replay", &trace, "--plugin", WEATHER],
    ] {
        let (loud, quiet) = (sochdb(arguments), sochdb(&[arguments, &["-q"]].concat()));
        assert_eq!((loud.code, &loud.stdout), (quiet.code, &quiet.stdout), "{arguments:?}");
        if quiet.code == 0 {
            assert_eq!(quiet.stderr, "", "{arguments:?}");
        }
    }
    let ran = sochdb(&["inspect", "nothing.wasm", "--quiet"]);
    assert_eq!(ran.code, 4);
    assert!(ran.stderr.starts_with("error: nothing.wasm: "), "{}", ran.stderr);
}

// What a plugin asked for was seen in a trace only, after the run.
#[test]
fn a_verbose_command_prints_every_host_call() {
    let arguments = ["run", WEATHER, "month_report", "--input", "\"2014-07\"", "-v"];
    let more = ["--types", "@examples/plugins/weather.types", "--json"];
    let ran = sochdb(&[&arguments[..], &more].concat());
    let calls = ran.stderr.lines().filter(|line| line.contains(" host call ")).count();
    assert_eq!(ran.json()["host_calls"], calls, "{}", ran.stderr);
    let line = "host call index_lookup table=monthly status=-1 (permission denied)";
    assert!(ran.stderr.contains(line), "{}", ran.stderr);
    assert_eq!(sochdb(&[&arguments[..], &["-q"]].concat()).code, 2);
}

// Who packages the program had to write manual pages by hand.
#[test]
fn every_command_has_a_manual_page() {
    let ran = sochdb(&["man", "trace", "show"]);
    assert_eq!((ran.code, &*ran.stderr), (0, ""));
    assert!(ran.stdout.contains(".TH") && ran.stdout.contains("\\-\\-grep"), "{}", ran.stdout);
    let unknown = sochdb(&["man", "trace", "shown", "--json"]);
    assert_eq!((unknown.code, &*unknown.error().0), (2, "usage"));
    assert!(unknown.stderr.contains("there are show, diff"), "{}", unknown.stderr);
    let pages = directory("man");
    let ran = sochdb(&["man", "--out", pages.to_str().expect("the path is UTF-8"), "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let names = ran.json()["pages"].as_array().expect("a list").clone();
    for name in ["sochdb-wasmi.1", "sochdb-wasmi-run.1", "sochdb-wasmi-db-show.1"] {
        assert!(names.contains(&name.into()), "{name}");
        assert!(fs::read_to_string(pages.join(name)).expect("it is there").contains(".SH NAME"));
    }
}

#[test]
fn completions_are_scripts_that_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = sochdb(&["completions", shell]);
        assert_eq!((ran.code, &*ran.stderr), (0, ""), "{shell}");
        for word in ["what-if", "minimise", "max-rows", "delimiter"] {
            assert!(ran.stdout.contains(word), "{shell}: {word}");
        }
    }
    let script = file("completions", "bash", sochdb(&["completions", "bash"]).stdout);
    // Bash finds a command behind `w`.
    let complete = |words: &str, last: usize| {
        let command = format!(
            "source {script:?}; COMP_WORDS=({words}); COMP_CWORD={last}; \
             _sochdb__wasmi sochdb-wasmi \"${{COMP_WORDS[{last}]}}\" \"${{COMP_WORDS[{}]}}\"; \
             echo \"${{COMPREPLY[@]}}\"",
            last - 1
        );
        let output = std::process::Command::new("bash").args(["-c", &command]).output();
        let output = output.expect("bash starts");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!(complete("sochdb-wasmi w", 1), "what-if");
    assert_eq!(sochdb(&["completions", "tcsh"]).code, 2);
}

#[test]
fn a_wrong_command_line_is_exit_code_2_and_nothing_on_stdout() {
    let wrong: [&[&str]; 6] = [
        &[],
        &["walk"],
        &["run", WEATHER],
        &["run", WEATHER, "spin", "--input-hex", "00", "--input", "1"],
        &["run", WEATHER, "spin", "--load", "weather"],
        &["inspect", WEATHER, "--pack", "x"],
    ];
    for arguments in wrong {
        let ran = sochdb(arguments);
        assert_eq!((ran.code, &*ran.stdout), (2, ""), "{arguments:?}");
        assert!(!ran.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_file_that_is_not_there_is_exit_code_4_and_named() {
    let missing: [&[&str]; 5] = [
        &["run", "nothing.wasm", "a"],
        &["inspect", "nothing.wasm"],
        &["run", WEATHER, "spin", "--manifest", "nothing.wasm"],
        &["run", WEATHER, "spin", "--schema", "nothing.wasm"],
        &["run", WEATHER, "spin", "--load", "days=nothing.wasm"],
    ];
    for arguments in missing {
        let ran = sochdb(&[arguments, &["--json"]].concat());
        assert_eq!((ran.code, ran.error().0.as_str()), (4, "io"), "{arguments:?}");
        assert_eq!(ran.json()["error"]["file"], "nothing.wasm");
    }
}
