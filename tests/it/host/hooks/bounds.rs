//! What hooks cannot do: run without end, into each other, or for nothing; and what is said then.

use sochdb_wasmi::{
    abi::{
        Seq, Status, Value,
        message::{CallRequest, HookAnswer, HookEvent, NewRow, WriteMode},
    },
    host::{PluginConfig, WriteError},
    limits::Limits,
};

use super::{
    CONTINUE, count, hooked, insert,
    plugin::{INPUT, Step, answers, config, host, plugin, row, rows},
};
use crate::support::encoded;

/// What the embedder is told when a hook of `before_insert` does this.
fn told(steps: &[Step]) -> (Status, String) {
    let mut host = host();
    hooked(&mut host, "rules", HookEvent::BeforeInsert, steps);
    let writes = [Step::Must("soch_write", row("u", None, 1))];
    hooked(&mut host, "later", HookEvent::BeforeInsert, &writes);
    let refused = insert(&mut host, &[5]);
    assert_eq!((rows(&host, "t"), rows(&host, "u")), (vec![], vec![]));
    match refused {
        Err(WriteError::Refused { status, text }) => (status, text),
        other => panic!("{other:?}"),
    }
}

#[test]
fn whatever_goes_wrong_in_a_hook_fails_the_statement_and_names_it() {
    let own_write = Step::Must("soch_write", row("t", None, 1));
    let two = answers(&[HookAnswer::Continue; 2]);
    let unknown = [(9, Value::Null)];
    let unknown = answers(&[HookAnswer::Changed(Seq::new(&unknown))]);
    let cases: [(&[Step], Status, &str); 9] = [
        (&[Step::Trap], Status::Error, "unreachable"),
        (&[Step::Loop], Status::LimitExceeded, "fuel"),
        (&[Step::Return(-7)], Status::Error, "-7"),
        (&[Step::Return(4097)], Status::Error, "4097"),
        (&[Step::Answer(vec![1, 9])], Status::Error, "malformed"),
        (&[two], Status::Error, "it answers 2 rows, it got 1"),
        (&[unknown], Status::Error, "column 9 of row 0"),
        // It would call itself, and passes on what it is told.
        (&[own_write], Status::Error, "returned -4"),
        (&[Step::Grow, Step::Trap], Status::Error, "unreachable"),
    ];
    for (steps, status, why) in cases {
        let (found, text) = told(steps);
        assert_eq!(found, status, "{text}");
        assert!(text.starts_with("hook \"hook\" (before_insert) of plugin rules: "), "{text}");
        assert!(text.contains(why), "{text}");
    }
}

#[test]
fn a_plugin_whose_hook_trapped_begins_anew() {
    let mut host = host();
    let rules = hooked(&mut host, "rules", HookEvent::BeforeInsert, &[Step::Trap]);
    for _ in 0..3 {
        insert(&mut host, &[5]).expect_err("it traps");
        assert_eq!(count(&mut host, rules), 0);
    }
}

#[test]
fn hooks_of_hooks_are_nested_four_deep_and_no_deeper() {
    let tables = ["t", "u", "v", "w"];
    for depth in 1..=tables.len() {
        let mut host = host();
        host.limit_nesting(2);
        // Each hook writes the next table.
        for (at, pair) in tables[..depth].windows(2).enumerate() {
            let writes = [Step::Must("soch_write", row(pair[1], None, 1))];
            let config = config().with_hook(HookEvent::AfterInsert, "hook", &[pair[0]]);
            let wasm = plugin(INPUT, &[("hook", &writes)]);
            host.load(&format!("p{at}"), &wasm, &config.expect("a hook")).expect("it loads");
        }
        // The embedder's statement is around hook 0, which is around hooks 1 and 2.
        insert(&mut host, &[5]).expect("two are allowed");
        host.limit_nesting(1);
        let result = insert(&mut host, &[5]);
        assert_eq!(result.is_ok(), depth <= 3, "{result:?}");
        if let Err(WriteError::Refused { status, text }) = result {
            assert_eq!(status, Status::Error);
            assert!(text.contains("p0"), "{text}");
        }
        let written = tables.map(|table| rows(&host, table).len());
        let expected = [0, 1, 2, 3].map(|at| match (at < depth, depth <= 3) {
            (false, _) => 0,
            (true, true) => 2,
            (true, false) => 1,
        });
        assert_eq!(written, expected);
    }
}

#[test]
fn hooks_that_write_each_others_tables_end() {
    let mut host = host();
    for (name, own, other) in [("a", "t", "u"), ("b", "u", "t")] {
        let writes = [Step::Must("soch_write", row(other, None, 1))];
        let config = config().with_hook(HookEvent::BeforeInsert, "hook", &[own]);
        let wasm = plugin(INPUT, &[("hook", &writes)]);
        host.load(name, &wasm, &config.expect("a hook")).expect("it loads");
    }
    let Err(WriteError::Refused { text, .. }) = insert(&mut host, &[1]) else { panic!() };
    assert!(text.starts_with("hook \"hook\" (before_insert) of plugin a: "), "{text}");
    assert_eq!((rows(&host, "t"), rows(&host, "u")), (vec![], vec![]));
}

#[test]
fn a_hook_that_calls_its_caller_is_answered_and_goes_on() {
    let mut host = host();
    let call = encoded(&CallRequest { plugin: "writer", entry: "go", input: &[] });
    hooked(&mut host, "rules", HookEvent::BeforeInsert, &[Step::Ask("call_plugin", call)]);
    let wasm = plugin(INPUT, &[("go", &[Step::Must("soch_write", row("t", None, 1))])]);
    let writer = host.load("writer", &wasm, &config()).expect("it loads");
    host.call(writer, "go", &[]).expect("it is written");
    assert_eq!(rows(&host, "t").len(), 1);
}

#[test]
fn a_plugin_whose_own_hook_watches_its_table_cannot_write_it() {
    let mut host = host();
    let go = [Step::Must("soch_write", row("t", None, 1))];
    let wasm = plugin(INPUT, &[("hook", CONTINUE), ("go", &go)]);
    let config = config().with_hook(HookEvent::AfterInsert, "hook", &["t"]).expect("a hook");
    let own = host.load("own", &wasm, &config).expect("it loads");
    let error = host.call(own, "go", &[]).expect_err("its hook cannot run").to_string();
    assert!(error.contains("runs already"), "{error}");
    assert_eq!(rows(&host, "t"), []);
    // The embedder's writes go through it.
    insert(&mut host, &[1]).expect("it continues");
    // `go` is one of the calls.
    assert_eq!(count(&mut host, own), 2);
}

#[test]
fn the_writer_pays_for_its_hooks_and_a_hook_has_no_more_than_the_writer_has_left() {
    let fuel = |steps: Option<&[Step]>, limit: u64| {
        let mut host = host();
        if let Some(steps) = steps {
            hooked(&mut host, "rules", HookEvent::BeforeInsert, steps);
        }
        let wasm = plugin(INPUT, &[("go", &[Step::Must("soch_write", row("t", None, 1))])]);
        let limits = Limits { fuel_per_call: limit, ..config().limits };
        let config: PluginConfig = config().with_limits(limits);
        let writer = host.load("writer", &wasm, &config).expect("it loads");
        let result = host.call(writer, "go", &[]).map(|outcome| outcome.report.fuel);
        let there = rows(&host, "t").len();
        (result.map_err(|error| error.to_string()), there)
    };
    let (alone, _) = fuel(None, 100_000);
    let (watched, _) = fuel(Some(CONTINUE), 100_000);
    let alone = alone.expect("it is written");
    let watched = watched.expect("it is written");
    assert!(watched > alone + 150, "{alone} {watched}");
    let (error, there) = fuel(Some(&[Step::Loop]), 50_000);
    assert!(error.expect_err("no fuel is left").contains("fuel"));
    assert_eq!(there, 0);
}

#[test]
fn a_row_that_no_call_of_a_hook_has_room_for_is_refused_with_both_numbers() {
    let mut host = host();
    let config = config().with_hook(HookEvent::BeforeInsert, "hook", &["t"]).expect("a hook");
    host.load("small", &plugin(64, &[("hook", CONTINUE)]), &config).expect("it loads");
    insert(&mut host, &[1, 2, 3]).expect("each has room");
    let long = "x".repeat(80);
    let values = [Value::Int(1), Value::Text(&long)];
    let row = [NewRow { id: None, values: Seq::new(&values) }];
    let error = host.write("t", WriteMode::Insert, &[], &row).expect_err("there is no room");
    let WriteError::Refused { status, text } = error else { panic!("{error}") };
    assert_eq!(status, Status::LimitExceeded);
    assert!(text.contains("of plugin small") && text.contains("64"), "{text}");
    assert_eq!(rows(&host, "t").len(), 3);
}
