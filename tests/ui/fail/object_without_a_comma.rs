//! Members of an object are separated by commas.

fn main() {
    let _ = nodeback::object! { "a": 1 "b": 2 };
    let _ = nodeback::object! { ...rest };
}
