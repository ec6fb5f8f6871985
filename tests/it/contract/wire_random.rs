//! Random values and bytes: encoded and refused as by postcard.

use super::wire::*;
use crate::mirror;
use mirror::*;
use proptest::prelude::*;
use sochdb_wasmi::abi::{
    MAX_DEPTH,
    wire::{self},
};

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-300_i64..300).prop_map(Value::Int),
        any::<u64>().prop_map(Value::UInt),
        (any::<f64>()).prop_map(Value::Float),
        any::<String>().prop_map(Value::Text),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::Binary),
        (any::<String>(), any::<u64>()).prop_map(|(table, id)| Value::Ref { table, id }),
    ];
    leaf.prop_recursive(u32::from(MAX_DEPTH) - 1, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            proptest::collection::vec((any::<String>(), inner), 0..6).prop_map(Value::Object),
        ]
    })
}

/// What we accept, postcard accepts and understands in the same way. (Not the other way round:
/// postcard takes longer forms of counts and of enumerations' numbers, and any depth.)
fn accepted_as_by_postcard<M: Mirror>(bytes: &[u8]) {
    let bytes: &'static [u8] = bytes.to_vec().leak();
    if let Ok(ours) = wire::decode::<M::Ours>(bytes) {
        let (mirror, rest) = postcard::take_from_bytes::<M>(bytes).unwrap();
        assert!(rest.is_empty());
        // As text, in which NaN equals NaN.
        assert_eq!(format!("{:?}", M::of(ours)), format!("{mirror:?}"));
    }
}

fn every_type_accepts_only_what_postcard_does(bytes: &[u8]) {
    accepted_as_by_postcard::<Value>(bytes);
    accepted_as_by_postcard::<ReadRequest>(bytes);
    accepted_as_by_postcard::<RowsResponse>(bytes);
    accepted_as_by_postcard::<ToonResponse>(bytes);
    accepted_as_by_postcard::<WriteRequest>(bytes);
    accepted_as_by_postcard::<WriteResponse>(bytes);
    accepted_as_by_postcard::<DeleteRequest>(bytes);
    accepted_as_by_postcard::<DeleteResponse>(bytes);
    accepted_as_by_postcard::<SearchRequest>(bytes);
    accepted_as_by_postcard::<SearchResponse>(bytes);
    accepted_as_by_postcard::<LookupRequest>(bytes);
    accepted_as_by_postcard::<LookupResponse>(bytes);
    accepted_as_by_postcard::<MetricRequest>(bytes);
    accepted_as_by_postcard::<LogRequest>(bytes);
    accepted_as_by_postcard::<ConfigRequest>(bytes);
    accepted_as_by_postcard::<ConfigResponse>(bytes);
    accepted_as_by_postcard::<LastErrorRequest>(bytes);
    accepted_as_by_postcard::<LastErrorResponse>(bytes);
    accepted_as_by_postcard::<u32>(bytes);
    accepted_as_by_postcard::<u64>(bytes);
    accepted_as_by_postcard::<i64>(bytes);
}

proptest! {
    #![proptest_config(crate::random::cases())]

    #[test]
    fn any_value_is_as_postcard_encodes_it(value in values()) {
        check(&value);
    }

    #[test]
    fn any_text_and_any_integer_is_as_postcard_encodes_it(
        text: String, wide: u64, signed: i64, narrow: u32,
    ) {
        check(&text);
        check(&wide);
        check(&signed);
        check(&narrow);
    }

    #[test]
    fn any_write_request_is_as_postcard_encodes_it(
        rows in proptest::collection::vec(
            (any::<Option<u64>>(), proptest::collection::vec(values(), 0..3)), 0..3),
        // Few: every message is cut at every byte, and long ones are most of the time of the test.
        columns in proptest::collection::vec(any::<String>(), 0..4),
    ) {
        let rows = rows.into_iter().map(|(id, values)| NewRow { id, values }).collect();
        check(&WriteRequest { table: "t".into(), mode: WriteMode::Upsert, columns, rows });
    }

    #[test]
    fn random_bytes_are_refused_or_understood_as_by_postcard(
        bytes in proptest::collection::vec(prop_oneof![0_u8..10, any::<u8>()], 0..60),
    ) {
        every_type_accepts_only_what_postcard_does(&bytes);
    }

    #[test]
    fn damaged_messages_are_refused_or_understood_as_by_postcard(
        value in values(), at in any::<proptest::sample::Index>(), byte: u8,
    ) {
        let mut bytes = postcard::to_allocvec(&value).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        accepted_as_by_postcard::<Value>(&bytes);
    }

    #[test]
    fn varints_are_accepted_exactly_where_postcard_accepts_them(
        bytes in proptest::collection::vec(prop_oneof![Just(0x80), Just(0xff), any::<u8>()], 0..12),
    ) {
        fn same<M: Mirror>(bytes: &[u8]) {
            let bytes: &'static [u8] = bytes.to_vec().leak();
            let oracle = postcard::take_from_bytes::<M>(bytes).ok();
            let oracle = oracle.filter(|(_, rest)| rest.is_empty()).map(|(value, _)| value);
            assert_eq!(wire::decode::<M::Ours>(bytes).ok().map(M::of), oracle);
        }
        same::<u32>(&bytes);
        same::<u64>(&bytes);
        same::<i64>(&bytes);
    }
}
