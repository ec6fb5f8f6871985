//! Hooks: they see every write, change it, leave rows out, or refuse it; and what they do belongs to it.

mod bounds;
mod model;
mod plugin;
mod traces;

use plugin::{ALL, INPUT, Step, answers, config, host, plugin, row, rows};
use sochdb_wasmi::{
    abi::{
        Seq, Status, Value,
        message::{
            DeleteRequest, HookAnswer, HookEvent, HookRequest, HookRow, NewRow, WriteMode,
            WriteRequest,
        },
        wire,
    },
    audit::PluginId,
    database::MemoryStorage,
    host::{Host, WriteError},
};

use crate::support::encoded;

const CONTINUE: &[Step] = &[];

/// A plugin of the name of its hook's event, with one hook of `t` and `u`.
fn hooked(
    host: &mut Host<MemoryStorage>,
    name: &str,
    event: HookEvent,
    steps: &[Step],
) -> PluginId {
    let config = config().with_hook(event, "hook", &["t", "u"]).expect("a hook");
    host.load(name, &plugin(INPUT, &[("hook", steps)]), &config).expect("the plugin loads")
}

fn values(n: i64) -> [Value<'static>; 2] {
    [Value::Int(n), Value::Null]
}

/// Inserts rows as the embedder.
fn insert(host: &mut Host<MemoryStorage>, numbers: &[i64]) -> Result<Vec<u64>, WriteError> {
    let values: Vec<_> = numbers.iter().map(|n| values(*n)).collect();
    let rows: Vec<_> =
        values.iter().map(|values| NewRow { id: None, values: Seq::new(values) }).collect();
    host.write("t", WriteMode::Insert, &[], &rows)
}

fn last(host: &mut Host<MemoryStorage>, plugin: PluginId) -> Vec<u8> {
    host.call(plugin, "last", &[]).expect("it returns").output.to_vec()
}

fn count(host: &mut Host<MemoryStorage>, plugin: PluginId) -> u32 {
    let output = host.call(plugin, "count", &[]).expect("it returns").output;
    u32::from_le_bytes(output.try_into().expect("four bytes"))
}

/// Id, new number and old number of a row.
type SeenRow = (Option<u64>, Option<i64>, Option<i64>);

/// The event, the writer and the rows of a hook's input.
fn seen(input: &[u8]) -> (HookEvent, String, Vec<SeenRow>) {
    let request: HookRequest<'_> = wire::decode(input).expect("a request");
    assert_eq!((request.table, request.columns.iter().collect::<Vec<_>>()), ("t", vec!["n", "s"]));
    let number = |values: Seq<'_, Value<'_>>| values.iter().next().and_then(|value| value.as_int());
    let rows = request.rows.iter().map(|row: HookRow<'_>| {
        assert!([0, 2].contains(&row.new.len()) && [0, 2].contains(&row.old.len()));
        (row.id, number(row.new), number(row.old))
    });
    (request.event, request.writer.into(), rows.collect())
}

#[test]
fn the_embedders_inserts_go_through_hooks_before_and_after() {
    let mut host = host();
    let before = hooked(&mut host, "before", HookEvent::BeforeInsert, CONTINUE);
    let after = hooked(&mut host, "after", HookEvent::AfterInsert, CONTINUE);
    assert_eq!(insert(&mut host, &[5, 6]), Ok(vec![1, 2]));
    let told = seen(&last(&mut host, before));
    let new = vec![(None, Some(5), None), (None, Some(6), None)];
    assert_eq!(told, (HookEvent::BeforeInsert, String::new(), new));
    let told = seen(&last(&mut host, after));
    let new = vec![(Some(1), Some(5), None), (Some(2), Some(6), None)];
    assert_eq!(told, (HookEvent::AfterInsert, String::new(), new));
    assert_eq!(rows(&host, "t"), [(1, 5, None), (2, 6, None)]);
    // What bypasses hooks says so: nobody was called.
    host.database_mut().insert("t", None, &values(7)).expect("a row");
    assert_eq!((count(&mut host, before), count(&mut host, after)), (1, 1));
}

#[test]
fn a_plugins_writes_and_deletes_go_through_the_hooks_of_others() {
    let mut host = host();
    let update = encoded(&WriteRequest {
        table: "t",
        mode: WriteMode::Update,
        columns: Seq::new(&["n"]),
        rows: Seq::new(&[NewRow { id: Some(1), values: Seq::new(&[Value::Int(9)]) }]),
    });
    let delete = encoded(&DeleteRequest { table: "t", rows: ALL });
    let wasm = plugin(
        INPUT,
        &[
            ("insert", &[Step::Must("soch_write", row("t", None, 5))]),
            ("update", &[Step::Must("soch_write", update)]),
            ("delete", &[Step::Must("soch_delete", delete)]),
            ("elsewhere", &[Step::Must("soch_write", row("v", None, 5))]),
        ],
    );
    let writer = host.load("writer", &wasm, &config()).expect("the plugin loads");
    let plugins = HookEvent::ALL.map(|event| hooked(&mut host, event.as_str(), event, CONTINUE));
    let (id, n, m) = (Some(1), Some(5), Some(9));
    let told = [
        ("insert", [(None, n, None), (id, n, None)]),
        ("update", [(id, m, n), (id, m, n)]),
        ("delete", [(id, None, m), (id, None, m)]),
    ];
    for (at, (entry, rows)) in told.into_iter().enumerate() {
        host.call(writer, entry, &[]).expect("it writes");
        for (when, row) in rows.into_iter().enumerate() {
            let input = last(&mut host, plugins[2 * at + when]);
            let event = HookEvent::ALL[2 * at + when];
            assert_eq!(seen(&input), (event, "writer".into(), vec![row]));
        }
    }
    host.call(writer, "elsewhere", &[]).expect("it writes");
    for plugin in plugins {
        assert_eq!(count(&mut host, plugin), 1);
    }
    assert_eq!((rows(&host, "t").len(), rows(&host, "v").len()), (0, 1));
}

#[test]
fn a_changed_row_is_handed_on_and_stored() {
    let mut host = host();
    let changed = |n: i64| {
        let changes = [(0, Value::Int(n)), (1, Value::Text("by a hook"))];
        answers(&[HookAnswer::Changed(Seq::new(&changes)), HookAnswer::Continue])
    };
    hooked(&mut host, "first", HookEvent::BeforeInsert, &[changed(50)]);
    let second = hooked(&mut host, "second", HookEvent::BeforeInsert, CONTINUE);
    let after = hooked(&mut host, "after", HookEvent::AfterInsert, CONTINUE);
    assert_eq!(insert(&mut host, &[5, 6]), Ok(vec![1, 2]));
    let (_, _, told) = seen(&last(&mut host, second));
    assert_eq!(told, [(None, Some(50), None), (None, Some(6), None)]);
    let (_, _, told) = seen(&last(&mut host, after));
    assert_eq!(told, [(Some(1), Some(50), None), (Some(2), Some(6), None)]);
    assert_eq!(rows(&host, "t"), [(1, 50, Some("by a hook".into())), (2, 6, None)]);
}

#[test]
fn changed_values_are_checked_against_the_schema() {
    let mut host = host();
    let changes = [(0, Value::Text("no number"))];
    let changed = answers(&[HookAnswer::Changed(Seq::new(&changes))]);
    hooked(&mut host, "first", HookEvent::BeforeInsert, &[changed]);
    let Err(WriteError::Refused { status, text }) = insert(&mut host, &[5]) else { panic!() };
    assert_eq!(status, Status::InvalidArgs);
    assert!(text.contains("n") && text.contains("int"), "{text}");
    assert_eq!(rows(&host, "t"), []);
}

#[test]
fn a_hook_can_make_a_row_valid_that_was_not() {
    let mut host = host();
    let changes = [(0, Value::Int(1))];
    let changed = answers(&[HookAnswer::Changed(Seq::new(&changes))]);
    hooked(&mut host, "first", HookEvent::BeforeInsert, &[changed]);
    let row = [NewRow { id: None, values: Seq::new(&[Value::Null]) }];
    assert_eq!(host.write("t", WriteMode::Insert, &["n"], &row), Ok(vec![1]));
    assert_eq!(rows(&host, "t"), [(1, 1, None)]);
}

#[test]
fn skipped_rows_are_neither_written_nor_seen_by_later_hooks() {
    let mut host = host();
    let (next, skip) = (HookAnswer::Continue, HookAnswer::Skip);
    hooked(&mut host, "first", HookEvent::BeforeInsert, &[answers(&[skip, next, skip])]);
    let second = hooked(&mut host, "second", HookEvent::BeforeInsert, CONTINUE);
    assert_eq!(insert(&mut host, &[5, 6, 7]), Ok(vec![1]));
    let (_, _, told) = seen(&last(&mut host, second));
    assert_eq!(told, [(None, Some(6), None)]);
    assert_eq!(rows(&host, "t"), [(1, 6, None)]);
    // All rows skipped: nobody else is called.
    let mut host = self::host();
    hooked(&mut host, "first", HookEvent::BeforeInsert, &[answers(&[skip])]);
    let second = hooked(&mut host, "second", HookEvent::BeforeInsert, CONTINUE);
    assert_eq!(insert(&mut host, &[5]), Ok(vec![]));
    assert_eq!(count(&mut host, second), 0);
}

#[test]
fn an_abort_undoes_the_statement_and_names_who_did_it() {
    let mut host = host();
    let log = Step::Must("soch_write", row("v", None, 1));
    hooked(&mut host, "log", HookEvent::BeforeInsert, &[log]);
    let abort = HookAnswer::Abort { code: -7, text: "not on my watch" };
    let aborts = [answers(&[HookAnswer::Continue, abort])];
    hooked(&mut host, "rules", HookEvent::BeforeInsert, &aborts);
    let second = hooked(&mut host, "second", HookEvent::BeforeInsert, CONTINUE);
    let error = insert(&mut host, &[5, 6]).expect_err("it is refused");
    let text = "hook \"hook\" (before_insert) of plugin rules: abort -7: not on my watch";
    assert_eq!(error, WriteError::Refused { status: Status::InvalidArgs, text: text.into() });
    assert_eq!((rows(&host, "t"), rows(&host, "v")), (vec![], vec![]));
    assert_eq!(count(&mut host, second), 0);
}

#[test]
fn a_plugin_goes_on_after_a_statement_that_a_hook_refused() {
    let mut host = host();
    let abort = HookAnswer::Abort { code: 1, text: "no" };
    hooked(&mut host, "rules", HookEvent::AfterInsert, &[answers(&[abort])]);
    let wasm = plugin(
        INPUT,
        &[(
            "go",
            &[
                Step::Must("soch_write", row("v", None, 1)),
                Step::Ask("soch_write", row("t", None, 2)),
                Step::Must("soch_write", row("v", None, 3)),
            ],
        )],
    );
    let writer = host.load("writer", &wasm, &config()).expect("the plugin loads");
    host.call(writer, "go", &[]).expect("it goes on");
    assert_eq!((rows(&host, "t").len(), rows(&host, "v").len()), (0, 2));
}

#[test]
fn a_batch_is_one_call_and_the_batches_of_a_statement_are_in_its_order() {
    let mut host = host();
    let before = hooked(&mut host, "before", HookEvent::BeforeInsert, CONTINUE);
    let numbers: Vec<i64> = (0..100).collect();
    let ids = insert(&mut host, &numbers).expect("it is allowed");
    assert_eq!((ids.len(), count(&mut host, before)), (100, 1));
    let numbers: Vec<i64> = (0..1000).collect();
    insert(&mut host, &numbers).expect("it is allowed");
    assert_eq!(count(&mut host, before), 1 + 8);
    let (_, _, told) = seen(&last(&mut host, before));
    assert_eq!((told.len(), told[0].1), (1000 % 128, Some(7 * 128)));
}

#[test]
fn an_id_that_comes_again_is_seen_as_it_is_by_then() {
    let mut host = host();
    insert(&mut host, &[1]).expect("nobody watches");
    let before = hooked(&mut host, "before", HookEvent::BeforeUpdate, CONTINUE);
    let inserted = hooked(&mut host, "inserted", HookEvent::BeforeInsert, CONTINUE);
    let numbers = [values(10), values(20), values(30), values(40)];
    let ids = [1, 1, 5, 5];
    let rows: Vec<_> = ids
        .into_iter()
        .zip(&numbers)
        .map(|(id, values)| NewRow { id: Some(id), values: Seq::new(values) })
        .collect();
    assert_eq!(host.write("t", WriteMode::Upsert, &[], &rows), Ok(ids.to_vec()));
    let (_, _, told) = seen(&last(&mut host, before));
    assert_eq!((told, count(&mut host, before)), (vec![(Some(5), Some(40), Some(30))], 3));
    let (_, _, told) = seen(&last(&mut host, inserted));
    assert_eq!((told, count(&mut host, inserted)), (vec![(Some(5), Some(30), None)], 1));
}

#[test]
fn deletes_of_every_kind_go_through_hooks() {
    let mut host = host();
    let numbers: Vec<i64> = (1..=300).collect();
    insert(&mut host, &numbers).expect("nobody watches");
    let before = hooked(&mut host, "before", HookEvent::BeforeDelete, CONTINUE);
    let after = hooked(&mut host, "after", HookEvent::AfterDelete, CONTINUE);
    use sochdb_wasmi::abi::message::RowSelector;
    assert_eq!(host.delete("t", RowSelector::One(7)), Ok(1));
    assert_eq!(host.delete("t", RowSelector::One(7)), Ok(0));
    assert_eq!(count(&mut host, before), 1);
    assert_eq!(host.delete("t", RowSelector::List(Seq::new(&[3, 9, 3, 1000]))), Ok(2));
    assert_eq!(
        seen(&last(&mut host, after)).2,
        [(Some(3), None, Some(3)), (Some(9), None, Some(9))]
    );
    assert_eq!(host.delete("t", ALL), Ok(297));
    assert_eq!(rows(&host, "t"), []);
    assert_eq!(count(&mut host, after), count(&mut host, before));
}
