use nodeback::{Callback, Context, json};

struct Order;

fn handler(_: Order, _: Context, _: Callback) {}

fn main() {
    let _ = nodeback::invoke(handler, json!({}), Context::default());
}
