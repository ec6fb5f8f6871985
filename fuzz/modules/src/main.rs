//! Loads modules until something goes wrong: byte flips of plugins, modules of wasm-smith and wasm-mutate,
//! and valid plugins of every operator that the host accepts, whose answers and traps are compared.
//!
//!     cargo run --manifest-path fuzz/modules/Cargo.toml -- --seconds 60 --seed 1
//!     cargo run --release --manifest-path fuzz/modules/Cargo.toml -- --cases 10000000
//!
//! The first is with debug assertions, the second without. Whatever happens, the seed of the case is
//! printed; `--cases 1 --seed SEED` runs it again, and its module is in `failed.wasm`. The last line says how
//! many there were of each kind, and how many microseconds one took.

mod bulk;
mod calls;
mod code;
mod conditions;
mod generator;
mod instructions;
mod machine;
mod operators;
mod plugins;
mod random;
mod statements;
mod trial;
mod writer;

use std::time::{Duration, Instant};

use trial::{KINDS, keep, new_host, one};

fn main() {
    let (mut cases, mut seconds, mut seed) = (u64::MAX, u64::MAX, 1);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse().ok());
        let place = match name.as_str() {
            "--cases" => &mut cases,
            "--seconds" => &mut seconds,
            "--seed" => &mut seed,
            _ => usage(&name),
        };
        *place = value.unwrap_or_else(|| usage(&name));
    }
    if cases == u64::MAX && seconds == u64::MAX {
        usage("--cases or --seconds");
    }
    std::panic::set_hook(Box::new(|info| {
        eprintln!("{info}");
        keep();
    }));
    let begun = Instant::now();
    let mut host = new_host();
    let mut counts = [(0_u64, Duration::ZERO); KINDS.len()];
    let mut done = 0;
    while done < cases && begun.elapsed() < Duration::from_secs(seconds.min(1 << 40)) {
        let case = seed.wrapping_add(done);
        done += 1;
        let before = Instant::now();
        let (count, time) = &mut counts[one(&mut host, case)];
        *count += 1;
        *time += before.elapsed();
        if done.is_multiple_of(10_000) {
            host = new_host();
        }
    }
    let counts: Vec<String> = KINDS
        .iter()
        .zip(counts)
        .map(|(kind, (count, time))| {
            format!("{count} {kind} ({} us)", time.as_micros() / u128::from(count.max(1)))
        })
        .collect();
    println!(
        "{done} modules from seed {seed}: {}; debug assertions: {}",
        counts.join(", "),
        cfg!(debug_assertions)
    );
}

fn usage(what: &str) -> ! {
    eprintln!("{what}: give --cases N or --seconds N, and --seed N");
    std::process::exit(2);
}
