use nodeback::{Context, json};

fn main() {
    let _ = nodeback::invoke(|_, _, callback| callback.succeed(1), json!({}), Context::default());
}
