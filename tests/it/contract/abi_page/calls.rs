//! Entry points, regions, and what a request names.

use super::*;

#[test]
fn an_input_over_the_input_buffer_is_an_error_and_the_plugin_is_not_called() {
    says(
        "If the input is longer than the Input Buffer, the caller gets an error and the plugin is not called.",
    );
    let mut page = Page::new();
    let count = |page: &mut Page, input: &[u8]| {
        let outcome = page.0.host.call(page.0.plugin, "count", input);
        outcome.map(|outcome| outcome.output.to_vec())
    };
    assert_eq!(count(&mut page, &[]), Ok(vec![1, 0, 0, 0]));
    let error = count(&mut page, &[0; 65_537]).expect_err("one byte over the buffer");
    assert!(matches!(error, CallError::InputTooLarge { len: 65_537, capacity: 65_536 }), "{error}");
    assert_eq!(count(&mut page, &[0; 65_536]), Ok(vec![2, 0, 0, 0]));
}

#[test]
fn the_caller_gets_the_number_that_an_entry_point_returned() {
    says(
        "The caller gets the number as it is; a number that the table of statuses does not have, such as -7, counts as `Error`.",
    );
    let plugin =
        support::wat_plugin(r#"(func (export "seven") (param i32) (result i32) i32.const -7)"#);
    let mut host = support::host();
    let plugin = host.load("seven", &plugin, &PluginConfig::new(everything())).expect("a plugin");
    let error = host.call(plugin, "seven", &[]).expect_err("-7 is a failure");
    assert!(matches!(error, CallError::Failed { code: -7, .. }), "{error}");
    assert_eq!(Status::from_code(-7), Status::Error);
}

#[test]
fn a_failed_call_leaves_its_metrics_and_logs_and_takes_its_ids_back() {
    says("Metrics and log messages of a failed call stay.");
    says("A metric stays if the call that emitted it fails.");
    says("a call that fails gives the ids back that it was assigned");
    let mut page = Page::new();
    let metric =
        MetricRequest { kind: MetricKind::Counter, name: "seen", labels: Seq::empty(), value: 1.0 };
    page.0.call_and("call_then_fail", "emit_metric", &metric);
    page.0.call_and("call_then_trap", "emit_metric", &metric);
    let mut text = String::new();
    page.0.host.render_metrics(&mut text).expect("a String takes all");
    assert!(text.contains("seen{plugin=\"probe\"} 2"), "{text}");

    let values = [Value::Bool(true)];
    let rows = [NewRow { id: None, values: Seq::new(&values) }];
    let (columns, rows) = (Seq::new(&["bool"]), Seq::new(&rows));
    let insert = WriteRequest { table: "kinds", mode: WriteMode::Insert, columns, rows };
    page.0.call_and("call_then_fail", "soch_write", &insert);
    let ids: Vec<u64> =
        page.0.call("soch_write", &insert).decode::<WriteResponse<'_>>().ids.iter().collect();
    assert_eq!(ids, [1]);
}

#[test]
fn an_empty_region_may_not_lie_above_the_memory() {
    says(
        "An empty region overlaps nothing, but its address must not be above the size of memory either: 0 is always right.",
    );
    let mut page = Page::new();
    let log = encoded(&LogRequest { level: LogLevel::Info, message: "m" });
    let len = log.len() as u32;
    let mut status =
        |numbers| page.0.enter("call", "log_message", numbers, 1, &log).expect("a status").0.status;
    assert_eq!(status([REQUEST, len, 0, 0]), 0);
    assert_eq!(status([REQUEST, len, REQUEST, 0]), 0);
    assert_eq!(status([REQUEST, len, MEMORY, 0]), 0);
    assert_eq!(status([REQUEST, len, MEMORY + 1, 0]), Status::InvalidArgs.code());
    assert_eq!(status([REQUEST, len, u32::MAX, 0]), Status::InvalidArgs.code());
    assert_eq!(status([REQUEST, len, REQUEST, 1]), Status::InvalidArgs.code());
    assert_eq!(status([u32::MAX, 2, 0, 0]), Status::InvalidArgs.code());
}

#[test]
fn longer_varints_than_needed_are_read_and_only_metrics_require_the_shortest() {
    says(
        "In requests it also accepts longer ones: 5 may be `05`, `85 00` or `85 80 00`, up to 5 bytes for lengths, counts and `u32`, and up to 10 for the others. Only [`emit_metric`](#emit_metric) requires the shortest.",
    );
    says("Every varint is as short as possible: 5 is `05`, not `85 00`.");
    let mut page = Page::new();
    assert!(page.insert(5, "bool", Value::Bool(true)).status > 0);
    let table = |len: &[u8]| [len, b"kinds".as_slice()].concat();
    let read = |table: Vec<u8>, id: &[u8]| [table, vec![0], id.to_vec(), vec![0, 0, 0]].concat();
    for len in [&[5][..], &[0x85, 0], &[0x85, 0x80, 0], &[0x85, 0x80, 0x80, 0x80, 0]] {
        for id in [&[5][..], &[0x85, 0], &[0x85, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0]]
        {
            let answer = page.0.raw("soch_read", &read(table(len), id), RESPONSE_CAPACITY);
            assert!(answer.status > 0, "{len:02x?} {id:02x?}");
        }
    }
    let long = read(table(&[0x85, 0x80, 0x80, 0x80, 0x80, 0]), &[5]);
    assert_eq!(page.0.raw("soch_read", &long, RESPONSE_CAPACITY).failed(), INVALID);

    let metric = |len: &[u8]| [&[0][..], len, b"seens", &[0], &1f64.to_le_bytes()].concat();
    assert_eq!(page.0.raw("emit_metric", &metric(&[5]), 0).status, 0);
    assert_eq!(page.0.raw("emit_metric", &metric(&[0x85, 0]), 0).failed(), INVALID);
}

#[test]
fn names_that_do_not_exist_are_not_found_whatever_they_are_made_of() {
    says(
        "A request that names a table, column or index by another text gets `NotFound`, as for any name that does not exist.",
    );
    let mut page = Page::new();
    for name in ["nowhere", "", "no where", "é", &"n".repeat(33)] {
        let rows = RowSelector::ALL;
        let none = ReadRequest {
            table: name,
            rows,
            columns: Seq::empty(),
            limit: None,
            format: Format::Rows,
        };
        assert_eq!(page.0.call("soch_read", &none).failed(), NOT_FOUND, "table {name:?}");
        let columns = [name];
        let column = ReadRequest { table: "kinds", columns: Seq::new(&columns), ..none };
        assert_eq!(page.0.call("soch_read", &column).failed(), NOT_FOUND, "column {name:?}");
        assert_eq!(
            page.look_up(name, IndexQuery::Point(Seq::empty()), false),
            Err(Status::NotFound),
            "index {name:?}"
        );
        assert_eq!(
            page.0.call("get_config", &ConfigRequest { key: name }).failed(),
            NOT_FOUND,
            "key {name:?}"
        );
    }
    assert_eq!(page.0.raw("last_error", &[], RESPONSE_CAPACITY).failed(), NOT_FOUND);
}
