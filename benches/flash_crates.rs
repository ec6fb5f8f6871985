//! `ekv` and `sequential-storage` on the engine's workload, both alone and over the same simulated
//! flash: what each reads, writes and erases. `docs/storage.md` has the figures and what follows.
//!
//!     cargo run --release --manifest-path benches/Cargo.toml --features storages --bin flash_crates

#[path = "../tests/nor_flash/mod.rs"]
mod nor_flash;

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use ekv::flash::PageID;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embedded_storage::nor_flash::{NorFlash as _, ReadNorFlash as _};
use embedded_storage_async::nor_flash as asynchronous;
use nor_flash::{BLOCK, BLOCKS, Counts, Fault, SimulatedFlash};
use sequential_storage::{
    cache::Cache,
    map::{Key, MapConfig, MapStorage, SerializationError},
};

/// 1 MiB.
const REGION: u32 = (BLOCK * BLOCKS) as u32;

/// A result that is there at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("the flash blocks"),
    }
}

/// The simulated flash as both crates want it.
struct Device(SimulatedFlash<Vec<u8>, 4>);

impl asynchronous::ErrorType for Device {
    type Error = Fault;
}

impl asynchronous::ReadNorFlash for Device {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        self.0.read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl asynchronous::NorFlash for Device {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = BLOCK;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        self.0.erase(from, to)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Fault> {
        self.0.write(offset, bytes)
    }
}

impl ekv::flash::Flash for Device {
    type Error = Fault;

    fn page_count(&self) -> usize {
        BLOCKS
    }

    async fn erase(&mut self, page: PageID) -> Result<(), Fault> {
        let from = (page.index() * BLOCK) as u32;
        self.0.erase(from, from + BLOCK as u32)
    }

    async fn read(&mut self, page: PageID, offset: usize, data: &mut [u8]) -> Result<(), Fault> {
        self.0.read((page.index() * BLOCK + offset) as u32, data)
    }

    async fn write(&mut self, page: PageID, offset: usize, data: &[u8]) -> Result<(), Fault> {
        self.0.write((page.index() * BLOCK + offset) as u32, data)
    }
}

/// A key as the engine has them: up to 128 bytes, ordered by its bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Bytes(Vec<u8>);

impl Key for Bytes {
    fn serialize_into(&self, buffer: &mut [u8]) -> Result<usize, SerializationError> {
        let len = self.0.len();
        let place = buffer.get_mut(..=len).ok_or(SerializationError::BufferTooSmall)?;
        place[0] = len as u8;
        place[1..].copy_from_slice(&self.0);
        Ok(len + 1)
    }

    fn deserialize_from(buffer: &[u8]) -> Result<(Self, usize), SerializationError> {
        let (&len, rest) = buffer.split_first().ok_or(SerializationError::BufferTooSmall)?;
        let key = rest.get(..len.into()).ok_or(SerializationError::BufferTooSmall)?;
        Ok((Self(key.to_vec()), usize::from(len) + 1))
    }
}

/// The entries of a call that writes one row: the row, an index entry, the counter of ids. Keys
/// rise.
fn call(id: u64) -> [(Vec<u8>, Vec<u8>); 3] {
    let row = [3u64.to_be_bytes(), id.to_be_bytes()].concat();
    let number = (id * 31).to_be_bytes();
    let index = [[4; 7].as_slice(), &[1], &number, &id.to_be_bytes()].concat();
    [(vec![2, 0, 0, 0, 0], vec![1, 9, 9]), (row, vec![7; 45]), (index, vec![1])].map(
        |(mut key, value)| {
            if key.len() == 16 {
                key[0] = 3;
            }
            (key, value)
        },
    )
}

fn spread(n: u64, rows: u64) -> u64 {
    n * 7919 % rows
}

/// Another spread, over rows that were written lately and rows that were not.
fn any(n: u64, rows: u64) -> u64 {
    n * 104_729 % rows
}

fn report(what: &str, before: Counts, after: Counts, times: u64) {
    println!(
        "  {what:34} {:>9} read {:>7} written {:>6.2} erased",
        (after.read - before.read) / times,
        (after.written - before.written) / times,
        (after.erased - before.erased) as f64 / times as f64
    );
}

const CALLS: u64 = 200;

fn with_ekv(rows: u64) {
    let device = Device(SimulatedFlash::new(vec![0xff; REGION as usize]));
    let database = ekv::Database::<_, NoopRawMutex>::new(device, ekv::Config::default());
    let counts = || now(database.lock_flash()).0.counts;
    now(database.format()).expect("a format");
    let write = |id| {
        let mut transaction = now(database.write_transaction());
        for (key, value) in call(id) {
            now(transaction.write(&key, &value)).expect("a write");
        }
        now(transaction.commit()).expect("a commit");
    };
    (0..rows).for_each(write);
    println!("ekv, {rows} rows; {} bytes of RAM", size_of_val(&database) - size_of::<Device>());
    let before = counts();
    (0..CALLS).for_each(|n| write(spread(n, rows)));
    report("call of one row, atomic", before, counts(), CALLS);
    let before = counts();
    let mut buffer = [0; 4096];
    for n in 0..CALLS {
        let transaction = now(database.read_transaction());
        now(transaction.read(&call(any(n, rows))[1].0, &mut buffer)).expect("a row");
    }
    report("get", before, counts(), CALLS);
    let before = counts();
    {
        let (from, until) = (call(rows / 2), call(rows / 2 + 100));
        let transaction = now(database.read_transaction());
        let range = from[1].0.as_slice()..until[1].0.as_slice();
        let mut cursor = now(transaction.read_range(range)).expect("a cursor");
        let mut key = [0; 128];
        let mut found = 0;
        while now(cursor.next(&mut key, &mut buffer)).expect("an entry").is_some() {
            found += 1;
        }
        assert_eq!(found, 100);
    }
    report("scan of 100 rows in order", before, counts(), 1);
    let flash = now(database.lock_flash()).0.clone();
    let reopened = ekv::Database::<_, NoopRawMutex>::new(Device(flash), ekv::Config::default());
    let before = now(reopened.lock_flash()).0.counts;
    now(reopened.mount()).expect("a store");
    report("opening", before, now(reopened.lock_flash()).0.counts, 1);
}

fn with_sequential_storage(rows: u64) {
    let device = Device(SimulatedFlash::new(vec![0xff; REGION as usize]));
    let config = || MapConfig::new(0..REGION);
    // The states and borders of 256 pages are kept in RAM, but no keys: 20,000 of them do not fit.
    let mut map = MapStorage::<Bytes, _, _>::new(
        device,
        config(),
        Cache::new(
            sequential_storage::cache::page_states::ArrayPageStates::<BLOCKS>::new(),
            sequential_storage::cache::page_pointers::ArrayPagePointers::<BLOCKS>::new(),
            sequential_storage::cache::Uncached,
        ),
    );
    let mut buffer = [0; 4352];
    let ram = size_of_val(&map) - size_of::<Device>();
    macro_rules! write {
        ($id:expr) => {
            for (key, value) in call($id) {
                now(map.store_item(&mut buffer, &Bytes(key), &value.as_slice())).expect("a write");
            }
        };
    }
    macro_rules! counts {
        () => {{
            let (device, cache) = map.destroy();
            let counts = device.0.counts;
            map = MapStorage::new(device, config(), cache);
            counts
        }};
    }
    for id in 0..rows {
        write!(id);
    }
    println!("sequential-storage, {rows} rows; {ram} bytes of RAM");
    let before = counts!();
    for n in 0..CALLS {
        write!(spread(n, rows));
    }
    report("call of one row, not atomic", before, counts!(), CALLS);
    let before = counts!();
    for n in 0..CALLS {
        let key = Bytes(call(any(n, rows))[1].0.clone());
        let found = now(map.fetch_item::<&[u8]>(&mut buffer, &key)).expect("a read");
        assert!(found.is_some());
    }
    report("get", before, counts!(), CALLS);
    let before = counts!();
    {
        // In the order of flash, old versions among them: the least that any order takes.
        let mut items = now(map.fetch_all_items(&mut buffer)).expect("items");
        while now(items.next::<&[u8]>(&mut buffer)).expect("an item").is_some() {}
    }
    let after = map.destroy().0.0.counts;
    report("one pass over all, unordered", before, after, 1);
}

fn main() {
    println!("bytes of flash and pages, for each operation, on 1 MiB:");
    for rows in [500, 4000] {
        with_ekv(rows);
        with_sequential_storage(rows);
    }
}
