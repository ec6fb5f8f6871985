//! Puts the linker script where the linker finds it, and the days of the data file, in batches, as
//! the plugin wants them.

use std::{env, error::Error, fs, path::PathBuf};

#[path = "../../examples/station/types.rs"]
#[allow(dead_code, reason = "only the days are needed")]
mod types;
use types::Day;

/// Days in a batch.
const BATCH: usize = 5;
/// Days in all.
const DAYS: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::copy("kept.x", out.join("memory.x"))?;
    // The name of every interrupt, in a device crate; this firmware takes none.
    fs::write(out.join("device.x"), "")?;
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rerun-if-changed=kept.x");

    let data = "../../examples/data/seattle-weather.csv";
    let text = fs::read_to_string(data)?.replace('/', "-");
    let days = text.lines().skip(1).take(DAYS).map(|line| {
        let mut fields = line.split(',');
        let date = fields.next().ok_or("a line without a date")?;
        let mut number = || -> Result<f64, Box<dyn Error>> {
            Ok(fields.next().ok_or("a line without a number")?.parse()?)
        };
        let (precipitation, temp_max, temp_min, wind) =
            (number()?, number()?, number()?, number()?);
        let kind = fields.next().ok_or("a line without a kind")?;
        Ok(Day { date, precipitation, temp_max, temp_min, wind, kind })
    });
    let days = days.collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    let batches: Vec<Vec<u8>> =
        days.chunks(BATCH).map(postcard::to_allocvec).collect::<Result<_, _>>()?;
    let lists: Vec<String> = batches.iter().map(|batch| format!("&{batch:?}")).collect();
    fs::write(out.join("batches.rs"), format!("&[{}]", lists.join(",")))?;
    println!("cargo::rerun-if-changed={data}");
    Ok(())
}
