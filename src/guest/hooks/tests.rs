//! A hook without a host: what it sees of its rows, and what it answers.

use std::vec::Vec;

use super::*;
use crate::{
    abi::{
        Seq,
        message::{HookAnswer, HookAnswers, HookRequest, HookRow},
        wire,
    },
    guest::{HostHandle, entry::run_hook},
};

const COLUMNS: [&str; 3] = ["kind", "deep", "rain"];

/// What a hook returns that gets five updates, the rain of each as old as it is new and 10 more.
fn answered(output: &mut [u8], hook: impl FnOnce(&mut HookRows<'_>) -> HookResult) -> i32 {
    let deep = [Value::Null, Value::Ref { table: "t", id: 300 }];
    let row = |rain| [Value::Text("wet"), Value::Array(Seq::new(&deep)), Value::Float(rain)];
    let values: Vec<_> = (0..5).map(|at| (row(f64::from(at)), row(f64::from(at) + 10.0))).collect();
    let rows: Vec<_> = (0_u64..)
        .zip(&values)
        .map(|(id, (old, new))| HookRow {
            id: (id > 0).then_some(id),
            new: Seq::new(new),
            old: Seq::new(old),
        })
        .collect();
    let request = HookRequest {
        event: HookEvent::BeforeUpdate,
        table: "days",
        writer: "station",
        columns: Seq::new(&COLUMNS),
        rows: Seq::new(&rows),
    };
    let mut input = [0; 512];
    let len = wire::encode(&request, &mut input).expect("the request fits");
    run_hook(&mut HostHandle::new(&mut []), &input, len as i32, output, |_, rows| hook(rows))
}

type HookResult = Result<(), HostCallError>;

#[track_caller]
fn answers(output: &[u8], len: i32) -> Vec<HookAnswer<'_>> {
    let output = &output[..usize::try_from(len).expect("the hook succeeds")];
    let answers = HookAnswers::decode(output, HookEvent::BeforeUpdate, 5, COLUMNS.len());
    answers.expect("the answers are sound").collect()
}

#[test]
fn a_hook_sees_its_rows_by_names_of_columns() {
    let len = answered(&mut [], |rows| {
        assert_eq!((rows.event(), rows.table()), (HookEvent::BeforeUpdate, "days"));
        assert_eq!((rows.writer(), rows.left()), ("station", 5));
        let rain = rows.column("rain")?;
        let mut seen = 0;
        while let Some(row) = rows.next_row()? {
            assert_eq!(row.id(), (seen > 0).then_some(seen));
            assert_eq!(row.old_value(rain), Ok(seen as f64));
            assert_eq!(row.new_value("rain"), Ok(seen as f64 + 10.0));
            assert_eq!(row.new_value("kind"), Ok("wet"));
            let invalid = Err(HostCallError::new(Status::InvalidArgs));
            assert_eq!(row.new_value::<u64>("kind"), invalid);
            let missing = Err(HostCallError::new(Status::NotFound));
            assert_eq!(row.new_value::<f64>("snow"), missing);
            seen += 1;
        }
        assert_eq!(seen, 5);
        Ok(())
    });
    assert_eq!(len, 0, "rows that all continue take no bytes");
}

#[test]
fn each_row_has_its_own_answer() {
    let mut output = [0; 64];
    let len = answered(&mut output, |rows| {
        while let Some(mut row) = rows.next_row()? {
            match row.id() {
                Some(1) => row.skip(),
                Some(2) => {
                    row.set("rain", 0.0)?;
                    row.set("kind", None::<&str>)?;
                }
                Some(3) => {
                    row.set("rain", 1.0)?;
                    row.skip();
                }
                _ => {}
            }
        }
        Ok(())
    });
    let changes = [(2, Value::Float(0.0)), (0, Value::Null)];
    let changed = HookAnswer::Changed(Seq::new(&changes));
    let (next, skip) = (HookAnswer::Continue, HookAnswer::Skip);
    assert_eq!(answers(&output, len), [next, skip, changed, skip, next]);
}

#[test]
fn nothing_comes_after_an_abort() {
    let mut output = [0; 64];
    let len = answered(&mut output, |rows| {
        let mut seen = 0;
        while let Some(mut row) = rows.next_row()? {
            seen += 1;
            if row.id() == Some(1) {
                row.set("rain", 0.0)?;
                row.abort(-7, "too wet");
            }
        }
        assert_eq!(seen, 2);
        Ok(())
    });
    let abort = HookAnswer::Abort { code: -7, text: "too wet" };
    assert_eq!(answers(&output, len), [HookAnswer::Continue, abort]);
}

#[test]
fn rows_that_a_hook_does_not_look_at_continue() {
    let mut output = [0; 64];
    let len = answered(&mut output, |rows| {
        let row = rows.next_row()?;
        row.expect("there are rows").skip();
        Ok(())
    });
    let next = HookAnswer::Continue;
    assert_eq!(answers(&output, len), [HookAnswer::Skip, next, next, next, next]);
    assert_eq!(answered(&mut [], |_| Ok(())), 0);
}

#[test]
fn many_changes_of_a_row_are_all_there() {
    let mut output = [0; 2048];
    let len = answered(&mut output, |rows| {
        rows.next_row()?;
        let mut row = rows.next_row()?.expect("there are rows");
        (0..200).try_for_each(|rain| row.set("rain", f64::from(rain)))
    });
    let answers = answers(&output, len);
    let HookAnswer::Changed(changes) = answers[1] else { panic!("{answers:?}") };
    assert!(changes.iter().eq((0..200).map(|rain| (2, Value::Float(f64::from(rain))))));
}

#[test]
fn answers_that_do_not_fit_fail_the_hook() {
    let skip_all = |rows: &mut HookRows<'_>| {
        while let Some(row) = rows.next_row()? {
            row.skip();
        }
        Ok(())
    };
    for size in 0..10 {
        let mut output = [0xff; 10];
        let len = answered(&mut output[..size], skip_all);
        match size {
            0..6 => assert_eq!(len, Status::BufferTooSmall.code()),
            _ => assert_eq!(answers(&output, len), [HookAnswer::Skip; 5]),
        }
    }
}

#[test]
fn a_failed_hook_returns_its_status() {
    let fails = |_: &mut HookRows<'_>| Err(HostCallError::new(Status::LimitExceeded));
    assert_eq!(answered(&mut [0; 64], fails), Status::LimitExceeded.code());
}

#[test]
fn an_input_that_is_no_hooks_is_invalid_arguments() {
    let run = |input: &[u8]| {
        let all = |_: &mut HostHandle<'_>, rows: &mut HookRows<'_>| {
            while rows.next_row()?.is_some() {}
            Ok::<(), HostCallError>(())
        };
        let len = input.len() as i32;
        run_hook(&mut HostHandle::new(&mut []), input, len, &mut [], all)
    };
    let row = [0, 1, b't', 0, 1, 1, b'c', 1, 0, 1, 0, 0];
    assert_eq!(run(&row), 0);
    for cut in 0..row.len() {
        assert!(run(&row[..cut]) < 0, "{cut}");
    }
    assert_eq!(run(&[6]), Status::InvalidArgs.code());
}
