//! The corpus in `tests/traces`: how it is replayed, how it was made, and what its tests say when
//! something is wrong.
//!
//! `BLESS=1 cargo test --all-features --test it replay::corpus` records it anew from a host.

use crate::{runner, station};
use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;
use sochdb_wasmi::{
    audit::PluginId,
    host::{Host, HostConfig, PluginConfig},
    limits::Limits,
    replay::ReplayError,
    testing::{self, Corpus, CorpusError, Problem},
    trace::Recorder,
};
use station::types::{Day, Purge, SimilarQuery, SpellQuery};

const DIRECTORY: &str = "tests/traces";

/// As a plugin's project has it.
#[test]
fn plugin_does_what_the_corpus_recorded() {
    testing::replay_corpus(DIRECTORY, station::PLUGIN);
}

/// Traces of an older version, as devices in the field have them. They are never recorded anew.
#[test]
fn plugin_does_what_traces_of_version_1_recorded() {
    testing::replay_corpus("tests/images/trace-v1", station::PLUGIN);
}

/// A station of which some calls are recorded.
struct Station {
    host: Host,
    plugin: PluginId,
}

impl Station {
    fn new() -> Self {
        // 10 µs pass at every look at the clock.
        let mut now = 0;
        let clock = move || {
            now += 10;
            now
        };
        let mut host = Host::new(HostConfig::default(), station::database().unwrap(), clock);
        let config = PluginConfig::new(station::capabilities().unwrap())
            .with_limits(Limits { fuel_per_call: 2_000_000, ..Limits::default() })
            .set("max_wind", 60.0)
            .unwrap();
        let plugin = host.load("weather", station::PLUGIN, &config).unwrap();
        Self { host, plugin }
    }

    fn call(&mut self, entry: &str, input: &impl Serialize) -> bool {
        let input = postcard::to_allocvec(input).unwrap();
        self.host.call(self.plugin, entry, &input).is_ok()
    }

    fn ingest(&mut self, days: std::ops::Range<usize>) {
        assert!(self.call("ingest", &station::days()[days].to_vec()));
    }

    fn record(&mut self) {
        self.host.record(Recorder::buffer(64 << 10));
    }

    fn trace(&mut self) -> Vec<u8> {
        let mut recorder = self.host.stop_recording().unwrap();
        assert_eq!(recorder.error(), None);
        let mut trace = Vec::new();
        recorder.write_to(&mut trace).unwrap();
        trace
    }
}

/// The traces of the corpus, from a host.
fn recorded() -> [(&'static str, Vec<u8>); 3] {
    let mut station = Station::new();
    station.record();
    station.ingest(28..34);
    let wrong = Day {
        date: "2012-02-30",
        precipitation: 1.0,
        temp_max: 9.0,
        temp_min: 2.0,
        wind: 3.0,
        kind: "rain",
    };
    assert!(station.call("ingest", &vec![wrong, Day { date: "2012-02-20", wind: 99.0, ..wrong }]));
    let ingest = station.trace();

    station.record();
    let spells = SpellQuery { min_days: 2, min_precipitation: 0.1, from: None, until: None };
    assert!(station.call("rainy_spells", &spells));
    assert!(station.call("similar_days", &SimilarQuery { date: "2012-01-30", k: 3 }));
    assert!(station.call("wettest", &("rain", 3_u32)));
    assert!(station.call("month_report", &"2012-02"));
    assert!(!station.call("month_report", &"1999-01"));
    let queries = station.trace();

    station.record();
    assert!(station.call("peek_secret", &()));
    assert!(station.call("purge", &Purge::Ids(vec![1_u64, 9999])));
    assert!(!station.call("ingest", &vec![Day { date: "2012-02-01", ..wrong }]));
    assert!(!station.call("spin", &()));
    assert!(station.call("purge", &Purge::Before::<Vec<u64>>("2012-02-01")));
    [("ends.trace", station.trace()), ("ingest.trace", ingest), ("queries.trace", queries)]
}

#[test]
fn corpus_is_what_a_host_records() {
    for (name, trace) in recorded() {
        let path = Path::new(DIRECTORY).join(name);
        assert!(trace.len() < 12 << 10, "{name} has {} bytes", trace.len());
        if std::env::var_os("BLESS").is_some() {
            fs::create_dir_all(DIRECTORY).unwrap();
            fs::write(&path, &trace).unwrap();
        }
        assert!(fs::read(&path).unwrap() == trace, "{name} is not what a host records");
    }
}

/// Hosts recorded the whole response buffer of some calls, before they recorded what was written.
#[test]
fn a_trace_with_whole_response_buffers_still_replays() {
    testing::replay_corpus(Path::new(DIRECTORY).join("whole_buffers"), station::PLUGIN);
}

/// A directory of its own with a copy of the corpus, gone at the end of the test.
struct Copy(PathBuf);

impl Copy {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sochdb-wasmi-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        for (name, trace) in recorded() {
            fs::write(path.join(name), trace).unwrap();
        }
        fs::write(path.join("notes.txt"), "no trace").unwrap();
        Self(path)
    }

    fn files(&self) -> Vec<Vec<u8>> {
        let names = ["ends.trace", "ingest.trace", "queries.trace"];
        names.map(|name| fs::read(self.0.join(name)).unwrap()).into()
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The plugin with one threshold changed: days whose temperatures are 6 degrees apart or more are
/// not plausible any more. It was 60.
fn changed() -> Vec<u8> {
    let mut wasm = station::PLUGIN.to_vec();
    let old = [&[0x44][..], &60.0_f64.to_le_bytes()].concat();
    let places: Vec<usize> =
        (0..wasm.len() - 9).filter(|&at| wasm[at..at + 9] == old[..]).collect();
    let [_default_max_wind, threshold] = places[..] else { panic!("{places:?}") };
    wasm[threshold + 1..threshold + 9].copy_from_slice(&6.0_f64.to_le_bytes());
    wasm
}

#[test]
fn changed_plugin_fails_with_the_report_of_each_trace() {
    let copy = Copy::new("changed");
    let before = copy.files();
    let wasm = changed();
    let corpus = Corpus::new().with_plugin(&wasm).with_bless(false);
    let error = corpus.replay_directory(&copy.0).unwrap_err();
    let CorpusError::Failed { failures, traces: 3 } = &error else { panic!("{error}") };
    let names: Vec<_> = failures.iter().map(|f| f.path.file_name().unwrap()).collect();
    assert_eq!(names, ["ends.trace", "ingest.trace"]);
    assert!(failures.iter().all(|failure| matches!(failure.problem, Problem::Diverged(_))));
    let text = error.to_string();
    assert!(text.contains("2 of 3 traces did not pass"), "{text}");
    assert!(text.contains("in call 1 (weather.ingest)"), "{text}");
    assert!(text.contains("likely    plugin-changed"), "{text}");
    assert!(text.ends_with("to keep what the plugin does now: SOCHDB_WASMI_BLESS=1"), "{text}");
    assert!(copy.files() == before);
}

#[test]
fn blessing_keeps_what_the_plugin_does_now() {
    let copy = Copy::new("bless");
    // The plugin with another name section: it does the same.
    let mut wasm = station::PLUGIN.to_vec();
    wasm.extend([0, 5, 4, b'n', b'o', b't', b'e']);
    let corpus = Corpus::new().with_plugin(&wasm);
    let passed = corpus.clone().with_bless(false).replay_directory(&copy.0).unwrap();
    assert_eq!((passed.traces, passed.blessed.len()), (3, 0));
    let passed = corpus.clone().with_bless(true).replay_directory(&copy.0).unwrap();
    assert_eq!(passed.blessed.len(), 3);
    let again = corpus.with_bless(true).replay_directory(&copy.0).unwrap();
    assert!(again.blessed.is_empty());
    let old = Corpus::new().with_plugin(station::PLUGIN).with_bless(true);
    assert_eq!(old.replay_directory(&copy.0).unwrap().blessed.len(), 3);
    for (old, new) in recorded().iter().map(|(_, trace)| trace).zip(&copy.files()) {
        assert!(old == new);
    }
}

#[test]
fn what_was_never_asked_cannot_be_blessed() {
    let copy = Copy::new("unasked");
    let before = copy.files();
    let wasm = changed();
    let corpus = Corpus::new().with_plugin(&wasm).with_bless(true);
    let error = corpus.replay_file(copy.0.join("ingest.trace")).unwrap_err();
    let CorpusError::Failed { failures, .. } = &error else { panic!("{error}") };
    let Problem::Replay(ReplayError::NoAnswer(asked)) = &failures[0].problem else {
        panic!("{error}")
    };
    assert_eq!(asked.entry, "ingest");
    assert!(copy.files() == before);
}

#[test]
fn empty_and_missing_directories_are_named() {
    let copy = Copy::new("empty");
    let corpus = Corpus::new().with_plugin(station::PLUGIN);
    let missing = corpus.replay_directory(copy.0.join("nowhere")).unwrap_err();
    assert!(matches!(missing, CorpusError::Directory { .. }));
    assert!(missing.to_string().contains("nowhere cannot be read"), "{missing}");
    let empty = copy.0.join("empty");
    fs::create_dir_all(&empty).unwrap();
    let error = corpus.replay_directory(&empty).unwrap_err();
    assert!(error.to_string().ends_with("empty holds no traces (*.trace)"), "{error}");
    fs::write(empty.join("torn.trace"), b"").unwrap();
    let error = corpus.replay_directory(&empty).unwrap_err();
    assert!(error.to_string().contains("torn.trace: the trace is empty"), "{error}");
}

#[test]
#[should_panic(expected = "the directory of traces tests/no-such-directory cannot be read")]
fn one_line_fails_as_an_assertion_does() {
    testing::replay_corpus("tests/no-such-directory", station::PLUGIN);
}

/// The environment variable, in a process of its own.
#[test]
fn environment_variable_blesses() {
    const TARGET: &str = "SOCHDB_WASMI_TEST_DIRECTORY";
    if let Some(directory) = std::env::var_os(TARGET) {
        let mut wasm = station::PLUGIN.to_vec();
        wasm.extend([0, 5, 4, b'n', b'o', b't', b'e']);
        return testing::replay_corpus(directory, &wasm);
    }
    let copy = Copy::new("variable");
    let before = copy.files();
    for (value, blesses) in [("0", false), ("1", true)] {
        let status = runner::command(std::env::current_exe().unwrap())
            .args(["--exact", "replay::corpus::environment_variable_blesses"])
            .env(TARGET, &copy.0)
            .env(testing::BLESS, value)
            .status()
            .unwrap();
        assert!(status.success());
        assert_eq!(copy.files() != before, blesses);
    }
}
