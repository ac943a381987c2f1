//! JSON on several lines.

/// The maximum depth of indentation. Deeper values still get lines of their own.
const INDENTED: usize = 40;

/// Returns a JSON text with each member and each item on a line of its own. Numbers, the order of
/// the members and escapes in strings stay as they are, since their text is what is compared.
pub(super) fn pretty(json: &str) -> String {
    let mut pretty = String::with_capacity(json.len().saturating_mul(2));
    let (mut depth, mut in_string, mut is_escaped, mut is_open) = (0_usize, false, false, false);
    for character in json.chars() {
        if in_string {
            pretty.push(character);
            match character {
                _ if is_escaped => is_escaped = false,
                '\\' => is_escaped = true,
                '"' => in_string = false,
                _ => {}
            }
            continue;
        }
        if character.is_ascii_whitespace() {
            continue;
        }
        let is_close = matches!(character, '}' | ']');
        if is_close {
            depth = depth.saturating_sub(1);
        }
        // An empty object or array stays on one line.
        if is_open != is_close {
            new_line(&mut pretty, depth);
        }
        is_open = matches!(character, '{' | '[');
        pretty.push(character);
        match character {
            '"' => in_string = true,
            '{' | '[' => depth += 1,
            ':' => pretty.push(' '),
            ',' => new_line(&mut pretty, depth),
            _ => {}
        }
    }
    pretty
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth.min(INDENTED)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_and_item_is_on_a_line_of_its_own() {
        for (json, expected) in [
            (
                r#"{"b":1.0,"a":[1e21,{}, [ ],"\u00e9, {\"\\"],"":{"c":null}}"#,
                "{\n  \"b\": 1.0,\n  \"a\": [\n    1e21,\n    {},\n    [],\n    \"\\u00e9, {\\\"\\\\\"\n  ],\n  \"\": {\n    \
                 \"c\": null\n  }\n}",
            ),
            ("{}", "{}"),
            (" [ ] ", "[]"),
            ("\"a  b\"", "\"a  b\""),
            ("null", "null"),
            ("[[1],[2]]", "[\n  [\n    1\n  ],\n  [\n    2\n  ]\n]"),
        ] {
            assert_eq!(pretty(json), expected, "{json}");
        }
    }

    /// Otherwise the size of the text would grow with the square of the depth.
    #[test]
    fn a_deep_value_is_not_indented_beyond_a_depth() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let pretty = pretty(&deep);
        assert!(pretty.len() < 20_000 * 82);
        assert_eq!(pretty.lines().count(), 19_999);
    }
}
