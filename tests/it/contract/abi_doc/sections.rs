//! Sections of the page that are not made from the code, and are compared with it.

use super::*;

#[test]
fn every_host_function_has_its_section() {
    let doc = doc();
    for function in HOST_FUNCTIONS {
        assert!(doc.contains(&format!("### `{}`\n", function.name)), "{}", function.name);
    }
}

#[test]
fn the_limits_in_the_doc_are_those_of_the_code() {
    let doc = doc();
    for limit in [
        format!("This is version {ABI_VERSION}."),
        format!("at most {} bytes long", sochdb_wasmi::abi::MAX_NAME_LEN),
        format!("nested at most {} deep", sochdb_wasmi::abi::MAX_DEPTH),
    ] {
        assert!(doc.contains(&limit), "{limit:?}");
    }
}

#[test]
fn the_c_program_in_the_doc_is_the_one_that_is_built() {
    let program = include_str!("../../../../examples/plugins/hello.c");
    assert!(doc().contains(&format!("```c\n{program}```\n")));
}
