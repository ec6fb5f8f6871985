//! Vector search: exactly the nearest rows, in one order, with the same bits everywhere.

mod searches;

use proptest::prelude::*;
use sochdb_wasmi::{
    abi::{
        Seq, Status, Value,
        message::{Comparison, Condition, NewRow, WriteMode},
    },
    database::{
        ColumnType, Database, DatabaseError, DistanceMetric, MAX_CONDITIONS, MemoryLimits, TableId,
        TableSchema,
    },
    limits::Limits,
    meter::{Exhausted, Meter, PRICES},
};

fn bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|component| component.to_le_bytes()).collect()
}

fn database(dimensions: u16, metric: DistanceMetric) -> (Database, TableId) {
    let kind = ColumnType::Vector { dimensions, metric };
    let schema = TableSchema::new("v").unwrap().nullable_column("group", ColumnType::Int).unwrap();
    let schema = schema.nullable_column("at", kind).unwrap();
    let schema = schema.nullable_column("ref", ColumnType::Ref).unwrap();
    let mut database = Database::in_memory(MemoryLimits::default());
    let table = database.create_table(schema).unwrap();
    (database, table)
}

fn insert(database: &mut Database, group: Option<i64>, vector: Option<&[f32]>) {
    let vector = vector.map(bytes);
    let row = [group.into(), vector.as_deref().into(), Value::Null];
    database.insert("v", None, &row).unwrap();
}

fn search(
    database: &mut Database,
    table: TableId,
    query: &[f32],
    k: u32,
    filter: &[Condition],
) -> Result<Vec<(u64, u32)>, DatabaseError> {
    let mut meter = Meter::unlimited();
    database.search(table, "at", &bytes(query), k, &Seq::new(filter), &mut meter)?;
    Ok(database.neighbours().iter().map(|n| (n.id, n.distance.to_bits())).collect())
}

/// A sum as the documentation says: component `i` to lane `i % 8`, then a fixed tree.
fn lanes(terms: impl Iterator<Item = f32>) -> f32 {
    let mut lanes = [0f32; 8];
    terms.enumerate().for_each(|(i, term)| lanes[i % 8] += term);
    ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6]))
        + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]))
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    lanes(a.iter().zip(b).map(|(a, b)| a * b))
}

/// The same sum in doubles.
fn wide(terms: impl Iterator<Item = f64>) -> f64 {
    let mut lanes = [0f64; 8];
    terms.enumerate().for_each(|(i, term)| lanes[i % 8] += term);
    ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6]))
        + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]))
}

fn wide_dot(a: &[f32], b: &[f32]) -> f64 {
    // Kept apart from the product: qemu before 8.1 gets s390x's product of two floats that
    // are widened for it (MDEBR) wrong.
    wide(a.iter().zip(b).map(|(a, b)| std::hint::black_box(f64::from(*a)) * f64::from(*b)))
}

/// Whether a sum in `f32` did not overflow and is not below 2^-100.
fn ordinary(sum: f32) -> bool {
    sum.is_finite() && sum.abs() >= 2f32.powi(-100)
}

fn distance(metric: DistanceMetric, a: &[f32], b: &[f32]) -> f32 {
    match metric {
        DistanceMetric::Dot => {
            let (narrow, wide) = (dot(a, b), wide_dot(a, b));
            let cancelled = narrow.is_finite() && wide.abs() >= 2f64.powi(-100);
            0.0 - if ordinary(narrow) || cancelled { narrow } else { wide as f32 }
        }
        DistanceMetric::Euclidean => {
            let square = lanes(a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)));
            if ordinary(square) {
                return square.sqrt();
            }
            let difference = |(a, b): (&f32, &f32)| f64::from(*a) - f64::from(*b);
            wide(a.iter().zip(b).map(difference).map(|d| d * d)).sqrt() as f32
        }
        DistanceMetric::Cosine => {
            let (a_square, b_square, product) = (dot(a, a), dot(b, b), dot(a, b));
            let quotient = if ordinary(a_square) && ordinary(b_square) && product.is_finite() {
                let norm = |square: f32| std::hint::black_box(f64::from(square.sqrt()));
                f64::from(product) / (norm(a_square) * norm(b_square))
            } else {
                let squares = wide_dot(a, a) * wide_dot(b, b);
                if squares == 0.0 { 0.0 } else { wide_dot(a, b) / squares.sqrt() }
            };
            ((1.0 - quotient) as f32).clamp(0.0, 2.0)
        }
    }
}

/// Few different components, so that distances tie, and some whose squares leave the range.
fn component() -> impl Strategy<Value = f32> {
    prop_oneof![
        8 => (-3i8..4).prop_map(f32::from),
        4 => -1f32..1.0,
        1 => Just(1e19f32),
        1 => Just(-1e-30f32),
    ]
}

/// A schema's reader had `_ => DistanceMetric::Euclidean`: a word that nobody had mapped became a metric.
#[test]
fn every_metric_has_a_word_of_its_own_that_is_read_as_it() {
    assert_eq!(DistanceMetric::ALL.len(), DistanceMetric::WORDS.len());
    for (metric, word) in DistanceMetric::ALL.iter().zip(DistanceMetric::WORDS) {
        assert_eq!((metric.as_str(), DistanceMetric::parse(word)), (*word, Some(*metric)));
        let wrong = [word.to_uppercase(), format!("{word} "), word[1..].to_owned()];
        assert!(wrong.iter().all(|word| DistanceMetric::parse(word).is_none()), "{wrong:?}");
    }
}

proptest! {
    #![proptest_config(crate::random::exactly(150))]

    #[test]
    fn neighbours_equal_a_sort_by_distance_and_id(
        dimensions in 1..20usize,
        metric in proptest::sample::select(DistanceMetric::ALL),
        pool in proptest::collection::vec(component(), 400),
        rows in 0..80usize,
        k in 1..100u32,
        wanted in proptest::option::of(0..3i64),
    ) {
        let (mut database, table) = database(dimensions as u16, metric);
        // Slices of one pool, so that rows repeat.
        let vector = |n: usize| &pool[(n * 7) % 40 * 9..][..dimensions];
        let mut expected = Vec::new();
        let query = vector(rows);
        for n in 0..rows {
            let (id, group) = (n as u64 + 1, n as i64 % 3);
            let present = n % 11 != 5;
            insert(&mut database, Some(group), present.then(|| vector(n)));
            if present && wanted.is_none_or(|wanted| wanted == group) {
                expected.push((distance(metric, vector(n), query), id));
            }
        }
        database.check().unwrap();
        expected.sort_by(|(a, x), (b, y)| a.total_cmp(b).then(x.cmp(y)));
        expected.truncate(k as usize);
        let expected: Vec<_> = expected.into_iter().map(|(d, id)| (id, d.to_bits())).collect();
        let filter = wanted.map(|group| Condition {
            column: "group",
            comparison: Comparison::Equal,
            value: Value::Int(group),
        });
        let found = search(&mut database, table, query, k, filter.as_slice()).unwrap();
        prop_assert_eq!(found, expected);
    }
}

/// A sequence of components that needs no library.
fn sequence(seed: u32, len: usize) -> Vec<f32> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    core::iter::repeat_with(next).take(len).collect()
}

#[test]
fn sums_have_the_same_bits_on_every_target() {
    let mut bits = Vec::new();
    for &metric in DistanceMetric::ALL {
        for dimensions in [1, 7, 8, 9, 128, 1003] {
            let (mut database, table) = database(dimensions, metric);
            insert(&mut database, None, Some(&sequence(1, dimensions.into())));
            let query = sequence(2, dimensions.into());
            bits.push(search(&mut database, table, &query, 1, &[]).unwrap()[0].1);
        }
    }
    // In hexadecimal, as they are written below.
    let hex = |bits: &[u32]| -> Vec<_> {
        bits.iter().map(|bits| format!("0x{:04x}_{:04x}", bits >> 16, bits & 0xffff)).collect()
    };
    assert_eq!(hex(&bits), hex(COMMITTED_BITS));
}

#[rustfmt::skip]
const COMMITTED_BITS: &[u32] = &[
    // Cosine, of 1, 7, 8, 9, 128 and 1003 dimensions.
    0x32a4_65dd, 0x3f81_8c73, 0x3f81_f838, 0x3f84_46e9, 0x3f72_d564, 0x3f81_c253,
    // Euclidean.
    0x3a4b_3000, 0x3ff8_462d, 0x3ff9_3346, 0x400c_96c0, 0x410e_e9da, 0x41d2_3f86,
    // Dot.
    0xbe8e_093e, 0x3cb7_7af0, 0x3cea_6790, 0x3d9e_72d8, 0xc00a_23f6, 0x4095_cf90,
];

#[test]
fn equal_roots_of_different_squares_are_ordered_by_id() {
    // Squares of neighbouring floats, many of which round to one root.
    let (mut database, table) = database(2, DistanceMetric::Euclidean);
    let near = |n: u32| [1.0, f32::from_bits(0x3980_0000 - n * 0x1000)];
    for n in 0..200 {
        insert(&mut database, None, Some(&near(n)));
    }
    let found = search(&mut database, table, &[0.0, 0.0], 150, &[]).unwrap();
    let mut expected: Vec<_> = (0..200)
        .map(|n| {
            (u64::from(n) + 1, distance(DistanceMetric::Euclidean, &near(n), &[0.0; 2]).to_bits())
        })
        .collect();
    expected.sort_by_key(|&(id, bits)| (bits, id));
    expected.truncate(150);
    let distinct: std::collections::BTreeSet<_> = expected.iter().map(|(_, bits)| bits).collect();
    assert!(distinct.len() < 50, "the test has no equal roots");
    assert_eq!(found, expected);
}

#[test]
fn zero_vectors_are_at_cosine_distance_one() {
    let (mut database, table) = database(3, DistanceMetric::Cosine);
    insert(&mut database, None, Some(&[0.0; 3]));
    insert(&mut database, None, Some(&[1.0, 0.0, 0.0]));
    let one = 1f32.to_bits();
    assert_eq!(search(&mut database, table, &[0.0; 3], 9, &[]).unwrap(), [(1, one), (2, one)]);
    assert_eq!(search(&mut database, table, &[2.0, 0.0, 0.0], 9, &[]).unwrap(), [(2, 0), (1, one)]);
}

/// The cosine distance of (0.1) from itself was -4e-8, so that a vector was nearer to another than any
/// can be. A sum is rounded, and the root of another one too.
#[test]
fn a_cosine_distance_is_never_below_0_or_above_2() {
    for dimensions in [1, 3, 8, 33] {
        let (mut database, table) = database(dimensions, DistanceMetric::Cosine);
        let mut query = vec![0.1; usize::from(dimensions)];
        let mut outside = 0;
        for step in 1..200u32 {
            query.iter_mut().zip(1..).for_each(|(component, at)| {
                *component = (step * at % 97 + 1) as f32 / 1000.0;
            });
            let opposite: Vec<f32> = query.iter().map(|component| -component).collect();
            insert(&mut database, Some(step.into()), Some(&query));
            insert(&mut database, Some(step.into()), Some(&opposite));
            let here = [Condition {
                column: "group",
                comparison: Comparison::Equal,
                value: Value::Int(step.into()),
            }];
            let found = search(&mut database, table, &query, 2, &here).unwrap();
            let [near, far] = [found[0].1, found[1].1].map(f32::from_bits);
            assert!((0.0..1e-6).contains(&near) && (1.999_999..=2.0).contains(&far), "{found:?}");
            let squares = lanes(query.iter().map(|component| component * component));
            let norm = f64::from(squares.sqrt());
            outside += u32::from(f64::from(squares) > norm * norm);
        }
        assert!(outside > 10, "{dimensions}: {outside}");
    }
}

/// The nearest of these vectors to the query, and their distances.
fn ranked(metric: DistanceMetric, query: &[f32], vectors: &[Vec<f32>]) -> Vec<(u64, f32)> {
    let (mut database, table) = database(query.len() as u16, metric);
    vectors.iter().for_each(|vector| insert(&mut database, None, Some(vector)));
    let found = search(&mut database, table, query, u32::MAX, &[]).unwrap();
    found.into_iter().map(|(id, bits)| (id, f32::from_bits(bits))).collect()
}

/// Vectors at 2e20 and 1e20 were both infinitely far from 0, so that the lower id came first, and
/// vectors at 1e-30 were as far from 0 as 0 is: their squares left the range of an `f32`.
#[test]
fn large_and_small_vectors_have_their_euclidean_distances() {
    for scale in [1e-44, 1e-38, 1e-30, 1e-23, 1e-10, 1.0, 1e10, 1e18, 1e19, 1e20, 1e37] {
        for dimensions in [1, 3, 8, 100] {
            let vector = |times: f32| {
                let mut vector = vec![0.0; dimensions];
                vector[dimensions - 1] = times * scale;
                vector
            };
            let all = [vector(4.0), vector(2.0), vector(-3.0), vector(0.0)];
            let found = ranked(DistanceMetric::Euclidean, &vector(0.0), &all);
            let ids: Vec<u64> = found.iter().map(|(id, _)| *id).collect();
            assert_eq!(ids, [4, 2, 3, 1], "{scale}: {found:?}");
            for ((_, distance), times) in found.iter().zip([0.0, 2.0, 3.0, 4.0]) {
                let expected = f64::from(times * scale);
                let off = (f64::from(*distance) - expected).abs();
                assert!(off <= expected * 1e-6, "{scale}: {distance} and not {expected}");
            }
        }
    }
}

/// The cosine distance of parallel vectors was infinite where their squares overflow, and 1, as if one
/// were zero, where they vanish.
#[test]
fn parallel_vectors_are_at_cosine_distance_zero_and_opposite_ones_at_two_whatever_their_lengths() {
    let scales = [1e-44, 1e-38, 1e-30, 1e-23, 1e-10, 1.0, 1e10, 1e18, 1e19, 1e20, 1e37];
    for dimensions in [1, 3, 9] {
        for scale in scales {
            let query: Vec<f32> = (1..=dimensions).map(|n| n as f32 * scale).collect();
            let parallel = scales.map(|scale| (1..=dimensions).map(|n| n as f32 * scale).collect());
            for (_, distance) in ranked(DistanceMetric::Cosine, &query, &parallel) {
                // Components of 1e-44 have three bits.
                assert!((0.0..2e-2).contains(&distance), "{scale}: {distance}");
                assert!(scale < 1e-37 || distance < 1e-2, "{scale}: {distance}");
            }
            let opposite = [query.iter().map(|component| -component).collect()];
            assert!(ranked(DistanceMetric::Cosine, &query, &opposite)[0].1 > 1.999_999);
            let exactly = [query.clone()];
            assert!(ranked(DistanceMetric::Cosine, &query, &exactly)[0].1 < 1e-6);
        }
    }
}

#[test]
fn only_a_distance_that_no_float_can_hold_is_infinite() {
    let (most, half) = (f32::MAX, f32::MAX / 2.0);
    let opposite = [vec![most, -most], vec![half, 0.0], vec![0.0, 0.0]];
    let found = ranked(DistanceMetric::Euclidean, &[-most, -most], &opposite);
    let infinite: Vec<u64> =
        found.iter().filter(|hit| hit.1 == f32::INFINITY).map(|h| h.0).collect();
    assert_eq!(infinite, [1, 2, 3]);
    let found = ranked(DistanceMetric::Euclidean, &[half, half], &opposite);
    assert!(found.iter().all(|(_, distance)| *distance < f32::INFINITY || *distance > half));
    assert_eq!(found.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [2, 3, 1]);
    // Products that overflow both ways cancel each other out.
    let found = ranked(DistanceMetric::Dot, &[most, most], &opposite);
    assert_eq!(found, [(2, -f32::INFINITY), (1, 0.0), (3, 0.0)]);
    // A product that vanishes is none; a sum of many is.
    let tiny = [vec![1e-23; 1000], vec![2e-23; 1000]];
    let found = ranked(DistanceMetric::Dot, &[1e-23; 1000], &tiny);
    assert_eq!(found.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [2, 1]);
    assert!((found[0].1 / -2e-43 - 1.0).abs() < 1e-2, "{found:?}");
}

proptest! {
    #![proptest_config(crate::random::exactly(150))]

    /// Against doubles, which hold all squares of floats.
    #[test]
    fn distances_of_any_finite_vectors_are_right(
        bits in proptest::collection::vec(any::<u32>(), 24),
        dimensions in 1..12usize,
        // Components of one vector are alike in size, or not.
        alike in any::<bool>(),
    ) {
        let vector = |from: usize| -> Vec<f32> {
            let size = f32::from_bits(bits[from]);
            bits[from..][..dimensions].iter().map(|&bits| {
                let any = f32::from_bits(bits);
                let component = if alike { any.signum() * size * (bits % 97) as f32 / 97.0 } else { any };
                if component.is_finite() { component } else { 0.0 }
            }).collect()
        };
        let (a, b) = (vector(0), vector(12));
        let close = |found: f32, expected: f64, allowed: f64| {
            let within = (f64::from(found) - expected).abs() <= allowed + 1e-45;
            within || f64::from(found as f64 as f32) == f64::from(expected as f32)
        };
        let pairs = || a.iter().zip(&b).map(|(a, b)| (f64::from(*a), f64::from(*b)));
        let euclidean = pairs().map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
        let found = ranked(DistanceMetric::Euclidean, &b, std::slice::from_ref(&a))[0].1;
        prop_assert!(close(found, euclidean, euclidean * 1e-6), "{found} and not {euclidean}");
        let norms = pairs().map(|(a, _)| a * a).sum::<f64>() * pairs().map(|(_, b)| b * b).sum::<f64>();
        let norms = norms.sqrt();
        let dot = pairs().map(|(a, b)| a * b).sum::<f64>();
        let found = ranked(DistanceMetric::Dot, &b, std::slice::from_ref(&a))[0].1;
        prop_assert!(close(found, -dot, norms * 1e-6), "{found} and not {}", -dot);
        let cosine = if norms == 0.0 { 1.0 } else { 1.0 - dot / norms };
        let found = ranked(DistanceMetric::Cosine, &b, std::slice::from_ref(&a))[0].1;
        prop_assert!(close(found, cosine, 1e-5), "{found} and not {cosine}");
    }
}
