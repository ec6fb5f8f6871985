//! Runs one case a number of times, for `.ci/instructions`, which counts instructions under
//! callgrind with two numbers and divides the difference.

use sochdb_wasmi_benches::{Bench, Floor, PlainCode, ROWS, cases, naive_search, vector};

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
        "plain_code" => println!("fuel {}", PlainCode::new().run(times)),
        "vector_search_naive_loop" => {
            let vectors: Vec<_> = (0..ROWS).map(vector).collect();
            for _ in 0..times {
                std::hint::black_box(naive_search(&vectors, &vector(99_999), 10));
            }
        }
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
