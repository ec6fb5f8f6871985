//! Sequences of replacements, compared with a model and replayed.

use super::*;

/// What happens to the plugin in a random program.
#[derive(Clone, Debug)]
enum Step {
    Insert,
    Count,
    Replace(Migration, bool),
    ReplaceAlone(Migration),
    Smaller,
    Rollback,
    Checkpoint,
}

fn step() -> impl Strategy<Value = Step> {
    use Migration::{Fails, Loops, None, Returns, Traps};
    let migration =
        || prop::sample::select(vec![None, None, Returns, Returns, Fails, Traps, Loops]);
    prop_oneof![
        4 => Just(Step::Insert),
        4 => Just(Step::Count),
        4 => (migration(), any::<bool>()).prop_map(|(m, forget)| Step::Replace(m, forget)),
        2 => migration().prop_map(Step::ReplaceAlone),
        1 => Just(Step::Smaller),
        2 => Just(Step::Rollback),
        1 => Just(Step::Checkpoint),
    ]
}

/// What the host must be like.
struct Model {
    version: u8,
    migration: Migration,
    count: u8,
    kept: Option<(u8, Migration)>,
    rows: usize,
}

proptest! {
    #![proptest_config(crate::random::cases())]

    /// Whatever is replaced, fails and goes back: version, memory, rows and what is kept are those of a
    /// plain model, and the trace of it replays exactly.
    #[test]
    fn replacements_do_what_a_model_does_and_replay(
        steps in prop::collection::vec(step(), 1..24),
    ) {
        let mut limits = config();
        limits.limits.fuel_per_call = 50_000;
        let mut host = empty_host();
        host.record(Recorder::buffer(1 << 20));
        let mut modules = vec![version(1, Migration::None)];
        let plugin = host.load("plugin", &modules[0], &limits).unwrap();
        let mut model =
            Model { version: 1, migration: Migration::None, count: 0, kept: None, rows: 0 };
        let mut number = 1;
        for step in steps {
            match step {
                Step::Insert => {
                    host.call(plugin, "insert", &[]).unwrap();
                    model.rows += 1;
                }
                Step::Count => {
                    model.count += 1;
                    prop_assert_eq!(byte(&mut host, plugin, "count"), model.count);
                }
                Step::Smaller => {
                    let error = host.replace(plugin, &smaller(99), &limits).unwrap_err();
                    let missing = matches!(error, ReplaceError::MissingEntries { .. });
                    prop_assert!(missing);
                }
                Step::Replace(..) | Step::ReplaceAlone(_) => {
                    number += 1;
                    let old = version(model.version, model.migration);
                    let (migration, replacement, alone) = match step {
                        Step::Replace(migration, true) => {
                            (migration, Replacement::new().without_rollback(), false)
                        }
                        Step::Replace(migration, false) => (migration, Replacement::new(), false),
                        Step::ReplaceAlone(migration) => {
                            (migration, Replacement::new().unload_first(&old), true)
                        }
                        _ => unreachable!(),
                    };
                    modules.push(version(number, migration));
                    let new = modules.last().unwrap();
                    let replaced = host.replace_with(plugin, new, &limits, replacement);
                    let fits = matches!(migration, Migration::None | Migration::Returns);
                    prop_assert_eq!(replaced.is_ok(), fits, "{:?}", replaced);
                    if fits {
                        model.kept = Some((model.version, model.migration))
                            .filter(|_| !alone && !matches!(step, Step::Replace(_, true)));
                        (model.version, model.migration) = (number, migration);
                        model.rows += usize::from(migration == Migration::Returns);
                    }
                    if fits || alone {
                        model.count = 0;
                    }
                    if alone {
                        model.kept = None;
                    }
                }
                Step::Rollback => match model.kept.take() {
                    None => prop_assert_eq!(
                        host.rollback(plugin),
                        Err(ReplaceError::NothingKept(plugin))
                    ),
                    Some((version, migration)) => {
                        host.rollback(plugin).unwrap();
                        (model.version, model.migration, model.count) = (version, migration, 0);
                    }
                },
                Step::Checkpoint => {
                    host.checkpoint();
                    model.count = 0;
                }
            }
            prop_assert_eq!(rows(&host), model.rows);
        }
        prop_assert_eq!(byte(&mut host, plugin, "version"), model.version);
        let mut recorder = host.stop_recording().unwrap();
        prop_assert_eq!(recorder.error(), None);
        let mut trace = Vec::new();
        recorder.write_to(&mut trace).unwrap();
        let replayer = modules.iter().fold(Replayer::new(), |replayer, m| replayer.with_plugin(m));
        let replay = replayer.replay(&trace[..]).unwrap();
        prop_assert!(replay.is_exact(), "{}", replay);
    }
}

#[test]
fn a_replacement_is_an_event_that_replays() {
    let mut host = empty_host();
    host.record(Recorder::buffer(1 << 20));
    let modules =
        [version(1, Migration::None), version(2, Migration::Returns), version(3, Migration::Traps)];
    let plugin = host.load("plugin", &modules[0], &config()).unwrap();
    byte(&mut host, plugin, "count");
    host.replace(plugin, &modules[1], &config()).unwrap();
    byte(&mut host, plugin, "count");
    host.replace(plugin, &modules[2], &config()).unwrap_err();
    byte(&mut host, plugin, "count");
    host.rollback(plugin).unwrap();
    byte(&mut host, plugin, "count");
    let mut trace = Vec::new();
    host.stop_recording().unwrap().write_to(&mut trace).unwrap();
    let mut reader = TraceReader::new(&trace[..]);
    let mut words = Vec::new();
    while let Some(entry) = reader.read().unwrap() {
        if !matches!(entry.event, Event::HostCall(_) | Event::Table(_)) {
            words.push(entry.event.as_str());
        }
    }
    let call = ["call in", "call out"];
    let expected = [
        &["header", "checkpoint", "load"][..],
        &call,
        &["replace"],
        &call,
        &call,
        &["replace"],
        &call,
        &["restore"],
        &call,
        &["replace"],
        &call,
        &["end"],
    ];
    assert_eq!(words, expected.concat());
    let all = modules.iter().fold(Replayer::new(), |replayer, wasm| replayer.with_plugin(wasm));
    let replay = all.replay(&trace[..]).unwrap();
    assert!(replay.is_exact(), "{replay}");
    // Without one of the versions there is nothing to replay it with.
    let two = Replayer::new().with_plugin(&modules[0]).with_plugin(&modules[1]);
    assert!(two.replay(&trace[..]).is_err());
}
