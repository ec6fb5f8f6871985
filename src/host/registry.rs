//! The host functions that plugins can import: SochDB's eight, `last_error`, `call_plugin`, and the embedder's
//! own.
//!
//! The registry holds them; [`dispatch`](super::plugin::dispatch) calls them.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use super::{access::HostFunctionContext, boundary::HostCallResult, functions};
use crate::{
    abi::{Builtin, Capability, IMPORT_MODULE, Name, NameError},
    audit::FunctionId,
    database::{MemoryStorage, Storage},
    for_each_host_function,
};

/// A function that plugins can import.
///
/// The host checks the bounds of request and response, the named capability, the quotas, and keeps
/// the audit entry; the function decodes, works and encodes.
///
/// It must not panic: the interpreter's frames cannot be unwound, so that a panic may end the
/// process. What can go wrong is a [`HostCallResult`].
///
/// ```
/// use sochdb_wasmi::{
///     abi::Capability,
///     database::{Database, MemoryLimits, Storage},
///     host::{Host, HostCallResult, HostConfig, HostFunction, HostFunctionContext, NoClock},
/// };
///
/// /// Answers the number of the board, one byte.
/// struct BoardNumber(u8);
///
/// impl<S: Storage> HostFunction<S> for BoardNumber {
///     fn name(&self) -> &str {
///         "board_number"
///     }
///
///     fn capability(&self) -> Capability<'_> {
///         Capability::Named("board.number")
///     }
///
///     fn execute(
///         &mut self,
///         _context: &mut HostFunctionContext<'_, S>,
///         _request: &[u8],
///         response: &mut [u8],
///     ) -> HostCallResult {
///         let Some(place) = response.first_mut() else {
///             return HostCallResult::BufferTooSmall { needed: 1 };
///         };
///         *place = self.0;
///         HostCallResult::Success(1)
///     }
/// }
///
/// let database = Database::in_memory(MemoryLimits::default());
/// let mut host = Host::new(HostConfig::default(), database, NoClock);
/// host.register("board", BoardNumber(7))?;
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub trait HostFunction<S: Storage = MemoryStorage>: Send {
    /// Name under which a plugin imports it.
    fn name(&self) -> &str;

    /// What a plugin needs to call it. It counts as it was when the function was registered.
    ///
    /// The host checks [`Capability::Named`] before it calls the function. The others protect
    /// nothing by themselves: which table is meant is known only once the request is decoded, so
    /// the function must ask its context, with [`HostFunctionContext::check_read`],
    /// [`check_write`](HostFunctionContext::check_write) and their like, before it touches the
    /// table.
    fn capability(&self) -> Capability<'_>;

    /// Does the work: reads `request`, writes `response`, and returns how many bytes it wrote.
    /// What is behind these it leaves as it is, or a replay of the call will find other bytes
    /// there.
    ///
    /// Both lie in the plugin's linear memory and do not overlap. Expensive work is paid for with
    /// [`HostFunctionContext::charge`] before it is done.
    fn execute(
        &mut self,
        context: &mut HostFunctionContext<'_, S>,
        request: &[u8],
        response: &mut [u8],
    ) -> HostCallResult;
}

/// Why a function was not added.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistryError {
    /// The module or function name breaks the grammar of [`Name`].
    Name(NameError),
    /// The module `sochdb` holds only SochDB's functions.
    ReservedModule,
    /// There already is a function of this name in the module.
    Duplicate {
        /// The module.
        module: Name,
        /// The function.
        name: Name,
    },
    /// The registry holds 65,535 functions.
    Full,
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => write!(f, "host function: {error}"),
            Self::ReservedModule => {
                write!(f, "host function: the module {IMPORT_MODULE} is SochDB's own")
            }
            Self::Duplicate { module, name } => {
                write!(f, "host function: {module}.{name} exists already")
            }
            Self::Full => write!(f, "host function: the registry is full"),
        }
    }
}

impl core::error::Error for RegistryError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Name(error) => Some(error),
            Self::ReservedModule | Self::Duplicate { .. } | Self::Full => None,
        }
    }
}

pub(super) struct Registered<S: Storage> {
    pub(super) module: Name,
    pub(super) name: Name,
    /// The capability's name, if it is [`Capability::Named`]: asked once, not on every call.
    pub(super) capability: Option<Box<str>>,
    /// Whether it is one of SochDB's.
    pub(super) builtin: bool,
    pub(super) function: Box<dyn HostFunction<S>>,
}

impl<S: Storage> Registered<S> {
    fn new(module: Name, name: Name, function: Box<dyn HostFunction<S>>) -> Self {
        let capability = if let Capability::Named(name) = function.capability() {
            Some(name.into())
        } else {
            None
        };
        let builtin = &*module == IMPORT_MODULE;
        Self { module, name, capability, builtin, function }
    }
}

/// All functions that plugins can import, by [`FunctionId`].
/// [`Host::register`](crate::host::Host::register) adds to it.
pub struct HostFunctionRegistry<S: Storage = MemoryStorage> {
    functions: Vec<Registered<S>>,
}

macro_rules! builtin {
    ($($type:ident, $name:ident, $request:ty, $response:ty, $capability:ident, $doc:literal;)*) => {
        impl<S: Storage> HostFunctionRegistry<S> {
            /// The functions of the module `sochdb`.
            pub(super) fn new() -> Self {
                let mut registry = Self { functions: Vec::new() };
                let functions: [Box<dyn HostFunction<S>>; _] = [$(Box::new(functions::$type)),*];
                for function in functions {
                    registry.push(IMPORT_MODULE, function);
                }
                registry
            }
        }

        $(
            impl<S: Storage> HostFunction<S> for functions::$type {
                fn name(&self) -> &str {
                    stringify!($name)
                }

                fn capability(&self) -> Capability<'_> {
                    Capability::$capability
                }

                fn execute(
                    &mut self,
                    context: &mut HostFunctionContext<'_, S>,
                    request: &[u8],
                    response: &mut [u8],
                ) -> HostCallResult {
                    functions::$name(context, request, response).into()
                }
            }
        )*
    };
}
for_each_host_function!(builtin);

impl<S: Storage> HostFunctionRegistry<S> {
    fn push(&mut self, module: &str, function: Box<dyn HostFunction<S>>) {
        if let (Ok(module), Ok(name)) = (Name::new(module), Name::new(function.name())) {
            self.functions.push(Registered::new(module, name, function));
        }
    }

    /// Adds a function of the embedder's under `module`, for plugins loaded from now on.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub(super) fn register(
        &mut self,
        module: &str,
        function: impl HostFunction<S> + 'static,
    ) -> Result<FunctionId, RegistryError> {
        if module == IMPORT_MODULE {
            return Err(RegistryError::ReservedModule);
        }
        let module = Name::new(module).map_err(RegistryError::Name)?;
        let name = Name::new(function.name()).map_err(RegistryError::Name)?;
        if self.find(&module, &name).is_some() {
            return Err(RegistryError::Duplicate { module, name });
        }
        let id = u16::try_from(self.functions.len()).map_err(|_| RegistryError::Full)?;
        self.functions.push(Registered::new(module, name, Box::new(function)));
        Ok(FunctionId(id))
    }

    /// The function that a plugin imports as `module.name`.
    #[must_use]
    pub fn find(&self, module: &str, name: &str) -> Option<FunctionId> {
        let at = self.functions.iter().position(|f| &*f.module == module && &*f.name == name)?;
        let id = FunctionId(u16::try_from(at).ok()?);
        // Its number is taken in every build, so that an embedder's functions have the same ones.
        let is_here = cfg!(feature = "hooks") || id.builtin() != Some(Builtin::CallPlugin);
        is_here.then_some(id)
    }

    /// Module and name of a function.
    #[must_use]
    pub fn name(&self, id: FunctionId) -> Option<(&str, &str)> {
        let function = self.functions.get(usize::from(id.0))?;
        Some((&function.module, &function.name))
    }

    /// Every function: its id, module, name and capability, in order of id.
    pub fn iter(&self) -> impl Iterator<Item = (FunctionId, &str, &str, Capability<'_>)> {
        self.functions.iter().zip(0..).map(|(registered, id)| {
            let capability = registered.function.capability();
            (FunctionId(id), &*registered.module, &*registered.name, capability)
        })
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: FunctionId) -> Option<&mut Registered<S>> {
        self.functions.get_mut(usize::from(id.0))
    }
}

impl<S: Storage> fmt::Debug for HostFunctionRegistry<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostFunctionRegistry")
            .field("functions", &self.functions.len())
            .finish_non_exhaustive()
    }
}
