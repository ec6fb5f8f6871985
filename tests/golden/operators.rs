//! A plugin of every class of operators that the engine allows, as WebAssembly text: each class is
//! an entry point with a loop that runs the class's code [`TIMES`] times.
//!
//! Included by `tests/dispatch.rs`, and by the firmware's build script, which puts the plugin on
//! machines without an operating system. It does not run anything.

use std::fmt::Write;

/// How often each class of operators runs. One frame of the least size, 16 bytes, that is left
/// each time is more than [`NATIVE_STACK`].
pub const TIMES: u32 = 10_000;
/// The native stack that all of them must do with.
pub const NATIVE_STACK: usize = 128 << 10;

/// Where the operands lie in memory: sixteen of each type.
const OPERANDS: [(&str, u32, u32); 4] =
    [("i32", 1024, 2), ("i64", 1088, 3), ("f32", 1216, 2), ("f64", 1280, 3)];

#[rustfmt::skip]
const I32: [u32; 16] = [
    0, 1, 2, 3, 7, 31, 32, 0x7f, 0x80, 0xff, 0x8000, 0x1234_5678, 0x7fff_ffff, 0x8000_0000,
    0xdead_beef, 0xffff_ffff,
];
#[rustfmt::skip]
const I64: [u64; 16] = [
    0, 1, 2, 3, 63, 64, 0x80, 0x8000, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000,
    0x0123_4567_89ab_cdef, 0x7fff_ffff_ffff_ffff, 0x8000_0000_0000_0000, 0xdead_beef_0bad_cafe,
    0xffff_ffff_ffff_ffff,
];
/// Zeros, ones, halves, subnormals, the largest, infinities, quiet and signalling NaNs.
#[rustfmt::skip]
const F32: [u32; 16] = [
    0, 0x8000_0000, 0x3f80_0000, 0xbf80_0000, 0x3f00_0000, 0xc020_0000, 1, 0x807f_ffff,
    0x0080_0000, 0x7f7f_ffff, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0xffc1_2345, 0x7fa0_0001,
    0x4049_0fdb,
];
#[rustfmt::skip]
const F64: [u64; 16] = [
    0, 0x8000_0000_0000_0000, 0x3ff0_0000_0000_0000, 0xbff0_0000_0000_0000, 0x3fe0_0000_0000_0000,
    0xc004_0000_0000_0000, 1, 0x800f_ffff_ffff_ffff, 0x0010_0000_0000_0000, 0x7fef_ffff_ffff_ffff,
    0x7ff0_0000_0000_0000, 0xfff0_0000_0000_0000, 0x7ff8_0000_0000_0000, 0xfff8_1234_5678_9abc,
    0x7ff4_0000_0000_0001, 0x4009_21fb_5444_2d18,
];

/// The module of all classes: each an entry point with a loop that runs the class's code and folds
/// what it computes into `$h`.
pub fn module(classes: &[(&str, String)]) -> Vec<u8> {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
    let narrow = |values: [u32; 16]| hex(&values.map(u32::to_le_bytes).concat());
    let wide = |values: [u64; 16]| hex(&values.map(u64::to_le_bytes).concat());
    let data = [narrow(I32), wide(I64), narrow(F32), wide(F64)];
    let mut module = format!("(module {PRELUDE}");
    for ((_, address, _), data) in OPERANDS.iter().zip(data) {
        writeln!(module, r#"(data (i32.const {address}) "{data}")"#).unwrap();
    }
    for (name, code) in classes {
        let entry = name.replace(' ', "_");
        let mut locals = String::new();
        let mut operands = String::new();
        for (ty, address, shift) in OPERANDS {
            write!(locals, "(local $x_{ty} {ty}) (local $y_{ty} {ty})").unwrap();
            for (local, sixteenths) in [("x", 0), ("y", 4)] {
                let name = format!("${local}_{ty}");
                if code.contains(&format!("(local.get {name})")) {
                    write!(
                        operands,
                        "(local.set {name} ({ty}.load offset={address} (i32.shl (i32.and \
                         (i32.shr_u (local.get $i) (i32.const {sixteenths})) (i32.const 15)) \
                         (i32.const {shift}))))"
                    )
                    .unwrap();
                }
            }
        }
        writeln!(
            module,
            r#"(func (export "{entry}") (param i32) (result i32)
                (local $i i32) (local $h i64) {locals}
                (local.set $i (i32.const {TIMES}))
                (loop $again
                    {operands}
                    {code}
                    (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
                (i64.store (i32.const 512) (local.get $h))
                (i32.const 8))"#
        )
        .unwrap();
    }
    module.push(')');
    wat::parse_str(module).unwrap()
}

/// What the classes use beside the operands. `get_config` is asked for "greeting" at 2048.
const PRELUDE: &str = r#"
    (type $unary (func (param i32) (result i32)))
    (type $host (func (param i32 i32 i32 i32) (result i32)))
    (import "sochdb" "get_config" (func $get_config (type $host)))
    (memory (export "memory") 1)
    (global (export "sochdb_plugin") i32 (i32.const 0))
    (data (i32.const 0)
        "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
    (data (i32.const 2048) "\08greeting")
    (data $passive "passive data")
    (table $functions 8 64 funcref)
    (table $spare 4 64 funcref)
    (elem (table $functions) (i32.const 0) func $next $twice $get_config)
    (elem $passive func $next $twice)
    (global $g_i32 (mut i32) (i32.const 1)) (global $g_i64 (mut i64) (i64.const 1))
    (global $g_f32 (mut f32) (f32.const 1)) (global $g_f64 (mut f64) (f64.const 1))
    (global $fixed i32 (i32.const 77))
    (func $next (type $unary) (i32.add (local.get 0) (i32.const 1)))
    (func $twice (type $unary) (i32.mul (call $next (local.get 0)) (i32.const 2)))
    (func $early (type $unary)
        (if (i32.and (local.get 0) (i32.const 1)) (then (return (i32.const 11))))
        (return (local.get 0)))
    (func $tail (type $unary) (return_call $next (local.get 0)))
    (func $tail_indirect (type $unary)
        (return_call_indirect $functions (type $unary)
            (local.get 0) (i32.and (local.get 0) (i32.const 1))))
    (func $tail_host (type $host)
        (return_call $get_config (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
    (func $tail_host_indirect (type $host)
        (return_call_indirect $functions (type $host)
            (local.get 0) (local.get 1) (local.get 2) (local.get 3) (i32.const 2)))
    (func $countdown (type $unary)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 5))))
        (return_call $countdown (i32.sub (local.get 0) (i32.const 1))))
    (func $many (param i32 i64 f32 f64) (result i32 i64 f32 f64)
        (i32.add (local.get 0) (i32.const 1)) (i64.sub (local.get 1) (i64.const 1))
        (f32.neg (local.get 2)) (f64.abs (local.get 3)))
"#;

/// Folds a value into `$h`.
fn mix(ty: &str, value: &str) -> String {
    let bits = match ty {
        "i32" => format!("(i64.extend_i32_u {value})"),
        "f32" => format!("(i64.extend_i32_u (i32.reinterpret_f32 {value}))"),
        "f64" => format!("(i64.reinterpret_f64 {value})"),
        _ => value.to_string(),
    };
    format!("(local.set $h (i64.mul (i64.xor (local.get $h) {bits}) (i64.const 0x100000001b3)))\n")
}

/// Binary operators, with operands in locals, on the stack and as constants.
fn binary(ty: &str, result: &str, operators: &str) -> String {
    let [x, y] = ["x", "y"].map(|name| format!("(local.get ${name}_{ty})"));
    let constant = if ty.starts_with('i') { "3" } else { "1.5" };
    let mut code = String::new();
    for operator in operators.split(' ') {
        code += &mix(result, &format!("({ty}.{operator} {x} {y})"));
        code += &mix(result, &format!("({ty}.{operator} {x} ({ty}.const {constant}))"));
        code += &mix(result, &format!("({ty}.{operator} ({ty}.const {constant}) {y})"));
        code += &mix(
            result,
            &format!(
                "({ty}.{operator} ({ty}.load offset=1088 (i32.const 0)) (select {x} {y} (local.get $i)))"
            ),
        );
    }
    code
}

/// Operators of one operand.
fn unary(ty: &str, result: &str, operators: &str) -> String {
    let mut code = String::new();
    for operator in operators.split(' ') {
        code += &mix(result, &format!("({operator} (local.get $x_{ty}))"));
        code += &mix(result, &format!("({operator} ({ty}.load offset=1096 (i32.const 0)))"));
    }
    code
}

/// Divisions that do not trap: by what is not zero, of what is not the least number.
fn division(ty: &str) -> String {
    let mut code = String::new();
    for operator in ["div_s", "div_u", "rem_s", "rem_u"] {
        for divisor in
            [format!("({ty}.or (local.get $y_{ty}) ({ty}.const 1))"), format!("({ty}.const 10)")]
        {
            code += &mix(
                ty,
                &format!(
                    "({ty}.{operator} ({ty}.shr_s (local.get $x_{ty}) ({ty}.const 1)) {divisor})"
                ),
            );
        }
    }
    code
}

/// Conversions to integers that trap, of what they do not trap for.
fn truncations() -> String {
    let mut code = String::new();
    for from in ["f32", "f64"] {
        let x = format!("(local.get $x_{from})");
        let number = format!("(select {x} ({from}.const 0.75) ({from}.eq {x} {x}))");
        for (to, sign, least) in
            [("i32", "s", -1e9), ("i32", "u", 0.0), ("i64", "s", -1e18), ("i64", "u", 0.0)]
        {
            let most = if to == "i32" { 2e9 } else { 9e18 };
            let clamped = format!(
                "({from}.min ({from}.max {number} ({from}.const {least})) ({from}.const {most}))"
            );
            code += &mix(to, &format!("({to}.trunc_{from}_{sign} {clamped})"));
        }
    }
    code
}

/// Loads of every width, at addresses with and without a constant part.
fn loads(ty: &str, operators: &str) -> String {
    let mut code = String::new();
    for operator in operators.split(' ') {
        code += &mix(ty, &format!("({ty}.{operator} (i32.and (local.get $i) (i32.const 1023)))"));
        code += &mix(
            ty,
            &format!("({ty}.{operator} offset=1030 (i32.and (local.get $i) (i32.const 255)))"),
        );
        code += &mix(ty, &format!("({ty}.{operator} offset=1025 (i32.const 64))"));
    }
    code
}

/// Stores of every width, each read back.
fn stores(ty: &str, operators: &str) -> String {
    let mut code = String::new();
    for operator in operators.split(' ') {
        for value in [format!("(local.get $x_{ty})"), format!("({ty}.const 100)")] {
            writeln!(
                code,
                "({ty}.{operator} offset=4096 (i32.and (local.get $i) (i32.const 7)) {value})"
            )
            .unwrap();
            writeln!(code, "({ty}.{operator} (i32.const 4112) {value})").unwrap();
            code += &mix("i64", "(i64.load (i32.const 4096))");
            code += &mix("i64", "(i64.load (i32.const 4112))");
        }
    }
    code
}

fn host_call(call: &str) -> String {
    mix("i32", &format!("({call} (i32.const 2048) (i32.const 9) (i32.const 4200) (i32.const 64))"))
        + &mix("i64", "(i64.load (i32.const 4200))")
}

const INTEGER: &str = "add sub mul and or xor shl shr_s shr_u rotl rotr";
const INTEGER_COMPARISONS: &str = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u";
const FLOAT: &str = "add sub mul div min max copysign";
const COMPARISONS: &str = "eq ne lt gt le ge";

/// Every class of operators that the engine allows: its name, and its code in WAT.
pub fn classes() -> Vec<(&'static str, String)> {
    let mut classes = of_numbers();
    classes.extend(of_control_and_memory());
    classes
}

#[rustfmt::skip]
fn of_numbers() -> Vec<(&'static str, String)> {
    let types = ["i32", "i64", "f32", "f64"];
    let each = |code: fn(&str) -> String| types.map(code).concat();
    vec![
        ("i32 arithmetic", binary("i32", "i32", INTEGER)),
        ("i32 division", division("i32")),
        ("i32 comparisons", binary("i32", "i32", INTEGER_COMPARISONS)),
        ("i32 unary", unary("i32", "i32", "i32.clz i32.ctz i32.popcnt i32.eqz i32.extend8_s i32.extend16_s")),
        ("i64 arithmetic", binary("i64", "i64", INTEGER)),
        ("i64 division", division("i64")),
        ("i64 comparisons", binary("i64", "i32", INTEGER_COMPARISONS)),
        ("i64 unary", unary("i64", "i64", "i64.clz i64.ctz i64.popcnt i64.extend8_s i64.extend16_s i64.extend32_s")
            + &unary("i64", "i32", "i64.eqz")),
        ("f32 arithmetic", binary("f32", "f32", FLOAT)),
        ("f32 comparisons", binary("f32", "i32", COMPARISONS)),
        ("f32 unary", unary("f32", "f32", "f32.abs f32.neg f32.ceil f32.floor f32.trunc f32.nearest f32.sqrt")),
        ("f64 arithmetic", binary("f64", "f64", FLOAT)),
        ("f64 comparisons", binary("f64", "i32", COMPARISONS)),
        ("f64 unary", unary("f64", "f64", "f64.abs f64.neg f64.ceil f64.floor f64.trunc f64.nearest f64.sqrt")),
        ("integer widths", unary("i32", "i64", "i64.extend_i32_s i64.extend_i32_u") + &unary("i64", "i32", "i32.wrap_i64")),
        ("truncations", truncations()),
        ("saturating truncations",
            unary("f32", "i32", "i32.trunc_sat_f32_s i32.trunc_sat_f32_u")
            + &unary("f64", "i32", "i32.trunc_sat_f64_s i32.trunc_sat_f64_u")
            + &unary("f32", "i64", "i64.trunc_sat_f32_s i64.trunc_sat_f32_u")
            + &unary("f64", "i64", "i64.trunc_sat_f64_s i64.trunc_sat_f64_u")),
        ("integers to floats",
            unary("i32", "f32", "f32.convert_i32_s f32.convert_i32_u")
            + &unary("i64", "f32", "f32.convert_i64_s f32.convert_i64_u")
            + &unary("i32", "f64", "f64.convert_i32_s f64.convert_i32_u")
            + &unary("i64", "f64", "f64.convert_i64_s f64.convert_i64_u")),
        ("float widths", unary("f32", "f64", "f64.promote_f32") + &unary("f64", "f32", "f32.demote_f64")),
        ("reinterpretations",
            unary("i32", "f32", "f32.reinterpret_i32") + &unary("i64", "f64", "f64.reinterpret_i64")
            + &unary("f32", "i32", "i32.reinterpret_f32") + &unary("f64", "i64", "i64.reinterpret_f64")),
        ("i32 loads", loads("i32", "load load8_s load8_u load16_s load16_u")),
        ("i64 loads", loads("i64", "load load8_s load8_u load16_s load16_u load32_s load32_u")),
        ("float loads", loads("f32", "load") + &loads("f64", "load")),
        ("i32 stores", stores("i32", "store store8 store16")),
        ("i64 stores", stores("i64", "store store8 store16 store32")),
        ("float stores", stores("f32", "store") + &stores("f64", "store")),
        ("locals", each(|ty| {
            format!("(local.set $y_{ty} (local.tee $x_{ty} (local.get $x_{ty})))")
                + &mix(ty, &format!("(local.get $y_{ty})"))
        })),
        ("globals", each(|ty| {
            format!("(global.set $g_{ty} ({ty}.add (global.get $g_{ty}) (local.get $x_{ty})))")
                + &mix(ty, &format!("(global.get $g_{ty})"))
        }) + &mix("i32", "(global.get $fixed)")),
        ("select", each(|ty| {
            mix(ty, &format!("(select (local.get $x_{ty}) (local.get $y_{ty}) (i32.and (local.get $i) (i32.const 1)))"))
                + &mix(ty, &format!("(select (result {ty}) (local.get $x_{ty}) ({ty}.const 9) (i32.lt_u (local.get $i) (i32.const 5000)))"))
        })),
    ]
}

#[rustfmt::skip]
fn of_control_and_memory() -> Vec<(&'static str, String)> {
    let types = ["i32", "i64", "f32", "f64"];
    let each = |code: fn(&str) -> String| types.map(code).concat();
    vec![
        ("blocks and br", mix("i32", "(block $out (result i32) (block $in (br $in)) (loop $l (result i32) (br $out (local.get $i))))")),
        ("br_if", each(|ty| {
            let compare = if ty.starts_with('i') { "lt_u" } else { "lt" };
            format!("(block $skip (br_if $skip ({ty}.{compare} (local.get $x_{ty}) (local.get $y_{ty})))")
                + &mix("i32", "(local.get $i)") + ")"
                + &format!("(block $skip (br_if $skip (i32.eqz ({ty}.{compare} (local.get $x_{ty}) ({ty}.const 4))))")
                + &mix("i32", "(local.get $i)") + ")"
        }) + &mix("i32", "(block $b (result i32) (drop (br_if $b (i32.const 4) (i32.and (local.get $i) (i32.const 3)))) (i32.const 5))")),
        ("br_table", mix("i32", "(block $c (result i32) (block $b (block $a \
            (br_table $a $b $a (i32.and (local.get $i) (i32.const 3)))) (br $c (i32.const 1))) (i32.const 2))")
            + &mix("i32", "(block $b (result i32) (block $a (result i32) \
            (br_table $a $b (local.get $i) (i32.and (local.get $i) (i32.const 1)))) (i32.const 7) (i32.add))")),
        ("if and else", mix("i64", "(if (result i64) (i32.and (local.get $i) (i32.const 4)) (then (local.get $x_i64)) (else (i64.const 8)))")
            + "(if (i32.and (local.get $i) (i32.const 1)) (then (nop)))"),
        ("nop and drop", "(nop) (drop (local.get $x_i32)) (drop (call $next (local.get $i)))".into()),
        ("call", mix("i32", "(call $twice (local.get $i))")),
        ("call and return", mix("i32", "(call $early (local.get $i))")),
        ("call_indirect", mix("i32", "(call_indirect $functions (type $unary) (local.get $i) (i32.and (local.get $i) (i32.const 1)))")),
        ("return_call", mix("i32", "(call $tail (local.get $i))") + &mix("i32", "(call $countdown (i32.const 20))")),
        ("return_call_indirect", mix("i32", "(call $tail_indirect (local.get $i))")),
        ("many results", "(call $many (local.get $i) (local.get $h) (local.get $x_f32) (local.get $x_f64)) \
            (local.set $y_f64) (local.set $y_f32) (local.set $h) (local.set $y_i32)".to_string()
            + &mix("f64", "(local.get $y_f64)") + &mix("f32", "(local.get $y_f32)") + &mix("i32", "(local.get $y_i32)")),
        ("memory size and grow", mix("i32", "(memory.grow (i32.eq (local.get $i) (i32.const 9000)))") + &mix("i32", "(memory.size)")
            + &mix("i32", "(memory.grow (i32.const -1))")),
        ("memory copy", "(memory.copy (i32.const 4300) (i32.const 1024) (i32.and (local.get $i) (i32.const 63))) \
            (memory.copy (i32.const 4301) (i32.const 4300) (i32.const 40))".to_string() + &mix("i64", "(i64.load (i32.const 4310))")),
        ("memory fill", "(memory.fill (i32.const 4400) (local.get $i) (i32.and (local.get $i) (i32.const 63))) \
            (memory.fill (i32.const 4405) (i32.const 1) (i32.const 2))".to_string() + &mix("i64", "(i64.load (i32.const 4403))")),
        ("memory init", "(memory.init $passive (i32.const 4500) (i32.const 2) (i32.and (local.get $i) (i32.const 7)))".to_string()
            + &mix("i64", "(i64.load (i32.const 4500))")),
        ("table get and set", "(table.set $spare (i32.and (local.get $i) (i32.const 3)) \
            (table.get $functions (i32.and (local.get $i) (i32.const 7))))".to_string()
            + &mix("i32", "(ref.is_null (table.get $spare (i32.const 1)))")
            + "(table.set $spare (i32.const 2) (ref.func $next)) (table.set $spare (i32.const 3) (ref.null func))"),
        ("table size and grow", mix("i32", "(table.grow $spare (ref.null func) (i32.eq (local.get $i) (i32.const 7000)))")
            + &mix("i32", "(table.size $spare)") + &mix("i32", "(table.grow $spare (ref.null func) (i32.const 1000))")),
        ("table copy fill and init", "(table.copy $spare $functions (i32.const 0) (i32.const 1) (i32.const 3)) \
            (table.fill $spare (i32.const 0) (ref.func $twice) (i32.and (local.get $i) (i32.const 3))) \
            (table.init $spare $passive (i32.const 1) (i32.const 0) (i32.const 2))".to_string()
            + &mix("i32", "(call_indirect $spare (type $unary) (local.get $i) (i32.const 1))")),
        ("host call", host_call("call $get_config")),
        ("host call through a table", mix("i32", "(call_indirect $functions (type $host) \
            (i32.const 2048) (i32.const 9) (i32.const 4200) (i32.const 64) (i32.const 2))")),
        ("host call in the tail", host_call("call $tail_host")),
        ("host call in the tail through a table", host_call("call $tail_host_indirect")),
        // Last: what is dropped is gone for the classes above.
        ("data and elem drop", "(data.drop $passive) (elem.drop $passive)".into()),
    ]
}
