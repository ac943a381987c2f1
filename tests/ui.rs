//! What does not compile, and what the compiler then says; and that every shape does.

#[test]
#[cfg_attr(
    not(feature = "local"),
    ignore = "needs the feature `local`, whose messages are recorded"
)]
fn mistakes_are_told_in_the_words_of_this_crate() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    cases.compile_fail("ui/fail/*.rs");
}
