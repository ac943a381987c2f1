//! What the public types are: where they can be sent, how large they are, what they implement.

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
fn types_go_where_a_handler_takes_them() {
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

/// What is only `Send` (a `Cell`) can be a result; what is not `Clone` can, too.
#[test]
fn a_result_has_to_be_send_and_nothing_else() {
    each! { send_sync: Callback<std::cell::Cell<u8>>, Completion<std::cell::Cell<u8>>; }
}

#[test]
fn what_is_passed_around_is_small() {
    assert_eq!(size_of::<Error>(), size_of::<usize>());
    assert_eq!(size_of::<Option<Error>>(), size_of::<usize>());
    assert!(size_of::<Context>() <= 4 * size_of::<usize>());
    assert!(size_of::<Completion<[u8; 1024]>>() <= 2 * size_of::<usize>());
    assert!(size_of::<Callback<[u8; 1024]>>() <= 10 * size_of::<usize>());
}
