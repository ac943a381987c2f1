//! The name of a type, without the path that the compiler prints with it.

/// Returns `OrderNotFound` for `crate::orders::OrderNotFound<'_, T>`. For a pointer, returns the
/// name of what it points to.
pub(super) fn of<T: ?Sized>() -> String {
    shorten(std::any::type_name::<T>())
}

fn shorten(path: &str) -> String {
    let path = path
        .trim_start_matches('&')
        .trim_start_matches("mut ")
        .trim_start();
    if let Some(bounds) = path.strip_prefix("dyn ") {
        return shorten(bounds.split(" + ").next().unwrap_or(bounds));
    }
    let (name, generics) = last_segment(path);
    let pointer = ["Box", "Arc", "Rc", "Pin", "Cow"].contains(&name);
    match generics.and_then(|list| list.strip_suffix('>')) {
        Some(inner) if pointer => shorten(inner),
        // A tuple or a slice has no name that callers could match on.
        _ if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') => "Error".into(),
        _ => name.into(),
    }
}

/// Returns the text after the last `::` that is outside of all brackets, and its generics.
fn last_segment(path: &str) -> (&str, Option<&str>) {
    let (mut depth, mut start, mut generics) = (0_usize, 0, None);
    for (at, character) in path.char_indices() {
        match character {
            '<' => {
                if depth == 0 {
                    generics = Some(at);
                }
                depth += 1;
            }
            '>' | ']' | ')' | '}' => depth = depth.saturating_sub(1),
            '[' | '(' | '{' => depth += 1,
            ':' if depth == 0 => (start, generics) = (at + 1, None),
            _ => {}
        }
    }
    let end = generics.unwrap_or(path.len());
    (
        path.get(start..end).unwrap_or(path),
        generics.and_then(|at| path.get(at + 1..)),
    )
}

#[cfg(test)]
mod tests {
    use super::shorten;

    #[test]
    fn paths_generics_and_pointers_are_removed() {
        for (path, name) in [
            ("OrderNotFound", "OrderNotFound"),
            ("app::orders::OrderNotFound", "OrderNotFound"),
            (
                "app::orders::Missing<app::Order, alloc::string::String>",
                "Missing",
            ),
            ("app::load<app::Order>::{{closure}}::Missing", "Missing"),
            ("alloc::boxed::Box<app::Missing<u8>>", "Missing"),
            (
                "alloc::sync::Arc<dyn core::error::Error + core::marker::Send>",
                "Error",
            ),
            ("&app::Missing", "Missing"),
            ("&mut app::Missing", "Missing"),
            ("std::io::error::Error", "Error"),
            ("(app::A, app::B)", "Error"),
        ] {
            assert_eq!(shorten(path), name, "of {path}");
        }
    }
}
