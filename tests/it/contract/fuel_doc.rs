//! What a host call costs can be computed from docs/fuel.md alone.
//!
//! The page's table of prices is read from the page. How often each is paid is written here a second
//! time, as the page's section "What each function pays" has it, without a line of the crate's meter.

mod prices;
mod world;

use crate::support;
use prices::*;
use world::*;

use sochdb_wasmi::abi::{
    Seq, Value,
    message::{DeleteRequest, Format, NewRow, ReadRequest, RowSelector, WriteMode, WriteRequest},
};
use support::{REQUEST, RESPONSE, RESPONSE_CAPACITY, encoded};

/// A plugin's author computed what a range read would cost from docs/fuel.md, and it cost 5 more: the
/// page did not say that a row that is answered whole pays for its stored bytes as well.
#[test]
fn a_hundred_random_calls_cost_what_the_page_says() {
    let mut world = World::new();
    for round in 0..40 {
        for _ in 0..4 {
            world.write_item();
        }
        world.write_note();
        world.read_one();
        world.read_list();
        world.read_range();
        world.search();
        world.look_up();
        world.the_rest();
        world.delete_items();
        if round % 10 == 9 {
            world.delete_notes();
        }
    }
    assert!(world.calls > 100 && world.items.len() > 16, "{} calls", world.calls);
}

/// A page that a full response ends visits rows that are not in it.
#[test]
fn a_page_that_is_full_pays_for_the_rows_that_fit_without_a_next_and_the_first_that_does_not() {
    let mut world = World::new();
    for _ in 0..80 {
        world.write_item();
    }
    for capacity in 300..360 {
        let (mut len, mut pays) = (2, world.prices.of("seek"));
        for (id, item) in &world.items {
            pays += world.prices.of("row") + world.prices.bytes(item.stored());
            // The id, the count of values, the values, and the vector as Binary.
            len += varint(*id) + 1 + item.values_len() + 2 + 12;
            if len > capacity {
                break;
            }
        }
        let (rows, format) = (RowSelector::ALL, Format::Rows);
        let columns = Seq::empty();
        let request = ReadRequest { table: "items", rows, columns, limit: None, format };
        world.call_into("soch_read", &request, pays, capacity as u32);
    }
}

#[test]
fn a_range_of_exactly_64_rows_pays_a_second_seek_to_find_that_there_are_no_more() {
    for count in [63, 64, 65, 128] {
        let mut world = World::new();
        for _ in 0..count {
            world.write_note();
        }
        world.delete_notes();
    }
}

#[test]
fn rows_that_the_same_call_deleted_are_walked_over_for_the_price_of_a_row() {
    let mut world = World::new();
    for _ in 0..5 {
        world.write_note();
    }
    let request = encoded(&DeleteRequest { table: "notes", rows: RowSelector::ALL });
    let numbers = [REQUEST, request.len() as u32, RESPONSE, RESPONSE_CAPACITY];
    let mut repeat = |times| {
        let entered = world.probe.enter("repeat", "soch_delete", numbers, times, &request);
        let fuel = entered.expect("a status").1.fuel;
        // The rows are back for the next measurement.
        let (text, number) = ("t", 1);
        for id in 0..5 {
            let values = [Value::Text(text), Value::Int(number)];
            let rows = [NewRow { id: Some(id), values: Seq::new(&values) }];
            let request = WriteRequest {
                table: "notes",
                mode: WriteMode::Upsert,
                columns: Seq::empty(),
                rows: Seq::new(&rows),
            };
            assert!(world.probe.call("soch_write", &request).status > 0);
        }
        fuel
    };
    let _ = repeat(1);
    let (two, three) = (repeat(2), repeat(3));
    let p = &world.prices;
    let own = {
        let refused = [u32::MAX, 1, RESPONSE, 0];
        let mut fuel = |times| {
            world.probe.enter("repeat", "soch_read", refused, times, &[]).expect("a status").1.fuel
        };
        fuel(3) - fuel(2) - p.of("call")
    };
    let each = p.of("call") + p.bytes(request.len()) + p.bytes(1) + p.of("seek") + 5 * p.of("row");
    assert_eq!(three - two - own, each);
}

#[test]
fn the_page_says_how_long_a_stored_row_is_and_what_is_rounded() {
    let page = page().split_whitespace().collect::<Vec<_>>().join(" ");
    for sentence in [
        "Every amount of bytes is rounded up to 16 by itself.",
        "In a table without vector columns a stored row is 2 bytes and its values as they are encoded",
        "In a table with vector columns it is 1 byte, then 5 bytes and the components for each vector \
         column (also if it is Null), then the other values.",
    ] {
        assert!(page.contains(sentence), "{sentence}");
    }
}
