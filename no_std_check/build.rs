//! Puts the linker script of the machine where the linker finds it, assembles the
//! small plugins, and takes the hashes of all.

use std::{env, error::Error, fs, path::PathBuf};

use sha2::{Digest, Sha256};

#[path = "../tests/golden/operators.rs"]
mod operators;

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let machine = match env::var("CARGO_CFG_TARGET_ARCH")?.as_str() {
        "arm" => "link/mps2-an386.x",
        "riscv32" => "link/virt.x",
        other => return Err(format!("there is no machine for {other}").into()),
    };
    fs::copy(machine, out.join("memory.x"))?;
    // The name of every interrupt, in a device crate; this firmware takes none but the timer's.
    fs::write(out.join("device.x"), "")?;
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rerun-if-changed={machine}");

    // Only the days that are fed, twelve bytes each: flash is what the budget counts.
    let days = if env::var_os("CARGO_FEATURE_ROOMY").is_some() { 1461 } else { 100 };
    let data = "../examples/data/seattle-weather.csv";
    let mut bytes = Vec::new();
    for line in fs::read_to_string(data)?.lines().skip(1).take(days) {
        bytes.extend(day(line).ok_or_else(|| format!("{line} is not a day"))?);
    }
    fs::write(out.join("days.bin"), bytes)?;
    println!("cargo::rerun-if-changed={data}");

    // The example's page of 64 KiB is far more than it uses.
    let counter = "../examples/plugins/counter.wat";
    let text = fs::read_to_string(counter)?;
    let (page, bytes) = ("\"memory\") 1 1)", "\"memory\") 16384 16384 (pagesize 1))");
    if !text.contains(page) {
        return Err(format!("{counter} does not declare one page of memory").into());
    }
    fs::write(out.join("counter.wasm"), wat::parse_str(text.replace(page, bytes))?)?;
    fs::write(out.join("counter-page.wasm"), wat::parse_str(&text)?)?;
    println!("cargo::rerun-if-changed={counter}");

    let source = "sensor.wat";
    fs::write(out.join("sensor.wasm"), wat::parse_file(source)?)?;
    println!("cargo::rerun-if-changed={source}");

    for plugin in ["freezer", "weather"] {
        let wasm = format!("../examples/plugins/{plugin}.wasm");
        fs::copy(&wasm, out.join(plugin).with_extension("wasm"))?;
        println!("cargo::rerun-if-changed={wasm}");
    }

    let classes = operators::classes();
    fs::write(out.join("operators.wasm"), operators::module(&classes))?;
    let names: Vec<_> = classes.iter().map(|(name, _)| (*name, name.replace(' ', "_"))).collect();
    let stack = operators::NATIVE_STACK;
    let code = format!(
        "pub const NATIVE_STACK: usize = {stack}; pub const CLASSES: &[(&str, &str)] = &{names:?};"
    );
    fs::write(out.join("operators.rs"), code)?;
    println!("cargo::rerun-if-changed=../tests/golden/operators.rs");

    for plugin in ["counter", "freezer", "sensor", "weather"] {
        let hash = Sha256::digest(fs::read(out.join(plugin).with_extension("wasm"))?);
        fs::write(out.join(plugin).with_extension("sha256"), hash)?;
    }
    Ok(())
}

/// A line of the data as `src/feed.rs` reads it: year, month, day and kind as bytes, then four numbers
/// in tenths, as little-endian `i16`.
fn day(line: &str) -> Option<[u8; 12]> {
    const KINDS: [&str; 5] = ["drizzle", "fog", "rain", "snow", "sun"];
    let mut fields = line.split(',');
    let date: Vec<u16> = fields.next()?.split('/').map_while(|part| part.parse().ok()).collect();
    let &[year, month, day] = date.as_slice() else { return None };
    let mut bytes =
        [(year.checked_sub(2000)?) as u8, month as u8, day as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for place in bytes[4..].chunks_exact_mut(2) {
        let tenths = fields.next()?.parse::<f64>().ok()? * 10.0;
        // Each has one decimal, so this is what it says.
        if (tenths - tenths.round()).abs() > 1e-6 {
            return None;
        }
        place.copy_from_slice(&(tenths.round() as i16).to_le_bytes());
    }
    let kind = fields.next()?;
    bytes[3] = KINDS.iter().position(|other| *other == kind)? as u8;
    Some(bytes)
}
