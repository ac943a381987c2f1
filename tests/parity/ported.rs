//! The functions of `examples/ported`, over their events on Node. `tests/cases/ported.rs` compares them without it.

use nodeback::parity::{compare, record};

macro_rules! functions {
    ($($path:literal $name:ident)+) => {$(
        #[path = $path]
        #[allow(dead_code, reason = "its main")]
        mod $name;

        #[tokio::test]
        #[ignore = "needs node and npm"]
        async fn $name() {
            let files = concat!("../examples/ported/", stringify!($name));
            let (original, events) = (format!("{files}.handler"), format!("{files}.jsonl"));
            // With `RECORD` in the environment, what Node does is recorded.
            let report = match std::env::var_os("RECORD") {
                Some(_) => record($name::handler, original, events).await,
                None => compare($name::handler, original, events).await,
            };
            let report = report.unwrap();
            assert!(report.is_same(), "{report}");
        }
    )+};
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
