//! One call of a host function: encode, invoke, look at the status, decode.
//!
//! It knows no particular function; [`HostHandle`](super::HostHandle) has a method for each.

use core::{fmt, ops::Range};

use super::HostImport;
use crate::abi::{
    Status,
    wire::{self, Reader, Wire, WireError},
};

/// A host call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostCallError {
    /// What the host returned.
    pub status: Status,
    /// For [`Status::BufferTooSmall`]: how many bytes the scratch buffer must have for this request
    /// and its response, or 0 if the host had no room to say. Otherwise 0.
    pub needed: u32,
}

impl HostCallError {
    /// A failure of `status` that is not about a buffer's size.
    #[must_use]
    pub const fn new(status: Status) -> Self {
        Self { status, needed: 0 }
    }

    #[cold]
    pub(super) const fn too_small(needed: usize) -> Self {
        let needed = if needed > u32::MAX as usize { u32::MAX } else { needed as u32 };
        Self { status: Status::BufferTooSmall, needed }
    }

    /// The status of the result `code` of a call whose request took `request_len` bytes.
    #[cold]
    fn from_code(code: i32, request_len: usize, response: &[u8]) -> Self {
        match (Status::from_code(code), response.first_chunk::<4>()) {
            (Status::BufferTooSmall, Some(needed)) => {
                Self::too_small(request_len.saturating_add(u32::from_le_bytes(*needed) as usize))
            }
            (status, _) => Self::new(status),
        }
    }
}

impl From<Status> for HostCallError {
    fn from(status: Status) -> Self {
        Self::new(status)
    }
}

impl From<HostCallError> for Status {
    fn from(error: HostCallError) -> Self {
        error.status
    }
}

/// A response that is not what the contract says is the host's fault, not the plugin's.
impl From<WireError> for HostCallError {
    fn from(_: WireError) -> Self {
        Self::new(Status::Error)
    }
}

impl fmt::Display for HostCallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the host call failed: {}", self.status)?;
        if self.needed > 0 {
            write!(f, "; the scratch buffer must have {} bytes", self.needed)?;
        }
        Ok(())
    }
}

impl core::error::Error for HostCallError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.status)
    }
}

/// Encodes `request` into the front of `scratch`, calls `F` with the rest of it for the response,
/// and returns where in `scratch` the response is.
///
/// # Errors
/// [`HostCallError`] with the status that the host returned, or with [`Status::BufferTooSmall`] if
/// `scratch` does not even hold the request.
pub fn exchange<F: HostImport>(
    request: &F::Request<'_>,
    scratch: &mut [u8],
) -> Result<Range<usize>, HostCallError> {
    let len =
        wire::encode(request, scratch).map_err(|error| HostCallError::too_small(error.needed))?;
    invoke_encoded::<F>(len, scratch)
}

/// As [`exchange`]; returns a reader of the response, for one that is not decoded as a whole.
pub(super) fn ask<'s, F: HostImport>(
    request: &F::Request<'_>,
    scratch: &'s mut [u8],
) -> Result<Reader<'s>, HostCallError> {
    let place = exchange::<F>(request, scratch)?;
    Ok(Reader::new(scratch.get(place).unwrap_or_default()))
}

/// Calls `F` with a request that is already in the first `request_len` bytes of `scratch`.
pub(super) fn invoke_encoded<F: HostImport>(
    request_len: usize,
    scratch: &mut [u8],
) -> Result<Range<usize>, HostCallError> {
    let Some((request, response)) = scratch.split_at_mut_checked(request_len) else {
        return Err(HostCallError::too_small(request_len));
    };
    let code = F::invoke(request, response);
    match usize::try_from(code) {
        Ok(len) => Ok(request_len..request_len.saturating_add(len)),
        Err(_) => Err(HostCallError::from_code(code, request_len, response)),
    }
}

/// Calls `F` and decodes its response where it lies in `scratch`.
///
/// # Errors
/// As [`exchange`], and [`Status::Error`] for a response that does not decode.
#[inline]
pub fn call<'s, F: HostImport>(
    request: &F::Request<'_>,
    scratch: &'s mut [u8],
) -> Result<F::Response<'s>, HostCallError>
where
    F::Response<'s>: Wire<'s>,
{
    call_as::<F, F::Response<'s>>(request, scratch)
}

/// As [`call`], for a function that answers with another message than the usual one, as
/// `soch_read` does in TOON.
///
/// # Errors
/// As [`call`].
#[inline]
pub fn call_as<'s, F: HostImport, R: Wire<'s>>(
    request: &F::Request<'_>,
    scratch: &'s mut [u8],
) -> Result<R, HostCallError> {
    let response = exchange::<F>(request, scratch)?;
    Ok(wire::decode(scratch.get(response).unwrap_or_default())?)
}

/// Calls a function that answers with no bytes.
///
/// # Errors
/// As [`exchange`].
#[inline]
pub fn send<F: HostImport>(
    request: &F::Request<'_>,
    scratch: &mut [u8],
) -> Result<(), HostCallError> {
    exchange::<F>(request, scratch).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{
        message::{ConfigRequest, LastErrorRequest, LastErrorResponse, LogLevel, LogRequest},
        wire::BufferTooSmall,
    };
    use crate::guest::imports;

    /// A function of an embedder that answers the key it is asked for.
    struct Echo;

    impl HostImport for Echo {
        const NAME: &'static str = "echo";
        type Request<'a> = ConfigRequest<'a>;
        type Response<'a> = LastErrorResponse<'a>;

        fn invoke(request: &[u8], response: &mut [u8]) -> i32 {
            let Ok(ConfigRequest { key }) = wire::decode(request) else {
                return Status::InvalidArgs.code();
            };
            match wire::encode(&LastErrorResponse { text: key }, response) {
                Ok(len) => len as i32,
                Err(BufferTooSmall { needed, .. }) => {
                    if let Some(front) = response.first_chunk_mut() {
                        *front = (needed as u32).to_le_bytes();
                    }
                    Status::BufferTooSmall.code()
                }
            }
        }
    }

    #[test]
    fn an_embedders_own_function_is_called_like_the_others() {
        let mut scratch = [0; 64];
        let answer = call::<Echo>(&ConfigRequest { key: "max_wind" }, &mut scratch);
        assert_eq!(answer, Ok(LastErrorResponse { text: "max_wind" }));
    }

    #[test]
    fn a_scratch_that_is_too_small_says_what_would_do() {
        let request = ConfigRequest { key: "max_wind" };
        for size in 0..18 {
            let mut buffer = [0; 18];
            let answer = call::<Echo>(&request, &mut buffer[..size]);
            let needed = match size {
                // The request does not fit, so what it needs is all that is known.
                0..9 => 9,
                // The host has no room to say.
                9..13 => 0,
                _ => 18,
            };
            assert_eq!(
                answer,
                Err(HostCallError { status: Status::BufferTooSmall, needed }),
                "{size}"
            );
        }
        assert!(call::<Echo>(&request, &mut [0; 18]).is_ok());
    }

    #[test]
    fn without_a_host_every_call_fails() {
        let mut scratch = [0; 64];
        let error = HostCallError::new(Status::Error);
        assert_eq!(call::<imports::LastError>(&LastErrorRequest {}, &mut scratch), Err(error));
        let line = LogRequest { level: LogLevel::Info, message: "" };
        assert_eq!(send::<imports::LogMessage>(&line, &mut scratch), Err(error));
    }
}
