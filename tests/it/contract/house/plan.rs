//! The floor plan of ARCHITECTURE.md lists every room, and every room uses only those that stand below it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    crates::{rust_files, text},
    imports::{COMMAND_LINE, LIBRARY, room_in},
};

/// The rooms of every directory whose rooms the plan lists, from the top.
fn plan() -> BTreeMap<String, Vec<String>> {
    let page = text("ARCHITECTURE.md");
    let plan = page.split("```").find(|block| block.starts_with("text\nsrc/")).expect("a plan");
    let mut levels: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut open: Vec<(usize, String)> = Vec::new();
    for line in plan.lines().skip(1).filter(|line| !line.trim().is_empty()) {
        let indent = line.len() - line.trim_start().len();
        let name = line.split_whitespace().next().expect("not empty").trim_end_matches('/');
        open.retain(|(outer, _)| *outer < indent);
        let path = match open.last() {
            Some((_, directory)) => {
                levels.entry(directory.clone()).or_default().push(room(name).to_owned());
                format!("{directory}/{name}")
            }
            None => name.to_owned(),
        };
        open.push((indent, path));
    }
    levels
}

/// A room is a directory, a file, or both of one name.
fn room(path: &str) -> &str {
    let first = path.split('/').next().unwrap_or(path);
    first.trim_end_matches(".rs")
}

/// Whether a file only says what a room is for and shows what is in it.
fn is_face(room: &str) -> bool {
    matches!(room, "mod" | "lib" | "main")
}

// The page described rooms that had moved: nobody compared it with the directories.
#[test]
fn the_plan_lists_every_room() {
    for (directory, listed) in plan() {
        let listed: BTreeSet<&str> = listed.iter().map(String::as_str).collect();
        let files = rust_files(&directory);
        let rooms = files.iter().filter_map(|path| room_in(path, &directory)).map(room);
        let rooms: BTreeSet<&str> = rooms.filter(|room| !is_face(room)).collect();
        assert_eq!(listed, rooms, "ARCHITECTURE.md lists other rooms than {directory} has");
    }
}

#[test]
fn no_room_uses_one_that_stands_above_it_in_the_plan() {
    let mut upward = Vec::new();
    for (directory, rooms) in plan() {
        let floor = |name: &str| rooms.iter().position(|room| room == name);
        for krate in [&LIBRARY, &COMMAND_LINE] {
            for (from, used) in krate.uses() {
                let Some(high) = room_in(from, &directory).map(room).and_then(floor) else {
                    continue;
                };
                for to in used {
                    let low = room_in(to, &directory).map(room).and_then(floor);
                    if low.is_some_and(|low| low < high) {
                        upward.push(format!("{from} uses {to}"));
                    }
                }
            }
        }
    }
    assert!(upward.is_empty(), "these files use a room above theirs: {upward:#?}");
}
