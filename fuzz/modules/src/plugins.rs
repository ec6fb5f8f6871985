//! Modules that need not be valid: plugins with bytes changed, plugins changed by wasm-mutate, and modules
//! of wasm-smith. What they answer is not compared.

use std::sync::LazyLock;

use arbitrary::Unstructured;

use crate::{generator, random::Random};

macro_rules! committed {
    ($($path:literal),* $(,)?) => {
        /// Every module that is committed in this repository, by its path.
        const COMMITTED: &[(&str, &[u8])] = &[
            $(($path, include_bytes!(concat!("../../../", $path)))),*
        ];
    };
}

committed![
    "examples/plugins/counter.wat",
    "examples/plugins/freezer.wasm",
    "examples/plugins/keeper.wat",
    "examples/plugins/thermometer.wat",
    "examples/plugins/weather.wasm",
    "no_std_check/sensor.wat",
    "tests/it/host/modules_found/div0-1001.wasm",
    "tests/it/host/modules_found/div0-short.wasm",
    "tests/it/host/modules_found/generated-folded-zero.wasm",
    "tests/it/host/modules_found/keep-debug297.wasm",
    "tests/it/host/modules_found/loop-after-end-27-bytes.wasm",
    "tests/it/host/modules_found/many_small_functions.wat",
    "tests/it/host/modules_found/params33.wat",
    "tests/it/host/modules_found/smith-19076.wasm",
    "tests/it/host/modules_found/valid-for.wasm",
    "tests/it/host/modules_found/valid-for.wat",
    "tests/it/host/modules_found/valid-i32.store8.wat",
    "tests/watched/watch.wat",
];

/// Those that are no valid modules, with which wasm-mutate can do nothing.
const INVALID: [&str; 4] = [
    "tests/it/host/modules_found/div0-1001.wasm",
    "tests/it/host/modules_found/div0-short.wasm",
    "tests/it/host/modules_found/keep-debug297.wasm",
    "tests/it/host/modules_found/loop-after-end-27-bytes.wasm",
];

fn compiled(wanted: fn(&&(&str, &[u8])) -> bool) -> Vec<Vec<u8>> {
    COMMITTED
        .iter()
        .filter(wanted)
        .map(|(path, bytes)| match wat::parse_bytes(bytes) {
            Ok(wasm) => wasm.into_owned(),
            Err(error) => panic!("{path}: {error}"),
        })
        .collect()
}

/// The bytes of all, and of those that are valid.
static ALL: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| compiled(|_| true));
static VALID: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| compiled(|(path, _)| !INVALID.contains(path)));

/// A plugin changed by wasm-mutate, which keeps it valid. What it answers then is not compared: the
/// changes that are to keep it do not keep the bits of a NaN.
pub fn mutated(random: &mut Random) -> Vec<u8> {
    let mut wasm = plugin(&VALID, random);
    for _ in 0..1 + random.below(4) {
        let mut mutate = wasm_mutate::WasmMutate::default();
        mutate.seed(random.next()).fuel(100).preserve_semantics(random.one_in(2));
        let mut next = None;
        if let Ok(mut mutations) = mutate.run(&wasm) {
            next = mutations.next().and_then(Result::ok);
        }
        if let Some(next) = next {
            wasm = next;
        }
    }
    wasm
}

/// A plugin to be changed: a committed one, or a generated one.
fn plugin(committed: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    match committed.get(random.below(committed.len() + 8)) {
        Some(plugin) => plugin.clone(),
        None => generator::program(random, &mut |_| {}).wasm,
    }
}

/// A plugin with some bytes changed, moved or cut.
pub fn flipped(random: &mut Random) -> Vec<u8> {
    let mut wasm = plugin(&ALL, random);
    for _ in 0..1 + random.below(4) {
        let at = random.below(wasm.len());
        match random.below(5) {
            0 => wasm[at] ^= 1 << random.below(8),
            1 => wasm[at] = random.next() as u8,
            2 => wasm[at] = wasm[random.below(wasm.len())],
            3 => {
                wasm.remove(at);
            }
            _ => wasm.insert(at, random.next() as u8),
        }
    }
    wasm
}

pub fn smith(random: &mut Random) -> Option<Vec<u8>> {
    let bytes: Vec<u8> =
        (0..64 + random.below(512)).flat_map(|_| random.next().to_le_bytes()).collect();
    let config = wasm_smith::Config {
        simd_enabled: false,
        relaxed_simd_enabled: false,
        memory64_enabled: false,
        max_memories: 1,
        gc_enabled: false,
        exceptions_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        shared_everything_threads_enabled: false,
        allow_start_export: false,
        // Most blocks of more than one value have parameters too, and are refused.
        multi_value_enabled: random.one_in(8),
        max_imports: 0,
        ..wasm_smith::Config::default()
    };
    let module = wasm_smith::Module::new(config, &mut Unstructured::new(&bytes)).ok()?;
    Some(module.to_bytes())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use super::*;

    /// What a failed run leaves here, and a text that tests complete.
    const NO_MODULES: [&str; 2] = ["failed.wasm", "probe.wat"];

    fn modules_below(folder: &Path, root: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                modules_below(&path, root, found);
            } else if !NO_MODULES.contains(&name)
                && (name.ends_with(".wasm") || name.ends_with(".wat"))
            {
                found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }

    // Four of the modules of the repository were changed, when it was said to be all.
    #[test]
    fn every_module_of_the_repository_is_changed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut found = BTreeSet::new();
        modules_below(&root, &root, &mut found);
        let known = COMMITTED.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(found, known);
    }
}
