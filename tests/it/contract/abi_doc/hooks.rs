//! The examples of what hooks get and answer.

use sochdb_wasmi::abi::message::{HookAnswer, HookEvent, HookRequest, HookResponse, HookRow};

use super::*;

pub fn hooks(examples: &mut Examples) {
    let vector: Vec<u8> = [1.0_f32, -2.5].iter().flat_map(|x| x.to_le_bytes()).collect();
    let inserted = [Value::Text("rain"), Value::Binary(&vector)];
    let [fog, sun] = ["fog", "sun"].map(|kind| [Value::Text(kind), Value::Null]);
    let (fog, sun) = (Seq::new(&fog), Seq::new(&sun));
    let rows = [HookRow { id: None, new: Seq::new(&inserted), old: Seq::empty() }];
    let insert = HookRequest {
        event: HookEvent::BeforeInsert,
        table: "days",
        writer: "",
        columns: Seq::new(&["kind", "at"]),
        rows: Seq::new(&rows),
    };
    example!(examples, "HookRequest: before_insert", insert);
    let rows = [HookRow { id: Some(7), new: fog, old: sun }];
    let rows = Seq::new(&rows);
    let event = HookEvent::AfterUpdate;
    let update = HookRequest { event, writer: "station", rows, ..insert };
    example!(examples, "HookRequest: after_update", update);
    let rows = [HookRow { id: Some(7), new: Seq::empty(), old: fog }];
    let rows = Seq::new(&rows);
    let delete = HookRequest { event: HookEvent::BeforeDelete, rows, ..insert };
    example!(examples, "HookRequest: before_delete", delete);

    let changes = [(0, Value::Text("fog")), (1, Value::Null)];
    let changed = HookAnswer::Changed(Seq::new(&changes));
    let answers = [HookAnswer::Continue, HookAnswer::Skip, changed];
    let response = HookResponse { answers: Seq::new(&answers) };
    example!(examples, "HookResponse: continue, skip, changed", response);
    let abort = [HookAnswer::Abort { code: 42, text: "dry" }];
    example!(examples, "HookResponse: abort", HookResponse { answers: Seq::new(&abort) });
}
