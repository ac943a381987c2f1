//! The part of two texts in which they differ, line by line.

use std::ops::Range;

/// The lines of a text that are compared with those of another text. Only these are kept in memory,
/// however many lines the text has.
pub(super) struct Window<'a> {
    /// The number of lines before them.
    pub(super) skipped: usize,
    pub(super) lines: Vec<&'a str>,
    /// Whether lines follow that may differ.
    pub(super) is_cut: bool,
}

impl<'a> Window<'a> {
    /// Leaves out the equal lines at the beginning and at the end of two texts, except for
    /// `context` lines, and those beyond the first `limit` lines that may differ.
    pub(super) fn of<I>(
        [original, port]: [&'a str; 2],
        split: impl Fn(&'a str) -> I,
        context: usize,
        limit: usize,
    ) -> (Self, Self)
    where
        I: DoubleEndedIterator<Item = &'a str>,
    {
        let is_same = |(original, port): &(&str, &str)| original == port;
        let same = split(original).zip(split(port));
        let before = same.take_while(is_same).count();
        let rest = |text: &'a str| split(text).count() - before;
        let (original_rest, port_rest) = (rest(original), rest(port));
        let same = split(original).rev().zip(split(port).rev());
        let after = same
            .take(original_rest.min(port_rest))
            .take_while(is_same)
            .count();
        let skipped = before.saturating_sub(context);
        let window = |text: &'a str, rest: usize| {
            let different = rest - after;
            let is_cut = different > limit;
            let shown = if is_cut { limit } else { different + context };
            let lines = split(text).skip(skipped).take(before - skipped + shown);
            Window {
                skipped,
                lines: lines.collect(),
                is_cut,
            }
        };
        (window(original, original_rest), window(port, port_rest))
    }

    /// Returns the nth line of a range, and its number from 1 on.
    pub(super) fn line(&self, mut range: Range<usize>, nth: usize) -> Option<(usize, &'a str)> {
        let index = range.nth(nth)?;
        Some((self.skipped + index + 1, self.lines.get(index)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_that_may_differ_are_kept() {
        let text = |lines: &str| format!("{}{lines}{}", "\n".repeat(1000), "\n".repeat(1000));
        let texts = (text("a\nb"), text("c"));
        let of = |context, limit| {
            let split = |text| str::split(text, '\n');
            let (original, port) = Window::of([&texts.0, &texts.1], split, context, limit);
            [original, port].map(|window| (window.skipped, window.lines, window.is_cut))
        };
        let [original, port] = of(0, 10);
        assert_eq!(original, (1000, vec!["a", "b"], false));
        assert_eq!(port, (1000, vec!["c"], false));
        let [original, port] = of(2, 1);
        assert_eq!(original, (998, vec!["", "", "a"], true));
        assert_eq!(port, (998, vec!["", "", "c", "", ""], false));
    }
}
