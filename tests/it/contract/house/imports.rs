//! Which file uses which: every `use`, and every path that begins with `crate`, `super`, `self` or the
//! name of an imported module, also inside macros. A name is followed through re-exports to the file
//! that defines it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Item, UseTree};

use super::crates::{SourceFile, crate_files};

/// An imported name and the path behind it, as segments.
type Imports = BTreeMap<String, Vec<String>>;

/// What one module says.
#[derive(Default)]
struct Module {
    imports: Imports,
    /// Modules of which everything is imported.
    globs: Vec<Vec<String>>,
    defined: BTreeSet<String>,
    /// Paths that its code names.
    paths: Vec<Vec<String>>,
}

/// A crate whose names can be followed.
pub struct Crate {
    modules: BTreeMap<String, Module>,
    files: BTreeMap<String, String>,
    /// Macros that are visible from the root, with the module that defines each.
    macros: BTreeMap<String, String>,
}

/// The library.
pub static LIBRARY: LazyLock<Crate> =
    LazyLock::new(|| Crate::new(crate_files("src", "lib", "src/bin/")));

/// The command line.
pub static COMMAND_LINE: LazyLock<Crate> =
    LazyLock::new(|| Crate::new(crate_files("src/bin/sochdb-wasmi", "main", "none")));

impl Crate {
    fn new(files: BTreeMap<String, SourceFile>) -> Self {
        let mut new = Self {
            modules: BTreeMap::new(),
            files: files.iter().map(|(name, file)| (name.clone(), file.path.clone())).collect(),
            macros: BTreeMap::new(),
        };
        for (name, file) in &files {
            let mut module = Module::default();
            module.read(&file.syntax.items, 0);
            for item in &file.syntax.items {
                if let Item::Macro(item) = item
                    && item.attrs.iter().any(|attr| attr.path().is_ident("macro_export"))
                    && let Some(ident) = &item.ident
                {
                    new.macros.insert(ident.to_string(), name.clone());
                }
            }
            new.modules.insert(name.clone(), module);
        }
        new
    }

    /// For every file, the files that it uses.
    pub fn uses(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut uses = BTreeMap::new();
        for (name, module) in &self.modules {
            let mut used = BTreeSet::new();
            let imported = module.imports.values().filter(|_| !module.is_face());
            for path in imported.chain(&module.globs).chain(&module.paths) {
                if let Some(target) = self.follow(name, path, 0) {
                    used.insert(self.files[&target].as_str());
                }
            }
            let own = self.files[name].as_str();
            used.remove(own);
            uses.insert(own, used);
        }
        uses
    }

    /// Paths that begin in this crate and lead to nothing in it: the reader above does not understand
    /// them.
    pub fn lost(&self) -> Vec<String> {
        let mut lost = Vec::new();
        for (name, module) in &self.modules {
            for path in module.imports.values().chain(&module.globs).chain(&module.paths) {
                let inside = matches!(path[0].as_str(), "crate" | "super" | "self");
                if inside && path.len() > 1 && self.follow(name, path, 0).is_none() {
                    lost.push(format!("{}: {}", self.files[name], path.join("::")));
                }
            }
        }
        lost
    }

    /// The module whose file defines what `path` means in the module `from`.
    fn follow(&self, from: &str, path: &[String], depth: usize) -> Option<String> {
        assert!(depth < 32, "{from}: {} is defined by itself", path.join("::"));
        let mut at = from.to_owned();
        let mut rest = path;
        match path[0].as_str() {
            "crate" => (at, rest) = (String::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    at = at.rsplit_once("::").map_or("", |(parent, _)| parent).to_owned();
                    rest = &rest[1..];
                }
            }
            first => {
                let known = self.modules.contains_key(&child(&at, first));
                if !known && !self.modules[&at].imports.contains_key(first) {
                    // Another crate's, or the prelude's.
                    return None;
                }
            }
        }
        self.descend(at, rest, depth)
    }

    fn descend(&self, at: String, rest: &[String], depth: usize) -> Option<String> {
        let Some((name, after)) = rest.split_first() else { return Some(at) };
        let inner = child(&at, name);
        if self.modules.contains_key(&inner) {
            return self.descend(inner, after, depth);
        }
        let module = &self.modules[&at];
        if module.defined.contains(name) {
            return Some(at);
        }
        if let Some(target) = module.imports.get(name) {
            let path: Vec<String> = target.iter().chain(after).cloned().collect();
            return self.follow(&at, &path, depth + 1);
        }
        if at.is_empty()
            && let Some(target) = self.macros.get(name)
        {
            return Some(target.clone());
        }
        module.globs.iter().find_map(|glob| {
            let path: Vec<String> = glob.iter().chain(rest).cloned().collect();
            self.follow(&at, &path, depth + 1)
        })
    }
}

fn child(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

impl Module {
    /// Whether it only shows what its children define.
    fn is_face(&self) -> bool {
        self.defined.is_empty()
    }

    fn read(&mut self, items: &[Item], depth: usize) {
        for item in items {
            match item {
                Item::Use(item) => self.read_use(&item.tree, &mut Vec::new(), depth),
                Item::Mod(item) => match &item.content {
                    Some((_, items)) if !is_test(&item.attrs) => self.read(items, depth + 1),
                    _ => {}
                },
                other => {
                    self.defined.extend(defined(other));
                    self.read_tokens(other.to_token_stream());
                }
            }
        }
    }

    fn read_use(&mut self, tree: &UseTree, prefix: &mut Vec<String>, depth: usize) {
        match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.read_use(&path.tree, prefix, depth);
                prefix.pop();
            }
            UseTree::Name(name) => self.import(name.ident.to_string(), None, prefix, depth),
            UseTree::Rename(name) => {
                self.import(name.ident.to_string(), Some(name.rename.to_string()), prefix, depth);
            }
            UseTree::Glob(_) => self.globs.push(outside(prefix, depth)),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.read_use(tree, prefix, depth);
                }
            }
        }
    }

    fn import(&mut self, name: String, renamed: Option<String>, prefix: &[String], depth: usize) {
        let mut path = prefix.to_vec();
        if name != "self" {
            path.push(name);
        }
        let known_as = renamed.unwrap_or_else(|| path[path.len() - 1].clone());
        self.imports.insert(known_as, outside(&path, depth));
    }

    /// Takes every path out of code: identifiers with `::` between them.
    fn read_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.end_path(&mut path);
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.end_path(&mut path);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.read_tokens(group.stream());
                    }
                }
            }
        }
        self.end_path(&mut path);
    }

    fn end_path(&mut self, path: &mut Vec<String>) {
        let path = core::mem::take(path);
        if path.len() > 1 {
            self.paths.push(path);
        }
    }
}

/// The path as it reads from the file's own module, `depth` modules outside.
fn outside(path: &[String], depth: usize) -> Vec<String> {
    let mut path = path.to_vec();
    for _ in 0..depth {
        if path.first().is_some_and(|first| first == "super") {
            path.remove(0);
        }
    }
    path
}

fn is_test(attrs: &[syn::Attribute]) -> bool {
    attrs.iter().any(|attr| {
        attr.path().is_ident("cfg") && attr.to_token_stream().to_string().contains("test")
    })
}

/// The names that an item defines.
fn defined(item: &Item) -> Vec<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        Item::Macro(item) => {
            let mut names = made(item.mac.tokens.clone(), item.ident.is_none());
            names.extend(item.ident.as_ref().map(ToString::to_string));
            return names;
        }
        _ => return Vec::new(),
    };
    vec![ident.to_string()]
}

/// The names that a macro defines: those after a keyword, and in its input (`tables`) also types, whose
/// keyword is the macro's.
fn made(tokens: TokenStream, tables: bool) -> Vec<String> {
    let mut names = Vec::new();
    let mut keyword = false;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                let name = ident.to_string();
                if keyword || (tables && name.starts_with(char::is_uppercase)) {
                    names.push(name.clone());
                }
                keyword = matches!(name.as_str(), "struct" | "enum" | "fn" | "const" | "type");
            }
            TokenTree::Group(group) => names.extend(made(group.stream(), tables)),
            _ => keyword = false,
        }
    }
    names
}

/// The groups of names that reach each other, each with more than one member.
fn circles<'n>(uses: &BTreeMap<&'n str, BTreeSet<&'n str>>) -> Vec<Vec<&'n str>> {
    let reach = |from: &'n str| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(at) = open.pop() {
            for next in uses.get(at).into_iter().flatten() {
                if seen.insert(*next) {
                    open.push(next);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        uses.keys().map(|from| (*from, reach(from))).collect();
    let mut found: Vec<Vec<&str>> = Vec::new();
    for (from, to) in &reached {
        if to.contains(from) && !found.iter().any(|circle| circle.contains(from)) {
            found.push(to.iter().filter(|at| reached[*at].contains(from)).copied().collect());
        }
    }
    found
}

/// The room of a file at one level of the tree: what comes after `directory` in its path, up to the
/// next `/`.
pub fn room_in<'p>(path: &'p str, directory: &str) -> Option<&'p str> {
    let inside = path.strip_prefix(directory)?.strip_prefix('/')?;
    Some(inside.split_once('/').map_or(inside, |(room, _)| room))
}

#[test]
fn every_path_of_the_crate_leads_to_a_definition() {
    for (name, lost) in [("library", LIBRARY.lost()), ("command line", COMMAND_LINE.lost())] {
        assert!(lost.is_empty(), "{name}: the test cannot follow these paths: {lost:#?}");
    }
}

// Seven circles tied up to eight files of one room together, so that none could be read alone: the error
// type named what named it, the dispatcher and the recorder each other.
#[test]
fn no_files_import_each_other_in_a_circle() {
    for krate in [&LIBRARY, &COMMAND_LINE] {
        let circles = circles(&krate.uses());
        assert!(circles.is_empty(), "these files use each other: {circles:#?}");
    }
}

// Files may be free of circles and rooms not: a file of one room uses one of another, and a third one the
// other way round.
#[test]
fn no_rooms_use_each_other_in_a_circle() {
    for krate in [&LIBRARY, &COMMAND_LINE] {
        let uses = krate.uses();
        let directories: BTreeSet<&str> = uses
            .keys()
            .flat_map(|path| path.match_indices('/').map(|(at, _)| &path[..at]))
            .collect();
        for directory in directories {
            let mut rooms: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
            for (from, to) in &uses {
                let Some(from) = room_in(from, directory) else { continue };
                let to = to.iter().filter_map(|to| room_in(to, directory));
                rooms.entry(from).or_default().extend(to.filter(|to| *to != from));
            }
            let circles = circles(&rooms);
            assert!(circles.is_empty(), "{directory}: these rooms use each other: {circles:#?}");
        }
    }
}
