//! Tests that every handler shape compiles, that mistakes do not, and the messages of the compiler.

#[test]
fn mistakes_are_compile_errors_with_the_messages_of_this_crate() {
    let cases = trybuild::TestCases::new();
    cases.pass("pass/*.rs");
    cases.compile_fail("fail/*.rs");
}
