//! What a failed invocation answers with, in Node's shape.

#[cfg(feature = "aws-sdk")]
mod aws_sdk;
mod described;
mod format;
mod frames;
mod into;
mod logged;
mod make;
mod short_name;

#[cfg(any(feature = "lambda", feature = "local"))]
pub(crate) use logged::Logged;

pub use into::{ErrorName, IntoError};

use crate::{guard, panic_place::PanicPlace};
use serde_json::{Map, Value};
use std::{backtrace::Backtrace, borrow::Cow, error::Error as StdError, mem, panic::Location};

/// A result whose error is an [`Error`].
///
/// ```
/// fn parse(text: &str) -> nodeback::Result<u32> {
///     Ok(text.parse()?)
/// }
/// assert_eq!(parse("many").unwrap_err().error_type(), "ParseIntError");
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Boxed = Box<dyn StdError + Send + Sync>;

/// The failure of an invocation, and Node's `Error`.
///
/// It has a chosen `errorType`, which is what AWS Step Functions, API Gateway and Cognito match
/// on, and never the path of a Rust type. Make one with [`Error::new`] (a name and a message), with
/// [`error!`](crate::error!) (a message), with `?` from any [`std::error::Error`], or pass
/// whatever converts through [`IntoError`].
///
/// # JSON
///
/// `{"errorType", "errorMessage", "trace"}`, in this order, as the Node runtime posts it. `trace`
/// holds, where Node has its stack: the error itself, the place where it was made, its causes, and
/// with `RUST_BACKTRACE=1` up to ten frames of your own code. For a value that is no `Error` in Node either (a
/// string, a number) it is empty.
///
/// ```
/// use nodeback::Error;
///
/// let error = Error::new("OrderNotFound", "no order 7");
/// let json: serde_json::Value = serde_json::from_str(&error.to_json()).unwrap();
/// assert_eq!(json["errorType"], "OrderNotFound");
/// assert_eq!(json["errorMessage"], "no order 7");
/// assert_eq!(json["trace"][0], "OrderNotFound: no order 7");
/// ```
///
/// # As text
///
/// `Display` is JavaScript's `String(err)`: `"Error in order: " + err` ports to
/// `format!("Error in order: {error}")`. The alternate form `{:#}` adds the causes.
///
/// ```
/// use nodeback::{Error, IntoError, error};
///
/// assert_eq!(error!("boom").to_string(), "Error: boom");
/// assert_eq!(Error::new("OrderNotFound", "").to_string(), "OrderNotFound");
/// assert_eq!("Unauthorized".into_error().to_string(), "Unauthorized");
/// ```
///
/// # Why it is no `std::error::Error`
///
/// It converts from every `std::error::Error`, so it cannot be one itself. It still goes
/// through `?` into `anyhow::Error` and `Box<dyn std::error::Error + Send + Sync>`, and comes back
/// from them with its name.
pub struct Error(Box<Inner>);

struct Inner {
    error_type: Cow<'static, str>,
    message: String,
    kind: Kind,
    cause: Cause,
    /// Further members of the error object, such as its `code`.
    members: Option<Map<String, Value>>,
    /// Where it was made, if that is in the user's code.
    location: Option<&'static Location<'static>>,
    backtrace: Backtrace,
}

enum Kind {
    /// An `Error` object in Node.
    Error,
    /// An `Error` object whose message is `null`, as the AWS SDK for JavaScript makes.
    WithoutMessage,
    /// An object that Node takes for an `Error`, with the stack that it brought.
    WithStack(Vec<String>),
    /// Any other value, of which Node knows the `typeof` and the text.
    Value,
    /// A notice that a callback was never called.
    NeverCalled,
    /// The handler, its future or a task panicked, there.
    Panic(Option<PanicPlace>),
}

enum Cause {
    None,
    /// What this error was made from: its sources are this error's.
    Same(Boxed),
    /// The same, with a chain that holds an [`ErrorName`].
    Anyhow(anyhow::Error),
    /// An error behind this one.
    Source(Boxed),
}

impl Error {
    /// An error with a name (`errorType`) and a message (`errorMessage`).
    ///
    /// ```
    /// let error = nodeback::Error::new("OrderNotFound", format!("no order {}", 7));
    /// assert_eq!(error.error_type(), "OrderNotFound");
    /// ```
    #[track_caller]
    pub fn new(error_type: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        let here = Some(Location::caller());
        Self::make(
            error_type.into(),
            message.into(),
            Kind::Error,
            Cause::None,
            here,
        )
    }

    /// Node's `new Error(message)`: its `errorType` is `Error`.
    ///
    /// ```
    /// assert_eq!(nodeback::Error::msg("boom").error_type(), "Error");
    /// ```
    #[track_caller]
    pub fn msg(message: impl Into<String>) -> Self {
        Self::new("Error", message)
    }

    /// Gives it another name, as `err.name = ".."` does in Node.
    ///
    /// ```
    /// use nodeback::Error;
    ///
    /// fn port(text: &str) -> nodeback::Result<u16> {
    ///     text.parse().map_err(|error| Error::from(error).with_type("BadPort"))
    /// }
    /// assert_eq!(port("x").unwrap_err().error_type(), "BadPort");
    /// ```
    #[must_use]
    pub fn with_type(mut self, error_type: impl Into<Cow<'static, str>>) -> Self {
        self.0.error_type = error_type.into();
        self
    }

    /// Gives it a code, as `err.code = ".."` does in Node: [`with_member`](Self::with_member) for `code`.
    ///
    /// ```
    /// use nodeback::Error;
    ///
    /// // Object.assign(new Error('no order 7'), { name: 'OrderNotFound', code: 'ENOENT', statusCode: 404 })
    /// let error = Error::new("OrderNotFound", "no order 7").with_code("ENOENT").with_member("statusCode", 404);
    /// assert_eq!(error.code(), Some("ENOENT"));
    /// assert_eq!(error.member("statusCode").unwrap(), 404);
    /// ```
    #[must_use]
    pub fn with_code(self, code: impl Into<Value>) -> Self {
        self.with_member("code", code)
    }

    /// Gives it a further member, as `Object.assign(err, { name: value })` does in Node. The response has none of
    /// them, as in Node: they are for the code that handles the error, and in the `Invoke Error` line of the log.
    ///
    /// ```
    /// let error = nodeback::error!("no order 7").with_member("statusCode", 404);
    /// assert_eq!(error.member("statusCode").unwrap(), 404);
    /// ```
    #[must_use]
    pub fn with_member(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        let members = self.0.members.get_or_insert_default();
        members.insert(name.into(), value.into());
        self
    }

    /// The code that was given to it, if that is a text: Node's `err.code`.
    ///
    /// ```
    /// let error = nodeback::error!("connect ECONNREFUSED").with_code("ECONNREFUSED");
    /// assert_eq!(error.code(), Some("ECONNREFUSED"));
    /// assert_eq!(nodeback::error!("boom").code(), None);
    /// ```
    pub fn code(&self) -> Option<&str> {
        self.member("code")?.as_str()
    }

    /// A member that was given to it with [`with_member`](Self::with_member) or [`with_code`](Self::with_code), or that
    /// the object had which it was made from.
    ///
    /// ```
    /// let error = nodeback::error!("no order 7").with_member("statusCode", 404);
    /// assert_eq!(error.member("statusCode").unwrap(), 404);
    /// assert_eq!(error.member("code"), None);
    /// ```
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.0.members.as_ref()?.get(name)
    }

    /// Whether JavaScript's `if (err)` takes it for no error: it is `0`, `NaN`, `false` or an empty text. Node's client
    /// takes such a value for an error; a wrapper that tests `if (err)` does not.
    ///
    /// ```
    /// use nodeback::{IntoError, error};
    ///
    /// assert!("".into_error().is_falsy() && 0.into_error().is_falsy());
    /// assert!(!"0".into_error().is_falsy() && !error!("").is_falsy());
    /// ```
    pub fn is_falsy(&self) -> bool {
        let text = self.message();
        matches!(self.0.kind, Kind::Value)
            && match self.error_type() {
                "number" => ["0", "NaN"].contains(&text),
                "boolean" => text == "false",
                "string" => text.is_empty(),
                _ => false,
            }
    }

    /// Puts the error that led to this one behind it, as `new Error(message, { cause })` does in
    /// Node. It shows in `trace`.
    ///
    /// ```
    /// use nodeback::Error;
    ///
    /// let cause = std::io::Error::other("disk full");
    /// let error = Error::new("OrderNotSaved", "order 7").with_cause(cause);
    /// assert_eq!(error.source().unwrap().to_string(), "disk full");
    /// ```
    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<Boxed>) -> Self {
        let before = mem::replace(&mut self.0.cause, Cause::Source(cause.into()));
        guard::discard(before);
        self
    }

    /// `errorType`: the name that callers match on.
    ///
    /// ```
    /// use nodeback::{Error, IntoError};
    ///
    /// let not_found = Error::new("OrderNotFound", "no order 7");
    /// assert_eq!(not_found.error_type(), "OrderNotFound");
    /// // A text is no error of a class of its own: its name is JavaScript's `typeof`.
    /// assert_eq!("no order 7".into_error().error_type(), "string");
    /// ```
    pub fn error_type(&self) -> &str {
        &self.0.error_type
    }

    /// `errorMessage`.
    ///
    /// ```
    /// let error = nodeback::error!("no order {}", 7);
    /// assert_eq!(error.message(), "no order 7");
    /// ```
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The error behind this one, if there is one.
    ///
    /// ```
    /// let cause = "many".parse::<u32>().unwrap_err();
    /// let error = nodeback::error!("the stock of order 7").with_cause(cause);
    /// assert_eq!(error.source().unwrap().to_string(), "invalid digit found in string");
    /// ```
    pub fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0.cause {
            Cause::None => None,
            Cause::Same(origin) => guard::guarded(|| origin.source()).ok().flatten(),
            Cause::Source(source) => Some(source.as_ref()),
            Cause::Anyhow(origin) => into::without_name(origin).nth(1),
        }
    }

    /// The error that this one was made from with `?` or [`IntoError`], if it was a `T`.
    ///
    /// ```
    /// use nodeback::Error;
    ///
    /// let error = Error::from(std::io::Error::other("disk full"));
    /// assert!(error.downcast_ref::<std::io::Error>().is_some());
    /// assert!(error.downcast_ref::<std::fmt::Error>().is_none());
    /// ```
    pub fn downcast_ref<T: StdError + Send + Sync + 'static>(&self) -> Option<&T> {
        match &self.0.cause {
            Cause::Same(origin) => origin.downcast_ref(),
            Cause::Anyhow(origin) => origin.downcast_ref(),
            Cause::Source(_) | Cause::None => None,
        }
    }

    /// The texts of the causes behind this error, of which there are not too many.
    fn causes(&self) -> Vec<String> {
        match &self.0.cause {
            Cause::Anyhow(origin) => guard::texts(into::without_name(origin).skip(1)),
            _ => guard::causes(self.source()),
        }
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    /// Named after the type, without its path and its generics: a `crate::orders::OrderNotFound`
    /// gives the `errorType` `OrderNotFound`.
    #[track_caller]
    fn from(error: E) -> Self {
        Self::from_std(error, Some(Location::caller()))
    }
}

/// Two errors are equal if their `errorType`, their `errorMessage` and their members are. Causes and the place
/// where they were made do not count.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        (self.error_type(), self.message(), &self.0.members)
            == (other.error_type(), other.message(), &other.0.members)
    }
}

impl Drop for Inner {
    /// The cause is a value of the user's, whose destructor may panic.
    fn drop(&mut self) {
        if !matches!(self.cause, Cause::None) {
            guard::discard(mem::replace(&mut self.cause, Cause::None));
        }
    }
}

/// Node's `new Error(..)` with Rust's formatting: an [`Error`] with the `errorType` `Error`.
///
/// ```
/// use nodeback::error;
///
/// let n = 7;
/// let error = error!("no order {n}");
/// assert_eq!(error.message(), "no order 7");
/// ```
#[macro_export]
macro_rules! error {
    ($($message:tt)+) => {
        $crate::Error::msg(::std::format!($($message)+))
    };
}
