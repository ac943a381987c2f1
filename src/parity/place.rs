//! The location of a recording, in the folder of its events.

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// The file of a recording, and the folder that the names of its events are relative to.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) folder: PathBuf,
    pub(super) file: PathBuf,
}

impl Place {
    /// Returns `orders.recorded.json` if `orders.jsonl` is the only path, or else
    /// `parity.recorded.json` in the first folder.
    pub(super) fn of(events: &[PathBuf]) -> Result<Self> {
        match events {
            [events] if !events.is_dir() => Ok(Place {
                folder: events.parent().unwrap_or(Path::new("")).into(),
                file: events.with_extension("recorded.json"),
            }),
            _ => {
                let folder = events.iter().find(|path| path.is_dir());
                let folder = folder.ok_or_else(|| {
                    let message =
                        "a recording expects a single file of events, or a folder in which it is kept";
                    Error::ours("Runtime.NoEvents", message)
                })?;
                Ok(Place {
                    folder: folder.clone(),
                    file: folder.join("parity.recorded.json"),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_in_the_folder_of_its_events() {
        let place = Place::of(&["events/orders.jsonl".into()]).unwrap();
        assert_eq!(place.folder, Path::new("events"));
        assert_eq!(place.file, Path::new("events/orders.recorded.json"));
        let place = Place::of(&["a.json".into(), "src".into()]).unwrap();
        assert_eq!(place.file, Path::new("src/parity.recorded.json"));
        assert!(Place::of(&["a.json".into(), "b.json".into()]).is_err());
    }
}
