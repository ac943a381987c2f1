//! An event of a report as lines of text.

use super::{
    diff::{Part, changed_words},
    excerpt::beginning,
    report::{Compared, NAME, Verdict, millis, plural},
};
use console::Style;
use std::fmt::{self, Display};

/// An event as lines of text, with or without color.
pub(super) struct Lines<'a> {
    pub(super) compared: &'a Compared,
    pub(super) has_color: bool,
}

impl Lines<'_> {
    fn painted<T>(&self, style: &Style, text: T) -> console::StyledObject<T> {
        style.apply_to(text).force_styling(self.has_color)
    }

    /// Writes a value of one side, with the words that the other side does not have in color.
    fn value(&self, f: &mut fmt::Formatter<'_>, parts: &[Part], style: &Style) -> fmt::Result {
        parts.iter().try_for_each(|part| match part.is_changed {
            true => write!(f, "{}", self.painted(style, &part.text)),
            false => f.write_str(&part.text),
        })
    }
}

impl Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const INDENT: &str = "\n        ";
        let Compared {
            name,
            width,
            original,
            port,
            ..
        } = self.compared;
        let (red, green, quiet) = (Style::new().red(), Style::new().green(), Style::new().dim());
        let (verdict, style) = match self.compared.verdict() {
            Verdict::Differs => ("differs", red.clone().bold()),
            Verdict::Accepted => ("accepted", Style::new().yellow()),
            Verdict::Same => ("same", green.clone()),
        };
        let kind = match self.compared {
            Compared { deferred: true, .. } => "deferred",
            Compared { streamed: true, .. } => "streamed",
            _ => "",
        };
        let verdict = self.painted(&style, format!("{verdict:<8}"));
        write!(f, "{name:<width$}  {verdict}  {kind:<8}")?;
        let times = match original {
            Some(original) => format!("Node {:.1} ms ", millis(*original)),
            None => "recorded ".into(),
        };
        let times = format!("{times}  port {:.1} ms", millis(*port));
        write!(f, "  {}", self.painted(&quiet, times))?;
        match self.compared.requests {
            Some((1, 1)) => f.write_str("  1 request")?,
            Some((original, port)) if original == port => write!(f, "  {port} requests")?,
            Some((original, port)) => write!(f, "  {original} | {port} requests")?,
            None => {}
        }
        if let Some(ended) = &self.compared.ended {
            write!(f, "   (the process of Node {ended})")?;
        }
        for difference in &self.compared.differences {
            write!(f, "{INDENT}{}   ", difference.shown_path())?;
            let (original, port) = changed_words(&difference.original, &difference.port);
            self.value(f, &original, &red)?;
            f.write_str(" | ")?;
            self.value(f, &port, &green)?;
        }
        if self.compared.more > 0 {
            let more = self.compared.more;
            write!(f, "{INDENT}and {more} more difference{}", plural(more))?;
        }
        if let Some(times) = &self.compared.times {
            times.write(f, INDENT)?;
        }
        let mut reasons: Vec<&str> = Vec::new();
        for (_, reason) in &self.compared.accepted {
            // One reason may accept many differences.
            if !reasons.contains(&&**reason) {
                reasons.push(reason);
                write!(f, "{INDENT}accepted: {}", beginning(reason, NAME))?;
            }
        }
        Ok(())
    }
}

impl Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = Lines {
            compared: self,
            has_color: false,
        };
        lines.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::report::tests::compared, *};

    fn colored(compared: &Compared) -> String {
        let has_color = true;
        Lines {
            compared,
            has_color,
        }
        .to_string()
    }

    #[test]
    fn words_that_differ_have_a_color_only_on_a_terminal() {
        let differs = compared(
            "a.json",
            r#"{"note":"no order 7"}"#,
            r#"{"note":"no order: 8"}"#,
        );
        assert_eq!(
            differs.to_string(),
            "a.json    differs             Node 1.5 ms   port 1.5 ms\n        /note   \"no order 7\" | \"no order: 8\""
        );
        let text = colored(&differs);
        for part in [
            "\u{1b}[31m\u{1b}[1mdiffers \u{1b}[0m",
            "\"no order \u{1b}[31m7\u{1b}[0m\" | \"no order\u{1b}[32m:\u{1b}[0m \u{1b}[32m8\u{1b}[0m\"",
        ] {
            assert!(text.contains(part), "{text:?}");
        }
        assert_eq!(console::strip_ansi_codes(&text), differs.to_string());
        let same = colored(&compared("b.json", "1", "1"));
        assert!(same.contains("\u{1b}[32msame    \u{1b}[0m"), "{same:?}");
    }
}
