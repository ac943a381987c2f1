//! The runtimes on which functions are measured.

use tokio::runtime::{Builder, Runtime};

/// Splits a name such as `value@one` into the name of the function and that of its runtime.
pub(crate) fn split(name: &str) -> (&str, &str) {
    name.split_once('@').expect("a name and a flavor")
}

/// Returns a runtime with `one` thread, or with `several`.
pub(crate) fn runtime(flavor: &str) -> Runtime {
    let mut builder = match flavor {
        "one" => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.enable_all().build().expect("a runtime")
}
