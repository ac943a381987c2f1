//! The output types of tasks.

use crate::error::{Error, IntoError};

/// The output of a task: `()`, or a `Result` whose error fails the invocation as an unhandled
/// rejection does in Node.
///
/// The compiler infers the parameter `M` and uses it to distinguish the implementations. The trait
/// is sealed.
#[diagnostic::on_unimplemented(
    message = "a task of an invocation cannot end with `{Self}`",
    note = "it ends with `()`, or with a `Result` whose error can be given as one (see `nodeback::IntoError`)"
)]
pub trait TaskOutput<M>: Sealed<M> {
    #[doc(hidden)]
    fn into_failure(self) -> Option<Error>;
}

/// Keeps other crates from implementing [`TaskOutput`].
pub trait Sealed<M> {}

impl Sealed<()> for () {}
impl Sealed<std::convert::Infallible> for Never {}
impl<T, E: IntoError<M>, M> Sealed<(M,)> for Result<T, E> {}

impl TaskOutput<()> for () {
    fn into_failure(self) -> Option<Error> {
        None
    }
}

/// `async { loop { .. } }` ends with the never type.
#[diagnostic::do_not_recommend]
impl TaskOutput<std::convert::Infallible> for Never {
    fn into_failure(self) -> Option<Error> {
        self
    }
}

/// The never type, which stable Rust cannot name directly.
pub(super) type Never = <fn() -> ! as never::Returns>::Type;

mod never {
    pub trait Returns {
        type Type;
    }

    impl<T> Returns for fn() -> T {
        type Type = T;
    }
}

impl<T, E: IntoError<M>, M> TaskOutput<(M,)> for Result<T, E> {
    fn into_failure(self) -> Option<Error> {
        self.err().map(IntoError::into_error)
    }
}
