//! What is in a WebAssembly module, without loading it.

use std::path::Path;

use serde_json::{Value, json};
use sochdb_wasmi::abi::{Capability, HOST_FUNCTIONS, IMPORT_MODULE};
use wasmparser::{CompositeInnerType, ExternalKind, FuncType, Parser, Payload, TypeRef, ValType};

use crate::report::failure::Failure;

/// A module, as its sections have it.
#[derive(Default)]
pub struct Contents {
    /// Name, and bytes of the contents; in the order of the module.
    pub sections: Vec<(String, usize)>,
    /// Module, name, and whether it is a function of the type that host functions have.
    pub imports: Vec<(String, String, bool)>,
    /// Exported functions of the type that entry points have.
    pub entries: Vec<String>,
    /// The first memory: pages at the start, the most pages, bytes of a page.
    pub memory: Option<(u64, Option<u64>, u64)>,
}

fn function_type(ty: CompositeInnerType) -> Option<FuncType> {
    if let CompositeInnerType::Func(function) = ty { Some(function) } else { None }
}

/// What a section is called.
fn named(payload: &Payload<'_>, id: u8) -> String {
    if let Payload::CustomSection(custom) = payload {
        format!("custom {}", custom.name())
    } else {
        section_name(id).into()
    }
}

/// Takes a module apart.
#[expect(clippy::wildcard_enum_match_arm, reason = "the list of another crate, which grows")]
pub fn read(path: &Path, wasm: &[u8]) -> Result<Contents, Failure> {
    let wrong = |reason: String| Failure::NotWasm { path: path.into(), reason };
    let mut contents = Contents::default();
    let mut types: Vec<Option<FuncType>> = Vec::new();
    // The type of each function, imported ones first.
    let mut functions: Vec<u32> = Vec::new();
    if !wasm.starts_with(b"\0asm") {
        return Err(wrong("it does not begin with \\0asm".into()));
    }
    for payload in Parser::new(0).parse_all(wasm) {
        let failed = |error: wasmparser::BinaryReaderError| wrong(error.to_string());
        let payload = payload.map_err(failed)?;
        if let Some((id, range)) = payload.as_section() {
            contents.sections.push((named(&payload, id), range.len()));
        }
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    let group = group.map_err(failed)?.into_types();
                    types.extend(group.map(|ty| function_type(ty.composite_type.inner)));
                }
            }
            Payload::ImportSection(section) => {
                for import in section {
                    let import = import.map_err(failed)?;
                    let function = if let TypeRef::Func(ty) = import.ty { Some(ty) } else { None };
                    functions.extend(function);
                    let host = function.is_some_and(|ty| is(&types, ty, &[ValType::I32; 4]));
                    contents.imports.push((import.module.into(), import.name.into(), host));
                }
            }
            Payload::FunctionSection(section) => {
                let declared = section.into_iter().collect::<Result<Vec<_>, _>>();
                functions.extend(declared.map_err(failed)?);
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    let memory = memory.map_err(failed)?;
                    let page = 1 << memory.page_size_log2.unwrap_or(16).min(63);
                    contents.memory.get_or_insert((memory.initial, memory.maximum, page));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export.map_err(failed)?;
                    let ty = functions.get(export.index as usize);
                    let entry = ty.is_some_and(|ty| is(&types, *ty, &[ValType::I32]));
                    if entry && export.kind == ExternalKind::Func {
                        contents.entries.push(export.name.into());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(contents)
}

/// Whether a type is a function of these that returns an `i32`.
fn is(types: &[Option<FuncType>], ty: u32, parameters: &[ValType]) -> bool {
    let ty = types.get(ty as usize).and_then(Option::as_ref);
    ty.is_some_and(|ty| ty.params() == parameters && ty.results() == [ValType::I32])
}

const fn section_name(id: u8) -> &'static str {
    match id {
        1 => "type",
        2 => "import",
        3 => "function",
        4 => "table",
        5 => "memory",
        6 => "global",
        7 => "export",
        8 => "start",
        9 => "element",
        10 => "code",
        11 => "data",
        12 => "data count",
        _ => "unknown",
    }
}

impl Contents {
    /// The fields of the manifest that the imports ask for, or why there is none: of each import.
    pub fn needs(&self) -> impl Iterator<Item = (String, String)> {
        self.imports.iter().map(|(module, name, host_function)| {
            let found = HOST_FUNCTIONS
                .iter()
                .find(|f| f.module == module.as_str() && f.name == name.as_str());
            let needs = match found {
                Some(function) if *host_function => function.capability.to_string(),
                Some(_) => "refused: it has another type".into(),
                None if module == IMPORT_MODULE => "refused: there is no such function".into(),
                None if *host_function => "can_call_host; the host has to provide it".into(),
                None => "refused: no host function has this type".into(),
            };
            (format!("{module}.{name}"), needs)
        })
    }

    /// The functions of a device: module, name.
    pub fn own_functions(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = |(module, _, host_function): &&(String, String, bool)| {
            *host_function && module != IMPORT_MODULE
        };
        self.imports.iter().filter(own).map(|(module, name, _)| (module.as_str(), name.as_str()))
    }

    /// The fields of the section `[capabilities]` that its imports may need, each once.
    pub fn capabilities(&self) -> Vec<&'static str> {
        let mut fields = Vec::new();
        for (module, name, host_function) in &self.imports {
            let found = HOST_FUNCTIONS.iter().find(|f| f.module == module && f.name == name);
            let needs: &[&str] = match found.map(|function| function.capability) {
                Some(Capability::ReadTable) => &["can_read_table"],
                Some(Capability::WriteTable) => &["can_write_table"],
                Some(Capability::VectorSearch) => &["can_read_table", "can_vector_search"],
                Some(Capability::IndexSearch) => &["can_read_table", "can_index_search"],
                None if *host_function && module != IMPORT_MODULE => &["can_call_host"],
                _ => &[],
            };
            fields
                .extend(needs.iter().filter(|field| !fields.contains(*field)).collect::<Vec<_>>());
        }
        fields
    }

    /// The memory for programs.
    pub fn memory_json(&self) -> Value {
        match self.memory {
            None => Value::Null,
            Some((initial, maximum, page)) => json!({
                "initial_bytes": initial.saturating_mul(page),
                "maximum_bytes": maximum.map(|pages| pages.saturating_mul(page)),
                "page_bytes": page,
            }),
        }
    }
}
