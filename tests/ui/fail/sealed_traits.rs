use nodeback::{Callback, Context, Error, Handler, IntoError, TaskOutput, Value};
use std::sync::Arc;

struct Own;

impl IntoError<Own> for Own {
    fn into_error(self) -> Error {
        Error::msg("own")
    }
}

impl TaskOutput<Own> for Own {
    fn into_failure(self) -> Option<Error> {
        None
    }
}

impl Handler<Own> for Own {
    type Event = Value;
    type Response = Value;

    fn call(self: &Arc<Self>, _: Value, _: Context, _: Callback) {}
}

fn main() {}
