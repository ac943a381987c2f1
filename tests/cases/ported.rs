//! The functions of `examples/ported`, each with its original in JavaScript and its events.

use crate::play::{Case, Step, root};
use futures::FutureExt;
use std::fs;

macro_rules! functions {
    ($($path:literal $name:ident)+) => {
        $(
            #[path = $path]
            #[allow(dead_code, reason = "its main")]
            mod $name;
        )+

        const NAMES: &[&str] = &[$(stringify!($name)),+];

        /// Runs the function of that name, as its process.
        pub(crate) async fn run(name: &str) -> nodeback::Result<()> {
            match name {
                $(stringify!($name) => nodeback::run($name::handler).boxed_local().await,)+
                _ => panic!("no function is called {name}"),
            }
        }
    };
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

/// One process each, which is sent all the events of its file in turn.
pub(crate) fn cases() -> impl Iterator<Item = Case> {
    NAMES.iter().map(|name| {
        let events = root().join(format!("examples/ported/{name}.jsonl"));
        let events = fs::read_to_string(events).unwrap();
        Case {
            folder: "examples/ported",
            handler: format!("{name}.handler"),
            steps: events
                .lines()
                .map(|event| Step::Invoke(event.into()))
                .collect(),
            ..Case::default()
        }
    })
}
