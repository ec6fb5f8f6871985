//! From bytes to a plugin that can be called: every check that can be made once is made here.

use alloc::{boxed::Box, vec::Vec};

use wasmi::{
    Caller, Engine, Extern, ExternType, Func, Instance, Memory, Module, Store, TypedFunc, Val,
    ValType,
};

use super::{
    buffers::{Buffer, Buffers},
    compiler::Compiler,
    dispatch::host_call,
    linear_memory,
    state::{Plugin, PluginState, reason},
};
use crate::{
    abi::{ABI_VERSION, DESCRIPTOR_EXPORT, Descriptor, MEMORY_EXPORT, MEMORY_IMPORT},
    audit::FunctionId,
    database::Storage,
    host::{
        access::{Identity, OnDenied, PluginConfig},
        boundary::Arguments,
        error::{LoadError, Loading},
        metrics::HostCounters,
        module::{RamBound, catch_panic, check_code, check_sections, engine, import_memory},
        registry::HostFunctionRegistry,
        report::CallReport,
        tape::ModuleHash,
    },
    limits::{Limit, LimitExceeded, Limits},
};

fn missing(name: &'static str) -> Box<LoadError> {
    LoadError::MissingExport { name }.into()
}

fn export_type(name: &'static str, expected: &'static str) -> Box<LoadError> {
    LoadError::ExportType { name, expected }.into()
}

/// A module that can be instantiated.
pub(crate) struct Compiled {
    engine: Engine,
    module: Module,
    hash: ModuleHash,
}

/// Checks what can be checked of the bytes, and compiles them.
///
/// In the interpreter validator and translator take turns, operator by operator: the translator works
/// on code of which the validator has not seen the rest, and panics on some. So the whole module is
/// validated before any of it is translated.
///
/// Not inlined: compiling takes the most of the native stack, and what is made of the module does not
/// lie on it yet.
#[inline(never)]
pub(crate) fn compile(
    wasm: &[u8],
    config: &PluginConfig,
    compiler: &Compiler,
) -> Loading<Compiled> {
    let limits = &config.limits;
    if wasm.len() as u64 > u64::from(limits.module_bytes) {
        return Err(LoadError::Limit(LimitExceeded {
            limit: Limit::ModuleSize,
            allowed: limits.module_bytes.into(),
            asked: wasm.len() as u64,
        })
        .into());
    }
    if !wasm.starts_with(b"\0asm") {
        return Err(LoadError::NotWasm.into());
    }
    check_ram(wasm, config)?;
    check_sections(wasm, limits)?;
    catch_panic(|| translate(wasm, config, compiler))
}

/// Refuses a plugin that may take more RAM than is free.
fn check_ram(wasm: &[u8], config: &PluginConfig) -> Loading<()> {
    let Some(free) = config.free_ram else { return Ok(()) };
    let bound =
        config.limits.ram_bound(wasm.len() as u32).map(|bound| match config.static_memory {
            true => RamBound { memory: 0, ..bound },
            false => bound,
        });
    let needed = bound.and_then(|bound| bound.total()).unwrap_or(u64::MAX);
    if needed > free {
        return Err(LoadError::NotEnoughRam { needed, free }.into());
    }
    Ok(())
}

fn translate(wasm: &[u8], config: &PluginConfig, compiler: &Compiler) -> Loading<Compiled> {
    let limits = &config.limits;
    let engine = engine(limits);
    let invalid = |error: wasmi::Error| LoadError::InvalidModule { reason: reason(&error) };
    (compiler.validate)(&engine, wasm).map_err(invalid)?;
    let rewritten = check_code(wasm)?.put_into(wasm);
    let rewritten = match config.static_memory {
        true => import_memory(rewritten.as_deref().unwrap_or(wasm)).or(rewritten),
        false => rewritten,
    };
    let bytes = rewritten.as_deref().unwrap_or(wasm);
    let module = (compiler.translate)(&engine, bytes).map_err(invalid)?;
    check_exports(&module)?;
    Ok(Compiled { engine, module, hash: ModuleHash::of(wasm) })
}

impl<S: Storage + 'static> Plugin<S> {
    /// Instantiates a module.
    pub(crate) fn new(
        identity: Identity,
        compiled: Compiled,
        config: &PluginConfig,
        registry: &HostFunctionRegistry<S>,
        buffers: &mut Buffers,
    ) -> Loading<Self> {
        let limits = config.limits;
        let Compiled { engine, module, hash, .. } = compiled;
        let mut store = new_store(&engine, identity, &limits, config.on_denied);
        let buffer = match config.static_memory {
            false => None,
            true => {
                let ty = linear_memory::imported(&module).ok_or_else(|| missing(MEMORY_EXPORT))?;
                Some(buffers.fitting(linear_memory::initial_bytes(&mut store, ty)?)?)
            }
        };
        let live = catch_panic(|| {
            // SAFETY: no store had the buffer since it was taken from the list.
            unsafe { instantiate(&mut store, &module, &limits, registry, buffer.as_ref()) }
        });
        #[cfg(feature = "hooks")]
        let live = live.and_then(|live| {
            let has = |entry: &str| live.entries.iter().any(|(name, _)| **name == *entry);
            config.hooks_kept().check(&config.capabilities.can_read_table, has)?;
            Ok(live)
        });
        let live = match live {
            Ok(live) => live,
            Err(error) => {
                drop(store);
                buffer.into_iter().for_each(|buffer| buffers.put(buffer));
                return Err(error);
            }
        };
        #[cfg(feature = "hooks")]
        let hooks = config.hooks_kept().clone();
        Ok(Self {
            engine,
            hash,
            module,
            store,
            buffer,
            descriptor: live.descriptor,
            entries: live.entries,
            limits,
            #[cfg(feature = "hooks")]
            hooks,
            trapped: false,
            report: CallReport::default(),
            totals: HostCounters::default(),
            previous: None,
        })
    }

    /// Restarts the plugin after a trap: linear memory and globals as they were after loading.
    ///
    /// The old memory is freed before the new one is taken, for hosts that have room for one.
    #[cold]
    #[inline(never)]
    pub(crate) fn restart(&mut self, registry: &HostFunctionRegistry<S>) -> Loading<()> {
        let old = self.store.data_mut();
        let identity = core::mem::take(&mut old.identity);
        self.store = new_store(&self.engine, identity, &self.limits, old.on_denied);
        let Self { store, module, limits, buffer, .. } = self;
        let live = catch_panic(|| {
            // SAFETY: the store that had the buffer was dropped above, when another was assigned; or
            // it was that of a newer version, which `Host::rollback` dropped when it took the buffer.
            unsafe { instantiate(store, module, limits, registry, buffer.as_ref()) }
        })?;
        self.descriptor = live.descriptor;
        self.entries = live.entries;
        self.trapped = false;
        Ok(())
    }
}

impl<S: Storage> Plugin<S> {
    /// Frees the instance, the linear memory and the version before, and gives the buffer back. The
    /// next call would [restart](Self::restart) the plugin.
    pub(crate) fn discard_instance(&mut self, buffers: &mut Buffers) {
        let old = self.store.data_mut();
        let identity = core::mem::take(&mut old.identity);
        self.store = new_store(&self.engine, identity, &self.limits, old.on_denied);
        self.buffer.take().into_iter().for_each(|buffer| buffers.put(buffer));
        self.previous = None;
        self.trapped = true;
    }
}

/// A store whose limiter is set: the initial memory would escape it else.
///
/// Not inlined: loading and restarting share it.
#[inline(never)]
fn new_store<S: Storage>(
    engine: &Engine,
    identity: Identity,
    limits: &Limits,
    on_denied: OnDenied,
) -> Box<Store<PluginState<S>>> {
    let state = PluginState::new(identity, limits, on_denied);
    let mut store = Box::new(Store::new(engine, state));
    store.limiter(|state| state);
    store
}

/// What changes when a plugin is restarted.
struct Live {
    descriptor: Descriptor,
    entries: Vec<(Box<str>, TypedFunc<i32, i32>)>,
}

/// Makes the instance, in a new store.
///
/// # Safety
/// As [`memory::make`].
unsafe fn instantiate<S: Storage + 'static>(
    store: &mut Store<PluginState<S>>,
    module: &Module,
    limits: &Limits,
    registry: &HostFunctionRegistry<S>,
    buffer: Option<&Buffer>,
) -> Loading<Live> {
    // Copying data segments into memory costs fuel.
    store
        .set_fuel(limits.fuel_per_call)
        .map_err(|error| LoadError::Instantiation { reason: reason(&error) })?;
    let mut imports = Vec::new();
    let mut imported_memory = None;
    for import in module.imports() {
        let (name, field) = (import.module(), import.name());
        if (name, field) == MEMORY_IMPORT
            && let Some(&ty) = import.ty().memory()
        {
            // SAFETY: the caller's promise; a module has one memory at most.
            let memory = unsafe { linear_memory::make(store, ty, buffer)? };
            imported_memory = Some(memory);
            imports.push(Extern::Memory(memory));
            continue;
        }
        let Some(id) = registry.find(name, field) else {
            return Err(LoadError::UnknownImport { module: name.into(), name: field.into() }.into());
        };
        let is_host_function = import
            .ty()
            .func()
            .is_some_and(|ty| ty.params() == [ValType::I32; 4] && ty.results() == [ValType::I32]);
        if !is_host_function {
            return Err(LoadError::ImportType { module: name.into(), name: field.into() }.into());
        }
        imports.push(Extern::Func(import_function(store, id)));
    }
    let instance = Instance::new(&mut *store, module, &imports)
        .map_err(|error| linear_memory::refused(store, &error))?;
    let memory: Memory = imported_memory
        .or_else(|| instance.get_memory(&*store, MEMORY_EXPORT))
        .ok_or_else(|| missing(MEMORY_EXPORT))?;
    store.data_mut().memory = Some(memory);
    let descriptor = read_descriptor(store, &instance)?;
    let mut entries = Vec::new();
    for export in instance.exports(&*store) {
        let name: Box<str> = export.name().into();
        if let Some(function) = export.into_func()
            && let Ok(function) = function.typed::<i32, i32>(&*store)
        {
            entries.push((name, function));
        }
    }
    store.data_mut().growth.running = true;
    Ok(Live { descriptor, entries })
}

fn import_function<S: Storage + 'static>(
    store: &mut Store<PluginState<S>>,
    id: FunctionId,
) -> Func {
    Func::wrap(
        store,
        move |caller: Caller<'_, PluginState<S>>,
              request_ptr: u32,
              request_len: u32,
              response_ptr: u32,
              response_capacity: u32| {
            let arguments = Arguments { request_ptr, request_len, response_ptr, response_capacity };
            host_call(caller, id, arguments)
        },
    )
}

#[inline(never)]
fn check_exports(module: &Module) -> Loading<()> {
    match module.get_export(MEMORY_EXPORT) {
        Some(ExternType::Memory(_)) => {}
        // An imported memory need not be exported too: the host has it.
        None if linear_memory::imported(module).is_some() => {}
        None => return Err(missing(MEMORY_EXPORT)),
        Some(_) => {
            return Err(export_type(MEMORY_EXPORT, "a linear memory"));
        }
    }
    match module.get_export(DESCRIPTOR_EXPORT) {
        None => Err(missing(DESCRIPTOR_EXPORT)),
        Some(ExternType::Global(ty))
            if ty.content() == ValType::I32 && !ty.mutability().is_mut() =>
        {
            Ok(())
        }
        Some(_) => Err(export_type(DESCRIPTOR_EXPORT, "an immutable i32 global")),
    }
}

fn read_descriptor<S: Storage>(
    store: &Store<PluginState<S>>,
    instance: &Instance,
) -> Loading<Descriptor> {
    let memory = match store.data().memory {
        Some(memory) => memory.data(store),
        None => &[],
    };
    let memory_bytes = memory.len() as u64;
    let global =
        instance.get_global(store, DESCRIPTOR_EXPORT).ok_or_else(|| missing(DESCRIPTOR_EXPORT))?;
    let Val::I32(address) = global.get(store) else {
        return Err(export_type(DESCRIPTOR_EXPORT, "an immutable i32 global"));
    };
    let address = address.cast_unsigned();
    let bytes = memory
        .get(address as usize..)
        .and_then(|memory| memory.first_chunk())
        .ok_or(LoadError::DescriptorOutOfBounds { address, memory_bytes })?;
    let descriptor = Descriptor::from_bytes(bytes);
    if descriptor.abi_version != ABI_VERSION {
        return Err(LoadError::AbiVersion { found: descriptor.abi_version }.into());
    }
    let parts = [
        ("descriptor", address, Descriptor::SIZE as u32),
        ("Input Buffer", descriptor.input_ptr, descriptor.input_capacity),
        ("Output Buffer", descriptor.output_ptr, descriptor.output_capacity),
    ];
    for (buffer, ptr, capacity) in parts {
        if u64::from(ptr) + u64::from(capacity) > memory_bytes {
            return Err(LoadError::BufferOutOfBounds { buffer, ptr, capacity, memory_bytes }.into());
        }
    }
    for (at, (_, a, a_len)) in parts.into_iter().enumerate() {
        for (_, b, b_len) in parts.into_iter().skip(at + 1) {
            let overlap = u64::from(a) < u64::from(b) + u64::from(b_len)
                && u64::from(b) < u64::from(a) + u64::from(a_len);
            if overlap && a_len > 0 && b_len > 0 {
                return Err(LoadError::BuffersOverlap.into());
            }
        }
    }
    Ok(descriptor)
}
