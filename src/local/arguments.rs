//! The options of a command line, which are written `--name value` or `--name=value`.

use std::{ffi::OsString, iter::Peekable, vec};

/// The arguments of a command line, one after the other.
pub(crate) struct Arguments(Peekable<vec::IntoIter<OsString>>);

/// An option with the value behind its `=`, or another argument.
pub(crate) struct Argument {
    pub(crate) whole: OsString,
    pub(crate) option: String,
    pub(crate) inline: Option<String>,
}

impl Arguments {
    pub(crate) fn new(arguments: Vec<OsString>) -> Self {
        Arguments(arguments.into_iter().peekable())
    }

    pub(crate) fn read(&mut self) -> Option<Argument> {
        let whole = self.0.next()?;
        let text = whole.to_string_lossy().into_owned();
        let (option, inline) = match text.split_once('=') {
            Some((option, value)) if option.starts_with("--") => {
                (option.to_owned(), Some(value.to_owned()))
            }
            _ => (text, None),
        };
        Some(Argument {
            whole,
            option,
            inline,
        })
    }

    /// Returns the next argument if it fits.
    pub(super) fn next_if(&mut self, fits: impl FnOnce(&str) -> bool) -> Option<OsString> {
        self.0.next_if(|next| fits(&next.to_string_lossy()))
    }

    /// Returns the value of an option, which is the next argument if it is not behind a `=`.
    pub(crate) fn value(&mut self, of: &Argument, expected: &str) -> Result<String, String> {
        let next = of
            .inline
            .clone()
            .or_else(|| Some(self.0.next()?.to_string_lossy().into_owned()));
        next.ok_or_else(|| format!("`{}` expects {expected}", of.option))
    }
}
