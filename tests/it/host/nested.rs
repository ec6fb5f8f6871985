//! Plugins that call plugins: whose grants count, who pays, what stays of a call that fails, and where it ends.

mod traces;

use crate::support;
use sochdb_wasmi::{
    abi::{
        CALLER_KEY, Seq, Status, Value,
        message::{CallRequest, ConfigRequest, ConfigResponse, NewRow, RowSelector},
    },
    audit::PluginId,
    capability::{Capabilities, Globs},
    database::Database,
    host::{CallError, FuelSlice, Host, HostConfig, PluginConfig, SliceDecision},
    limits::Limits,
    meter::PRICES,
};
use support::{
    Answer, REQUEST, RESPONSE, encoded, everything, function, input, insert_request, item,
    read_request, relay_wasm, roomy, vector,
};

/// Room for the whole Output Buffer of a relay.
const ROOM: u32 = 4096;

/// A host with as many relays, `a`, `b` and so on, that may do everything.
fn relays(count: u8) -> (Host, Vec<PluginId>) {
    let mut host = support::host();
    let config = PluginConfig::new(everything()).with_limits(roomy());
    let load = |at| {
        let name = char::from(b'a' + at).to_string();
        host.load(&name, &relay_wasm(), &config).unwrap()
    };
    let plugins = (0..count).map(load).collect();
    (host, plugins)
}

/// The input of a relay's entry point for one host call.
fn asks(name: &str, request: &[u8]) -> Vec<u8> {
    let numbers = [REQUEST, request.len() as u32, RESPONSE, ROOM];
    input(function(name), numbers, 1, request)
}

/// The input of a relay's entry point to call `entry` of another plugin.
fn calls(plugin: &str, entry: &str, input: &[u8]) -> Vec<u8> {
    asks("call_plugin", &encoded(&CallRequest { plugin, entry, input }))
}

fn answer(output: &[u8]) -> Answer {
    let (status, response) = output.split_first_chunk::<4>().unwrap();
    Answer { status: i32::from_le_bytes(*status), response: response.to_vec() }
}

fn call(host: &mut Host, plugin: PluginId, input: &[u8]) -> Answer {
    answer(host.call(plugin, "call", input).unwrap().output)
}

/// What `last_error` says of a call that fails.
fn explained(host: &mut Host, plugin: PluginId, input: &[u8]) -> (Status, String) {
    let status = Status::from_code(call(host, plugin, input).status);
    let text = answer(host.call(plugin, "explain", input).unwrap().output);
    (status, text.decode::<&str>().to_string())
}

fn insert(id: u64) -> Vec<u8> {
    let place = vector(&[id as f32, 0.0, 0.0]);
    let values = item("bolt", id as i64, &place);
    asks(
        "soch_write",
        &encoded(&insert_request(&[NewRow { id: Some(id), values: Seq::new(&values) }])),
    )
}

fn is_there(host: &Host, id: u64) -> bool {
    host.database().get("items", id, |_| ()).unwrap().is_some()
}

#[test]
fn a_plugin_gets_the_output_of_the_one_that_it_calls_and_pays_for_it() {
    let (mut host, plugins) = relays(2);
    let count = call(&mut host, plugins[0], &calls("b", "count", &[]));
    assert_eq!((count.status, count.response.as_slice()), (4, &[1, 0, 0, 0][..]));
    let (caller, callee) = (host.report(plugins[0]).unwrap(), host.report(plugins[1]).unwrap());
    assert!(callee.fuel > 0 && caller.fuel > callee.fuel + PRICES.call + PRICES.enter);
    // The plugin that is called keeps its memory between calls, whoever calls.
    let count = host.call(plugins[1], "count", &[]).unwrap().output.to_vec();
    assert_eq!(count, [2, 0, 0, 0]);
}

#[test]
fn a_plugin_may_do_what_it_was_granted_itself_whoever_calls_it() {
    let mut host = support::host();
    let wasm = relay_wasm();
    let only_calls = Capabilities {
        can_call_plugin: Globs::plugins(&["writer"]).unwrap(),
        ..Capabilities::default()
    };
    let only_writes = Capabilities {
        can_write_table: Globs::new(&["items"]).unwrap(),
        ..Capabilities::default()
    };
    let config = |grants: Capabilities| PluginConfig::new(grants).with_limits(roomy());
    let caller = host.load("caller", &wasm, &config(only_calls)).unwrap();
    let writer = host.load("writer", &wasm, &config(only_writes)).unwrap();

    assert_eq!(call(&mut host, caller, &insert(1)).failed(), Some(Status::PermissionDenied));
    let inner = answer(&call(&mut host, caller, &calls("writer", "call", &insert(1))).response);
    assert_eq!(inner.status, 2);
    assert!(is_there(&host, 1));
    // The writer may not read, nor call back, although its caller may call.
    let read = asks("soch_read", &encoded(&read_request(RowSelector::One(1))));
    for denied in [read, calls("caller", "count", &[])] {
        let inner = answer(&call(&mut host, caller, &calls("writer", "call", &denied)).response);
        assert_eq!(inner.failed(), Some(Status::PermissionDenied));
    }
    let _ = writer;
}

#[test]
fn a_plugin_without_the_grant_does_not_learn_which_plugins_there_are() {
    let (mut host, _) = relays(2);
    let grants = Capabilities { can_call_plugin: Globs::plugins(&["b*"]).unwrap(), ..everything() };
    let config = PluginConfig::new(grants).with_limits(roomy());
    let plugin = host.load("caller", &relay_wasm(), &config).unwrap();
    for name in ["a", "nobody"] {
        let (status, text) = explained(&mut host, plugin, &calls(name, "count", &[]));
        assert_eq!(status, Status::PermissionDenied);
        assert_eq!(text, format!("caller lacks can_call_plugin for plugin {name:?}"));
    }
    assert_eq!(call(&mut host, plugin, &calls("b", "count", &[])).status, 4);
}

#[test]
fn what_cannot_be_called_is_named_and_nothing_runs() {
    let (mut host, plugins) = relays(2);
    let a = plugins[0];
    let long = vec![0; 65_537];
    let numbers = [REQUEST, 10, RESPONSE, ROOM];
    let cut = encoded(&CallRequest { plugin: "b", entry: "count", input: &[7; 20] });
    for (input, status, text) in [
        (calls("bee", "count", &[]), Status::NotFound, "there is no plugin \"bee\""),
        (
            calls("b", "counts", &[]),
            Status::NotFound,
            "plugin b: the plugin exports no function \"counts\"",
        ),
        (
            calls("b", "wrong_type", &[]),
            Status::NotFound,
            "plugin b: the export \"wrong_type\" is not a function (i32) -> i32",
        ),
        (
            calls("a", "count", &[]),
            Status::Error,
            "a cannot call plugin a, which runs already in this call",
        ),
        (
            input(function("call_plugin"), numbers, 1, &cut),
            Status::InvalidArgs,
            "the request of call_plugin is malformed: the bytes end inside a value (at byte 9)",
        ),
    ] {
        let (found, said) = explained(&mut host, a, &input);
        assert_eq!((found, said.as_str()), (status, text));
    }
    let echo = r#"(func (export "echo") (param i32) (result i32) (i32.const 0))"#;
    host.load("small", &support::wat_plugin(echo), &PluginConfig::default()).unwrap();
    let (status, text) = explained(&mut host, a, &calls("small", "echo", &long[..300]));
    assert_eq!(status, Status::InvalidArgs);
    assert_eq!(text, "plugin small: the input has 300 bytes, the Input Buffer 256");
    assert_eq!(host.call(plugins[1], "count", &[]).unwrap().output, [1, 0, 0, 0]);
}

/// A response that is too small was found out after the work in other functions: here the plugin would
/// run twice.
#[test]
fn a_response_that_is_smaller_than_the_output_buffer_is_refused_before_the_plugin_runs() {
    let (mut host, plugins) = relays(2);
    let request = encoded(&CallRequest { plugin: "b", entry: "count", input: &[] });
    for room in [0, 4, ROOM - 1] {
        let numbers = [REQUEST, request.len() as u32, RESPONSE, room];
        let input = input(function("call_plugin"), numbers, 1, &request);
        assert_eq!(call(&mut host, plugins[0], &input).failed(), Some(Status::BufferTooSmall));
        let peeked = host.call(plugins[0], "peek", &[]).unwrap().output[4..8].to_vec();
        if room >= 4 {
            assert_eq!(peeked, ROOM.to_le_bytes());
        }
    }
    assert_eq!(host.call(plugins[1], "count", &[]).unwrap().output, [1, 0, 0, 0]);
}

#[test]
fn what_a_failed_call_wrote_is_gone_and_the_caller_goes_on() {
    for (entry, status, text) in [
        ("call_then_fail", Status::Error, "plugin b: the entry point returned -3"),
        (
            "call_then_trap",
            Status::Error,
            "plugin b: trap: wasm `unreachable` instruction executed",
        ),
        (
            "call_then_overrun",
            Status::Error,
            "plugin b: the plugin reported 65537 bytes of output, its buffer has 4096",
        ),
        ("recurse", Status::Error, "plugin b: stack overflow: more than"),
        ("call_then_spin", Status::LimitExceeded, "plugin b: limit exceeded: 100000 fuel per call"),
    ] {
        let (mut host, _) = relays(1);
        let limits = Limits { fuel_per_call: 100_000, ..roomy() };
        let config = PluginConfig::new(everything()).with_limits(limits);
        let a = host.find("a").unwrap();
        host.load("b", &relay_wasm(), &config).unwrap();
        let input = calls("b", entry, &insert(1));
        let (found, said) = explained(&mut host, a, &input);
        assert_eq!(found, status, "{entry}");
        assert!(said.starts_with(text) || said.contains("fuel per call"), "{entry}: {said}");
        assert!(!is_there(&host, 1), "{entry}");
        // What it writes itself stays, and the plugin that failed can be called again.
        assert_eq!(call(&mut host, a, &insert(2)).status, 2);
        assert_eq!(call(&mut host, a, &calls("b", "count", &[])).response, [1, 0, 0, 0], "{entry}");
        assert!(is_there(&host, 2));
    }
}

#[test]
fn a_call_that_fails_takes_the_rows_of_the_plugins_that_it_called() {
    let (mut host, plugins) = relays(2);
    let failing = calls("b", "call", &insert(1));
    assert!(matches!(
        host.call(plugins[0], "call_then_fail", &failing),
        Err(CallError::Failed { .. })
    ));
    assert!(!is_there(&host, 1));
    assert!(host.call(plugins[0], "call", &failing).is_ok());
    assert!(is_there(&host, 1));
}

#[test]
fn no_plugin_is_entered_while_it_runs() {
    let (mut host, plugins) = relays(3);
    // a calls b, which calls c, which calls a or b.
    for back in ["a", "b", "c"] {
        let chain = calls("b", "call", &calls("c", "explain", &calls(back, "count", &[])));
        let b = answer(&call(&mut host, plugins[0], &chain).response);
        let c = answer(&b.response);
        assert_eq!(
            c.decode::<&str>(),
            format!("c cannot call plugin {back}, which runs already in this call")
        );
    }
    for plugin in plugins {
        assert_eq!(host.call(plugin, "count", &[]).unwrap().output, [1, 0, 0, 0]);
    }
}

#[test]
fn calls_inside_each_other_end_at_the_limit_with_an_error_that_names_it() {
    let (mut host, plugins) = relays(6);
    let mut input = calls("f", "count", &[]);
    for name in ["e", "d", "c", "b"] {
        input = calls(name, "call", &input);
    }
    // Five calls inside the first one; the innermost of them is refused.
    let mut found = call(&mut host, plugins[0], &input);
    for _ in 0..4 {
        found = answer(&found.response);
    }
    assert_eq!(found.failed(), Some(Status::LimitExceeded));
    host.limit_nesting(5);
    let mut found = call(&mut host, plugins[0], &input);
    for _ in 0..4 {
        found = answer(&found.response);
    }
    assert_eq!(found.response, [1, 0, 0, 0]);
    host.limit_nesting(0);
    let (status, text) = explained(&mut host, plugins[0], &calls("b", "count", &[]));
    assert_eq!(status, Status::LimitExceeded);
    assert_eq!(text, "1 calls of plugins inside each other asked, 0 allowed");
}

#[test]
fn a_plugin_cannot_spend_more_than_its_caller_has() {
    let mut host = support::host();
    let config = |fuel| {
        let limits = Limits { fuel_per_call: fuel, ..roomy() };
        PluginConfig::new(everything()).with_limits(limits)
    };
    let a = host.load("a", &relay_wasm(), &config(50_000)).unwrap();
    let b = host.load("b", &relay_wasm(), &config(u64::MAX)).unwrap();
    // It has too little left to go on.
    let ended = host.call(a, "call", &calls("b", "spin", &[]));
    assert!(ended.is_ok() || matches!(ended, Err(CallError::Limit(_))), "{ended:?}");
    assert!(host.report(a).unwrap().fuel <= 50_000);
    assert!(host.report(b).unwrap().fuel < 50_000);
}

#[test]
fn the_deadline_is_that_of_the_embedders_call() {
    /// Goes on by 1 ms at each look.
    struct Ticking(u64);
    impl sochdb_wasmi::host::Clock for Ticking {
        fn now_us(&mut self) -> u64 {
            self.0 += 1000;
            self.0
        }
    }
    let mut database = Database::in_memory(Default::default());
    database.create_table(support::items()).unwrap();
    let mut host = Host::new(HostConfig::default(), database, Ticking(0));
    let config = |deadline_ms| {
        let limits = Limits { deadline_ms, fuel_per_call: u64::MAX, ..roomy() };
        PluginConfig::new(everything()).with_limits(limits)
    };
    let a = host.load("a", &relay_wasm(), &config(Some(20))).unwrap();
    host.load("b", &relay_wasm(), &config(None)).unwrap();
    host.load("c", &relay_wasm(), &config(Some(1))).unwrap();
    let ended = host.call(a, "call_then_spin", &calls("b", "spin", &[]));
    assert!(matches!(ended, Err(CallError::Limit(_))), "{ended:?}");
    // c's own deadline is for calls of the embedder's.
    let found = call(&mut host, a, &calls("c", "call", &insert(1)));
    assert_eq!(answer(&found.response).status, 2);
}

#[test]
fn a_slice_hook_that_stops_a_plugin_stops_all_calls_around_it() {
    let (mut host, plugins) = relays(2);
    let b = plugins[1];
    let stops = move |slice: &FuelSlice| match slice.plugin == b {
        true => SliceDecision::Stop,
        false => SliceDecision::Continue,
    };
    host.set_slice_hook(stops);
    let ended = host.call(plugins[0], "call", &calls("b", "spin", &[]));
    assert_eq!(ended.unwrap_err(), CallError::Stopped);
    assert_eq!(call(&mut host, plugins[0], &calls("b", "count", &[])).response, [1, 0, 0, 0]);
}

#[test]
fn a_plugin_learns_who_called_it() {
    let (mut host, plugins) = relays(2);
    let question = asks("get_config", &encoded(&ConfigRequest { key: CALLER_KEY }));
    let direct = call(&mut host, plugins[1], &question);
    assert_eq!(direct.failed(), Some(Status::NotFound));
    let inner = answer(&call(&mut host, plugins[0], &calls("b", "call", &question)).response);
    let told: ConfigResponse<'_> = inner.decode();
    assert_eq!(told.value, Value::Text("a"));
    assert_eq!(call(&mut host, plugins[1], &question).failed(), Some(Status::NotFound));
}

#[test]
fn audit_entries_say_on_whose_behalf_a_plugin_ran_and_how_deep() {
    let (mut host, plugins) = relays(3);
    let chain = calls("b", "call", &calls("c", "call", &insert(1)));
    call(&mut host, plugins[0], &chain);
    call(&mut host, plugins[2], &insert(2));
    let seen: Vec<_> = host
        .audit()
        .iter()
        .map(|entry| {
            let name = entry.table.unwrap_or_default();
            (
                entry.plugin,
                entry.function.name().unwrap(),
                name.to_string(),
                entry.caller,
                entry.depth,
            )
        })
        .collect();
    let [a, b, c] = [plugins[0], plugins[1], plugins[2]];
    assert_eq!(
        seen,
        [
            (c, "soch_write", "items".to_string(), Some(b), 2),
            (b, "call_plugin", "c".to_string(), Some(a), 1),
            (a, "call_plugin", "b".to_string(), None, 0),
            (c, "soch_write", "items".to_string(), None, 0),
        ]
    );
    let first = host.audit().iter().next().unwrap();
    assert_eq!(
        host.describe(first).to_string(),
        "#1 t=0us c soch_write table=items status=2 (ok) rows=1 in=35 out=2 caller=b depth=2"
    );
}
