//! Where we differ from Node on purpose, or cannot be the same.

/// A difference that is meant: the handler, how Node's part and ours begin, and why.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) handler: &'static str,
    pub(crate) node: &'static str,
    pub(crate) here: &'static str,
    pub(crate) why: &'static str,
}

impl Row {
    pub(crate) fn covers(&self, handler: &str, node: &str, here: &str) -> bool {
        self.handler == handler && node.starts_with(self.node) && here.starts_with(self.here)
    }
}

const fn row(
    handler: &'static str,
    node: &'static str,
    here: &'static str,
    why: &'static str,
) -> Row {
    Row {
        handler,
        node,
        here,
        why,
    }
}

const LOST: &str = "a lost callback is a bug, and ends its invocation at once; `NeverCalled::Null` \
    answers as Node";
const UNCAUGHT: &str = "an uncaught exception ends Node's process; here it fails its invocation";
const REJECTION: &str = "Node packs what nobody caught; here it answers under its own name";
const PANIC: &str = "a panic fails its invocation, under a name of its own; a `throw` is an `Err`";
const LEFTOVER: &str = "Node's loop is everybody's; here a task belongs to its own invocation";
const KEYS: &str = "JavaScript puts keys that are numbers first; here keys keep their order";
const UNREADABLE: &str = "serde_json does not read it, or says so in its own words";

pub(crate) const DELIBERATE: &[Row] = &[
    row(
        "cases.never_called",
        "response null",
        r#"error {"errorType":"Runtime.CallbackNotCalled""#,
        LOST,
    ),
    row(
        "cases.async_callback_after_return",
        "response null",
        r#"response "late""#,
        "calling back from async code is the point: the return does not settle",
    ),
    row(
        "cases.result_circular",
        "the process ends with 129",
        "the process goes on",
        UNCAUGHT,
    ),
    row(
        "more.fan_in_of_nothing",
        "response null",
        r#"error {"errorType":"Runtime.CallbackNotCalled""#,
        LOST,
    ),
    row(
        "more.chain_throws_unhandled",
        r#"error {"errorType":"Runtime.UnhandledPromiseRejection","errorMessage":"Error: after"}"#,
        r#"error {"errorType":"Error","errorMessage":"after"} with a trace"#,
        REJECTION,
    ),
    row(
        "more.chain_throws_unhandled",
        "the process ends with 128",
        "the process goes on",
        UNCAUGHT,
    ),
    row(
        "more.chain_rejects_unhandled",
        r#"error {"errorType":"Runtime.UnhandledPromiseRejection","errorMessage":"RangeError: nobody catches it"}"#,
        r#"error {"errorType":"RangeError","errorMessage":"nobody catches it"} with a trace"#,
        REJECTION,
    ),
    row(
        "more.chain_rejects_unhandled",
        "the process ends with 128",
        "the process goes on",
        UNCAUGHT,
    ),
    row(
        "more.throw_null",
        "response null",
        r#"error {"errorType":"string","errorMessage":"handled"} with an empty trace"#,
        "an `Err` without content is still an `Err`",
    ),
    row(
        "more.throw_in_timer",
        "the process ends with 129",
        "the process goes on",
        UNCAUGHT,
    ),
    row(
        "more.throw_in_timer_of_nobody",
        "the process ends with 129",
        "the process goes on",
        UNCAUGHT,
    ),
    row(
        "more.throw_is_a_panic",
        r#"error {"errorType":"Error","errorMessage":"a bug"}"#,
        r#"error {"errorType":"Runtime.Panic","errorMessage":"a bug"} with a trace"#,
        PANIC,
    ),
    row(
        "more.throw_is_a_panic_after_callback",
        r#"response "first""#,
        r#"error {"errorType":"Runtime.Panic","errorMessage":"a bug"} with a trace"#,
        PANIC,
    ),
    row(
        "more.throw_is_a_panic_in_timer",
        r#"error {"errorType":"Error","errorMessage":"a bug"}"#,
        r#"error {"errorType":"Runtime.Panic","errorMessage":"a bug"} with a trace"#,
        PANIC,
    ),
    row(
        "more.throw_is_a_panic_in_timer",
        "the process ends with 129",
        "the process goes on",
        UNCAUGHT,
    ),
    row(
        "more.throw_in_timer_after_error",
        "the process ends with 129, and posts error",
        "the process goes on",
        UNCAUGHT,
    ),
    row(
        "more.hold_then_throw",
        "the process ends with 129",
        "the process goes on",
        UNCAUGHT,
    ),
    row(
        "more.hold_changed_result",
        r#"response ["at the call","while held"]"#,
        r#"response ["at the call"]"#,
        "a result is serialised at the call",
    ),
    row(
        "more.hold_never_called",
        "response null",
        r#"error {"errorType":"Runtime.CallbackNotCalled""#,
        LOST,
    ),
    row(
        "more.leftover_holds_the_next",
        "sent when the test hung up",
        "sent at once",
        LEFTOVER,
    ),
    row(
        "more.leftover_throws_into_the_next",
        r#"error {"errorType":"Error","errorMessage":"left over"}"#,
        r#"response "second""#,
        LEFTOVER,
    ),
    row(
        "more.leftover_throws_into_the_next",
        "sent when the test hung up",
        "sent at once",
        LEFTOVER,
    ),
    row(
        "more.leftover_throws_into_the_next",
        "the process ends with 129",
        "the process goes on",
        UNCAUGHT,
    ),
    row(
        "more.name_number",
        r#"error {"errorType":"handled","errorMessage":"callback called with Error argument, but"#,
        r#"error {"errorType":"42","errorMessage":"a number"} with a trace"#,
        "a name is always a text here",
    ),
    row(
        "more.name_of_subclass",
        r#"error {"errorType":"Error","#,
        r#"error {"errorType":"OrderNotFound","#,
        "a Rust error is called after its type",
    ),
    row(
        "more.message_delete",
        r#"error {"errorType":"Error","errorMessage":"delete %7F"}"#,
        "error {\"errorType\":\"Error\",\"errorMessage\":\"delete \u{7f}\"} with a trace",
        "Node's client writes this one character as `%7F`, for the sake of a header",
    ),
    row(
        "more.result_number_keys",
        r#"response {"9":3,"10":2,"b":1}"#,
        r#"response {"b":1,"10":2,"9":3}"#,
        KEYS,
    ),
    row(
        "more.echo_number_keys",
        r#"response {"9":3,"10":2,"b":1}"#,
        r#"response {"b":1,"10":2,"9":3}"#,
        KEYS,
    ),
    row(
        "more.echo_big_integer",
        "response 9007199254740992",
        "response 9007199254740993",
        "an integer keeps its digits",
    ),
    row(
        "more.echo_infinite",
        "response [null]",
        r#"error {"errorType":"Runtime.UnmarshalError","errorMessage":"unable to parse the event at `[0]`: number out of range"#,
        UNREADABLE,
    ),
    row(
        "more.echo_lone_surrogate",
        "response \"\\ud800\"",
        r#"error {"errorType":"Runtime.UnmarshalError","#,
        UNREADABLE,
    ),
    row(
        "more.echo_200_deep",
        "response [[[[",
        r#"error {"errorType":"Runtime.UnmarshalError","#,
        UNREADABLE,
    ),
    row(
        "more.echo_no_json",
        r#"error {"errorType":"SyntaxError","#,
        r#"error {"errorType":"Runtime.UnmarshalError","#,
        UNREADABLE,
    ),
    row(
        "more.async_forever",
        "response null",
        r#"error {"errorType":"Sandbox.Timedout","#,
        "a promise that nobody can settle is seen by Node, a future is not: it has until the deadline",
    ),
    row(
        "more.value_returned",
        "response null",
        r#"error {"errorType":"Runtime.CallbackNotCalled""#,
        LOST,
    ),
];
