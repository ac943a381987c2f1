//! Tests the conversion of values into errors: the name, the text, the trace and the JSON of an
//! error.

#![allow(clippy::unwrap_used, reason = "tests")]

use anyhow::Context;
use nodeback::{Error, ErrorName, IntoError, Value, error, json};
use std::{borrow::Cow, error::Error as StdError, fmt, io, sync::Arc};

type Boxed = Box<dyn StdError + Send + Sync>;

mod orders {
    use std::fmt;

    /// An error type that a handler defines, in a nested module.
    #[derive(Debug)]
    pub(crate) struct OrderNotFound(pub(crate) u32);

    impl fmt::Display for OrderNotFound {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "no order {}", self.0)
        }
    }

    impl std::error::Error for OrderNotFound {}
}
use orders::OrderNotFound;

/// An error with a cause.
#[derive(Debug)]
struct NotSaved<T>(T);

impl<T> fmt::Display for NotSaved<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not saved")
    }
}

impl<T: StdError + 'static> StdError for NotSaved<T> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

/// Returns the `errorType` and the `errorMessage`.
fn type_and_message<M>(error: impl IntoError<M>) -> (String, String) {
    let error = error.into_error();
    (error.error_type().into(), error.message().into())
}

fn name<M>(error: impl IntoError<M>) -> String {
    error.into_error().error_type().into()
}

/// Returns the lines of the trace, without those of a backtrace.
fn trace<M>(error: impl IntoError<M>) -> Vec<String> {
    let mut trace = error.into_error().trace();
    let is_frame = |line: &String| line.starts_with("    at ") && line.ends_with(')');
    let backtrace = trace.iter().position(is_frame);
    trace.truncate(backtrace.unwrap_or(trace.len()));
    trace
}

/// Returns the line of a trace for this line of this file, without the column.
fn at(line: u32) -> String {
    format!("    at {}:{line}:", file!())
}

macro_rules! assert_error {
    ($($error:expr => $error_type:literal, $message:expr;)+) => {$(
        let (error_type, message) = type_and_message($error);
        assert_eq!(error_type, $error_type, "errorType of {}", stringify!($error));
        assert_eq!(message, $message, "errorMessage of {}", stringify!($error));
    )+};
}

mod in_json {
    use super::*;

    #[test]
    fn keys_have_the_same_order_as_in_node() {
        let json = "no".into_error().to_json();
        assert_eq!(
            json,
            r#"{"errorType":"string","errorMessage":"no","trace":[]}"#
        );
    }

    #[test]
    fn trace_is_an_array_of_lines() {
        let error = Error::new("OrderNotFound", "no order 7");
        let json: Value = serde_json::from_str(&error.to_json()).unwrap();
        let keys: Vec<_> = json.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["errorType", "errorMessage", "trace"]);
        assert_eq!(json["trace"], json!(error.trace()));
    }

    /// The comment of each line names the case in `tests/cases`, which was recorded on AWS's Node
    /// client.
    #[test]
    fn type_and_message_are_the_same_as_in_node() {
        assert_error! {
            error!("boom") => "Error", "boom"; // error_error
            Error::new("TypeError", "bad type") => "TypeError", "bad type"; // error_type_error
            OrderNotFound(7) => "OrderNotFound", "no order 7"; // error_named
            "Unauthorized" => "string", "Unauthorized"; // error_string
            "" => "string", ""; // error_empty_string
            42 => "number", "42"; // error_number
            0 => "number", "0"; // error_zero
            false => "boolean", "false"; // error_false
            true => "boolean", "true"; // error_true
            json!({ "code": 7, "message": "m" }) => "object", "[object Object]"; // error_object
            json!([1, 2]) => "object", "1,2"; // error_array
            error!("") => "Error", ""; // error_empty_message
            error!("line one\nline two") => "Error", "line one\nline two"; // error_multiline
            () => "string", "handled"; // context_fail_nothing
        }
        // error_json_string
        let json = json!({ "errorType": "BadRequest", "httpStatus": 400 }).to_string();
        assert_error!(json.clone() => "string", json;);
    }

    #[test]
    fn trace_is_empty_for_a_value_that_is_not_an_error_in_node() {
        assert!("no".into_error().trace().is_empty());
        assert!(42.into_error().trace().is_empty());
        assert!(true.into_error().trace().is_empty());
        assert!(().into_error().trace().is_empty());
        assert!(json!({ "code": 7 }).into_error().trace().is_empty());
    }
}

mod conversion {
    use super::*;

    #[test]
    fn accepts_every_string_type() {
        assert_error! {
            "text" => "string", "text";
            String::from("text") => "string", "text";
            &String::from("text") => "string", "text";
            Box::<str>::from("text") => "string", "text";
            Cow::Borrowed("text") => "string", "text";
        }
    }

    #[test]
    fn keeps_all_digits_of_an_integer() {
        assert_error! {
            i64::MIN => "number", "-9223372036854775808";
            u64::MAX => "number", "18446744073709551615";
            7_u8 => "number", "7";
        }
    }

    #[test]
    fn prints_floats_as_javascript_does() {
        assert_error! {
            42.0 => "number", "42";
            42.5_f32 => "number", "42.5";
            0.1 + 0.2 => "number", "0.30000000000000004";
            -0.0 => "number", "0";
            1e21 => "number", "1e+21";
            1e-7 => "number", "1e-7";
            f64::NAN => "number", "NaN";
            f64::NEG_INFINITY => "number", "-Infinity";
        }
    }

    #[test]
    fn names_and_prints_json_values_as_javascript_does() {
        assert_error! {
            json!("text") => "string", "text";
            json!(1.0) => "number", "1";
            json!(1e21) => "number", "1e+21";
            json!(false) => "boolean", "false";
            json!([1, null, [true, "x"], {}]) => "object", "1,,true,x,[object Object]";
            json!([]) => "object", "";
            Value::Null => "string", "handled";
        }
    }

    #[test]
    fn turns_an_object_with_name_message_and_stack_into_an_error() {
        let error = json!({ "name": "BadRequest", "message": "no name", "stack": "one\ntwo" });
        assert_error!(error.clone() => "BadRequest", "no name";);
        assert_eq!(trace(error), ["one", "two"]);
    }

    #[test]
    fn treats_an_object_that_lacks_one_of_them_as_a_value() {
        let whole = json!({ "name": "BadRequest", "message": "no name", "stack": "at" });
        for key in ["name", "message", "stack"] {
            for lacking in [json!(null), json!(""), json!(7)] {
                let mut error = whole.clone();
                error[key] = lacking;
                assert_error!(error => "object", "[object Object]";);
            }
        }
    }

    #[test]
    fn turns_a_boxed_error_into_a_plain_error_with_its_causes() {
        let boxed: Boxed = NotSaved(OrderNotFound(7)).into();
        assert_eq!(trace(boxed), ["Error: not saved", "caused by: no order 7"]);
        assert_error!(Boxed::from("text") => "Error", "text";);
    }

    #[test]
    fn turns_an_anyhow_error_into_a_plain_error_with_its_chain() {
        let error = anyhow::Error::new(OrderNotFound(7))
            .context("loading")
            .context("handling");
        assert_eq!(
            trace(error),
            [
                "Error: handling",
                "caused by: loading",
                "caused by: no order 7"
            ]
        );
        assert_error!(anyhow::anyhow!("boom") => "Error", "boom";);
    }

    #[test]
    fn keeps_the_original_error_for_downcasts() {
        let error = Error::from(OrderNotFound(7));
        assert_eq!(error.downcast_ref::<OrderNotFound>().unwrap().0, 7);
        let boxed: Boxed = OrderNotFound(7).into();
        assert!(boxed.into_error().downcast_ref::<OrderNotFound>().is_some());
        let error = anyhow::Error::new(OrderNotFound(7))
            .context("loading")
            .into_error();
        assert!(error.downcast_ref::<OrderNotFound>().is_some());
        assert!(error.downcast_ref::<io::Error>().is_none());
        assert!(error!("boom").downcast_ref::<OrderNotFound>().is_none());
    }
}

mod names {
    use super::*;

    #[test]
    fn do_not_contain_the_path_of_a_type() {
        #[derive(Debug)]
        struct Local;
        impl fmt::Display for Local {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                Ok(())
            }
        }
        impl StdError for Local {}

        assert_eq!(name(OrderNotFound(7)), "OrderNotFound");
        assert_eq!(name(Error::from(OrderNotFound(7))), "OrderNotFound");
        assert_eq!(name(Local), "Local");
        assert_eq!(name(NotSaved(NotSaved(OrderNotFound(7)))), "NotSaved");
        assert_eq!(name("x".parse::<u8>().unwrap_err()), "ParseIntError");
        assert_eq!(name(io::Error::other("disk full")), "Error");
    }

    #[test]
    fn of_pointers_are_those_of_their_targets() {
        static STATIC: OrderNotFound = OrderNotFound(7);
        assert_eq!(name(&STATIC), "OrderNotFound");
        assert_eq!(name(Box::new(OrderNotFound(7))), "OrderNotFound");
        assert_eq!(name(Arc::new(NotSaved(OrderNotFound(7)))), "NotSaved");
    }

    #[test]
    fn of_type_erased_errors_are_error() {
        let shared: Arc<dyn StdError + Send + Sync> = Arc::new(OrderNotFound(7));
        assert_eq!(name(shared), "Error");
        assert_eq!(name(Boxed::from(OrderNotFound(7))), "Error");
        assert_eq!(name(anyhow::Error::new(OrderNotFound(7))), "Error");
    }

    #[test]
    fn can_be_changed_with_with_type() {
        let error = Error::from(OrderNotFound(7)).with_type("NotFound");
        assert_error!(error => "NotFound", "no order 7";);
        assert_error!("no".into_error().with_type("Denied") => "Denied", "no";);
    }

    #[test]
    fn stays_when_the_message_changes() {
        let error = Error::from(OrderNotFound(7)).with_message("gone");
        assert!(error.downcast_ref::<OrderNotFound>().is_some());
        assert_eq!(trace(error)[0], "OrderNotFound: gone");
        let error = Error::from(OrderNotFound(7)).with_message("gone");
        assert_error!(error => "OrderNotFound", "gone";);
        assert_error!("no".into_error().with_message("yes") => "string", "yes";);
    }
}

mod through_anyhow {
    use super::*;

    fn named() -> anyhow::Result<()> {
        Err(OrderNotFound(7)).context(ErrorName::new("BadOrder"))
    }

    #[test]
    fn a_name_attached_as_a_context_is_not_part_of_the_message() {
        let error = named().unwrap_err();
        assert_eq!(trace(error), ["BadOrder: no order 7"]);
    }

    #[test]
    fn an_attached_name_survives_the_question_mark_and_further_contexts() {
        fn outer() -> anyhow::Result<()> {
            named().context("loading")?;
            Ok(())
        }
        let error = outer().context("handling").unwrap_err();
        assert_eq!(
            trace(error),
            [
                "BadOrder: handling",
                "caused by: loading",
                "caused by: no order 7"
            ]
        );
    }

    #[test]
    fn the_outermost_name_wins() {
        let error = named().context(ErrorName::new("Outer")).unwrap_err();
        assert_eq!(name(error), "Outer");
    }

    #[test]
    fn an_error_is_unchanged() {
        fn through() -> anyhow::Result<()> {
            Err(Error::new("OrderNotFound", "no order 7"))?;
            Ok(())
        }
        let made = line!() - 3;
        let trace = trace(through().unwrap_err());
        assert_eq!(trace[0], "OrderNotFound: no order 7");
        assert!(trace[1].starts_with(&at(made)), "{trace:?}");
        assert_eq!(trace.len(), 2);
    }

    #[test]
    fn an_error_keeps_its_name_under_a_context() {
        let error = anyhow::Error::from(Error::new("OrderNotFound", "no order 7"));
        assert_eq!(
            trace(error.context("handling")),
            [
                "OrderNotFound: handling",
                "caused by: OrderNotFound: no order 7"
            ]
        );
    }

    #[test]
    fn an_attached_name_wins_over_that_of_the_error() {
        let error = anyhow::Error::from(error!("boom")).context(ErrorName::new("Attached"));
        assert_eq!(name(error), "Attached");
    }

    #[test]
    fn an_error_from_a_plain_value_is_unchanged() {
        let error = anyhow::Error::from("Unauthorized".into_error());
        assert_error!(error => "string", "Unauthorized";);
    }
}

mod through_a_box {
    use super::*;

    #[test]
    fn an_error_is_unchanged() {
        fn through() -> Result<(), Boxed> {
            Err(Error::new("OrderNotFound", "no order 7").with_cause("disk full"))?;
            Ok(())
        }
        let error = through().unwrap_err();
        assert_eq!(error.to_string(), "OrderNotFound: no order 7");
        assert_eq!(error.source().unwrap().to_string(), "disk full");
        let error = error.into_error();
        assert_eq!(error.error_type(), "OrderNotFound");
        assert_eq!(error.source().unwrap().to_string(), "disk full");
    }
}

mod text {
    use super::*;

    #[test]
    fn of_display_is_the_string_of_the_error_in_javascript() {
        assert_eq!(error!("boom").to_string(), "Error: boom");
        assert_eq!(error!("").to_string(), "Error");
        assert_eq!(
            OrderNotFound(7).into_error().to_string(),
            "OrderNotFound: no order 7"
        );
        assert_eq!("Unauthorized".into_error().to_string(), "Unauthorized");
        assert_eq!(42.into_error().to_string(), "42");
    }

    #[test]
    fn of_the_alternate_form_includes_the_causes() {
        let error = NotSaved(NotSaved(OrderNotFound(7))).into_error();
        assert_eq!(format!("{error}"), "NotSaved: not saved");
        assert_eq!(
            format!("{error:#}"),
            "NotSaved: not saved: not saved: no order 7"
        );
    }

    #[test]
    fn of_debug_is_the_trace() {
        let error = Error::from(NotSaved(OrderNotFound(7)));
        assert_eq!(format!("{error:?}"), error.trace().join("\n"));
        assert_eq!(format!("{:?}", "no".into_error()), "no");
    }

    #[test]
    fn of_the_macro_is_formatted() {
        let n = 7;
        assert_eq!(error!("no order {n}").message(), "no order 7");
        assert_eq!(error!("no {} {n:02}", "order").message(), "no order 07");
    }
}

mod trace {
    use super::*;

    #[test]
    fn begins_with_the_error_and_the_location_where_it_was_created() {
        let made = line!() + 2..;
        let errors = [
            error!("boom"),
            Error::msg("boom"),
            Error::new("Error", "boom"),
        ];
        for (error, made) in errors.into_iter().zip(made) {
            let trace = trace(error);
            assert_eq!(trace[0], "Error: boom");
            assert!(trace[1].starts_with(&at(made)), "{trace:?}");
            assert_eq!(trace.len(), 2);
        }
    }

    #[test]
    fn contains_the_location_of_the_question_mark() {
        fn port() -> nodeback::Result<u16> {
            Ok("x".parse()?)
        }
        let trace = trace(port().unwrap_err());
        assert_eq!(trace[0], "ParseIntError: invalid digit found in string");
        assert!(trace[1].starts_with(&at(line!() - 4)), "{trace:?}");
        assert_eq!(trace.len(), 2);
    }

    #[test]
    fn has_a_separate_line_for_each_line_of_a_message() {
        let error = error!("one\ntwo").with_cause("three\nfour");
        let trace = trace(error);
        assert_eq!(trace[..2], ["Error: one", "two"]);
        assert_eq!(trace[3..], ["caused by: three", "four"]);
    }

    #[test]
    fn contains_the_chain_of_causes() {
        assert_eq!(
            trace(NotSaved(NotSaved(OrderNotFound(7)))),
            [
                "NotSaved: not saved",
                "caused by: not saved",
                "caused by: no order 7"
            ]
        );
    }

    #[test]
    fn contains_a_cause_that_was_added_later() {
        let cause = error!("disk full").with_cause(OrderNotFound(7));
        let error = OrderNotFound(8).into_error().with_cause(cause);
        assert_eq!(
            trace(error),
            [
                "OrderNotFound: no order 8",
                "caused by: Error: disk full",
                "caused by: no order 7"
            ]
        );
    }
}

mod members {
    use super::*;

    #[test]
    fn are_not_in_the_json_that_lambda_gets() {
        let error = Error::new("OrderNotFound", "no order 7").with_code("ENOENT");
        let error = error.with_member("statusCode", 404);
        let json: Value = serde_json::from_str(&error.to_json()).unwrap();
        let keys: Vec<_> = json.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["errorType", "errorMessage", "trace"]);
    }

    /// `JSON.stringify(err)` prints the same: the name, the message and the stack are not included.
    #[test]
    fn are_what_an_error_serializes_to() {
        let error = Error::new("OrderNotFound", "no order 7").with_cause("disk full");
        assert_eq!(json!({ "error": error }), json!({ "error": {} }));
        let error = error.with_code("ENOENT").with_member("statusCode", 404);
        assert_eq!(
            serde_json::to_string(&error).unwrap(),
            r#"{"code":"ENOENT","statusCode":404}"#
        );
    }

    #[test]
    fn can_be_read_and_replaced() {
        let error = error!("no order").with_code(7).with_member("a", json!([1]));
        assert_eq!(error.code(), None, "it is not a string");
        assert_eq!(error.member("code"), Some(&json!(7)));
        assert_eq!(error.member("a"), Some(&json!([1])));
        assert_eq!(error.with_code("E").code(), Some("E"));
    }

    #[test]
    fn survive_anyhow_and_a_box() {
        let error = || error!("no order").with_code("ENOENT");
        let through: anyhow::Error = error().into();
        assert_eq!(through.into_error().code(), Some("ENOENT"));
        let through: Box<dyn std::error::Error + Send + Sync> = error().into();
        assert_eq!(through.into_error().code(), Some("ENOENT"));
    }

    /// An object that JavaScript code throws keeps its members, too.
    #[test]
    fn of_an_object_are_kept() {
        let error = json!({ "code": "E", "statusCode": 404 }).into_error();
        assert_eq!(
            (error.error_type(), error.message()),
            ("object", "[object Object]")
        );
        assert_eq!(
            (error.code(), error.member("statusCode")),
            (Some("E"), Some(&json!(404)))
        );
        let missing = json!({}).get("error").cloned();
        assert_eq!(missing.into_error(), ().into_error());
    }

    #[test]
    fn take_part_in_the_comparison_of_errors() {
        let error = || Error::new("A", "b").with_code("c");
        assert_eq!(error(), error().with_cause("another"));
        assert_ne!(error(), error().with_type("B"));
        assert_ne!(error(), Error::new("A", "c").with_code("c"));
        assert_ne!(error(), Error::new("A", "b"));
        assert_eq!(Ok::<_, Error>(1), Ok(1));
    }
}
