//! Hooks without a host: what they get and answer, in bytes and back, and what is refused.

use std::vec::Vec;

use super::*;

const COLUMNS: [&str; 2] = ["kind", "rain"];
const NEW: [Value<'static>; 2] = [Value::Text("rain"), Value::Float(1.5)];
const OLD: [Value<'static>; 2] = [Value::Null, Value::Float(-0.0)];

fn bytes<'a>(message: &impl Wire<'a>) -> Vec<u8> {
    let mut buffer = [0; 256];
    let len = wire::encode(message, &mut buffer).expect("the message fits");
    buffer[..len].to_vec()
}

fn answered(answers: &[HookAnswer<'_>]) -> Vec<u8> {
    bytes(&HookResponse { answers: Seq::new(answers) })
}

#[test]
fn a_request_that_is_built_row_by_row_is_the_message() {
    let rows = [
        HookRow { id: Some(300), new: Seq::new(&NEW), old: Seq::new(&OLD) },
        HookRow { id: None, new: Seq::new(&NEW), old: Seq::empty() },
    ];
    for event in HookEvent::ALL {
        let request = HookRequest {
            event,
            table: "days",
            writer: "station",
            columns: Seq::new(&COLUMNS),
            rows: Seq::new(&rows),
        };
        let mut buffer = [0; 256];
        let mut writer = Writer::new(&mut buffer);
        let columns = COLUMNS.into_iter();
        let list = HookRequest::begin(&mut writer, event, "days", "station", columns);
        rows.iter().for_each(|row| row.encode(&mut writer));
        writer.end_list(list, rows.len());
        let len = writer.finish().expect("the request fits");
        assert_eq!(buffer[..len], bytes(&request));
        assert_eq!(wire::decode(&buffer[..len]), Ok(request));
        for cut in 0..len {
            let decoded = wire::decode::<HookRequest<'_>>(&buffer[..cut]);
            assert!(decoded.is_err(), "{cut} bytes of {len}: {decoded:?}");
        }
    }
}

#[test]
fn answers_come_back_as_they_were_given() {
    let changes = [(1, Value::Float(0.0)), (0, Value::Null), (1, Value::Text("twice"))];
    let given = [
        HookAnswer::Continue,
        HookAnswer::Changed(Seq::new(&changes)),
        HookAnswer::Changed(Seq::empty()),
        HookAnswer::Skip,
        HookAnswer::Abort { code: i32::MIN, text: "no" },
    ];
    for len in 1..=given.len() {
        let output = answered(&given[..len]);
        let answers = HookAnswers::decode(&output, HookEvent::BeforeUpdate, len, 2);
        assert!(answers.expect("they are answers").eq(given[..len].iter().copied()));
    }
}

#[test]
fn an_empty_output_lets_every_row_continue() {
    for event in HookEvent::ALL {
        let answers = HookAnswers::decode(&[], event, 3, 2).expect("no bytes are an answer");
        assert_eq!(answers.collect::<Vec<_>>(), [HookAnswer::Continue; 3]);
    }
}

#[test]
fn a_list_may_end_after_an_abort_and_nowhere_else() {
    let abort = HookAnswer::Abort { code: 42, text: "dry" };
    let decode = |answers: &[HookAnswer<'_>], rows| {
        let output = answered(answers);
        HookAnswers::decode(&output, HookEvent::AfterDelete, rows, 2).map(Iterator::count)
    };
    let count = |answers, rows| Err(HookAnswerError::Count { answers, rows });
    assert_eq!(decode(&[HookAnswer::Continue, abort], 9), Ok(2));
    assert_eq!(decode(&[abort; 3], 9), Ok(3));
    assert_eq!(decode(&[HookAnswer::Continue; 2], 3), count(2, 3));
    assert_eq!(decode(&[HookAnswer::Continue; 4], 3), count(4, 3));
    assert_eq!(decode(&[abort; 4], 3), count(4, 3));
    // A list of none is not an empty output.
    assert_eq!(decode(&[], 3), count(0, 3));
}

#[test]
fn what_an_event_cannot_do_is_an_error_that_names_the_row() {
    let changes = [(0, Value::Null), (2, Value::Null)];
    for event in HookEvent::ALL {
        let decode = |answer: HookAnswer<'_>, columns| {
            let output = answered(&[HookAnswer::Continue, answer]);
            HookAnswers::decode(&output, event, 2, columns).map(drop)
        };
        let skipped = decode(HookAnswer::Skip, 3);
        let changed = decode(HookAnswer::Changed(Seq::new(&changes)), 3);
        let beyond = decode(HookAnswer::Changed(Seq::new(&changes)), 2);
        let is_before = matches!(
            event,
            HookEvent::BeforeInsert | HookEvent::BeforeUpdate | HookEvent::BeforeDelete
        );
        match is_before {
            true => assert_eq!(skipped, Ok(())),
            false => assert_eq!(skipped, Err(HookAnswerError::Skip { row: 1, event })),
        }
        if is_before && event != HookEvent::BeforeDelete {
            let error = HookAnswerError::NoSuchColumn { row: 1, column: 2, columns: 2 };
            assert_eq!((changed, beyond), (Ok(()), Err(error)));
        } else {
            let error = Err(HookAnswerError::Change { row: 1, event });
            assert_eq!((changed, beyond), (error, error));
        }
    }
}

#[test]
fn malformed_answers_are_errors_with_reason_and_place() {
    let decode = |output: &[u8]| {
        HookAnswers::decode(output, HookEvent::BeforeInsert, 1, 2).map(Iterator::count)
    };
    let wire = |kind, offset| Err(HookAnswerError::Wire(WireError { kind, offset }));
    assert_eq!(decode(&[1, 0, 0]), wire(WireErrorKind::TrailingBytes, 2));
    assert_eq!(decode(&[1, 4]), wire(WireErrorKind::UnknownVariant, 2));
    assert_eq!(decode(&[1]), wire(WireErrorKind::UnexpectedEnd, 1));
    assert_eq!(decode(&[1, 1, 1, 0, 10]), wire(WireErrorKind::UnknownVariant, 5));
    assert_eq!(decode(&[1, 3, 0, 1, 0xff]), wire(WireErrorKind::InvalidUtf8, 5));
    assert_eq!(decode(&[0xff; 6]), wire(WireErrorKind::VarintOverflow, 5));
    // A code of 33 bits.
    let code = [1, 3, 0xff, 0xff, 0xff, 0xff, 0x1f, 0];
    assert_eq!(decode(&code), wire(WireErrorKind::VarintOverflow, 7));
    // A count of four billion needs as many bytes.
    assert!(decode(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0]).is_err());
}

#[test]
fn events_have_one_number_and_one_word() {
    for (number, event) in (0_u8..).zip(HookEvent::ALL) {
        assert_eq!(bytes(&event), [number]);
        assert_eq!((event.number(), HookEvent::from_number(number)), (number, Some(event)));
        assert_eq!(HookEvent::WORDS[usize::from(number)], event.as_str());
    }
    assert_eq!(HookEvent::from_number(6), None);
}
