//! Values that can be used as an error.

use super::{Boxed, Cause, Error, Kind, described::Described, make::describe_erased};
use crate::{guard, text};
use serde_json::Value;
use std::{borrow::Cow, error::Error as StdError, fmt};

/// A value that can be used as an error: with [`fail`](crate::Callback::fail), with
/// [`settle`](crate::Callback::settle), or as the `Err` that a handler returns.
///
/// | Value | `errorType` | `errorMessage` | `trace` |
/// | --- | --- | --- | --- |
/// | [`Error`] | its own | its own | its own |
/// | any [`std::error::Error`] | the type's short name; `SyntaxError` for a `serde_json::Error` of text that is not JSON | its text | its causes |
/// | `anyhow::Error` | `Error`, or the attached [`ErrorName`] | its text | its chain |
/// | `Box<dyn std::error::Error + Send + Sync>` | `Error` | its text | its causes |
/// | `&str`, `String` | `string` | the string | empty |
/// | a number | `number` | as JavaScript prints it | empty |
/// | `bool` | `boolean` | `true` or `false` | empty |
/// | [`Value`], `Option<Value>` | JavaScript's `typeof` | JavaScript's `toString()` | empty |
/// | `()`, `Value::Null`, `None` | `string` | `handled`, as Node's `context.fail()` | empty |
///
/// Node treats an object as an `Error` if its `name`, `message` and `stack` are strings and not
/// empty, and so does this conversion. The members of any other object can be read with
/// [`Error::member`].
///
/// The parameter `M` keeps the implementations apart. The compiler infers it, so it can be ignored.
/// The trait is sealed: other types implement [`std::error::Error`] instead.
///
/// ```
/// use nodeback::{IntoError, json};
///
/// let text = |error: nodeback::Error| format!("{} {}", error.error_type(), error.message());
/// assert_eq!(text("Unauthorized".into_error()), "string Unauthorized");
/// assert_eq!(text(42.0.into_error()), "number 42");
/// assert_eq!(text(json!([1, 2]).into_error()), "object 1,2");
/// assert_eq!(text(json!({ "code": 7 }).into_error()), "object [object Object]");
/// assert_eq!(text(anyhow::anyhow!("boom").into_error()), "Error boom");
/// assert_eq!(text(std::fmt::Error.into_error()), "Error an error occurred when formatting an argument");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of an invocation",
    label = "cannot be converted to an error",
    note = "an error can be a `nodeback::Error`, any `std::error::Error + Send + Sync + 'static`, an `anyhow::Error`, a `Box<dyn std::error::Error + Send + Sync>`, a string, a number, a `bool` or a `nodeback::Value`"
)]
pub trait IntoError<M>: Sealed<M> {
    /// Converts the value to an error.
    fn into_error(self) -> Error;
}

/// Keeps other crates from implementing [`IntoError`].
pub trait Sealed<M> {}

impl Sealed<marker::Itself> for Error {}
impl<E: StdError + Send + Sync + 'static> Sealed<marker::Std> for E {}
impl Sealed<marker::Boxed> for Box<dyn StdError + Send + Sync> {}
impl Sealed<marker::Anyhow> for anyhow::Error {}
impl Sealed<marker::Js> for Value {}
impl Sealed<marker::Js> for Option<Value> {}

/// Types that stand for the kinds of errors.
mod marker {
    #[derive(Debug)]
    pub enum Itself {}
    #[derive(Debug)]
    pub enum Std {}
    #[derive(Debug)]
    pub enum Boxed {}
    #[derive(Debug)]
    pub enum Anyhow {}
    #[derive(Debug)]
    pub enum Js {}
}

impl IntoError<marker::Itself> for Error {
    fn into_error(self) -> Error {
        self
    }
}

impl<E: StdError + Send + Sync + 'static> IntoError<marker::Std> for E {
    fn into_error(self) -> Error {
        Error::from_std(self, None)
    }
}

impl IntoError<marker::Boxed> for Box<dyn StdError + Send + Sync> {
    fn into_error(self) -> Error {
        match self.downcast::<Carried>() {
            Ok(carried) => carried.0,
            Err(error) => {
                let described = describe_erased(error.as_ref()).unwrap_or_else(|| Described {
                    name: "Error".into(),
                    message: Some(guard::text(&error)),
                    members: None,
                });
                Error::of(described, Cause::Same(error), None)
            }
        }
    }
}

impl IntoError<marker::Anyhow> for anyhow::Error {
    fn into_error(self) -> Error {
        let error = if AsRef::<dyn StdError>::as_ref(&self).is::<Carried>() {
            match self.downcast::<Carried>() {
                Ok(carried) => return carried.0,
                Err(error) => error,
            }
        } else {
            self
        };
        let name = error.downcast_ref::<ErrorName>().map(|name| name.0.clone());
        // An [`Error`] that was given an anyhow context keeps its name. Its message stays in the
        // chain.
        let name = name.or_else(|| {
            let carried =
                guard::chain(error.as_ref()).find_map(|cause| cause.downcast_ref::<Carried>());
            carried.map(|carried| carried.0.0.error_type.clone())
        });
        let (mut message, mut members) = (None, None);
        let found = without_name(&error)
            .enumerate()
            .find_map(|(depth, cause)| Some((depth, describe_erased(cause)?)));
        let found = found.map(|(depth, described)| {
            message = (depth == 0).then_some(described.message);
            members = described.members;
            described.name
        });
        let message = message.unwrap_or_else(|| without_name(&error).next().map(guard::text));
        let described = Described {
            name: name.or(found).unwrap_or(Cow::Borrowed("Error")),
            message,
            members,
        };
        Error::of(described, Cause::Anyhow(error), None)
    }
}

impl IntoError<marker::Js> for Value {
    fn into_error(self) -> Error {
        if self.is_null() {
            return value("string", "handled".into());
        }
        let text = |key: &str| {
            self.get(key)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
        };
        match (text("name"), text("message"), text("stack")) {
            (Some(name), Some(message), Some(stack)) => {
                let stack = Kind::WithStack(stack.split('\n').map(String::from).collect());
                Error::make(
                    Cow::Owned(name.into()),
                    message.into(),
                    stack,
                    Cause::None,
                    None,
                )
            }
            _ => {
                let mut error = value(text::type_of(&self), text::to_string(&self));
                if let Value::Object(members) = self {
                    error.0.members = Some(members);
                }
                error
            }
        }
    }
}

impl IntoError<marker::Js> for Option<Value> {
    fn into_error(self) -> Error {
        self.unwrap_or_default().into_error()
    }
}

macro_rules! into_error {
    ($type_of:literal: $($type:ty),+ => $text:expr) => {$(
        impl Sealed<marker::Js> for $type {}

        impl IntoError<marker::Js> for $type {
            fn into_error(self) -> Error {
                let text: fn($type) -> String = $text;
                value($type_of, text(self))
            }
        }
    )+};
}

into_error!("string": &str, &String, String, Box<str>, Cow<'_, str> => |text| text.to_string());
into_error!("string": () => |()| "handled".into());
into_error!("boolean": bool => |value| value.to_string());
into_error!("number": f64 => text::float_to_string);
into_error!("number": f32 => |value| text::float_to_string(value.into()));
into_error!("number": i8, i16, i32, i64, isize, u8, u16, u32, u64, usize => |value| value.to_string());

fn value(type_of: &'static str, text: String) -> Error {
    Error::make(type_of.into(), text, Kind::Value, Cause::None, None)
}

/// A name for an anyhow error, attached as a context. It becomes the `errorType`, and survives `?`
/// and further contexts.
///
/// ```
/// use anyhow::{Context, Result};
/// use nodeback::{ErrorName, IntoError};
///
/// fn stock() -> Result<u32> {
///     "many".parse::<u32>().context("the stock of order 7").context(ErrorName::new("BadStock"))
/// }
/// fn handle() -> Result<u32> {
///     Ok(stock().context("handling the order")?)
/// }
///
/// let error = handle().unwrap_err().into_error();
/// assert_eq!(error.error_type(), "BadStock");
/// assert_eq!(error.message(), "handling the order");
/// assert_eq!(error.source().unwrap().to_string(), "the stock of order 7");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorName(Cow<'static, str>);

impl ErrorName {
    /// Creates a context that sets the `errorType`.
    ///
    /// ```
    /// use nodeback::{ErrorName, IntoError};
    ///
    /// let error = anyhow::anyhow!("no order 7").context(ErrorName::new("OrderNotFound"));
    /// assert_eq!(error.into_error().error_type(), "OrderNotFound");
    /// ```
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        ErrorName(name.into())
    }
}

impl fmt::Display for ErrorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the chain of an anyhow error without its [`ErrorName`], which is not a message.
pub(super) fn without_name(
    error: &anyhow::Error,
) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    // An element of the chain cannot be downcast to a context, so the name is recognized by its
    // text.
    let mut name = error.downcast_ref::<ErrorName>().map(ToString::to_string);
    guard::chain(error.as_ref()).filter(move |cause| {
        let is_name = name
            .as_ref()
            .is_some_and(|name| *name == guard::text(*cause));
        if is_name {
            name = None;
        }
        !is_name
    })
}

/// An [`Error`] inside another error type.
struct Carried(Error);

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Carried {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

impl From<Error> for anyhow::Error {
    fn from(error: Error) -> Self {
        anyhow::Error::new(Carried(error))
    }
}

impl From<Error> for Boxed {
    fn from(error: Error) -> Self {
        Box::new(Carried(error))
    }
}
