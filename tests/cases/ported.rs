//! Runs the functions in `examples/ported` over their events, and compares them with the recordings
//! and with Node.

use nodeback::parity::{compare, compare_recorded, record};

macro_rules! functions {
    ($($path:literal $name:ident)+) => {
        $(
            #[path = $path]
            #[allow(dead_code, reason = "its `main` is not called")]
            mod $name;
        )+

        mod recorded {$(
            #[tokio::test]
            async fn $name() {
                let (original, events) = super::files(stringify!($name));
                let report = super::compare_recorded(super::$name::handler, original, events).await;
                let report = report.unwrap();
                assert!(report.is_same(), "{report}");
            }
        )+}

        /// With `RECORD` in the environment, these tests record Node.
        mod on_node {$(
            #[tokio::test]
            #[ignore = "needs node and npm"]
            async fn $name() {
                let (original, events) = super::files(stringify!($name));
                let report = match std::env::var_os("RECORD") {
                    Some(_) => super::record(super::$name::handler, original, events).await,
                    None => super::compare(super::$name::handler, original, events).await,
                };
                let report = report.unwrap();
                assert!(report.is_same(), "{report}");
            }
        )+}
    };
}

/// The original and the events of an example.
fn files(name: &str) -> (String, String) {
    let files = format!("../examples/ported/{name}");
    (format!("{files}.handler"), format!("{files}.jsonl"))
}

functions! {
    "../../examples/ported/custom_resource.rs" custom_resource
    "../../examples/ported/image_records.rs" image_records
    "../../examples/ported/order_service.rs" order_service
    "../../examples/ported/payment_task.rs" payment_task
    "../../examples/ported/pre_token.rs" pre_token
    "../../examples/ported/queue_batch.rs" queue_batch
    "../../examples/ported/token_authorizer.rs" token_authorizer
}
