use nodeback::{Callback, Context, Value, json};

fn handler(_: Value, _: Context, _: Callback, _: u32) {}

fn main() {
    let _ = nodeback::invoke(handler, json!({}), Context::default());
}
