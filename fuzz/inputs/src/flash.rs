//! Regions of flash that are not as a store left them: opened, read, written, and opened again.

use std::ops::ControlFlow;

use sochdb_wasmi::{
    abi::{
        Seq,
        message::{NewRow, WriteMode},
    },
    database::{Database, FlashStorage, KeyRange, Storage},
    meter::Meter,
};

use crate::{
    nor_flash::{BLOCK, SimulatedFlash},
    random::Random,
    support::{item, items, vector},
};

const REGION: u32 = 24 * BLOCK as u32;

type Flash = SimulatedFlash<Vec<u8>, 4>;

fn write<S: Storage>(database: &mut Database<S>, id: u64) -> bool {
    let place = vector(&[id as f32, 1.0, 2.0]);
    let name = format!("row {id} of this call");
    let values = item(&name, id as i64, &place);
    let rows = [NewRow { id: Some(id), values: Seq::new(&values) }];
    let Some(table) = database.table_id("items") else { return false };
    let (columns, rows) = (Seq::empty(), Seq::new(&rows));
    let written = database.write(
        table,
        WriteMode::Upsert,
        &columns,
        &rows,
        &mut Meter::unlimited(),
        &mut |_| (),
    );
    let committed = written.and_then(|_| database.commit());
    if committed.is_err() {
        database.rollback();
    }
    committed.is_ok()
}

/// The region after 0, 20 and 90 calls.
fn images() -> Vec<Vec<u8>> {
    [0, 20, 90]
        .map(|calls| {
            let storage = FlashStorage::open(Flash::new(vec![0xff; REGION as usize]), 0..REGION)
                .expect("an erased region");
            let mut database = Database::open(storage).expect("a new store");
            database.create_table(items()).expect("a table");
            for call in 0..calls {
                assert!(write(&mut database, call % 30));
            }
            let storage = database.into_storage();
            storage.into_flash().expect("the flash").memory().to_vec()
        })
        .into()
}

/// Does with a region whatever can be done; a store that opens must open again after it was written.
fn use_up(image: Vec<u8>) {
    let Ok(storage) = FlashStorage::open(Flash::new(image), 0..REGION) else { return };
    let _ = storage.verify();
    for reverse in [false, true] {
        let all = KeyRange { lower: &[], upper: None };
        let _ = storage.scan(all, reverse, &mut |_, _| ControlFlow::Continue(()));
    }
    let Ok(mut database) = Database::open(storage) else { return };
    let _ = database.check();
    for id in 0..8 {
        write(&mut database, 100 + id);
    }
    let _ = database.check();
}

pub fn target() -> impl FnMut(&mut Random) {
    let images = images();
    move |random| {
        let mut image = images[random.below(images.len())].clone();
        for _ in 0..1 + random.below(6) {
            // Where something is: most of the region is erased.
            let used = |at: &usize| image[*at] != 0xff;
            let at = (0..32).map(|_| random.below(image.len())).find(used).unwrap_or(0);
            let page = at / BLOCK * BLOCK;
            match random.below(5) {
                0 => image[at] ^= 1 << random.below(8),
                1 => image[at] = random.next() as u8,
                2 => {
                    let end = (at + random.below(300)).min(image.len());
                    image[at..end].fill(random.pick(&[0, 0xff]));
                }
                3 => {
                    let older = &images[random.below(images.len())];
                    image[page..page + BLOCK].copy_from_slice(&older[page..page + BLOCK]);
                }
                _ => {
                    let other = random.below(image.len() / BLOCK) * BLOCK;
                    image.copy_within(other..other + BLOCK, page);
                }
            }
        }
        use_up(image);
    }
}
