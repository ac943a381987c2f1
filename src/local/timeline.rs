//! The option `--timeline`, which shows the timelines of the invocations of a command line.

use super::output::write;
use crate::{
    invocation::timeline::{Recorder, Timeline, Tone, page_of},
    log,
};
use parking_lot::Mutex;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The form in which `--timeline` shows timelines.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TimelineForm {
    /// Text, on stderr.
    Text,
    /// A page, in this file.
    Page(PathBuf),
}

impl TimelineForm {
    /// Returns whether the argument after `--timeline` is the file of the page, and not an event.
    pub(super) fn is_page(argument: &str) -> bool {
        let extension = Path::new(argument).extension();
        extension.is_some_and(|extension| {
            extension.eq_ignore_ascii_case("html") || extension.eq_ignore_ascii_case("htm")
        })
    }
}

/// Shows the timelines of several invocations.
pub(super) struct Timelines {
    form: TimelineForm,
    /// The timelines on the page so far.
    ended: Mutex<Vec<Timeline>>,
}

impl Timelines {
    /// Creates the file of the page, so that an unusable path is an error before the first
    /// invocation.
    pub(super) fn new(form: TimelineForm) -> Result<Self, String> {
        let timelines = Timelines {
            form,
            ended: Mutex::default(),
        };
        timelines.write_page()?;
        Ok(timelines)
    }

    /// Shows the timeline of an invocation.
    pub(super) fn show(&self, recorder: &Recorder) -> Result<(), String> {
        let timeline = recorder.timeline();
        match self.form {
            TimelineForm::Text => {
                let mut text = String::from("\n");
                // Writing to a string does not fail.
                let _ = timeline.write(&mut text, &|tone, text| match log::has_color() {
                    true => painted(tone, text),
                    false => text.into(),
                });
                write(&mut io::stderr(), text.as_bytes());
                Ok(())
            }
            TimelineForm::Page(_) => {
                self.ended.lock().push(timeline);
                self.write_page()
            }
        }
    }

    fn write_page(&self) -> Result<(), String> {
        let TimelineForm::Page(path) = &self.form else {
            return Ok(());
        };
        let page = page_of(&self.ended.lock());
        fs::write(path, page).map_err(|error| format!("`--timeline {}`: {error}", path.display()))
    }
}

/// Adds the escape sequences of a color.
fn painted(tone: Tone, text: &str) -> String {
    let code = match tone {
        Tone::Plain => return text.into(),
        Tone::Quiet => 2,
        Tone::Good => 32,
        Tone::Warning => 33,
        Tone::Bad => 31,
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_is_the_file_of_the_option() {
        for page in ["a.html", "b/c.HTM", "a b.html"] {
            assert!(TimelineForm::is_page(page), "{page}");
        }
        for event in ["event.json", "html", ".html", "-", "{\"a\":\"b.html\"}", ""] {
            assert!(!TimelineForm::is_page(event), "{event}");
        }
    }

    #[test]
    fn each_tone_has_its_color() {
        assert_eq!(painted(Tone::Bad, "x"), "\x1b[31mx\x1b[0m");
        assert_eq!(painted(Tone::Plain, "x"), "x");
    }
}
