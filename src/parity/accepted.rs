//! The differences that the user accepts, in `parity.json` in the folder of the events.

use super::{compare::Difference, events::ACCEPTED};
use crate::error::{Error, Result};
use serde::Deserialize;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The file: members that are never compared, and differences that are accepted for a reason.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Paths such as `/headers/date` and `/items/*/id`.
    #[serde(default)]
    ignore: Vec<String>,
    #[serde(default)]
    accepted: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The end of the event's name, such as `missing.json`.
    event: String,
    /// The path of the difference, as the report shows it. `*` matches any segment.
    path: String,
    /// The beginning of the port's value, as the report shows it. Other values are not accepted. If
    /// this is left out, any value is.
    port: Option<String>,
    reason: String,
}

impl Entry {
    fn covers(&self, event: &str, difference: &Difference) -> bool {
        let begins = |port| difference.port.text.starts_with(port);
        is_named(event, &self.event)
            && is_within(&difference.path, &self.path)
            && self.port.as_deref().is_none_or(begins)
    }
}

/// The accepted differences, and which of them occurred.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    ignore: Vec<String>,
    entries: Vec<Used>,
}

/// An entry, and whether it was needed.
#[derive(Debug)]
struct Used {
    entry: Entry,
    /// Whether it accepted a difference.
    is_needed: bool,
    /// Whether a difference has to occur: the event of the entry is compared, or the whole folder
    /// is.
    is_expected: bool,
}

impl Accepted {
    /// Reads the files in these folders, and in the folders of these files.
    pub(super) fn read(paths: &[PathBuf]) -> Result<Self> {
        let mut accepted = Accepted::default();
        let mut folders: Vec<(&Path, bool)> = paths
            .iter()
            .map(|path| match path.is_dir() {
                true => (path.as_path(), true),
                false => (path.parent().unwrap_or(Path::new("")), false),
            })
            .collect();
        // A folder that is compared as a whole comes before the same folder of a single file.
        folders.sort_by_key(|(_, is_whole)| !is_whole);
        let mut read: Vec<&Path> = Vec::new();
        for (folder, is_whole) in folders {
            let file = folder.join(ACCEPTED);
            if !read.contains(&folder) && file.is_file() {
                read.push(folder);
                accepted.add(self::read(&file)?, is_whole);
            }
        }
        Ok(accepted)
    }

    fn add(&mut self, settings: Settings, is_expected: bool) {
        self.ignore.extend(settings.ignore);
        self.entries
            .extend(settings.accepted.into_iter().map(|entry| Used {
                entry,
                is_needed: false,
                is_expected,
            }));
    }

    /// Notes that an event is compared.
    pub(super) fn begin(&mut self, event: &str) {
        for used in &mut self.entries {
            used.is_expected |= is_named(event, &used.entry.event);
        }
    }

    /// Returns whether a path is ignored.
    pub(super) fn ignores(&self, path: &str) -> bool {
        let mut patterns = self.ignore.iter();
        patterns.any(|pattern| is_within(path, pattern))
    }

    /// Returns why a difference of an event is accepted, if it is.
    pub(super) fn reason(&mut self, event: &str, difference: &Difference) -> Option<String> {
        let mut entries = self.entries.iter_mut();
        let used = entries.find(|used| used.entry.covers(event, difference))?;
        used.is_needed = true;
        Some(used.entry.reason.clone())
    }

    /// Returns the entries that no difference needed.
    pub(super) fn unneeded(&self) -> Vec<String> {
        let unneeded = self
            .entries
            .iter()
            .filter(|used| used.is_expected && !used.is_needed);
        unneeded
            .map(|Used { entry, .. }| format!("{} {}: {}", entry.event, entry.path, entry.reason))
            .collect()
    }
}

fn read(file: &Path) -> Result<Settings> {
    let mistake = |error: String| {
        let expected = r#"expected {"ignore": ["/headers/date"], "accepted": [{"event", "path", "port", "reason"}]}, where only "port" may be left out"#;
        Error::ours(
            "Runtime.InvalidParityFile",
            format!("{}: {error}: {expected}", file.display()),
        )
    };
    let text = fs::read(file).map_err(|error| mistake(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| mistake(error.to_string()))
}

#[cfg(test)]
impl Accepted {
    /// Reads the text of a file.
    pub(super) fn of(text: &str) -> serde_json::Result<Self> {
        let mut accepted = Accepted::default();
        accepted.add(serde_json::from_str(text)?, true);
        Ok(accepted)
    }
}

/// Returns whether an event has this name, with or without its folder.
fn is_named(event: &str, name: &str) -> bool {
    let folder = event.strip_suffix(name);
    folder.is_some_and(|folder| folder.is_empty() || folder.ends_with('/'))
}

/// Returns whether a JSON pointer matches a pattern, or is below a match. `*` matches any segment.
pub(super) fn is_within(path: &str, pattern: &str) -> bool {
    // The report shows the root as `/`.
    let pattern = if pattern == "/" { "" } else { pattern };
    let mut segments = path.split('/');
    pattern.split('/').all(|wanted| {
        let segment = segments.next();
        segment.is_some_and(|segment| wanted == "*" || wanted == segment)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::{super::excerpt::shown, *};

    #[test]
    fn a_pattern_covers_a_member_and_what_is_in_it() {
        for (path, pattern, covered) in [
            ("/headers/date", "/headers/date", true),
            ("/headers/date/0", "/headers/date", true),
            ("/headers", "/headers/date", false),
            ("/headers/dates", "/headers/date", false),
            ("/items/7/id", "/items/*/id", true),
            ("/items/7/name", "/items/*/id", false),
            ("/items", "/items/*", false),
            ("", "", true),
            ("", "/", true),
            ("/a", "", true),
            ("deferred", "deferred", true),
        ] {
            assert_eq!(is_within(path, pattern), covered, "{path} {pattern}");
        }
    }

    #[test]
    fn only_the_value_that_an_entry_names_is_accepted() {
        let entry = |port: Option<&str>| Entry {
            event: "a.json".into(),
            path: "/n".into(),
            port: port.map(String::from),
            reason: "it may".into(),
        };
        let difference = Difference {
            path: "/n".into(),
            original: shown("1"),
            port: shown("23"),
        };
        for (port, covered) in [(None, true), (Some("2"), true), (Some("3"), false)] {
            assert_eq!(
                entry(port).covers("a.json", &difference),
                covered,
                "{port:?}"
            );
        }
    }

    #[test]
    fn an_event_is_named_by_the_whole_name_of_its_file() {
        for (event, name, named) in [
            ("events/a.json", "a.json", true),
            ("events/a.json", "events/a.json", true),
            ("events/data.json", "a.json", false),
            ("events/a.jsonl:7", "a.jsonl:7", true),
            ("events/a.jsonl:17", "7", false),
        ] {
            assert_eq!(is_named(event, name), named, "{event} {name}");
        }
    }

    /// A user compares a single event of a folder while looking for the cause of its difference.
    #[test]
    fn the_file_of_a_folder_applies_to_each_event_in_it() {
        let folder = std::env::temp_dir().join(format!("nodeback-accepted-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let text = r#"{"ignore": ["/date"], "accepted": [
            {"event": "a.json", "path": "/a", "reason": "one"}, {"event": "b.json", "path": "/b", "reason": "two"}]}"#;
        fs::write(folder.join(ACCEPTED), text).unwrap();
        let event = folder.join("a.json");
        fs::write(&event, "{}").unwrap();
        for (paths, expected) in [
            (vec![event.clone()], vec!["a.json /a: one"]),
            (
                vec![event.clone(), folder.clone()],
                vec!["a.json /a: one", "b.json /b: two"],
            ),
        ] {
            let mut accepted = Accepted::read(&paths).unwrap();
            accepted.begin(&event.display().to_string());
            assert!(accepted.ignores("/date"));
            assert_eq!(accepted.unneeded(), expected);
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
