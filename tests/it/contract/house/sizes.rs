//! No file has more than 400 lines and no function more than 60.

use syn::{spanned::Spanned, visit::Visit};

use super::crates::{parse, rust_files, text};

const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 60;

/// What is measured.
const DIRECTORIES: [&str; 3] = ["src", "tests", "fuzz"];

/// Collects functions that are too long.
struct Functions<'p> {
    path: &'p str,
    long: Vec<String>,
}

impl Functions<'_> {
    /// From the first line of the signature to the closing brace; attributes and docs do not count.
    fn measure(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let (first, last) = (signature.span().start().line, body.span().end().line);
        let lines = last + 1 - first;
        if lines > FUNCTION_LINES {
            self.long.push(format!("{}:{first}: {} has {lines} lines", self.path, signature.ident));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.measure(&item.sig, &item.block);
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.measure(&item.sig, &item.block);
        syn::visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.measure(&item.sig, body);
        }
        syn::visit::visit_trait_item_fn(self, item);
    }
}

// Twenty files had more than 400 lines, the longest 636: nobody reads such a file before changing it.
#[test]
fn no_file_has_more_than_400_lines() {
    let mut long = Vec::new();
    for path in DIRECTORIES.into_iter().flat_map(rust_files) {
        let lines = text(&path).lines().count();
        if lines > FILE_LINES {
            long.push(format!("{path} has {lines} lines"));
        }
    }
    assert!(long.is_empty(), "files may have {FILE_LINES} lines: {long:#?}");
}

// Thirteen functions were longer than a screen, the longest had 82 lines.
#[test]
fn no_function_has_more_than_60_lines() {
    let mut long = Vec::new();
    for path in DIRECTORIES.into_iter().flat_map(rust_files) {
        let mut functions = Functions { path: &path, long: Vec::new() };
        functions.visit_file(&parse(&path));
        long.append(&mut functions.long);
    }
    assert!(long.is_empty(), "functions may have {FUNCTION_LINES} lines: {long:#?}");
}
