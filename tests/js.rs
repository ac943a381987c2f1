//! Tests the module `js`. Each expectation is what Node 20 printed for the same expression.

#![allow(clippy::unwrap_used, reason = "tests")]

use nodeback::{
    Callback, Context, Error, Value, invoke,
    js::{self, Access},
    json, object,
};

#[test]
fn a_value_becomes_the_same_text_as_in_a_template_literal() {
    for (value, text) in [
        (json!(null), "null"),
        (json!(true), "true"),
        (json!("x"), "x"),
        (json!(7), "7"),
        (json!(7.0), "7"),
        (json!(1e21), "1e+21"),
        (json!([1, [2, null]]), "1,2,"),
        (json!({}), "[object Object]"),
        (json!([]), ""),
    ] {
        assert_eq!(js::to_string(&value), text);
    }
    assert_eq!(js::to_string(None), "undefined");
    assert_eq!(js::to_string(json!({}).get("a")), "undefined");
}

const NAN: f64 = f64::NAN;
const INFINITY: f64 = f64::INFINITY;

/// Compares numbers so that `NaN` is equal to itself, and `-0` is not equal to `0`.
#[track_caller]
fn assert_same(actual: f64, expected: f64, expression: &str) {
    let is_same = actual == expected && actual.is_sign_negative() == expected.is_sign_negative();
    assert!(
        is_same || actual.is_nan() && expected.is_nan(),
        "{expression} is {actual} instead of {expected}"
    );
}

#[test]
fn a_value_becomes_the_same_number() {
    for (value, number) in [
        (json!(null), 0.0),
        (json!(true), 1.0),
        (json!(false), 0.0),
        (json!(-7), -7.0),
        (json!(u64::MAX), 18_446_744_073_709_552_000.0),
        (json!(""), 0.0),
        (json!(" \t\u{a0}\u{feff}\u{2028}\n"), 0.0),
        (json!("\u{85}"), NAN),
        (json!(" 12 "), 12.0),
        (json!("12px"), NAN),
        (json!("1 2"), NAN),
        (json!("1_000"), NAN),
        (json!("007"), 7.0),
        (json!("-0"), -0.0),
        (json!("+4.25"), 4.25),
        (json!("5."), 5.0),
        (json!(".5"), 0.5),
        (json!("."), NAN),
        (json!("-"), NAN),
        (json!("--1"), NAN),
        (json!("1e3"), 1000.0),
        (json!("1e"), NAN),
        (json!("1e+"), NAN),
        (json!("1E-2"), 0.01),
        (json!("1e400"), INFINITY),
        (json!("-Infinity"), -INFINITY),
        (json!("infinity"), NAN),
        (json!("inf"), NAN),
        (json!("nan"), NAN),
        (json!("0x1F"), 31.0),
        (json!("0b101"), 5.0),
        (json!("0o17"), 15.0),
        (json!("0x"), NAN),
        (json!("-0x1f"), NAN),
        (json!("0xg"), NAN),
        (json!("0x2000000000000101"), 2_305_843_009_213_694_464.0),
        (json!("é"), NAN),
        (json!([]), 0.0),
        (json!([7]), 7.0),
        (json!(["0x10"]), 16.0),
        (json!([1, 2]), NAN),
        (json!([null]), 0.0),
        (json!([true]), NAN),
        (json!({}), NAN),
    ] {
        assert_same(js::to_number(&value), number, &format!("Number({value})"));
    }
    assert_same(js::to_number(None), NAN, "Number(undefined)");
}

#[test]
fn the_start_of_a_string_is_parsed_as_the_same_number() {
    for (text, radix, number) in [
        ("42", 10, 42.0),
        (" \u{feff}-7.9", 10, -7.0),
        ("12px", 10, 12.0),
        ("px", 10, NAN),
        ("", 10, NAN),
        ("-", 10, NAN),
        ("+-1", 10, NAN),
        ("-0", 10, -0.0),
        ("1e3", 10, 1.0),
        ("0x1f", 10, 0.0),
        ("0x1f", 0, 31.0),
        ("-0X1F", 16, -31.0),
        ("0x", 16, NAN),
        ("010", 0, 10.0),
        ("ff", 16, 255.0),
        ("102", 2, 2.0),
        ("2", 2, NAN),
        ("Zz", 36, 1295.0),
        ("1", 1, NAN),
        ("1", 37, NAN),
        ("1", u32::MAX, NAN),
        ("Infinity", 10, NAN),
        ("٣", 10, NAN),
        ("9007199254740993", 10, 9_007_199_254_740_992.0),
        // Above 2^53, the number is rounded once, from all of its digits.
        ("20000000000001", 16, 9_007_199_254_740_992.0),
        ("2000000000000100", 16, 2_305_843_009_213_693_952.0),
        ("2000000000000101", 16, 2_305_843_009_213_694_464.0),
        (
            "200000000000010000001",
            16,
            2_417_851_639_229_258_886_283_264.0,
        ),
    ] {
        let expression = format!("parseInt({text:?}, {radix})");
        assert_same(js::parse_int(text, radix), number, &expression);
    }
    let long = "9".repeat(400);
    for radix in [10, 16] {
        assert_same(js::parse_int(&long, radix), INFINITY, "parseInt(long)");
    }
    for (text, number) in [
        ("4.25 EUR", 4.25),
        ("\n.5.5", 0.5),
        ("5.", 5.0),
        ("-5.e1x", -50.0),
        ("1e", 1.0),
        ("1e+", 1.0),
        ("1e+2", 100.0),
        ("-.e1", NAN),
        ("e1", NAN),
        ("-Infinityx", -INFINITY),
        ("infinity", NAN),
        ("0x1f", 0.0),
        ("-0.0", -0.0),
        ("", NAN),
        ("é", NAN),
    ] {
        assert_same(
            js::parse_float(text),
            number,
            &format!("parseFloat({text:?})"),
        );
    }
}

#[test]
fn a_fixed_number_of_digits_is_rounded_the_same() {
    for (number, digits, text) in [
        (0.125, 2, "0.13"),
        (-0.125, 2, "-0.13"),
        (2.5, 0, "3"),
        (3.5, 0, "4"),
        (9.5, 0, "10"),
        (-0.5, 0, "-1"),
        (0.375, 2, "0.38"),
        // The number ends in .421875, and the next one is .4375.
        (138_583_400_215_416.42, 5, "138583400215416.42188"),
        (1.005, 2, "1.00"),
        (1.45, 1, "1.4"),
        (10.235, 2, "10.23"),
        (0.0, 2, "0.00"),
        (-0.0, 2, "0.00"),
        (-0.000_001, 2, "-0.00"),
        (-1.021_821_497_018_365_9e-17, 9, "-0.000000000"),
        (1.5e-17, 17, "0.00000000000000002"),
        (5e-324, 3, "0.000"),
        (-1.75e-18, 9, "-0.000000000"),
        (1.75e-18, 20, "0.00000000000000000175"),
        (123.456, 5, "123.45600"),
        (1e20, 2, "100000000000000000000.00"),
        (1e21, 2, "1e+21"),
        (-1.5e300, 2, "-1.5e+300"),
        (f64::NAN, 2, "NaN"),
        (f64::NEG_INFINITY, 2, "-Infinity"),
    ] {
        assert_eq!(js::to_fixed(number, digits), text);
    }
    assert_eq!(js::to_fixed(0.5, u8::MAX), js::to_fixed(0.5, 100));
    assert_eq!(js::to_fixed(0.5, 100).len(), 102);
}

#[test]
fn truthiness_is_the_same_as_in_an_if_statement() {
    for falsy in [
        json!(null),
        json!(false),
        json!(0),
        json!(0.0),
        json!(-0.0),
        json!(""),
    ] {
        assert!(!js::is_truthy(&falsy), "{falsy}");
    }
    for truthy in [
        json!(true),
        json!(-1),
        json!(0.1),
        json!("0"),
        json!([]),
        json!({}),
    ] {
        assert!(js::is_truthy(&truthy), "{truthy}");
    }
    assert!(!js::is_truthy(None));
}

#[test]
fn invalid_access_fails_with_the_type_errors_of_v8() {
    let event = json!({ "a": 5, "n": null, "s": "x", "o": {}, "r": [1] });
    let message = |result: Result<(), Error>| {
        let error = result.unwrap_err();
        assert_eq!(error.error_type(), "TypeError");
        error.message().to_owned()
    };
    let reading =
        |what: &str, name: &str| format!("Cannot read properties of {what} (reading '{name}')");
    let member = |of: &str, name: &str| event.get(of).member(name).map(drop);
    assert_eq!(
        message(member("session", "application")),
        reading("undefined", "application")
    );
    assert_eq!(message(member("n", "x")), reading("null", "x"));
    assert_eq!(
        message(event.get("Records").item(0).map(drop)),
        reading("undefined", "0")
    );
    let array = |path| event.array(path).map(drop);
    assert_eq!(message(array("Records.map")), reading("undefined", "map"));
    assert_eq!(message(array("n.map")), reading("null", "map"));
    assert_eq!(message(array("a.map")), "a.map is not a function");
    for name in ["Records", "a", "n"] {
        assert_eq!(message(array(name)), format!("{name} is not iterable"));
    }
    let string = |path| event.string(path).map(drop);
    assert_eq!(
        message(string("key.toUpperCase")),
        reading("undefined", "toUpperCase")
    );
    assert_eq!(message(string("a.split")), "a.split is not a function");
    assert_eq!(
        message(event.get("o").array("items.map").map(drop)),
        reading("undefined", "map")
    );
    assert_eq!(
        message(event.get("gone").array("items.map").map(drop)),
        reading("undefined", "items")
    );
}

#[test]
fn valid_access_succeeds() {
    let event = json!({ "o": { "a": [1, 2], "s": "x" }, "f": 5 });
    assert_eq!(
        event.member("o").unwrap().array("a.map").unwrap(),
        &[json!(1), json!(2)]
    );
    assert_eq!(event.member("o").unwrap().string("s.trim").unwrap(), "x");
    assert_eq!(
        event.get("o").member("a").unwrap().item(1).unwrap(),
        Some(&json!(2))
    );
    assert_eq!(event.get("o").member("a").unwrap().item(2).unwrap(), None);
    // In JavaScript, a missing member of a number is undefined.
    assert_eq!(event.get("f").member("x").unwrap(), None);
}

#[test]
fn the_error_names_the_line_of_the_access() {
    let error = json!({}).get("a").member("b").unwrap_err();
    let line = format!("    at {}:{}:", file!(), line!() - 1);
    assert!(error.trace()[1].starts_with(&line), "{error:?}");
}

#[test]
fn invalid_json_is_a_syntax_error_on_every_path() {
    fn by_question_mark(text: &str) -> Result<Value, Error> {
        Ok(serde_json::from_str(text)?)
    }
    for text in ["{", "", "undefined", "[1,]", "{'a':1}"] {
        assert_eq!(
            js::parse(text).unwrap_err().error_type(),
            "SyntaxError",
            "{text}"
        );
        assert_eq!(
            by_question_mark(text).unwrap_err().error_type(),
            "SyntaxError",
            "{text}"
        );
    }
    // Valid JSON of another type is not a syntax error.
    let error = Error::from(serde_json::from_str::<u8>("\"x\"").unwrap_err());
    assert_eq!(error.error_type(), "Error");
}

#[test]
fn an_object_omits_undefined_members() {
    let (none, some) = (None::<u8>, Some("x"));
    let object = object! {
        "a": 1,
        "b"?: none,
        "c"?: some,
        "d": { "e"?: none, "f": null },
        "g": [1, 2],
        "h": some,
    };
    assert_eq!(
        object.to_string(),
        r#"{"a":1,"c":"x","d":{"f":null},"g":[1,2],"h":"x"}"#
    );
    assert_eq!(object! {}, json!({}));
    assert_eq!(object! { "only"?: none }, json!({}));
}

#[test]
fn pretty_json_is_as_json_stringify_prints_it() {
    let value =
        json!({ "a": [1.0, {}, [], [[1e21]], "x\n"], "b": { "c": { "d": null } }, "e": 1e-7 });
    let two = r#"{
  "a": [
    1,
    {},
    [],
    [
      [
        1e+21
      ]
    ],
    "x\n"
  ],
  "b": {
    "c": {
      "d": null
    }
  },
  "e": 1e-7
}"#;
    assert_eq!(js::stringify_pretty(&value, 2).unwrap(), two);
    let one = js::stringify_pretty(&value, 1).unwrap();
    assert_eq!(one.replace(' ', ""), two.replace(' ', ""));
    assert!(one.contains("\n  1,"), "{one}");
    let compact = js::stringify(&value).unwrap();
    assert_eq!(js::stringify_pretty(&value, 0).unwrap(), compact);
    let ten = js::stringify_pretty(&json!([7]), 10).unwrap();
    assert_eq!(ten, "[\n          7\n]");
    assert_eq!(js::stringify_pretty(&json!([7]), 11).unwrap(), ten);
    for scalar in [json!(7.0), json!("x"), json!(null), json!([]), json!({})] {
        let compact = js::stringify(&scalar).unwrap();
        assert_eq!(js::stringify_pretty(&scalar, 2).unwrap(), compact);
    }
    let keys = std::collections::HashMap::from([((), 1)]);
    assert!(js::stringify_pretty(&keys, 2).is_err());
}

#[test]
fn an_object_has_the_keys_and_values_of_json() {
    let (name, none) = (String::from("x"), None::<u8>);
    let object = object! {
        (name.clone()): 1,
        ("un".to_owned() + "known"): [],
        ("missing".to_owned())?: none,
        "nested"?: Some([1]),
        "list": [1, { "a": null }, [null]],
        "empty": {},
        name: true,
    };
    assert_eq!(
        object.to_string(),
        r#"{"x":true,"unknown":[],"nested":[1],"list":[1,{"a":null},[null]],"empty":{}}"#
    );
}

#[tokio::test]
async fn a_response_contains_numbers_as_json_stringify_prints_them() {
    let handler = |event: Value, context: Context, callback: Callback| match event.as_bool() {
        Some(_) => context.succeed(json!([125.0, 1e21, 1e-7])),
        None => callback.succeed(json!([125.0, 1e21, 1e-7, 9_007_199_254_740_993_u64])),
    };
    let runtime = nodeback::Runtime::new(handler);
    let body = runtime
        .invoke_raw("null", Context::default())
        .await
        .unwrap();
    assert_eq!(body, "[125,1e+21,1e-7,9007199254740993]");
    let body = runtime
        .invoke_raw("true", Context::default())
        .await
        .unwrap();
    assert_eq!(body, "[125,1e+21,1e-7]");
}

#[tokio::test]
async fn an_error_returned_from_an_error_first_function_fails_its_invocation() {
    let handler = |event: Value, _: Context, callback: Callback| {
        let get = async move {
            if event["fails"] == true {
                Err("gone")
            } else {
                Ok(event)
            }
        };
        nodeback::spawn_then(get, move |error, data| {
            let Some(data) = data else {
                callback(error, None);
                return Ok(());
            };
            callback(None, data.member("order")?.member("id")?.cloned());
            Ok::<_, Error>(())
        });
    };
    let outcome = async |event| invoke(handler, event, Context::default()).await;
    assert_eq!(
        outcome(json!({ "order": { "id": 7 } })).await.result,
        Ok(json!(7))
    );
    let error = outcome(json!({ "fails": true })).await.result.unwrap_err();
    assert_eq!((error.error_type(), error.message()), ("string", "gone"));
    // The function owned the last callback and dropped it. The error must win over
    // `CallbackNotCalled`.
    let thrown = outcome(json!({})).await;
    assert_eq!(
        thrown.result.unwrap_err().to_string(),
        "TypeError: Cannot read properties of undefined (reading 'id')"
    );
    assert!(thrown.duplicate_signals.is_empty());
}

#[tokio::test]
async fn spawn_then_works_from_a_plain_thread() {
    let handler = |_: Value, context: Context, callback: Callback<u8>| {
        std::thread::spawn(move || {
            context.spawn_then(async { Ok::<_, Error>(7) }, move |error, n| {
                callback(error, n)
            });
        });
    };
    let outcome = invoke(handler, json!({}), Context::default()).await;
    assert_eq!(outcome.result, Ok(json!(7)));
}

#[test]
fn errors_name_the_line_that_caused_them() {
    #[track_caller]
    fn assert_here<T: std::fmt::Debug>(result: Result<T, Error>) {
        let trace = result.unwrap_err().trace();
        let here = std::panic::Location::caller();
        let line = format!("{}:{}:", here.file(), here.line());
        assert!(trace.iter().any(|at| at.contains(&line)), "{trace:?}");
    }
    let event = json!({ "text": "x", "list": [] });
    assert_here(event.get("session").member("id"));
    assert_here(event.get("Records").item(0));
    assert_here(event.array("text.map"));
    assert_here(event.array("Records"));
    assert_here(event.string("list.split"));
    assert_here(js::parse("{"));
    assert_here(js::stringify(&std::collections::HashMap::from([((), 1)])));
}
