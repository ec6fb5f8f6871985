//! Modules that the interpreter panics on, or refuses for no reason: each loads and runs right, or is
//! refused by a named error. `modules_found` has those that were found in use and by fuzzing.

mod limits;

use sochdb_wasmi::{
    host::{CallError, Host, LoadError, PluginConfig},
    limits::{Limit, LimitExceeded, Limits},
};

use crate::counting::peak_bytes;
use crate::support::{everything, host, roomy, wat_plugin};

fn config() -> PluginConfig {
    PluginConfig::new(everything()).with_limits(roomy())
}

/// What the entry point `f` leaves in the Output Buffer, which begins at 512.
fn output(host: &mut Host, wasm: &[u8], config: &PluginConfig) -> Vec<u8> {
    let plugin = host.load("plugin", wasm, config).unwrap();
    let output = host.call(plugin, "f", &[]).unwrap().output.to_vec();
    assert!(host.unload(plugin));
    output
}

/// A plugin of four pages whose function `f` runs `body` and returns the eight bytes that are then at
/// `address`. The locals are `a` (i32), `b` (i64), `c` (f32) and `d` (f64).
fn stores(body: &str, address: u32) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module (memory (export "memory") 4) (global (export "sochdb_plugin") i32 (i32.const 0))
            (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
            (func $none) (func $one (result i32) (i32.const 24))
            (func (export "f") (param i32) (result i32)
                (local $a i32) (local $b i64) (local $c f32) (local $d f64)
                {body}
                (i64.store (i32.const 512) (i64.load (i32.const {address})))
                (i32.const 8)))"#
    ))
    .unwrap()
}

// An i32 store whose address and value are the same local, with a static offset above 65,535, ended
// the host in `unreachable!()`: `t[i] = i` of any plugin with more than 64 KiB of statics.
#[test]
fn a_store_far_away_may_have_one_local_as_address_and_value() {
    let pairs = [
        ("local.get $a local.get $a", "i32"),
        ("local.get $a local.get $a nop", "i32"),
        ("local.get $a local.get $a local.get $a drop", "i32"),
        ("local.get $a local.get $a call $none", "i32"),
        ("local.get $a local.get $a local.get $b local.set $b", "i32"),
        ("local.get $a local.tee $a local.get $a", "i32"),
        ("local.get $a local.get $a local.tee $a", "i32"),
        ("local.get $a local.get $a i32.const 0 i32.shl", "i32"),
        ("local.get $a local.get $a i32.const 32 i32.rotr", "i32"),
        ("local.get $a local.get $a local.get $a local.get $a select", "i32"),
        ("local.get $a block (result i32) local.get $a end", "i32"),
        ("local.get $a loop (result i32) local.get $a end", "i32"),
        ("local.get $a local.get $a block end", "i32"),
        ("local.get $a local.get $a if end local.get $a", "i32"),
        ("local.get $a local.get $a i64.extend_i32_u i32.wrap_i64", "i32"),
        ("local.get $a local.get $a f32.reinterpret_i32 i32.reinterpret_f32", "i32"),
        ("call $one local.get $a", "i32"),
        ("call $one call $one", "i32"),
        ("i32.const 24 local.get $a", "i32"),
        ("local.get $a i32.const 24", "i32"),
        ("local.get $a local.get $a i64.extend_i32_u", "i64"),
        ("local.get $a local.tee $a local.get $a i64.extend_i32_u", "i64"),
        ("local.get $a local.get $a i64.extend_i32_u i64.const 0 i64.rotl", "i64"),
        ("local.get $a local.get $a i64.extend_i32_s", "i64"),
    ];
    let mut host = host();
    for offset in [0_u32, 24, 65_535, 65_536, 100_000] {
        for (operands, ty) in pairs {
            let widths: &[_] = if ty == "i32" {
                &[("store", 4), ("store8", 1), ("store16", 2)]
            } else {
                &[("store", 8), ("store8", 1), ("store16", 2), ("store32", 4)]
            };
            for &(store, bytes) in widths {
                for set in
                    ["i32.const 24 local.set $a", "i32.const 20 i32.const 4 i32.add local.set $a"]
                {
                    // Bytes that are not stored stay, and fuel is in the register as it often is.
                    let fill =
                        "(i64.store (i32.add (local.get $a) (i32.const OFFSET)) (i64.const -1))"
                            .replace("OFFSET", &offset.to_string());
                    let body =
                        format!("{set} {fill} {set} {operands} {ty}.{store} offset={offset}");
                    let mut expected = [0xff; 8];
                    expected[..bytes].copy_from_slice(&24_u64.to_le_bytes()[..bytes]);
                    let wasm = stores(&body, 24 + offset);
                    if (..512).contains(&offset) {
                        // The descriptor lies there.
                        continue;
                    }
                    assert_eq!(output(&mut host, &wasm, &config()), expected, "{body}");
                }
            }
        }
    }
}

/// A function that stores 7 at 600 if `condition` is 0 for the value 0 of `$a`, and 99 if it is not; at
/// 604 the same for the value 5.
fn two_selects(condition: &str, select: &str) -> String {
    [(600, 0), (604, 5)]
        .map(|(at, value)| {
            format!(
                "i32.const {at} i32.const {value} local.set $a
                i32.const 98 local.set 0 local.get 0 i32.const 1 i32.add i32.const 7
                {condition} {select} i32.store\n"
            )
        })
        .concat()
}

fn assert_selects(host: &mut Host, condition: &str, select: &str, of_0_and_5: [bool; 2]) {
    let [of_0, of_5] = of_0_and_5.map(|first| if first { 99 } else { 7 });
    let wasm = stores(&two_selects(condition, select), 600);
    assert_eq!(output(host, &wasm, &config()), [of_0, 0, 0, 0, of_5, 0, 0, 0], "{condition}");
}

// wasmi drops `i32.eqz`, and `i32.eq` or `i32.ne` with 0, of a local in front of a `select`, and tests
// what happens to be in its register in place of the local: `if b == 0 { a + 99 } else { 7 }` was 7 for 0.
// Found by comparing generated plugins with what they must compute. A test of `b ^ 0` or `0 ^ b` is the
// same for it; another run of such plugins found that one.
#[test]
fn a_select_by_a_test_against_zero_selects_right() {
    let mut host = host();
    for operand in [
        "local.get $a",
        "local.get $a i32.const 0 i32.xor",
        "i32.const 0 local.get $a i32.xor",
        "i32.const 3 i32.const 3 i32.xor local.get $a i32.xor",
        "i32.const 0 local.get $a local.tee $a i32.xor",
        "i32.const 5 local.get $a i32.xor i32.const 5 i32.xor",
    ] {
        for (not, test) in [
            (false, "i32.eqz"),
            (false, "i32.const 0 i32.eq"),
            (true, "i32.const 0 i32.ne"),
            (false, "i32.const 0 local.tee 0 i32.eq"),
        ] {
            for after in ["", "nop", "local.get 0 drop", "block end", "i32.const 0 i32.shl"] {
                for select in ["select", "select (result i32)"] {
                    let condition = format!("{operand} {test} {after}");
                    assert_selects(&mut host, &condition, select, [!not, not]);
                }
            }
        }
    }
}

// The rewriting of such selects knew the last two operators and not the operands: with a zero that an
// operator left (folded, a global, set before), or one on the other side of what was just computed and
// set, the select went by the wrong register all the same.
#[test]
fn a_select_by_a_test_against_any_zero_selects_right() {
    let mut host = host();
    let zeros = [
        "i32.const 0",
        "i32.const 0 nop",
        "i32.const 0 call $none",
        "i32.const 0 block end",
        "i32.const 0 local.tee 0",
        "i32.const 5 local.tee 0 i32.const 5 i32.sub",
        "i32.const 5 i32.const 5 call $none i32.sub",
        "i32.const 3 i32.const 3 i32.xor",
        "f32.const 1 f32.const 2 f32.eq",
        "i64.const 1 i64.eqz",
        "i64.const 4294967296 i32.wrap_i64",
        "global.get 0",
        "i32.const 7 i32.eqz",
        "i32.const 7 i32.const 6 i32.eq",
        "i32.const 0 i32.const 8 i32.shl",
        "i32.const 0 i32.const 1 i32.const 4 i32.load select",
    ];
    let operands = [
        "local.get $a",
        "local.get $a nop",
        "local.get $a local.tee 0",
        "local.get $a call $none",
        "local.get $a local.get $b local.set $b",
        "local.get $a i32.const 0 i32.shl",
        "local.get $a i32.const 0 i32.or local.tee 0",
        "local.get $a i32.const 0 i32.or",
        "local.get $a i64.extend_i32_u i32.wrap_i64",
        "i32.const 606 i32.const 0 i32.store i32.const 606 local.get $a i32.store i32.const 606 i32.load local.tee 0",
        "local.get $a local.get $a local.get 0 select",
        "loop (result i32) local.get $a end",
        "block (result i32) local.get $a end",
        "local.get $a i32.eqz i32.eqz",
        "local.get $a i32.eqz i32.const 0 i32.eq",
        "i32.const 0 local.get $a i32.ne",
    ];
    for operand in operands {
        assert_selects(&mut host, &format!("{operand} i32.eqz"), "select", [true, false]);
        for zero in zeros {
            for pair in [format!("{operand} {zero}"), format!("{zero} {operand}")] {
                let xor = format!("{pair} i32.xor");
                assert_selects(&mut host, &xor, "select", [false, true]);
                for (test, not) in [("i32.eq", false), ("i32.ne", true)] {
                    for condition in [
                        format!("{pair} {test}"),
                        format!("{pair} {test} loop end"),
                        format!("loop (result i32) {pair} {test} end"),
                        format!("{pair} {test} i32.const 32 i32.rotl"),
                        format!("{xor} {zero} {test}"),
                    ] {
                        assert_selects(&mut host, &condition, "select", [!not, not]);
                    }
                }
            }
        }
    }
}

// A store and a select that are translated wrongly cost 1 fuel more, since they were rewritten with an
// operator of their own: the fuel of a plugin followed from a fault of the interpreter. They are rewritten
// with what costs nothing.
#[test]
fn what_is_put_before_a_store_or_a_select_costs_no_fuel() {
    let mut host = host();
    let mut fuel = |body: &str| {
        let plugin = host.load("plugin", &stores(body, 600), &config()).unwrap();
        host.call(plugin, "f", &[]).unwrap();
        let fuel = host.report(plugin).unwrap().fuel;
        assert!(host.unload(plugin));
        fuel
    };
    let near = fuel("i32.const 1024 local.set $a local.get $a local.get $a i32.store");
    let far = fuel("i32.const 1024 local.set $a local.get $a local.get $a i32.store offset=70000");
    assert_eq!(far, near);
    let computed = fuel(&two_selects("local.get $a i32.ctz", "select"));
    let tested = fuel(&two_selects("local.get $a i32.eqz", "select"));
    assert_eq!(tested, computed);
}

// A module without any such store is translated as it is, and one with them in static memory or without
// a validator goes through the same rewriting.
#[test]
fn a_store_far_away_works_in_static_memory_and_without_a_validator() {
    let body = "i32.const 24 local.set $a local.get $a local.get $a i32.store offset=70000";
    let wasm = stores(body, 70_024);
    let expected = [24, 0, 0, 0, 0, 0, 0, 0];
    let mut host = host();
    host.add_static_memory(Box::leak(vec![0; 4 << 16].into()));
    assert_eq!(output(&mut host, &wasm, &config().with_static_memory()), expected);
    #[cfg(feature = "trusted")]
    {
        use sha2::Digest;
        let hash = sha2::Sha256::digest(&wasm).into();
        // SAFETY: the module was loaded above, with the validator.
        let plugin = unsafe { host.load_trusted("plugin", &wasm, &hash, &config()) }.unwrap();
        assert_eq!(host.call(plugin, "f", &[]).unwrap().output, expected);
    }
}

// The same fault, as it was found: `t[i] = i` in a loop, a store of one byte, and one of wasm-smith.
#[test]
fn every_module_that_was_found_runs_right() {
    let mut host = host();
    for wat in [
        include_str!("modules_found/valid-for.wat"),
        include_str!("modules_found/valid-i32.store8.wat"),
    ] {
        let wasm = wat::parse_str(wat).unwrap();
        let plugin = host.load("plugin", &wasm, &config()).unwrap();
        assert!(host.call(plugin, "f", &[]).unwrap().output.is_empty());
        assert!(host.unload(plugin));
    }
    let plugin =
        host.load("plugin", include_bytes!("modules_found/valid-for.wasm"), &config()).unwrap();
    assert!(host.call(plugin, "f", &[]).unwrap().output.is_empty());
    assert!(host.unload(plugin));
    let plugin =
        host.load("plugin", include_bytes!("modules_found/smith-19076.wasm"), &config()).unwrap();
    assert!(matches!(host.call(plugin, "w0", &[]), Err(CallError::Trap { .. })));
    assert!(matches!(host.call(plugin, "w1", &[]), Err(CallError::Trap { .. })));
    assert!(host.call(plugin, "w2", &[]).unwrap().output.is_empty());
    assert!(host.unload(plugin));
    // The condition of a `select` is a comparison of a local with a zero that wasmi folds: a generated
    // plugin, one in 1.6 million, left 1 in its second local.
    let found = include_bytes!("modules_found/generated-folded-zero.wasm");
    assert_eq!(output(&mut host, found, &config())[..12], [0; 12]);
}

// 13 bytes divided by zero in wasmi's limit on the average size of functions; operators after a
// function's last `end` were translated before the validator objected.
#[test]
fn every_invalid_module_that_was_found_is_refused_by_name() {
    for (name, wasm) in [
        ("div0-short", &include_bytes!("modules_found/div0-short.wasm")[..]),
        ("div0-1001", include_bytes!("modules_found/div0-1001.wasm")),
        ("loop-after-end", include_bytes!("modules_found/loop-after-end-27-bytes.wasm")),
        ("keep-debug297", include_bytes!("modules_found/keep-debug297.wasm")),
    ] {
        let error = host().load("plugin", wasm, &config()).unwrap_err();
        assert!(matches!(error, LoadError::InvalidModule { .. }), "{name}: {error:?}");
    }
}

// wasmi's strict limits refused both as "invalid module": 40 bytes a function on average, and 32
// parameters.
#[test]
fn many_small_functions_and_many_parameters_are_no_reason_to_refuse_a_module() {
    let mut host = host();
    let wasm = wat::parse_str(include_str!("modules_found/many_small_functions.wat")).unwrap();
    let plugin = host.load("plugin", &wasm, &config()).unwrap();
    assert_eq!(host.call(plugin, "get59", &[]).unwrap().output.len(), 4);
    assert!(host.unload(plugin));
    let wasm = wat::parse_str(include_str!("modules_found/params33.wat")).unwrap();
    let plugin = host.load("plugin", &wasm, &config()).unwrap();
    assert!(host.call(plugin, "go", &[]).unwrap().output.is_empty());
    assert!(host.unload(plugin));

    for many in [
        "(func)".repeat(20_000),
        "(global i32 (i32.const 0))".repeat(5000),
        r#"(data "")"#.repeat(5000),
        "(func $g) ".to_owned() + &"(elem func $g)".repeat(5000),
    ] {
        let plugin = host.load("plugin", &wat_plugin(&many), &config()).unwrap();
        assert!(host.unload(plugin));
    }
}

// wasmi reads what another path left after a block with parameters: an `if` without `else` returned what
// its inside had put into the register, and a local that lies below a parameter was not kept before
// `br_if`. Plugins computed something else without a word.
#[test]
fn a_block_with_parameters_is_refused_where_it_is() {
    let mut host = host();
    let found = [
        "local.get $a local.get 0 if (param i32) (result i32)
            local.set $a i32.const 0 i32.load i32.const 5 i32.add end drop",
        "i32.const 600 local.get $a i32.const 7 block (param i32) drop
            i32.const 0 i32.load br_if 0 i32.const 5 local.set $a end i32.store",
        "local.get $a local.get 0 loop (param i32 i32) drop drop end",
        "local.get $a local.get 0 if (param i32) drop else drop end",
        "unreachable block (param i64) drop end",
    ];
    for body in found {
        let wasm = stores(body, 600);
        let refused = host.load("plugin", &wasm, &config()).unwrap_err();
        let LoadError::BlockParameters { offset } = refused else {
            panic!("{body}: {refused}");
        };
        assert!((0x02..=0x04).contains(&wasm[offset as usize]), "{body}: {offset}");
        assert_eq!(
            refused.to_string(),
            format!(
                "the block at byte {offset} of the module has parameters, which are not supported"
            )
        );
    }
    // The second of three functions.
    let wasm = wat_plugin(
        "(func block end) (func i32.const 0 block (param i32) drop end) (func loop end)",
    );
    let LoadError::BlockParameters { offset } = host.load("plugin", &wasm, &config()).unwrap_err()
    else {
        panic!("it was loaded");
    };
    assert_eq!(wasm[offset as usize - 2..][..3], [0x41, 0, 0x02]);
    #[cfg(feature = "trusted")]
    {
        use sha2::Digest;
        let hash = sha2::Sha256::digest(&wasm).into();
        // SAFETY: the module is valid, and refused before any of it is translated.
        let refused = unsafe { host.load_trusted("plugin", &wasm, &hash, &config()) };
        assert_eq!(refused, Err(LoadError::BlockParameters { offset }));
    }
}

// Blocks without parameters are as they were: with the number of a type too, among others that have
// parameters, and with results.
#[test]
fn a_block_without_parameters_may_have_any_type() {
    let types = "(type (func (param i32))) (type $none (func)) (type (func (param i64 i32)))
        (type $two (func (result i32 i64))) (type (func (param f32) (result f32)))";
    let code = "(func (export \"f\") (param i32) (result i32)
        block (type $none) end loop (type $none) end local.get 0 if (type $none) else end
        block (type $two) i32.const 1 i64.const 2 end drop drop
        i32.const 1 if (type $two) i32.const 8 i64.const 2 else i32.const 4 i64.const 2 end drop)";
    let mut host = host();
    let plugin = host.load("plugin", &wat_plugin(&format!("{types} {code}")), &config()).unwrap();
    assert_eq!(host.call(plugin, "f", &[]).unwrap().output.len(), 8);
}
