//! A module for every operator that the engine allows: a loop that runs it, and the classes of
//! `tests/golden/operators.rs`.

#[path = "../../tests/golden/operators.rs"]
#[allow(dead_code, reason = "the loops of that file are not run here")]
mod golden;

/// What the others are compared with.
pub const PLAIN_LOOP: &str = "plain loop";

/// How often a loop has its operator, so that the loop itself does not count.
const TIMES: usize = 16;

const TYPES: [&str; 4] = ["i32", "i64", "f32", "f64"];

/// Names and modules, the plain loop first. Each has an entry point `run` that does not end.
pub fn all() -> Vec<(String, Vec<u8>)> {
    let mut all = vec![(PLAIN_LOOP.to_owned(), module("(nop)", 0, ""))];
    let mut codes = numbers();
    codes.extend(memory());
    codes.extend(control());
    codes.extend(bulk());
    for (name, code) in codes {
        all.push((format!("operator {name}"), module(&code, TIMES, "")));
    }
    // Calls of functions with as many locals as are free of fuel, and more.
    for locals in [255, 256, 511, 4000] {
        let function = format!("(func $zeroed (local {}))", "i64 ".repeat(locals));
        let name = format!("operator call with {locals} locals");
        all.push((name, module("(call $zeroed)", TIMES, &function)));
    }
    all
}

/// Each class of `tests/golden/operators.rs` as an entry point of its own name, and their module.
pub fn classes() -> (Vec<String>, Vec<u8>) {
    let classes = golden::classes();
    let module = golden::module(&classes);
    (classes.iter().map(|(name, _)| name.replace(' ', "_")).collect(), module)
}

fn module(code: &str, times: usize, functions: &str) -> Vec<u8> {
    let locals: String = TYPES
        .map(|ty| format!("(local $x_{ty} {ty}) (local $y_{ty} {ty}) (local $z_{ty} {ty})"))
        .concat();
    let operands: String = TYPES
        .map(|ty| {
            format!(
                "(local.set $x_{ty} ({ty}.load (i32.const 1024))) \
                 (local.set $y_{ty} ({ty}.load (i32.const 1032)))"
            )
        })
        .concat();
    let code = code.repeat(times);
    wat::parse_str(format!(
        r#"(module
            (type $unary (func (param i32) (result i32)))
            (memory (export "memory") 16)
            (global (export "sochdb_plugin") i32 (i32.const 0))
            (data (i32.const 0)
                "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
            (data (i32.const 1024) "\11\22\33\44\55\66\77\78" "\12\34\56\78\9a\bc\de\70")
            (data $passive "passive data")
            (table $functions 8 8 funcref)
            (table $large 1024 1024 funcref)
            (elem (table $functions) (i32.const 0) func $next $early)
            (elem $elements func $next $early)
            (global $g_i32 (mut i32) (i32.const 1)) (global $g_i64 (mut i64) (i64.const 1))
            (global $g_f32 (mut f32) (f32.const 1)) (global $g_f64 (mut f64) (f64.const 1))
            (func $nothing)
            (func $next (type $unary) (local.get 0))
            (func $early (type $unary) (return (local.get 0)))
            (func $tail (type $unary) (return_call $next (local.get 0)))
            (func $many (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32 i32 i32 i32)
                (local.get 0) (local.get 1) (local.get 2) (local.get 3))
            {functions}
            (func (export "run") (param i32) (result i32)
                {locals} {operands}
                (loop $again {code} (br $again))
                (i32.const 0)))"#
    ))
    .expect("a module")
}

/// Operators of one or two operands, in locals and as constants.
fn numbers() -> Vec<(String, String)> {
    const INTEGER: &str =
        "add sub mul and or xor shl shr_s shr_u rotl rotr div_u rem_u div_s rem_s";
    const INTEGER_COMPARISONS: &str = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u";
    const FLOAT: &str = "add sub mul div min max copysign";
    const COMPARISONS: &str = "eq ne lt gt le ge";
    let mut codes = vec![];
    for ty in TYPES {
        let (arithmetic, comparisons) =
            if ty.starts_with('i') { (INTEGER, INTEGER_COMPARISONS) } else { (FLOAT, COMPARISONS) };
        let (x, y) = (format!("(local.get $x_{ty})"), format!("(local.get $y_{ty})"));
        for (operators, result) in [(arithmetic, ty), (comparisons, "i32")] {
            for operator in operators.split(' ') {
                for (how, x, y) in [
                    ("", x.clone(), y.clone()),
                    (" constant", x.clone(), format!("({ty}.const 3)")),
                    (" of constant", format!("({ty}.const 3)"), y.clone()),
                ] {
                    let name = format!("{ty}.{operator}{how}");
                    codes
                        .push((name, format!("(local.set $z_{result} ({ty}.{operator} {x} {y}))")));
                }
            }
        }
    }
    let unary = [
        ("i32", "i32", "i32.clz i32.ctz i32.popcnt i32.eqz i32.extend8_s i32.extend16_s"),
        ("i64", "i64", "i64.clz i64.ctz i64.popcnt i64.extend8_s i64.extend16_s i64.extend32_s"),
        ("i64", "i32", "i64.eqz i32.wrap_i64"),
        ("f32", "f32", "f32.abs f32.neg f32.ceil f32.floor f32.trunc f32.nearest f32.sqrt"),
        ("f64", "f64", "f64.abs f64.neg f64.ceil f64.floor f64.trunc f64.nearest f64.sqrt"),
        ("i32", "i64", "i64.extend_i32_s i64.extend_i32_u"),
        (
            "f32",
            "i32",
            "i32.trunc_f32_s i32.trunc_f32_u i32.trunc_sat_f32_s i32.trunc_sat_f32_u i32.reinterpret_f32",
        ),
        ("f32", "i64", "i64.trunc_f32_s i64.trunc_f32_u i64.trunc_sat_f32_s i64.trunc_sat_f32_u"),
        ("f64", "i32", "i32.trunc_sat_f64_s i32.trunc_sat_f64_u"),
        ("f64", "i64", "i64.trunc_sat_f64_s i64.trunc_sat_f64_u i64.reinterpret_f64"),
        ("i32", "f32", "f32.convert_i32_s f32.convert_i32_u f32.reinterpret_i32"),
        ("i64", "f32", "f32.convert_i64_s f32.convert_i64_u"),
        ("i32", "f64", "f64.convert_i32_s f64.convert_i32_u"),
        ("i64", "f64", "f64.convert_i64_s f64.convert_i64_u f64.reinterpret_i64"),
        ("f32", "f64", "f64.promote_f32"),
        ("f64", "f32", "f32.demote_f64"),
    ];
    for (from, to, operators) in unary {
        for operator in operators.split(' ') {
            let code = format!("(local.set $z_{to} ({operator} (local.get $x_{from})))");
            codes.push((operator.to_owned(), code));
        }
    }
    codes
}

/// Loads and stores of every width, locals and globals.
fn memory() -> Vec<(String, String)> {
    let mut codes = vec![];
    for (ty, loads, stores) in [
        ("i32", "load load8_s load8_u load16_s load16_u", "store store8 store16"),
        (
            "i64",
            "load load8_s load8_u load16_s load16_u load32_s load32_u",
            "store store8 store16 store32",
        ),
        ("f32", "load", "store"),
        ("f64", "load", "store"),
    ] {
        // x and y are far outside; an address within is made of them.
        let places = [("", "(i32.const 2048)"), (" at a local", "(local.get 0)")];
        for (how, place) in places {
            for load in loads.split(' ') {
                let code = format!("(local.set $z_{ty} ({ty}.{load} offset=3 {place}))");
                codes.push((format!("{ty}.{load}{how}"), code));
            }
            for store in stores.split(' ') {
                for value in [format!("(local.get $x_{ty})"), format!("({ty}.const 3)")] {
                    let code = format!("({ty}.{store} offset=4099 {place} {value})");
                    codes.push((format!("{ty}.{store}{how}"), code));
                }
            }
        }
        codes.extend([
            (format!("local.set {ty}"), format!("(local.set $z_{ty} (local.get $x_{ty}))")),
            (format!("local.tee {ty}"), format!("(local.set $z_{ty} (local.tee $y_{ty} (local.get $x_{ty})))")),
            (format!("global.get {ty}"), format!("(local.set $z_{ty} (global.get $g_{ty}))")),
            (format!("global.set {ty}"), format!("(global.set $g_{ty} (local.get $x_{ty}))")),
            (format!("constant {ty}"), format!("(local.set $z_{ty} ({ty}.const 12345))")),
            (
                format!("select {ty}"),
                format!("(local.set $z_{ty} (select (local.get $x_{ty}) (local.get $y_{ty}) (local.get $x_i32)))"),
            ),
        ]);
    }
    codes
}

fn control() -> Vec<(String, String)> {
    let named = |name: &str, code: &str| (name.to_owned(), code.to_owned());
    let mut codes = vec![
        named("nop", "(nop)"),
        named("block", "(block (br 0))"),
        named("if", "(if (local.get $x_i32) (then (nop)) (else (nop)))"),
        named(
            "if and else",
            "(if (i32.eqz (local.get $x_i32)) (then (local.set $z_i32 (i32.const 1))) (else (local.set $z_i32 (i32.const 2))))",
        ),
        named("br_if", "(block (br_if 0 (local.get $x_i32)))"),
        named("br_if not taken", "(block (br_if 0 (i32.eqz (local.get $x_i32))))"),
        named("br_table", "(block (block (block (br_table 0 1 2 (local.get $x_i32)))))"),
        named("br_table of the first", "(block (block (block (br_table 0 1 2 (local.get 0)))))"),
        named("loop", "(loop (nop))"),
        named("drop", "(drop (local.get $x_i32))"),
        named("call of nothing", "(call $nothing)"),
        named("call", "(local.set $z_i32 (call $next (local.get $x_i32)))"),
        named("call and return", "(local.set $z_i32 (call $early (local.get $x_i32)))"),
        named(
            "call_indirect",
            "(local.set $z_i32 (call_indirect $functions (type $unary) (local.get $x_i32) (local.get 0)))",
        ),
        named("return_call", "(local.set $z_i32 (call $tail (local.get $x_i32)))"),
        named(
            "call of many",
            "(call $many (local.get 0) (local.get 0) (local.get 0) (local.get 0) (local.get 0) (local.get 0) (local.get 0) (local.get 0)) (drop) (drop) (drop) (drop)",
        ),
        named("ref.func", "(table.set $functions (i32.const 3) (ref.func $next))"),
        named(
            "ref.is_null",
            "(local.set $z_i32 (ref.is_null (table.get $functions (local.get 0))))",
        ),
    ];
    for ty in ["i32", "i64"] {
        for comparison in
            ["eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"]
        {
            let code = format!(
                "(block (br_if 0 ({ty}.{comparison} (local.get $x_{ty}) (local.get $y_{ty}))))"
            );
            codes.push((format!("br_if {ty}.{comparison}"), code));
        }
    }
    for ty in ["f32", "f64"] {
        for comparison in ["eq", "ne", "lt", "gt", "le", "ge"] {
            let code = format!(
                "(block (br_if 0 ({ty}.{comparison} (local.get $x_{ty}) (local.get $y_{ty}))))"
            );
            codes.push((format!("br_if {ty}.{comparison}"), code));
        }
    }
    codes
}

/// Operators on many bytes or elements at once, of every number of them where their price changes.
fn bulk() -> Vec<(String, String)> {
    let mut codes = vec![
        ("memory.size".to_owned(), "(local.set $z_i32 (memory.size))".to_owned()),
        (
            "memory.grow by 0".to_owned(),
            "(local.set $z_i32 (memory.grow (i32.const 0)))".to_owned(),
        ),
        (
            "memory.grow refused".to_owned(),
            "(local.set $z_i32 (memory.grow (i32.const -1)))".to_owned(),
        ),
        ("table.size".to_owned(), "(local.set $z_i32 (table.size $large))".to_owned()),
        (
            "table.grow refused".to_owned(),
            "(local.set $z_i32 (table.grow $large (ref.null func) (i32.const 1)))".to_owned(),
        ),
        ("table.get".to_owned(), "(drop (table.get $functions (local.get 0)))".to_owned()),
        ("table.set".to_owned(), "(table.set $functions (i32.const 4) (ref.null func))".to_owned()),
        ("data.drop".to_owned(), "(data.drop $passive)".to_owned()),
        ("elem.drop".to_owned(), "(elem.drop $elements)".to_owned()),
        (
            "memory.init".to_owned(),
            "(memory.init $passive (i32.const 4096) (i32.const 0) (i32.const 12))".to_owned(),
        ),
        (
            "table.init".to_owned(),
            "(table.init $functions $elements (i32.const 2) (i32.const 0) (i32.const 2))"
                .to_owned(),
        ),
    ];
    for len in [0, 1, 7, 15, 63, 64, 127, 1023, 100_000] {
        codes.push((
            format!("memory.fill {len}"),
            format!("(memory.fill (i32.const 8192) (local.get $x_i32) (i32.const {len}))"),
        ));
        codes.push((
            format!("memory.copy {len}"),
            format!("(memory.copy (i32.const 8192) (i32.const 8193) (i32.const {len}))"),
        ));
    }
    for len in [0, 1, 7, 15, 63, 64, 1023] {
        codes.push((
            format!("table.fill {len}"),
            format!("(table.fill $large (i32.const 0) (ref.func $next) (i32.const {len}))"),
        ));
        codes.push((
            format!("table.copy {len}"),
            format!("(table.copy $large $large (i32.const 0) (i32.const 1) (i32.const {len}))"),
        ));
    }
    codes
}
