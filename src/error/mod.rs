//! The error of a failed invocation, in Node's form.

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

/// The error of an invocation: the counterpart of Node's `Error`.
///
/// Its `errorType` is what AWS Step Functions, API Gateway and Cognito match on, so it is a name of
/// your choice and never the path of a Rust type. Create an error with [`Error::new`] (a name and a
/// message), with [`error!`](crate::error!) (a message), with `?` from any [`std::error::Error`],
/// or pass any value that [`IntoError`] converts.
///
/// # JSON
///
/// `{"errorType", "errorMessage", "trace"}`, in this order, as the Node runtime posts it. `trace`
/// takes the place of Node's stack. It holds the error itself, where it was created, its
/// causes, and with `RUST_BACKTRACE=1` up to ten frames of your own code, if the executable has
/// debug information. It is empty for a value that is not an `Error` in Node either, such as a
/// string or a number.
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
/// # Why it does not implement `std::error::Error`
///
/// It converts from every `std::error::Error`, so it cannot implement that trait itself. `?` still
/// converts it into `anyhow::Error` and `Box<dyn std::error::Error + Send + Sync>`, and an error
/// that is converted back keeps its name.
pub struct Error(Box<Inner>);

struct Inner {
    error_type: Cow<'static, str>,
    message: String,
    kind: Kind,
    cause: Cause,
    /// Further members of the error object, such as its `code`.
    members: Option<Map<String, Value>>,
    /// Where it was created, if that is in the user's code.
    location: Option<&'static Location<'static>>,
    backtrace: Backtrace,
}

enum Kind {
    /// An `Error` object in Node.
    Error,
    /// An `Error` object whose message is `null`, as the AWS SDK for JavaScript creates.
    WithoutMessage,
    /// An object that Node treats as an `Error`, with its own stack.
    WithStack(Vec<String>),
    /// Any other value, which Node describes by its `typeof` and its text.
    Value,
    /// The error of a callback that was never called.
    NeverCalled,
    /// A panic of the handler, its future or a task, and where it happened.
    Panic(Option<Box<PanicPlace>>),
}

enum Cause {
    None,
    /// The error that this one was converted from. Its sources are this error's sources.
    Same(Boxed),
    /// The anyhow error that this one was converted from. Its chain may hold an [`ErrorName`].
    Anyhow(anyhow::Error),
    /// The cause that was set with [`Error::with_cause`].
    Source(Boxed),
}

impl Error {
    /// Creates an error with a name (`errorType`) and a message (`errorMessage`).
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

    /// Creates an error as Node's `new Error(message)` does. Its `errorType` is `Error`.
    ///
    /// ```
    /// assert_eq!(nodeback::Error::msg("boom").error_type(), "Error");
    /// ```
    #[track_caller]
    pub fn msg(message: impl Into<String>) -> Self {
        Self::new("Error", message)
    }

    /// Sets the name, as `err.name = ".."` does in Node.
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

    /// Sets the message, as `err.message = ".."` does in Node.
    ///
    /// ```
    /// use nodeback::{Callback, Context, Error, Value, spawn_then};
    ///
    /// async fn charge(_: Value) -> Result<Value, Error> {
    ///     Err(Error::new("CardRefused", "no funds"))
    /// }
    /// fn handler(event: Value, _: Context, callback: Callback) {
    ///     spawn_then(charge(event), move |err, receipt| {
    ///         // if (err) err.message = `charging failed: ${err.message}`;
    ///         let err = err.map(|err| {
    ///             let message = format!("charging failed: {}", err.message());
    ///             err.with_message(message)
    ///         });
    ///         callback(err, receipt);
    ///     });
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let outcome = nodeback::invoke(handler, (), Context::default()).await;
    /// assert_eq!(outcome.result.unwrap_err().to_string(), "CardRefused: charging failed: no funds");
    /// # }
    /// ```
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = message.into();
        if matches!(self.0.kind, Kind::WithoutMessage) {
            self.0.kind = Kind::Error;
        }
        self
    }

    /// Sets the code, as `err.code = ".."` does in Node. It is the [member](Self::with_member)
    /// `code`.
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

    /// Sets a further member, as `Object.assign(err, { name: value })` does in Node. As in Node,
    /// members are not part of the response: they are for code that handles the error, and appear
    /// in the `Invoke Error` line of the log. For `name` and `message`, use
    /// [`with_type`](Self::with_type) and [`with_message`](Self::with_message).
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

    /// Returns the code, if it is a string: Node's `err.code`.
    ///
    /// ```
    /// let error = nodeback::error!("connect ECONNREFUSED").with_code("ECONNREFUSED");
    /// assert_eq!(error.code(), Some("ECONNREFUSED"));
    /// assert_eq!(nodeback::error!("boom").code(), None);
    /// ```
    pub fn code(&self) -> Option<&str> {
        self.member("code")?.as_str()
    }

    /// Returns a member that was set with [`with_member`](Self::with_member) or
    /// [`with_code`](Self::with_code), or that belongs to the object that the error was created
    /// from.
    ///
    /// ```
    /// let error = nodeback::error!("no order 7").with_member("statusCode", 404);
    /// assert_eq!(error.member("statusCode").unwrap(), 404);
    /// assert_eq!(error.member("code"), None);
    /// ```
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.0.members.as_ref()?.get(name)
    }

    /// Returns whether the error is falsy in JavaScript: it is `0`, `NaN`, `false` or an empty
    /// string. Node's runtime client treats such a value as an error; code that tests `if (err)`
    /// does not.
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

    /// Sets the error that caused this one, as `new Error(message, { cause })` does in Node. It
    /// appears in `trace`.
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

    /// Returns the `errorType`: the name that callers match on.
    ///
    /// ```
    /// use nodeback::{Error, IntoError};
    ///
    /// let not_found = Error::new("OrderNotFound", "no order 7");
    /// assert_eq!(not_found.error_type(), "OrderNotFound");
    /// // A string has no error class, so its name is JavaScript's `typeof`.
    /// assert_eq!("no order 7".into_error().error_type(), "string");
    /// ```
    pub fn error_type(&self) -> &str {
        &self.0.error_type
    }

    /// Returns the `errorMessage`.
    ///
    /// ```
    /// let error = nodeback::error!("no order {}", 7);
    /// assert_eq!(error.message(), "no order 7");
    /// ```
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the error that caused this one, if there is one.
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

    /// Returns the error that this one was converted from, with `?` or [`IntoError`], if it is a
    /// `T`.
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

    /// Returns the texts of the causes of this error, up to a limit.
    fn causes(&self) -> Vec<String> {
        match &self.0.cause {
            Cause::Anyhow(origin) => guard::texts(into::without_name(origin).skip(1)),
            _ => guard::causes(self.source()),
        }
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    /// Converts an error. Its `errorType` is the name of its type, without path and generics:
    /// `OrderNotFound` for a `crate::orders::OrderNotFound`. [`IntoError`] lists the exceptions.
    #[track_caller]
    fn from(error: E) -> Self {
        Self::from_std(error, Some(Location::caller()))
    }
}

/// Two errors are equal if their `errorType`, their `errorMessage` and their members are equal.
/// Their causes, and where they were created, do not count.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        (self.error_type(), self.message(), &self.0.members)
            == (other.error_type(), other.message(), &other.0.members)
    }
}

impl Drop for Inner {
    /// Drops the cause, a value of the user whose destructor may panic.
    fn drop(&mut self) {
        if !matches!(self.cause, Cause::None) {
            guard::discard(mem::replace(&mut self.cause, Cause::None));
        }
    }
}

/// Creates an [`Error`] from a format string: Node's `new Error(..)`. Its `errorType` is `Error`.
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
