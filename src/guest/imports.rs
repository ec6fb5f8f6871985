//! The host's functions as types, one per row of the interface table.
//!
//! A function is a type and not a function pointer, so that a call compiles to a direct `call` of
//! the import and a plugin imports only what it uses.

use crate::abi::{message::*, wire::Wire};

/// A function that the host exports to plugins.
///
/// An embedder that adds functions of its own gives its plugins an implementation of this for
/// each; [`call`](super::call()) then works with them too.
pub trait HostImport {
    /// Name that it is imported under.
    const NAME: &'static str;

    /// What it is asked.
    type Request<'a>: Wire<'a>;

    /// What it answers; `()` for no bytes.
    type Response<'a>;

    /// Calls it: the host reads `request`, writes to the front of `response`, and returns how many
    /// bytes it wrote or a negative [`Status`](crate::abi::Status).
    fn invoke(request: &[u8], response: &mut [u8]) -> i32;
}

macro_rules! imports {
    ($(
        $type:ident, $name:ident, $request:ident $(<$request_life:lifetime>)?,
        $response:tt $(<$response_life:lifetime>)?, $capability:ident, $doc:literal;
    )*) => {
        #[cfg(target_arch = "wasm32")]
        mod raw {
            #[link(wasm_import_module = "sochdb")]
            unsafe extern "C" {
                $(pub fn $name(
                    request: *const u8, request_len: usize, response: *mut u8, capacity: usize,
                ) -> i32;)*
            }
        }

        $(
            #[doc = $doc]
            #[derive(Clone, Copy, Debug)]
            pub struct $type;

            impl HostImport for $type {
                const NAME: &'static str = stringify!($name);
                type Request<'a> = imports!(@type $request $(<$request_life>)?, 'a);
                type Response<'a> = imports!(@type $response $(<$response_life>)?, 'a);

                #[cfg(target_arch = "wasm32")]
                #[inline]
                fn invoke(request: &[u8], response: &mut [u8]) -> i32 {
                    // SAFETY: the contract of every import of the module `sochdb` is that the host
                    // reads `request_len` bytes at `request`, writes at most `capacity` bytes at
                    // `response`, touches nothing else and keeps no address. A shared and an
                    // exclusive slice are two regions that are valid for exactly that, and they
                    // cannot overlap.
                    unsafe {
                        raw::$name(
                            request.as_ptr(), request.len(),
                            response.as_mut_ptr(), response.len(),
                        )
                    }
                }

                #[cfg(not(target_arch = "wasm32"))]
                fn invoke(_request: &[u8], _response: &mut [u8]) -> i32 {
                    crate::abi::Status::Error.code()
                }
            }
        )*
    };
    (@type $type:tt <$_life:lifetime>, $life:lifetime) => { $type<$life> };
    (@type $type:tt, $life:lifetime) => { $type };
}
crate::for_each_host_function!(imports);
