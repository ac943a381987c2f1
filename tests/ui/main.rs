//! Tests that every handler shape compiles, that mistakes do not, and the messages of the compiler.

#[test]
#[cfg_attr(
    not(feature = "local"),
    ignore = "needs the feature `local`, with which the messages were recorded"
)]
fn mistakes_are_compile_errors_with_the_messages_of_this_crate() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    cases.compile_fail("ui/fail/*.rs");
}
