//! A page holds what fits, to the byte, and a buffer that is too small is told the smallest that does.

use crate::support;
use sochdb_wasmi::{
    abi::{
        Seq, Status, Value,
        message::{
            Format, IndexQuery, LookupRequest, LookupResponse, ReadRequest, Row, RowSelector,
            RowsResponse, ToonResponse,
        },
    },
    database::{ColumnType, Database, MemoryLimits, TableSchema},
    host::{Host, HostConfig, NoClock, PluginConfig},
};
use support::*;

/// Ids on either side of the lengths that a varint can have.
const IDS: [u64; 9] = [1, 2, 127, 128, 129, 16_384, 1 << 21, 1 << 35, 1 << 62];

/// A table `t(a text, b int?)` with an index over `a`.
fn probe(rows: &[(u64, &str)]) -> Probe {
    let schema = TableSchema::new("t")
        .and_then(|table| table.column("a", ColumnType::Text))
        .and_then(|table| table.nullable_column("b", ColumnType::Int))
        .and_then(|table| table.index("by_a", &["a"]))
        .unwrap();
    let mut database = Database::in_memory(MemoryLimits::default());
    database.create_table(schema).unwrap();
    for (id, text) in rows {
        database.insert("t", Some(*id), &[Value::Text(text), Value::Null]).unwrap();
    }
    let host = Host::new(HostConfig::default(), database, NoClock);
    Probe::with(host, PluginConfig::new(everything()).with_limits(roomy()))
}

fn tables() -> Vec<Vec<(u64, &'static str)>> {
    let texts = ["", "xyz", "a long text of some bytes", "", "b"];
    let mut tables = vec![vec![]];
    for count in [1, 2, 3, IDS.len()] {
        for shift in 0..texts.len() {
            let texts = texts.iter().cycle().skip(shift);
            tables.push(IDS.iter().copied().zip(texts.copied()).take(count).collect());
        }
    }
    tables
}

/// Asks with every capacity up to one that is enough, and compares with all pages that there could be:
/// `page(m)` is the response with `m` rows of `all`, and the continuation that is due then.
fn check(
    probe: &mut Probe,
    function: &str,
    request: &[u8],
    (all, limit): (usize, Option<u32>),
    page: &dyn Fn(usize) -> Vec<u8>,
) {
    let most = limit.map_or(all, |limit| all.min(limit as usize));
    let least = usize::from(most > 0);
    let pages: Vec<Vec<u8>> = (least..=most).map(page).collect();
    let needed = pages.iter().map(Vec::len).min().unwrap();
    let longest = pages.iter().map(Vec::len).max().unwrap();
    for capacity in 0..longest + 3 {
        let answer = probe.raw(function, request, capacity as u32);
        match pages.iter().rev().find(|page| page.len() <= capacity) {
            Some(page) => assert_eq!(&answer.response, page, "{function} into {capacity} bytes"),
            None => {
                let name = format!("{function} into {capacity} bytes, {needed} needed");
                assert_eq!(answer.failed(), Some(Status::BufferTooSmall), "{name}");
                if capacity >= 4 {
                    let head = probe.peek();
                    assert_eq!(head, (needed as u32).to_le_bytes(), "{name}");
                }
            }
        }
    }
}

impl Probe {
    /// The first four bytes of the response of the call before, as it left them.
    fn peek(&mut self) -> [u8; 4] {
        let outcome = self.host.call(self.plugin, "peek", &[]).unwrap();
        outcome.output[4..8].try_into().unwrap()
    }
}

const LIMITS: [Option<u32>; 5] = [None, Some(0), Some(1), Some(2), Some(9)];

/// An audit found a row whose whole answer is 6 bytes refused with a capacity of 15: room for a
/// continuation was kept that never came. Pages were shorter than they had to be for the same reason.
#[test]
fn a_page_of_rows_holds_what_fits_to_the_byte() {
    for rows in tables() {
        let mut probe = probe(&rows);
        for columns in [&["a", "b"][..], &["b"]] {
            let values: Vec<Vec<Value<'_>>> = rows
                .iter()
                .map(|(_, text)| match columns.len() {
                    1 => vec![Value::Null],
                    _ => vec![Value::Text(text), Value::Null],
                })
                .collect();
            let answered = rows.iter().zip(&values);
            let answered: Vec<Row<'_>> = answered
                .map(|((id, _), values)| Row { id: *id, values: Seq::new(values) })
                .collect();
            let list: Vec<u64> = rows.iter().flat_map(|(id, _)| [3, *id]).collect();
            for limit in LIMITS {
                let page = |next: &dyn Fn(usize) -> u64, m: usize| {
                    let next = (m < rows.len()).then(|| next(m));
                    encoded(&RowsResponse { rows: Seq::new(&answered[..m]), next })
                };
                for (selector, next) in [
                    (RowSelector::ALL, &(|m: usize| rows[m].0) as &dyn Fn(usize) -> u64),
                    (RowSelector::List(Seq::new(&list)), &|m| 2 * m as u64 + 1),
                ] {
                    let request = encoded(&ReadRequest {
                        table: "t",
                        rows: selector,
                        columns: Seq::new(columns),
                        limit,
                        format: Format::Rows,
                    });
                    let of = (rows.len(), limit);
                    check(&mut probe, "soch_read", &request, of, &|m| page(next, m));
                }
            }
        }
    }
}

#[test]
fn a_toon_document_holds_what_fits_to_the_byte() {
    for rows in tables() {
        let mut probe = probe(&rows);
        for limit in LIMITS {
            let request = encoded(&ReadRequest {
                table: "t",
                rows: RowSelector::ALL,
                columns: Seq::empty(),
                limit,
                format: Format::Toon,
            });
            let page = |m: usize| {
                let rows_of_page = rows[..m].iter();
                let json: Vec<_> = rows_of_page
                    .map(|(id, text)| serde_json::json!({"id": id, "a": text, "b": null}))
                    .collect();
                let text = toon_format::encode_default(&serde_json::json!({"t": json})).unwrap();
                let next = rows.get(m).map(|(id, _)| *id);
                encoded(&ToonResponse { text: &text, next })
            };
            check(&mut probe, "soch_read", &request, (rows.len(), limit), &page);
        }
    }
}

#[test]
fn a_page_of_an_index_holds_what_fits_to_the_byte() {
    for rows in tables() {
        let mut probe = probe(&rows);
        let mut sorted = rows.clone();
        sorted.sort_by_key(|(id, text)| (*text, *id));
        for columns in [None, Some(Seq::empty())] {
            for reverse in [false, true] {
                let mut sorted = sorted.clone();
                if reverse {
                    sorted.reverse();
                }
                let values: Vec<Vec<Value<'_>>> = sorted
                    .iter()
                    .map(|(_, text)| match columns {
                        None => vec![],
                        Some(_) => vec![Value::Text(text), Value::Null],
                    })
                    .collect();
                let answered: Vec<Row<'_>> = sorted
                    .iter()
                    .zip(&values)
                    .map(|((id, _), values)| Row { id: *id, values: Seq::new(values) })
                    .collect();
                // What the engine makes of the entries: present, the text, its end, the id.
                let cursor = |m: usize| match m.checked_sub(1).map(|last| sorted[last]) {
                    None => vec![],
                    Some((id, text)) => {
                        [&[1], text.as_bytes(), &[0, 0], &id.to_be_bytes()].concat()
                    }
                };
                for limit in LIMITS {
                    let request = encoded(&LookupRequest {
                        limit,
                        reverse,
                        columns,
                        ..lookup("by_a", IndexQuery::Point(Seq::empty()))
                    });
                    let page = |m: usize| {
                        let cursor = cursor(m);
                        let next = (m < sorted.len()).then_some(cursor.as_slice());
                        encoded(&LookupResponse { rows: Seq::new(&answered[..m]), next })
                    };
                    check(&mut probe, "index_lookup", &request, (rows.len(), limit), &page);
                }
            }
        }
    }
}

fn lookup<'a>(index: &'a str, query: IndexQuery<'a>) -> LookupRequest<'a> {
    LookupRequest {
        table: "t",
        index,
        query,
        reverse: false,
        limit: None,
        after: None,
        columns: None,
    }
}

/// Following the continuations of the smallest buffers answers all rows, each once.
#[test]
fn pages_of_any_size_follow_one_another_without_gap() {
    let rows: Vec<_> =
        IDS.iter().copied().zip(["", "b", "a", "", "cc"].into_iter().cycle()).collect();
    let mut probe = probe(&rows);
    for capacity in 40..120 {
        let mut from = Some(0);
        let mut ids = Vec::new();
        while let Some(id) = from {
            let request = encoded(&ReadRequest {
                rows: RowSelector::Range { from: id, until: None },
                table: "t",
                columns: Seq::empty(),
                limit: None,
                format: Format::Rows,
            });
            let answer = probe.raw("soch_read", &request, capacity);
            let page: RowsResponse<'_> = answer.decode();
            ids.extend(page.rows.iter().map(|row| row.id));
            from = page.next;
        }
        assert_eq!(ids, IDS, "{capacity}");

        let mut after = Some(Vec::new());
        let mut ids = Vec::new();
        while let Some(cursor) = after {
            let request = lookup("by_a", IndexQuery::Point(Seq::empty()));
            let request = LookupRequest { after: Some(&cursor), ..request };
            let answer = probe.raw("index_lookup", &encoded(&request), capacity);
            let page: LookupResponse<'_> = answer.decode();
            ids.extend(page.rows.iter().map(|row| row.id));
            after = page.next.map(<[u8]>::to_vec);
        }
        ids.sort_unstable();
        assert_eq!(ids, IDS, "{capacity}");
    }
}

/// A limit of 0 was "not found" for a row that exists, and an index told nobody that there is more.
#[test]
fn a_limit_of_0_answers_no_rows_and_where_to_begin() {
    let mut probe = probe(&[(5, "a"), (9, "b")]);
    let mut read = |rows, format| {
        let request =
            ReadRequest { table: "t", rows, columns: Seq::empty(), limit: Some(0), format };
        let answer = probe.call("soch_read", &request);
        match (answer.failed(), format) {
            (Some(status), _) => Err(status),
            (None, Format::Rows) => {
                let page = answer.decode::<RowsResponse<'_>>();
                assert!(page.rows.is_empty());
                Ok(page.next)
            }
            (None, Format::Toon) => {
                let page = answer.decode::<ToonResponse<'_>>();
                assert_eq!(page.text, "t: []");
                Ok(page.next)
            }
        }
    };
    let list = [1, 9];
    let absent = [1, 2];
    for format in [Format::Rows, Format::Toon] {
        assert_eq!(read(RowSelector::One(5), format), Ok(Some(0)));
        assert_eq!(read(RowSelector::One(6), format), Err(Status::NotFound));
        assert_eq!(read(RowSelector::List(Seq::new(&list)), format), Ok(Some(1)));
        assert_eq!(read(RowSelector::List(Seq::new(&absent)), format), Ok(None));
        assert_eq!(read(RowSelector::Range { from: 0, until: None }, format), Ok(Some(5)));
        assert_eq!(read(RowSelector::Range { from: 10, until: None }, format), Ok(None));
    }
    let by_a = lookup("by_a", IndexQuery::Point(Seq::empty()));
    let none = LookupRequest { limit: Some(0), ..by_a };
    let answer = probe.call("index_lookup", &none);
    assert_eq!(answer.decode::<LookupResponse<'_>>().next, Some(&[][..]));
    // Where to begin is where a request without it begins.
    let ids = |probe: &mut Probe, request: &LookupRequest<'_>| -> (Vec<u64>, Option<Vec<u8>>) {
        let answer = probe.call("index_lookup", request);
        let page = answer.decode::<LookupResponse<'_>>();
        (page.rows.iter().map(|row| row.id).collect(), page.next.map(<[u8]>::to_vec))
    };
    assert_eq!(ids(&mut probe, &LookupRequest { after: Some(&[]), ..by_a }), (vec![5, 9], None));
    // In the middle it is where the page before ended, and behind the last row there is none.
    let (_, next) = ids(&mut probe, &LookupRequest { limit: Some(1), ..by_a });
    let middle = LookupRequest { after: next.as_deref(), ..none };
    assert_eq!(ids(&mut probe, &middle), (vec![], next.clone()));
    let rest = [Value::Text("c")];
    let nothing =
        LookupRequest { limit: Some(0), ..lookup("by_a", IndexQuery::Point(Seq::new(&rest))) };
    assert_eq!(ids(&mut probe, &nothing), (vec![], None));
}

/// An absent row was "not found" as rows, and an empty table as TOON.
#[test]
fn a_row_that_is_not_there_is_not_found_in_any_format() {
    let mut probe = probe(&[(5, "a")]);
    for format in [Format::Rows, Format::Toon] {
        for limit in LIMITS {
            for columns in [&[][..], &["a"]] {
                let request = ReadRequest {
                    table: "t",
                    rows: RowSelector::One(6),
                    columns: Seq::new(columns),
                    limit,
                    format,
                };
                let (status, text) = probe.explain("soch_read", &encoded(&request));
                assert_eq!((status, text.as_str()), (Some(Status::NotFound), "there is no row 6"));
            }
        }
    }
}
