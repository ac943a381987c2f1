//! Excerpts of texts that may be long, or that may contain control characters.

use std::fmt::{self, Display, Write};

/// The maximum number of characters shown of a text.
const SHOWN: usize = 120;

/// How many of them precede the first difference.
const BEFORE: usize = 40;

/// The mark where a part of a text is left out.
pub(super) const CUT: &str = "..";

/// A part of a text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Excerpt {
    pub(super) text: String,
    /// Where the part is in the whole text, in parentheses after a space. Empty if it is the whole
    /// text.
    pub(super) note: String,
}

impl Excerpt {
    /// Returns whether the end of the text is left out.
    pub(super) fn is_cut(&self) -> bool {
        !self.note.is_empty() && self.text.ends_with(CUT)
    }
}

/// For texts of this crate, which are short and have no control characters.
impl From<String> for Excerpt {
    fn from(text: String) -> Self {
        Excerpt {
            text,
            note: String::new(),
        }
    }
}

impl Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Excerpt { text, note } = self;
        write!(f, "{text}{note}")
    }
}

/// Returns a text as a report shows it, shortened if it is long.
pub(super) fn shown(text: &str) -> Excerpt {
    window(text, 0, SHOWN)
}

/// Returns at most `limit` characters from the beginning of a text.
pub(super) fn beginning(text: &str, limit: usize) -> String {
    window(text, 0, limit).to_string()
}

/// Returns two texts as a report shows them. The excerpts of long texts begin shortly before the
/// first difference.
pub(super) fn shown_pair(original: &str, port: &str) -> (Excerpt, Excerpt) {
    around(original, port, BEFORE, SHOWN)
}

/// Returns at most `limit` characters of two texts, both from the same position, at most `before`
/// characters ahead of the first difference. Texts that fit are not shortened.
pub(super) fn around(
    original: &str,
    port: &str,
    before: usize,
    limit: usize,
) -> (Excerpt, Excerpt) {
    let is_long = |text: &str| text.char_indices().nth(limit).is_some();
    let start = if is_long(original) || is_long(port) {
        start(original, port, before)
    } else {
        0
    };
    (window(original, start, limit), window(port, start, limit))
}

/// Returns the position `before` characters ahead of the first difference.
fn start(original: &str, port: &str, before: usize) -> usize {
    let mut pairs = original.char_indices().zip(port.chars());
    let differs = pairs.find(|((_, original), port)| original != port);
    let same = match differs {
        Some(((at, _), _)) => at,
        None => original.len().min(port.len()),
    };
    let mut earlier = original.get(..same).unwrap_or_default().char_indices();
    before
        .checked_sub(1)
        .map_or(same, |nth| earlier.nth_back(nth).map_or(0, |(at, _)| at))
}

/// Returns at most `limit` characters of a text, from the byte `start`. If a part is left out, the
/// note says where the excerpt begins and how long the text is.
fn window(text: &str, start: usize, limit: usize) -> Excerpt {
    let rest = text.get(start..).unwrap_or_default();
    let end = rest.char_indices().nth(limit).map(|(end, _)| end);
    let part = visible(end.and_then(|end| rest.get(..end)).unwrap_or(rest));
    let bytes = text.len();
    let text = format!(
        "{}{part}{}",
        if start > 0 { CUT } else { "" },
        if end.is_some() { CUT } else { "" }
    );
    let note = match (start, end) {
        (0, None) => String::new(),
        (0, Some(_)) => format!(" ({bytes} bytes)"),
        (start, _) => format!(" (from byte {start} of {bytes})"),
    };
    Excerpt { text, note }
}

/// Escapes control characters, invisible characters and those that change the direction of a line,
/// as in `\u{1b}`. A response must not control the terminal that shows it, and a reader cannot find
/// a difference between texts that look equal.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let is_invisible = matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
        );
        match character {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            other if other.is_control() || is_invisible => {
                // Writing into a text does not fail.
                let _ = write!(shown, "{}", other.escape_unicode());
            }
            other => shown.push(other),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(original: &str, port: &str) -> (String, String) {
        let (original, port) = shown_pair(original, port);
        (original.to_string(), port.to_string())
    }

    #[test]
    fn texts_that_fit_are_whole() {
        assert_eq!(pair("żółw", "żółwik"), ("żółw".into(), "żółwik".into()));
        assert_eq!(shown(&"x".repeat(120)).to_string(), "x".repeat(120));
    }

    #[test]
    fn a_long_text_is_cut() {
        let cut = shown(&"x".repeat(1_000_000)).to_string();
        assert!(
            cut.len() < 200 && cut.ends_with(".. (1000000 bytes)"),
            "{cut}"
        );
    }

    /// Two texts that are cut at the same place look equal if they differ after it.
    #[test]
    fn what_is_shown_of_two_long_texts_begins_shortly_before_they_differ() {
        let long = |end: &str| format!("{}{end}", "ż".repeat(500_000));
        let (original, port) = pair(&long("7\""), &long("8\" and more"));
        let same = "ż".repeat(40);
        assert_eq!(
            original,
            format!("..{same}7\" (from byte 999920 of 1000002)")
        );
        assert_eq!(
            port,
            format!("..{same}8\" and more (from byte 999920 of 1000011)")
        );
        let (original, port) = pair(&long(&"a".repeat(500)), &long(&"b".repeat(500)));
        let bytes = "(from byte 999920 of 1000500)";
        assert_eq!(original, format!("..{same}{}.. {bytes}", "a".repeat(80)));
        assert_eq!(port, format!("..{same}{}.. {bytes}", "b".repeat(80)));
        // One is the beginning of the other.
        let (original, port) = pair(&long(""), &long("!"));
        assert_eq!(original, format!("..{same} (from byte 999920 of 1000000)"));
        assert_eq!(port, format!("..{same}! (from byte 999920 of 1000001)"));
        // Only one is long, and they differ at once.
        let (original, port) = pair("no", &long(""));
        assert_eq!(original, "no");
        assert!(port.starts_with('ż') && port.ends_with(".. (1000000 bytes)"));
        let (original, port) = around("abc", "abd", 0, 2);
        assert_eq!(
            (&*original.text, &*original.note),
            ("..c", " (from byte 2 of 3)")
        );
        assert_eq!(port.to_string(), "..d (from byte 2 of 3)");
    }

    #[test]
    fn nothing_that_is_shown_controls_a_terminal_or_is_invisible() {
        assert_eq!(
            shown("\u{1b}[31m\u{9b}\n\r\t\0 a\u{202e}b\u{200b}\u{feff}").to_string(),
            r"\u{1b}[31m\u{9b}\n\r\t\u{0} a\u{202e}b\u{200b}\u{feff}"
        );
        assert_eq!(
            shown(r#"{"a":"\\ é हिन्दी ż"}"#).to_string(),
            r#"{"a":"\\ é हिन्दी ż"}"#
        );
    }
}
