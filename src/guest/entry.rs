//! Entry points: decode the input, run the plugin's function, encode the output; and the macros
//! that export them.

use serde::{Deserialize, Serialize};

use super::{HookRows, HostHandle};
use crate::abi::Status;

/// Runs `body` as the body of an entry point and returns what the entry point returns: the length
/// of the output, or a negative status.
///
/// The input is the first `input_len` bytes of `input`, in postcard's format; the output goes to
/// the front of `output` in the same. An input that does not decode is
/// [`Status::InvalidArgs`], an output that does not fit is [`Status::BufferTooSmall`].
pub fn run<'h, 's, 'i, I, O, E, F>(
    host: &'h mut HostHandle<'s>,
    input: &'i [u8],
    input_len: i32,
    output: &mut [u8],
    body: F,
) -> i32
where
    I: Deserialize<'i>,
    O: Serialize,
    E: Into<Status>,
    F: FnOnce(&'h mut HostHandle<'s>, I) -> Result<O, E>,
{
    let input = usize::try_from(input_len).ok().and_then(|len| input.get(..len));
    let Some(Ok((input, []))) = input.map(postcard::take_from_bytes) else {
        return Status::InvalidArgs.code();
    };
    match body(host, input) {
        Ok(value) => match postcard::to_slice(&value, output) {
            Ok(bytes) => i32::try_from(bytes.len()).unwrap_or(Status::BufferTooSmall.code()),
            Err(postcard::Error::SerializeBufferFull) => Status::BufferTooSmall.code(),
            Err(_) => Status::Error.code(),
        },
        Err(error) => error.into().code(),
    }
}

/// Runs `body` as the body of a hook, as [`run`] does of an entry point: it gets the rows of the input,
/// and its answers are the output.
pub fn run_hook<'h, 's, 'b, E, F>(
    host: &'h mut HostHandle<'s>,
    input: &'b [u8],
    input_len: i32,
    output: &'b mut [u8],
    body: F,
) -> i32
where
    E: Into<Status>,
    F: FnOnce(&'h mut HostHandle<'s>, &mut HookRows<'b>) -> Result<(), E>,
{
    let input = usize::try_from(input_len).ok().and_then(|len| input.get(..len));
    let Some(Ok(mut rows)) = input.map(|input| HookRows::decode(input, output)) else {
        return Status::InvalidArgs.code();
    };
    if let Err(error) = body(host, &mut rows) {
        return error.into().code();
    }
    match rows.finish() {
        Ok(len) => i32::try_from(len).unwrap_or(Status::BufferTooSmall.code()),
        Err(error) => error.status.code(),
    }
}

/// Makes a plugin: its Input Buffer, Output Buffer and scratch of the given sizes in bytes, its
/// descriptor, and an exported entry point for each function that is named.
///
/// The functions are ordinary ones of the enclosing module,
/// `fn(&mut HostHandle<'_>, I) -> Result<O, E>`: `I` is any type that `serde` deserializes (texts and
/// bytes may be borrowed from the Input Buffer), `O` any type that it serializes, `E` is
/// [`Status`](crate::abi::Status) or [`HostCallError`](crate::guest::HostCallError). An `Err` rolls back
/// everything that the call wrote.
///
/// The scratch holds the request and the response of one host call at a time, so it bounds both.
///
/// After `hooks:` are functions that the host calls when rows change, if the plugin is loaded with hooks of
/// these names: `fn(&mut HostHandle<'_>, &mut HookRows<'_>) -> Result<(), E>`
/// ([`HookRows`](crate::guest::HookRows) has an example). The Input Buffer bounds how many rows a call
/// gets, and an `Err` fails the statement that changes them.
///
/// On other targets than `wasm32` it exports nothing.
///
/// ```
/// use sochdb_wasmi::guest::{HostHandle, Status};
///
/// fn add(_host: &mut HostHandle<'_>, (a, b): (u32, u32)) -> Result<u32, Status> {
///     a.checked_add(b).ok_or(Status::InvalidArgs)
/// }
///
/// sochdb_wasmi::plugin! { input: 64, output: 64, scratch: 256; add }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! plugin {
    (input: $input:expr, output: $output:expr, scratch: $scratch:expr;
     hooks: $($hook:ident),+ $(,)?) => {
        $crate::plugin!(@export $input, $output, $scratch; []; [$($hook)+]);
    };
    (input: $input:expr, output: $output:expr, scratch: $scratch:expr; $($name:ident),+ $(,)?) => {
        $crate::plugin!(@export $input, $output, $scratch; [$($name)+]; []);
    };
    (input: $input:expr, output: $output:expr, scratch: $scratch:expr; $($name:ident),+;
     hooks: $($hook:ident),+ $(,)?) => {
        $crate::plugin!(@export $input, $output, $scratch; [$($name)+]; [$($hook)+]);
    };
    (@export $input:expr, $output:expr, $scratch:expr; [$($name:ident)*]; [$($hook:ident)*]) => {
        #[cfg(target_arch = "wasm32")]
        mod sochdb_plugin_exports {
            use $crate::guest::{HostHandle, Status, buffers, entry};

            static BUFFERS: buffers::Buffers<{ $input }, { $output }, { $scratch }> =
                buffers::Buffers::new();

            #[allow(non_upper_case_globals)]
            #[unsafe(no_mangle)]
            static sochdb_plugin: buffers::RawDescriptor = BUFFERS.descriptor();

            $(
                #[unsafe(no_mangle)]
                extern "C" fn $name(input_len: i32) -> i32 {
                    let result = BUFFERS.lend(|input, output, scratch| {
                        let mut host = HostHandle::new(scratch);
                        entry::run(&mut host, input, input_len, output, super::$name)
                    });
                    result.unwrap_or(Status::Error.code())
                }
            )*

            $(
                #[unsafe(no_mangle)]
                extern "C" fn $hook(input_len: i32) -> i32 {
                    let result = BUFFERS.lend(|input, output, scratch| {
                        let mut host = HostHandle::new(scratch);
                        entry::run_hook(&mut host, input, input_len, output, super::$hook)
                    });
                    result.unwrap_or(Status::Error.code())
                }
            )*
        }

        // What is exported elsewhere is not unused here.
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            $(let _ = $name;)*
            $(let _ = $hook;)*
        };
    };
}

/// The panic handler of a `no_std` plugin: a trap. The host rolls the call back and restarts the
/// plugin. Expands to nothing on other targets than `wasm32`.
#[macro_export]
macro_rules! panic_handler {
    () => {
        #[cfg(target_arch = "wasm32")]
        #[panic_handler]
        fn panic(_: &::core::panic::PanicInfo<'_>) -> ! {
            ::core::arch::wasm32::unreachable()
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double(_: &mut HostHandle<'_>, text: &str) -> Result<(u32, u32), Status> {
        let len = text.len() as u32;
        if len == 0 { Err(Status::NotFound) } else { Ok((len, 2 * len)) }
    }

    fn run_double(input: &[u8], input_len: i32, output: &mut [u8]) -> i32 {
        run(&mut HostHandle::new(&mut []), input, input_len, output, double)
    }

    #[test]
    fn an_entry_point_decodes_its_input_and_encodes_its_output() {
        let mut output = [0; 4];
        assert_eq!(run_double(b"\x03abc", 4, &mut output), 2);
        assert_eq!(output, [3, 6, 0, 0]);
    }

    #[test]
    fn an_error_is_the_status_of_the_entry_point() {
        assert_eq!(run_double(b"\x00", 1, &mut [0; 4]), Status::NotFound.code());
    }

    #[test]
    fn an_input_that_does_not_decode_is_invalid_arguments() {
        for (bytes, len) in [(&b"\x05abc"[..], 4), (b"\x03abcd", 5), (b"\x03abc", 5), (b"", -1)] {
            assert_eq!(run_double(bytes, len, &mut [0; 4]), Status::InvalidArgs.code());
        }
    }

    #[test]
    fn an_output_that_does_not_fit_says_so() {
        assert_eq!(run_double(b"\x03abc", 4, &mut [0; 1]), Status::BufferTooSmall.code());
    }
}
