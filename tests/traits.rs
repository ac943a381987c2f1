//! Tests the traits and the sizes of the public types.

use nodeback::{
    AlreadySignalled, CallSite, Callback, CognitoIdentity, Completion, Context, ContextBuilder,
    ContextMembers, DuplicateSignal, Error, ErrorName, NeverCalled, Outcome, Runtime, Task,
    UnfinishedTask, Value,
};
use std::{error, fmt::Debug, mem::size_of};

fn send_sync<T: Send + Sync + 'static>() {}
fn clone<T: Clone>() {}
fn unpin<T: Unpin>() {}
fn debug<T: Debug>() {}
fn is_error<T: error::Error>() {}

macro_rules! each {
    ($($check:ident: $($type:ty),+;)+) => {$($($check::<$type>();)+)+};
}

#[test]
fn public_types_implement_the_expected_traits() {
    each! {
        send_sync: Callback, Callback<String>, Completion<Value>, AlreadySignalled<Value>, Context,
            ContextBuilder, ContextMembers, CognitoIdentity, Error, ErrorName, Outcome, DuplicateSignal, UnfinishedTask, CallSite,
            Task, NeverCalled, Runtime;
        clone: Callback, Context, ContextBuilder, ContextMembers, CognitoIdentity, ErrorName, DuplicateSignal, UnfinishedTask,
            CallSite, NeverCalled;
        unpin: Callback, Completion<Value>, Context, Error, Task;
        debug: Callback, Completion<Value>, AlreadySignalled<Value>, Context, ContextBuilder,
            ContextMembers, CognitoIdentity, Error, ErrorName, Outcome, DuplicateSignal, UnfinishedTask, CallSite, Task,
            NeverCalled, Runtime;
        is_error: AlreadySignalled<Value>;
    }
}

/// A `Cell` is `Send`, but not `Sync`.
#[test]
fn a_result_needs_only_send() {
    each! { send_sync: Callback<std::cell::Cell<u8>>, Completion<std::cell::Cell<u8>>; }
}

#[test]
fn types_that_are_passed_by_value_are_small() {
    assert_eq!(size_of::<Error>(), size_of::<usize>());
    assert_eq!(size_of::<Option<Error>>(), size_of::<usize>());
    assert!(size_of::<Context>() <= 4 * size_of::<usize>());
    assert!(size_of::<Completion<[u8; 1024]>>() <= 2 * size_of::<usize>());
    assert!(size_of::<Callback<[u8; 1024]>>() <= 10 * size_of::<usize>());
}
