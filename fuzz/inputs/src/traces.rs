//! Traces, with damage that the chain shows and with damage that was sealed again: read, counted, compared,
//! searched, and replayed with the plugin that they were recorded of.

use std::{fs, path::PathBuf};

use sochdb_wasmi::{
    replay::{DiffOptions, Replayer, diff, infer, stats, verify},
    trace::{CHECK_LEN, FRAME_HEADER_LEN, MAGIC, chain},
};

use crate::{damage::damage, random::Random};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn good() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for directory in ["tests/traces", "tests/traces/whole_buffers", "tests/images/trace-v1"] {
        let entries = fs::read_dir(PathBuf::from(ROOT).join(directory)).expect("the corpus");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "trace"));
        found.extend(paths.iter().map(|path| fs::read(path).expect("a trace")));
    }
    found
}

/// The payloads of the frames of a good trace.
fn payloads(trace: &[u8]) -> Vec<Vec<u8>> {
    let (mut at, mut found) = (MAGIC.len(), Vec::new());
    while let Some(len) = trace.get(at..at + 4) {
        let len = u32::from_le_bytes([len[0], len[1], len[2], len[3]]) as usize;
        found.push(trace[at + FRAME_HEADER_LEN..at + FRAME_HEADER_LEN + len].to_vec());
        at += FRAME_HEADER_LEN + len;
    }
    found
}

/// A trace of these payloads, whose chain is whole.
fn sealed(magic: &[u8], payloads: &[Vec<u8>]) -> Vec<u8> {
    let (mut trace, mut link) = (magic.to_vec(), chain::START);
    for payload in payloads {
        link = chain::next(&link, payload);
        trace.extend((payload.len() as u32).to_le_bytes());
        let check: [u8; CHECK_LEN] = chain::check(&link);
        trace.extend(check);
        trace.extend(payload);
    }
    trace
}

fn forged(random: &mut Random, trace: &[u8]) -> Vec<u8> {
    let mut frames = payloads(trace);
    match random.below(4) {
        0 => drop(frames.remove(random.below(frames.len()))),
        1 => {
            let copied = frames[random.below(frames.len())].clone();
            frames.insert(random.below(frames.len() + 1), copied);
        }
        _ => {
            let at = random.below(frames.len());
            damage(random, &mut frames[at]);
        }
    }
    sealed(&trace[..MAGIC.len()], &frames)
}

pub fn target() -> impl FnMut(&mut Random) {
    let good = good();
    let plugin = fs::read(format!("{ROOT}/examples/plugins/weather.wasm")).expect("the plugin");
    for trace in &good {
        assert_eq!(
            &sealed(&trace[..MAGIC.len()], &payloads(trace)),
            trace,
            "the seal is the recorder's"
        );
    }
    move |random| {
        let whole = &good[random.below(good.len())];
        let mut trace = whole.clone();
        if random.one_in(4) {
            damage(random, &mut trace);
        } else {
            trace = forged(random, &trace);
        }
        let trace = trace.as_slice();
        let checked = verify(trace);
        let figures = stats(trace);
        assert!(checked.is_err() || figures.is_ok(), "verify and stats differ: {figures:?}");
        let _ = infer([trace]);
        let _ = diff(whole.as_slice(), trace, DiffOptions::default()).map(|diff| diff.to_json());
        let replayed = Replayer::new().with_plugin(&plugin).with_changed_plugins().replay(trace);
        if let Ok(replay) = replayed {
            assert!(!replay.to_json().is_empty());
        }
    }
}
