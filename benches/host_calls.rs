//! Time of a host call, host and floor in one run: `cargo bench --manifest-path benches/Cargo.toml`.
//!
//! Each iteration is a loop of calls inside the plugin; the throughput line is calls per second.
//! With `--features record` there is a `soch_read` that is recorded whole, one that is not but is
//! run in the same way, and `seal`, the hashing of the events, which a recorder with a buffer does
//! when somebody looks at the trace.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sochdb_wasmi_benches::{Bench, Floor, ROWS, cases, naive_search, vector};

fn host_call(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("host_call");
    const CALLS: u32 = 1000;
    group.throughput(Throughput::Elements(CALLS.into()));
    for (name, four_args) in [("empty", false), ("four_args", true)] {
        let mut floor = Floor::new(four_args);
        group.bench_function(name, |bencher| bencher.iter(|| floor.run(CALLS)));
    }
    for case in cases().iter().filter(|case| case.name != "vector_search") {
        let mut bench = Bench::new(case);
        group.bench_function(case.name, |bencher| bencher.iter(|| bench.run(CALLS)));
    }
    #[cfg(feature = "record")]
    recorded(&mut group, CALLS);
    group.throughput(Throughput::Elements(1));
    for case in cases().iter().filter(|case| case.name == "vector_search") {
        let mut bench = Bench::new(case);
        group.bench_function(case.name, |bencher| bencher.iter(|| bench.run(1)));
    }
    let vectors: Vec<_> = (0..ROWS).map(vector).collect();
    let query = vector(99_999);
    group.bench_function("vector_search_naive_loop", |bencher| {
        bencher.iter(|| naive_search(&vectors, &query, 10));
    });
    group.finish();
}

#[cfg(feature = "record")]
fn recorded(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    calls: u32,
) {
    use criterion::BatchSize::PerIteration;

    let cases = cases();
    for case in cases.iter().filter(|case| case.name == "soch_read") {
        // Setup and routine share the host, so that a run begins with an empty recorder.
        let bench = std::cell::RefCell::new(Bench::new(case));
        group.bench_function("soch_read_unrecorded", |bencher| {
            let begin = || {
                let mut bench = bench.borrow_mut();
                bench.record(1);
                bench.stop_recording();
            };
            bencher.iter_batched(begin, |()| bench.borrow_mut().run(calls), PerIteration);
        });
        group.bench_function("soch_read_recorded", |bencher| {
            let begin = || bench.borrow_mut().record(calls);
            bencher.iter_batched(begin, |()| bench.borrow_mut().run(calls), PerIteration);
        });
        group.bench_function("seal", |bencher| {
            let recorded = || {
                let mut bench = bench.borrow_mut();
                bench.record(calls);
                bench.run(calls)
            };
            bencher.iter_batched(recorded, |_| bench.borrow_mut().seal(), PerIteration);
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(60);
    targets = host_call
}
criterion_main!(benches);
