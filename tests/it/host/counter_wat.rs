//! The plugin that is written by hand: that it assembles, and that its bytes are the messages they
//! say they are. What it does in a host is the host's tests'.

use sochdb_wasmi::abi::{
    ABI_VERSION, Seq, Value,
    message::{
        Format, MetricKind, MetricRequest, NewRow, ReadRequest, RowSelector, WriteMode,
        WriteRequest,
    },
    wire::{self, Wire},
};

fn module() -> Vec<u8> {
    wat::parse_file(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/plugins/counter.wat"))
        .expect("counter.wat assembles")
}

fn encoded<'a>(message: &impl Wire<'a>) -> Vec<u8> {
    let mut buffer = [0; 128];
    let len = wire::encode(message, &mut buffer).expect("the message fits");
    buffer[..len].to_vec()
}

#[track_caller]
fn assert_laid(bytes: &[u8]) {
    let module = module();
    assert!(
        module.windows(bytes.len()).any(|window| window == bytes),
        "the module does not contain {bytes:02x?}"
    );
}

#[test]
fn the_descriptor_names_both_buffers() {
    let words = [ABI_VERSION, 192, 1, 256, 256];
    assert_laid(&words.map(u32::to_le_bytes).concat());
}

#[test]
fn the_laid_requests_are_the_encoded_messages() {
    assert_laid(&encoded(&ReadRequest {
        table: "counters",
        rows: RowSelector::One(1),
        columns: Seq::new(&["count"]),
        limit: None,
        format: Format::Rows,
    }));
    assert_laid(&encoded(&MetricRequest {
        kind: MetricKind::Counter,
        name: "increments",
        labels: Seq::empty(),
        value: 1.0,
    }));
    let values = [Value::UInt(0)];
    let rows = [NewRow { id: Some(1), values: Seq::new(&values) }];
    let write = encoded(&WriteRequest {
        table: "counters",
        mode: WriteMode::Upsert,
        columns: Seq::new(&["count"]),
        rows: Seq::new(&rows),
    });
    // The varint of the value is written by the code.
    assert_laid(&write[..write.len() - 1]);
    assert_eq!(write.len(), 23);
}
