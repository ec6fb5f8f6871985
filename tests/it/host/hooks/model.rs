//! Random plugins that write, delete, call and hook each other, against a plain model of the rules: whatever
//! they do, the tables are those of the model.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sochdb_wasmi::{
    abi::{
        Seq, Value,
        message::{
            CallRequest, DeleteRequest, HookAnswer, HookEvent, NewRow, RowSelector, WriteMode,
        },
    },
    audit::PluginId,
    database::MemoryStorage,
    host::Host,
};

use super::plugin::{INPUT, Step, answers, config, host, plugin, row, rows};
use crate::support::encoded;

const TABLES: [&str; 3] = ["t", "u", "v"];
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// What a plugin does, one after the other.
#[derive(Clone, Copy, Debug)]
enum Op {
    Write { table: usize, id: Option<u64>, n: i64 },
    Delete { table: usize, id: u64 },
    Call { plugin: usize },
}

/// How an entry point ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Returns,
    Traps,
    Fails,
    Change(i64),
    Skip,
    Abort,
    Garbage,
}

/// An entry point: its operations, each with whether a failure ends it, and its end.
#[derive(Clone, Debug)]
struct Entry {
    ops: Vec<(Op, bool)>,
    end: End,
}

#[derive(Clone, Debug)]
struct Program {
    hooks: Vec<(HookEvent, usize)>,
    hook: Entry,
    go: Entry,
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Call(usize),
    Write { table: usize, id: Option<u64>, n: i64 },
    Delete { table: usize, id: u64 },
}

/// The tables, and the next id of each.
#[derive(Clone, Debug, Default, PartialEq)]
struct Tables {
    rows: [BTreeMap<u64, i64>; TABLES.len()],
    next: [u64; TABLES.len()],
}

struct Model<'p> {
    programs: &'p [Program],
    tables: Tables,
    running: Vec<usize>,
    depth: u8,
    limit: u8,
}

/// Something failed, and its writes are gone.
struct Failed;

impl Model<'_> {
    /// All or nothing.
    fn whole<R>(&mut self, run: impl FnOnce(&mut Self) -> Result<R, Failed>) -> Result<R, Failed> {
        let before = self.tables.clone();
        let result = run(self);
        if result.is_err() {
            self.tables = before;
        }
        result
    }

    /// Runs an entry point, `deeper` than what asks for it.
    fn enter(&mut self, plugin: usize, hook: bool, deeper: u8) -> Result<End, Failed> {
        if self.running.contains(&plugin) {
            return Err(Failed);
        }
        if deeper > 0 && self.depth >= self.limit {
            return Err(Failed);
        }
        self.running.push(plugin);
        self.depth += deeper;
        let program = &self.programs[plugin];
        let entry = if hook { &program.hook } else { &program.go };
        let result = self.whole(|model| {
            for (op, must) in &entry.ops {
                let done = match *op {
                    Op::Write { table, id, n } => model.write(1, table, id, n),
                    Op::Delete { table, id } => model.delete(1, table, id),
                    Op::Call { plugin } if plugin < model.programs.len() => {
                        model.enter(plugin, false, 1).map(drop)
                    }
                    Op::Call { .. } => Err(Failed),
                };
                if done.is_err() && *must {
                    return Err(Failed);
                }
            }
            match entry.end {
                End::Traps | End::Fails => Err(Failed),
                end => Ok(end),
            }
        });
        self.depth -= deeper;
        self.running.pop();
        result
    }

    /// Runs the hooks of an event. `None` if the row is skipped.
    fn fire(
        &mut self,
        deeper: u8,
        event: HookEvent,
        table: usize,
        mut n: i64,
    ) -> Result<Option<i64>, Failed> {
        for plugin in 0..self.programs.len() {
            if !self.programs[plugin].hooks.contains(&(event, table)) {
                continue;
            }
            match self.enter(plugin, true, deeper)? {
                End::Returns => {}
                End::Change(changed) if event.can_change() => n = changed,
                End::Skip if event.is_before() => return Ok(None),
                End::Change(_) | End::Skip | End::Abort | End::Garbage => return Err(Failed),
                End::Traps | End::Fails => return Err(Failed),
            }
        }
        Ok(Some(n))
    }

    /// Writes a row: under an id whether there is one or not, without one a new one.
    fn write(&mut self, deeper: u8, table: usize, id: Option<u64>, n: i64) -> Result<(), Failed> {
        self.whole(|model| {
            let there = id.is_some_and(|id| model.tables.rows[table].contains_key(&id));
            let (before, after) = match there {
                true => (HookEvent::BeforeUpdate, HookEvent::AfterUpdate),
                false => (HookEvent::BeforeInsert, HookEvent::AfterInsert),
            };
            let Some(n) = model.fire(deeper, before, table, n)? else { return Ok(()) };
            let next = &mut model.tables.next[table];
            let id = id.unwrap_or((*next).max(1));
            *next = (*next).max(id + 1);
            model.tables.rows[table].insert(id, n);
            model.fire(deeper, after, table, n).map(drop)
        })
    }

    fn delete(&mut self, deeper: u8, table: usize, id: u64) -> Result<(), Failed> {
        self.whole(|model| {
            if !model.tables.rows[table].contains_key(&id) {
                return Ok(());
            }
            if model.fire(deeper, HookEvent::BeforeDelete, table, 0)?.is_some() {
                model.tables.rows[table].remove(&id);
                model.fire(deeper, HookEvent::AfterDelete, table, 0)?;
            }
            Ok(())
        })
    }

    fn act(&mut self, action: Action) -> bool {
        let result = match action {
            // What a call returns is a length, also that of an answer of a hook.
            Action::Call(plugin) => self.enter(plugin, false, 0).map(drop),
            Action::Write { table, id, n } => self.write(0, table, id, n),
            Action::Delete { table, id } => self.delete(0, table, id),
        };
        assert!(self.running.is_empty() && self.depth == 0);
        result.is_ok()
    }
}

fn steps(entry: &Entry) -> Vec<Step> {
    let mut steps = Vec::new();
    for (op, must) in &entry.ops {
        let (function, request) = match *op {
            Op::Write { table, id, n } => ("soch_write", row(TABLES[table], id, n)),
            Op::Delete { table, id } => {
                let rows = RowSelector::One(id);
                ("soch_delete", encoded(&DeleteRequest { table: TABLES[table], rows }))
            }
            Op::Call { plugin } => {
                let (plugin, entry, input) = (NAMES[plugin], "go", &[][..]);
                ("call_plugin", encoded(&CallRequest { plugin, entry, input }))
            }
        };
        steps.push(if *must {
            Step::Must(function, request)
        } else {
            Step::Ask(function, request)
        });
    }
    steps.extend(match entry.end {
        End::Returns => None,
        End::Traps => Some(Step::Trap),
        End::Fails => Some(Step::Return(-7)),
        End::Change(n) => {
            let changes = [(0, Value::Int(n))];
            Some(answers(&[HookAnswer::Changed(Seq::new(&changes))]))
        }
        End::Skip => Some(answers(&[HookAnswer::Skip])),
        End::Abort => Some(answers(&[HookAnswer::Abort { code: 3, text: "no" }])),
        End::Garbage => Some(Step::Answer(vec![1, 9, 9])),
    });
    steps
}

fn loaded(programs: &[Program], limit: u8) -> (Host<MemoryStorage>, Vec<PluginId>) {
    let mut host = host();
    host.limit_nesting(limit);
    let load = |(name, program): (&&str, &Program)| {
        let wasm = plugin(INPUT, &[("hook", &steps(&program.hook)), ("go", &steps(&program.go))]);
        let mut tables: BTreeMap<u8, Vec<&str>> = BTreeMap::new();
        for (event, table) in &program.hooks {
            tables.entry(event.number()).or_default().push(TABLES[*table]);
        }
        let config = tables.into_iter().fold(config(), |config, (event, tables)| {
            let event = HookEvent::from_number(event).expect("an event");
            config.with_hook(event, "hook", &tables).expect("a hook")
        });
        host.load(name, &wasm, &config).expect("the plugin loads")
    };
    let plugins = NAMES.iter().zip(programs).map(load).collect();
    (host, plugins)
}

fn act(host: &mut Host<MemoryStorage>, plugins: &[PluginId], action: Action) -> bool {
    match action {
        Action::Call(plugin) => host.call(plugins[plugin], "go", &[]).is_ok(),
        Action::Write { table, id, n } => {
            let values = [Value::Int(n), Value::Null];
            let mode = if id.is_some() { WriteMode::Upsert } else { WriteMode::Insert };
            let rows = [NewRow { id, values: Seq::new(&values) }];
            host.write(TABLES[table], mode, &[], &rows).is_ok()
        }
        Action::Delete { table, id } => host.delete(TABLES[table], RowSelector::One(id)).is_ok(),
    }
}

fn ids() -> impl Strategy<Value = u64> {
    1_u64..5
}

fn ops() -> impl Strategy<Value = (Op, bool)> {
    let table = || 0..TABLES.len();
    let op = prop_oneof![
        3 => (table(), prop::option::of(ids()), 0_i64..99)
            .prop_map(|(table, id, n)| Op::Write { table, id, n }),
        1 => (table(), ids()).prop_map(|(table, id)| Op::Delete { table, id }),
        1 => (0..NAMES.len()).prop_map(|plugin| Op::Call { plugin }),
    ];
    (op, any::<bool>())
}

fn entries(ends: impl Strategy<Value = End>) -> impl Strategy<Value = Entry> {
    (prop::collection::vec(ops(), 0..3), ends).prop_map(|(ops, end)| Entry { ops, end })
}

fn ends() -> impl Strategy<Value = End> {
    prop_oneof![8 => Just(End::Returns), 1 => Just(End::Traps), 1 => Just(End::Fails)]
}

fn answered() -> impl Strategy<Value = End> {
    prop_oneof![
        8 => ends(),
        2 => (100_i64..199).prop_map(End::Change),
        1 => Just(End::Skip),
        1 => Just(End::Abort),
        1 => Just(End::Garbage),
    ]
}

fn programs() -> impl Strategy<Value = Vec<Program>> {
    let event = (0_u8..6).prop_map(|number| HookEvent::from_number(number).expect("an event"));
    let hooks = prop::collection::vec((event, 0..TABLES.len()), 0..5);
    let program = (hooks, entries(answered()), entries(ends()))
        .prop_map(|(hooks, hook, go)| Program { hooks, hook, go });
    prop::collection::vec(program, 1..=NAMES.len())
}

fn actions() -> impl Strategy<Value = Action> {
    let table = || 0..TABLES.len();
    prop_oneof![
        (0..NAMES.len()).prop_map(Action::Call),
        (table(), prop::option::of(ids()), 0_i64..99).prop_map(|(table, id, n)| Action::Write {
            table,
            id,
            n
        }),
        (table(), ids()).prop_map(|(table, id)| Action::Delete { table, id }),
    ]
}

proptest! {
    #![proptest_config(crate::random::cases())]

    #[test]
    fn the_tables_are_those_of_the_model_whatever_plugins_do(
        programs in programs(),
        actions in prop::collection::vec(actions(), 1..12),
        limit in 1_u8..5,
    ) {
        let (mut host, plugins) = loaded(&programs, limit);
        let (tables, running) = (Tables::default(), Vec::new());
        let mut model = Model { programs: &programs, tables, running, depth: 0, limit };
        for action in actions {
            if matches!(action, Action::Call(plugin) if plugin >= programs.len()) {
                continue;
            }
            let expected = model.whole(|model| match model.act(action) {
                true => Ok(()),
                false => Err(Failed),
            });
            prop_assert_eq!(act(&mut host, &plugins, action), expected.is_ok(), "{:?}", action);
            for (table, expected) in TABLES.iter().zip(&model.tables.rows) {
                let found: BTreeMap<u64, i64> =
                    rows(&host, table).into_iter().map(|(id, n, _)| (id, n)).collect();
                prop_assert_eq!(&found, expected, "{} after {:?}", table, action);
            }
        }
    }
}
