//! Runs one case a number of times, for `.ci/instructions`, which counts instructions under
//! callgrind with two numbers and divides the difference.

use sochdb_wasmi_benches::{Bench, Chain, Floor, PlainCode, ROWS, cases, naive_search, vector};

/// The least times of a read and of a recorded one, of the same plugin in turns: what a machine that
/// does other things too can tell of their ratio.
#[cfg(feature = "record")]
fn recording_ratio(times: u32) {
    const CALLS: u32 = 1000;
    let cases = cases();
    let case = cases.iter().find(|case| case.name == "soch_read").expect("a case");
    let mut bench = Bench::new(case);
    let mut least = [u128::MAX; 3];
    let clock = |least: &mut u128, work: &mut dyn FnMut()| {
        let start = std::time::Instant::now();
        work();
        *least = (*least).min(start.elapsed().as_nanos());
    };
    for _ in 0..times {
        // The first run of each kind finds caches and branch predictors as the other kind left them.
        bench.record(2 * CALLS);
        bench.run(CALLS);
        bench.seal();
        clock(&mut least[1], &mut || _ = bench.run(CALLS));
        clock(&mut least[2], &mut || _ = bench.seal());
        bench.stop_recording();
        bench.run(CALLS);
        clock(&mut least[0], &mut || _ = bench.run(CALLS));
    }
    let [plain, recorded, seal] = least.map(|nanoseconds| nanoseconds as f64 / f64::from(CALLS));
    println!("soch_read {plain:.1} ns, recorded {recorded:.1} ns, sealing an event {seal:.1} ns");
    println!(
        "recorded {:.3} times, sealed too {:.3} times",
        recorded / plain,
        (recorded + seal) / plain
    );
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(times)) = (arguments.next(), arguments.next()) else {
        for case in cases() {
            println!("{}", case.name);
        }
        return;
    };
    let times: u32 = times.parse().expect("a number of calls");
    match name.as_str() {
        "empty" => Floor::new(false).run(times),
        "four_args" => Floor::new(true).run(times),
        "host_call" | "call_plugin" => {
            let mut chain = Chain::new();
            let run = match name.as_str() {
                "host_call" => Chain::from_embedder,
                _ => Chain::from_plugin,
            };
            run(&mut chain, 1);
            run(&mut chain, times);
        }
        "plain_code" => println!("fuel {}", PlainCode::new().run(times)),
        "vector_search_naive_loop" => {
            let vectors: Vec<_> = (0..ROWS).map(vector).collect();
            for _ in 0..times {
                std::hint::black_box(naive_search(&vectors, &vector(99_999), 10));
            }
        }
        #[cfg(feature = "record")]
        "recording_ratio" => recording_ratio(times),
        #[cfg(feature = "record")]
        "soch_read_recorded" | "seal" => {
            let cases = cases();
            let case = cases.iter().find(|case| case.name == "soch_read").expect("a case");
            let mut bench = Bench::new(case);
            // `seal` is counted beside the same run without it.
            bench.record(4000);
            println!("fuel {}", bench.run(times));
            if name == "seal" {
                println!("link {:02x?}", bench.seal());
            }
        }
        name => {
            let cases = cases();
            let case = cases.iter().find(|case| case.name == name).expect("a case");
            let mut bench = Bench::new(case);
            bench.run(1);
            println!("fuel {}", bench.run(times));
        }
    }
}
