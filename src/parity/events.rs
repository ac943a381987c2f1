//! The events of a comparison: single files, files of JSON lines, and folders of both.

use super::captured::Captured;
use crate::error::{Error, Result};
use bytes::Bytes;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The file of accepted differences, in a folder of events.
pub(super) const ACCEPTED: &str = "parity.json";

/// The suffix of the file names of recordings.
pub(super) const RECORDING: &str = ".recorded.json";

/// An event, and its name in the report.
#[derive(Clone, Debug)]
pub(super) struct NamedEvent {
    pub(super) name: String,
    pub(super) body: Bytes,
    /// What the deployed original did with it, if that was captured.
    pub(super) captured: Option<Captured>,
}

/// Reads all events that the paths name, in the order of their names within each folder.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<NamedEvent>> {
    let mut events = Vec::new();
    for path in paths {
        if path.is_dir() {
            let entries = fs::read_dir(path)
                .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
            let mut files: Vec<PathBuf> = entries.map_err(|error| unreadable(path, &error))?;
            files.retain(|file| is_event(file) && !file.is_dir());
            files.sort();
            for file in files {
                read_file(&file, &mut events)?;
            }
        } else {
            read_file(path, &mut events)?;
        }
    }
    if events.is_empty() {
        let message = "there are no events: expected .json or .jsonl files, or folders of them";
        return Err(Error::ours("Runtime.NoEvents", message));
    }
    Ok(events)
}

fn is_event(file: &Path) -> bool {
    let extension = file.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("json" | "jsonl" | "ndjson")) && !is_settings(file)
}

/// Returns whether a file in a folder of events is one that a comparison itself reads or writes.
pub(super) fn is_settings(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name == ACCEPTED || name.ends_with(RECORDING)
}

fn read_file(file: &Path, events: &mut Vec<NamedEvent>) -> Result<()> {
    let text = fs::read(file).map_err(|error| unreadable(file, &error))?;
    let name = file.display().to_string();
    let text = Bytes::from(text);
    let text = match text.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => text.slice_ref(rest),
        None => text,
    };
    let has_lines = file
        .extension()
        .is_some_and(|extension| extension == "jsonl" || extension == "ndjson");
    if !has_lines {
        let body = if text.trim_ascii().is_empty() {
            Bytes::from_static(b"{}")
        } else {
            text
        };
        events.push(NamedEvent {
            name,
            body,
            captured: None,
        });
        return Ok(());
    }
    for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii();
        if !line.is_empty() {
            let (name, line) = (format!("{name}:{number}"), text.slice_ref(line));
            let (body, captured) = match Captured::parse(&line) {
                Some(Ok((body, captured))) => (body, Some(captured)),
                Some(Err(mistake)) => {
                    return Err(Error::ours(
                        "Runtime.NoEvents",
                        format!("{name}: {mistake}"),
                    ));
                }
                None => (line, None),
            };
            events.push(NamedEvent {
                name,
                body,
                captured,
            });
        }
    }
    Ok(())
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::ours("Runtime.NoEvents", format!("{}: {error}", path.display()))
}
