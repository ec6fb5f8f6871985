//! One file per host function: decode the request, ask the context whether the plugin may, do the
//! work in the database, encode the response. Registration, bounds, quotas and audit are elsewhere.

use crate::for_each_host_function;

mod rows;

/// Each function of the table has a file of its name here, with its type and the function itself. rustfmt
/// does not follow these `mod` lines: `.ci/run` names the files to it.
macro_rules! one_file_each {
    ($($type:ident, $name:ident, $request:ty, $response:ty, $capability:ident, $doc:literal;)*) => {$(
        mod $name;
        pub(super) use $name::{$name, $type};
    )*};
}
for_each_host_function!(one_file_each);
