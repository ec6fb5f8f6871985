//! Inputs that nobody wrote, given to whatever reads bytes from outside: requests of plugins, traces, packed
//! manifests, manifests in TOML, and regions of flash. Each is a good input with damage, and must end in an
//! answer or in an error, never in a panic; what is kept afterwards must still be sound.
//!
//! `cargo run -- [--target NAME] [--cases N] [--seed N]`. The same seed gives the same inputs. What fails is
//! printed as target and seed; `--cases 1 --seed SEED` runs it alone.

mod damage;
mod flash;
mod manifests;
#[path = "../../../tests/nor_flash/mod.rs"]
mod nor_flash;
#[path = "../../modules/src/random.rs"]
#[allow(dead_code, reason = "modules need more of it")]
mod random;
mod requests;
#[path = "../../../tests/support/mod.rs"]
mod support;
mod traces;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    time::Instant,
};

use random::Random;

/// What is fuzzed: reads one input that the numbers decide.
type Target = Box<dyn FnMut(&mut Random)>;

/// The targets, and how many of their inputs are a thousand cases.
fn targets() -> Vec<(&'static str, u64, Target)> {
    vec![
        ("request", 50_000, Box::new(requests::target())),
        ("trace", 200, Box::new(traces::target())),
        ("packed", 50_000, Box::new(manifests::packed())),
        ("toml", 20_000, Box::new(manifests::toml())),
        ("flash", 1000, Box::new(flash::target())),
    ]
}

fn main() -> ExitCode {
    let (mut only, mut cases, mut seed) = (None, 1000_u64, 1_u64);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next();
        let number = || value.as_deref().and_then(|value| value.parse().ok());
        let known = match argument.as_str() {
            "--target" => {
                only = value;
                only.is_some()
            }
            "--cases" => number().map(|given| cases = given).is_some(),
            "--seed" => number().map(|given| seed = given).is_some(),
            _ => false,
        };
        if !known {
            eprintln!(
                "usage: fuzz-inputs [--target request|trace|packed|toml|flash] [--cases N] [--seed N]"
            );
            return ExitCode::from(2);
        }
    }
    let mut failed = false;
    let mut ran = false;
    for (name, share, mut target) in targets() {
        if only.as_deref().is_some_and(|only| only != name) {
            continue;
        }
        ran = true;
        let (begin, count) = (Instant::now(), (cases * share).div_ceil(1000));
        let broken = (seed..seed + count).find(|seed| {
            catch_unwind(AssertUnwindSafe(|| target(&mut Random::new(*seed)))).is_err()
        });
        match broken {
            Some(seed) => {
                eprintln!("{name}: FAILED with --target {name} --cases 1 --seed {seed}");
                failed = true;
            }
            None => println!("{name}: {count} inputs, {:.1} s", begin.elapsed().as_secs_f64()),
        }
    }
    if failed || !ran { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
