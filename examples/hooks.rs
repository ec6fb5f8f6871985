//! Hooks: a plugin that sees every row of a table come, and lets none go.
//!
//! `cargo run --example hooks`
//!
//! The same from a manifest: `[hooks] before_delete = ["keep"]`, `after_insert = ["count"]` and
//! `tables = ["ledger"]`.

use sochdb_wasmi::{
    abi::{
        Seq, Value,
        message::{HookEvent, NewRow, RowSelector, WriteMode},
    },
    capability::{Capabilities, Globs},
    database::{ColumnType, Database, TableSchema},
    host::*,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut database = Database::in_memory(<_>::default());
    database.create_table(TableSchema::new("ledger")?.column("amount", ColumnType::Int)?)?;
    let mut host = Host::new(HostConfig::default(), database, NoClock);

    // A hook sees the rows of its tables, so its plugin must be allowed to read them.
    let granted =
        Capabilities { can_read_table: Globs::new(&["ledger"])?, ..Capabilities::default() };
    let config = PluginConfig::new(granted)
        .with_hook(HookEvent::BeforeDelete, "keep", &["ledger"])?
        .with_hook(HookEvent::AfterInsert, "count", &["ledger"])?;
    let wasm = wat::parse_str(include_str!("plugins/keeper.wat"))?;
    let keeper = host.load("keeper", &wasm, &config)?;

    // The program's own rows go through the hooks as those of plugins do: 100 rows, one call.
    let amounts: Vec<[Value<'_>; 1]> = (0..100_i64).map(|amount| [amount.into()]).collect();
    let rows: Vec<NewRow<'_>> =
        amounts.iter().map(|amount| NewRow { id: None, values: Seq::new(amount) }).collect();
    let ids = host.write("ledger", WriteMode::Insert, &[], &rows)?;
    let calls = host.call(keeper, "calls", &[])?.output;
    println!("{} rows, calls of the hook: {}", ids.len(), calls[0]);

    match host.delete("ledger", RowSelector::ALL) {
        Ok(count) => println!("{count} rows deleted"),
        Err(error) => println!("not deleted: {error}"),
    }
    let there = host.database().get("ledger", ids[99], |_| ())?.is_some();
    println!("the last row is there: {there}");
    Ok(())
}
