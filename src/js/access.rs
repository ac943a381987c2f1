//! Access to members that fails as it does in JavaScript.

use crate::error::{Error, Result};
use serde_json::Value;

/// Access to the members of a [`Value`], or of an `Option<&Value>`, that fails as in JavaScript,
/// with a `TypeError` whose message is V8's. A message that names an expression names the path that
/// was given: `key.split is not a function` or `items is not iterable`, where V8 has the whole
/// expression, `event.key.split is not a function`.
///
/// The trait is sealed. For access that never fails, write `event["a"]["b"]`.
///
/// ```
/// use nodeback::{Result, Value, js::Access, json};
///
/// fn application_id(event: &Value) -> Result<&str> {
///     // event.session.application.applicationId.toLowerCase()
///     event.member("session")?.member("application")?.string("applicationId.toLowerCase")
/// }
/// let event = json!({ "session": { "application": { "applicationId": "amzn1.ask" } } });
/// assert_eq!(application_id(&event)?, "amzn1.ask");
///
/// let error = application_id(&json!({})).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "TypeError: Cannot read properties of undefined (reading 'application')"
/// );
/// # Ok::<_, nodeback::Error>(())
/// ```
pub trait Access<'a>: Sized + sealed::Sealed<'a> {
    /// Reads a member, as `value.name` does. `None` is `undefined`.
    ///
    /// ```
    /// use nodeback::{js::Access, json};
    ///
    /// let event = json!({ "order": { "id": 7 }, "customer": null });
    /// assert_eq!(event.member("order")?.member("id")?, Some(&json!(7)));
    /// assert_eq!(event.member("order")?.member("note")?, None);
    /// let error = event.member("customer")?.member("name").unwrap_err();
    /// assert_eq!(error.message(), "Cannot read properties of null (reading 'name')");
    /// # Ok::<_, nodeback::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `TypeError` if the value is `undefined` or `null`.
    #[track_caller]
    fn member(self, name: &str) -> Result<Option<&'a Value>> {
        Ok(self.defined(name)?.get(name))
    }

    /// Reads an item of an array, as `value[index]` does. `None` is `undefined`.
    ///
    /// ```
    /// use nodeback::{js::Access, json};
    ///
    /// let event = json!({ "Records": [] });
    /// assert_eq!(event.member("Records")?.item(0)?, None);
    /// let error = event.member("records")?.item(0).unwrap_err();
    /// assert_eq!(error.message(), "Cannot read properties of undefined (reading '0')");
    /// # Ok::<_, nodeback::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `TypeError` if the value is `undefined` or `null`.
    #[track_caller]
    fn item(self, index: usize) -> Result<Option<&'a Value>> {
        Ok(self.defined(&index.to_string())?.get(index))
    }

    /// Reads an array, to call a method of arrays on it: `event.Records.map(..)` is
    /// `event.array("Records.map")?.iter().map(..)`, and `for (const record of event.Records)` is
    /// `for record in event.array("Records")?`.
    ///
    /// ```
    /// use nodeback::{js::Access, json};
    ///
    /// let event = json!({ "Records": [1, 2], "body": "text" });
    /// assert_eq!(event.array("Records.map")?.len(), 2);
    /// let message = |path| event.array(path).unwrap_err().message().to_owned();
    /// assert_eq!(message("items.map"), "Cannot read properties of undefined (reading 'map')");
    /// assert_eq!(message("body.map"), "body.map is not a function");
    /// assert_eq!(message("items"), "items is not iterable");
    /// # Ok::<_, nodeback::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `TypeError` if the member is not an array.
    #[track_caller]
    fn array(self, path: &str) -> Result<&'a Vec<Value>> {
        let (value, method) = self.receiver(path)?;
        // A closure would not pass on the location of the caller.
        match value.and_then(Value::as_array) {
            Some(array) => Ok(array),
            None => Err(not_a(value, path, method)),
        }
    }

    /// Reads a string, to call a method of strings on it: `event.key.split('/')` is
    /// `event.string("key.split")?.split('/')`.
    ///
    /// ```
    /// use nodeback::{js::Access, json};
    ///
    /// let event = json!({ "key": "a/b", "size": 7 });
    /// assert_eq!(event.string("key.split")?.split('/').count(), 2);
    /// let message = |path| event.string(path).unwrap_err().message().to_owned();
    /// assert_eq!(message("name.trim"), "Cannot read properties of undefined (reading 'trim')");
    /// assert_eq!(message("size.split"), "size.split is not a function");
    /// # Ok::<_, nodeback::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `TypeError` if the member is not a string.
    #[track_caller]
    fn string(self, path: &str) -> Result<&'a str> {
        let (value, method) = self.receiver(path)?;
        match value.and_then(Value::as_str) {
            Some(text) => Ok(text),
            None => Err(not_a(value, path, method)),
        }
    }
}

impl<'a> Access<'a> for &'a Value {}

impl<'a> Access<'a> for Option<&'a Value> {}

mod sealed {
    use super::{Error, Result, Value};

    /// Keeps other crates from implementing [`Access`](super::Access).
    pub trait Sealed<'a>: Sized {
        fn value(self) -> Option<&'a Value>;

        /// Returns the value. If it is `undefined` or `null`, fails as reading its member `reading`
        /// does.
        #[track_caller]
        fn defined(self, reading: &str) -> Result<&'a Value> {
            match self.value() {
                None => Err(cannot_read("undefined", reading)),
                Some(Value::Null) => Err(cannot_read("null", reading)),
                Some(value) => Ok(value),
            }
        }

        /// Returns the member that a path `member.method` or `member` starts with, and the method.
        #[track_caller]
        fn receiver(self, path: &str) -> Result<(Option<&'a Value>, Option<&str>)> {
            let (member, method) = match path.split_once('.') {
                Some((member, method)) => (member, Some(method)),
                None => (path, None),
            };
            Ok((self.defined(member)?.get(member), method))
        }
    }

    #[track_caller]
    pub(super) fn cannot_read(what: &str, reading: &str) -> Error {
        let message = format!("Cannot read properties of {what} (reading '{reading}')");
        Error::new("TypeError", message)
    }

    impl<'a> Sealed<'a> for &'a Value {
        fn value(self) -> Option<&'a Value> {
            Some(self)
        }
    }

    impl<'a> Sealed<'a> for Option<&'a Value> {
        fn value(self) -> Option<&'a Value> {
            self
        }
    }
}

/// Returns the error of a method call, or of an iteration, on a value of another type.
#[track_caller]
fn not_a(value: Option<&Value>, path: &str, method: Option<&str>) -> Error {
    match (value, method) {
        (None, Some(method)) => sealed::cannot_read("undefined", method),
        (Some(Value::Null), Some(method)) => sealed::cannot_read("null", method),
        (Some(_), Some(_)) => Error::new("TypeError", format!("{path} is not a function")),
        (_, None) => Error::new("TypeError", format!("{path} is not iterable")),
    }
}
