//! Recordings of what the original did, so that a comparison can run without Node.

use super::{
    events::{NamedEvent, is_settings},
    outcome::{Seen, SentOutcome},
    place::Place,
    recorded_stream::RecordedStream,
    requests::{Exchange, Sent},
};
use crate::{
    error::{Error, Result},
    invocation::{ContextBuilder, ContextMembers},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    fmt::{self, Display},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// The maximum number of files of the original that are hashed.
const SOURCES: usize = 10_000;

/// The outcomes of the original, by event.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Recording {
    /// A hash of the original's files.
    sources: String,
    events: Vec<Recorded>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Recorded {
    /// The name of the event within the folder.
    event: String,
    /// A hash of the event.
    hash: String,
    /// The original's context. A response may contain parts of it.
    context: OriginalContext,
    outcome: Outcome,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    deferred_by: Vec<String>,
    /// How the process ended, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<String>,
    /// `None` if they were not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    requests: Option<Vec<Exchange>>,
    /// The lines of the log, if they were recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log: Option<Vec<String>>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
enum Outcome {
    /// The text of the response, which is compared byte by byte.
    Response(String),
    Stream(RecordedStream),
    Error(Value),
    Nothing,
}

/// The context of the original.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OriginalContext {
    function_name: String,
    aws_request_id: String,
    invoked_function_arn: String,
    #[serde(alias = "memoryLimitInMB")]
    memory_limit_in_mb: String,
    log_group_name: String,
    log_stream_name: String,
    /// Only captured invocations have these. In a recording they are the same as those of the port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    function_version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_context: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<Value>,
}

impl OriginalContext {
    /// Returns the context for the port, with the members of the original's context.
    pub(super) fn apply_to(&self, context: ContextBuilder) -> ContextBuilder {
        let mut context = context
            .function_name(self.function_name.clone())
            .aws_request_id(self.aws_request_id.clone())
            .invoked_function_arn(self.invoked_function_arn.clone())
            .memory_limit_in_mb(self.memory_limit_in_mb.clone())
            .log_group_name(self.log_group_name.clone())
            .log_stream_name(self.log_stream_name.clone());
        if let Some(version) = &self.function_version {
            context = context.function_version(version.clone());
        }
        if let Some(client_context) = &self.client_context {
            context = context.client_context(client_context.clone());
        }
        // A redacted identity is a string.
        if let Some(Ok(identity)) = self.identity.clone().map(serde_json::from_value) {
            context = context.identity(identity);
        }
        context
    }
}

impl Recording {
    /// Creates an empty recording of an original whose package has this root, with a hash of its
    /// present files.
    pub(super) fn of(root: &Path) -> Self {
        Recording {
            sources: sources(root),
            events: Vec::new(),
        }
    }

    pub(super) fn add(
        &mut self,
        place: &Place,
        event: &NamedEvent,
        context: &ContextMembers,
        seen: &Seen,
    ) {
        self.events.push(Recorded {
            event: within(&place.folder, &event.name),
            hash: Hash::of(&event.body),
            context: OriginalContext {
                function_name: context.function_name.clone(),
                aws_request_id: context.aws_request_id.clone(),
                invoked_function_arn: context.invoked_function_arn.clone(),
                memory_limit_in_mb: context.memory_limit_in_mb.clone(),
                log_group_name: context.log_group_name.clone(),
                log_stream_name: context.log_stream_name.clone(),
                function_version: None,
                client_context: None,
                identity: None,
            },
            outcome: match &seen.outcome {
                SentOutcome::Response(body) => {
                    Outcome::Response(String::from_utf8_lossy(body).into_owned())
                }
                SentOutcome::Stream(streamed) => Outcome::Stream(RecordedStream::of(streamed)),
                SentOutcome::Error(error) => Outcome::Error(error.clone()),
                SentOutcome::Nothing => Outcome::Nothing,
            },
            deferred_by: seen.pending.clone(),
            ended: seen.ended.clone(),
            requests: None,
            log: seen.log.clone(),
        });
    }

    /// Adds the original's requests to the event that was added last.
    pub(super) fn add_requests(&mut self, sent: &Sent) {
        if let Some(event) = self.events.last_mut() {
            event.requests = Some(sent.original.clone());
        }
    }

    /// Returns the requests of the original for an event.
    pub(super) fn requests(&self, place: &Place, event: &NamedEvent) -> Result<&[Exchange]> {
        let recorded = self.event(place, event)?;
        recorded
            .requests
            .as_deref()
            .ok_or_else(|| unusable(&place.file, "it was recorded without `--requests`"))
    }

    pub(super) fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(file, text).map_err(|error| unusable(file, &error.to_string()))
    }

    pub(super) fn read(file: &Path) -> Result<Self> {
        let text = fs::read(file).map_err(|error| unusable(file, &error.to_string()))?;
        serde_json::from_slice(&text).map_err(|error| unusable(file, &error.to_string()))
    }

    /// Returns whether the original's files exist and have changed since they were recorded.
    pub(super) fn is_older_than(&self, root: &Path) -> bool {
        root.is_dir() && self.sources != sources(root)
    }

    fn event(&self, place: &Place, event: &NamedEvent) -> Result<&Recorded> {
        let name = within(&place.folder, &event.name);
        let Some(recorded) = self.events.iter().find(|recorded| recorded.event == name) else {
            return Err(unusable(&place.file, &format!("it has no event `{name}`")));
        };
        if recorded.hash != Hash::of(&event.body) {
            return Err(unusable(
                &place.file,
                &format!("the event `{name}` has changed since it was recorded"),
            ));
        }
        Ok(recorded)
    }

    /// Returns the original's context and outcome for an event.
    pub(super) fn find(
        &self,
        place: &Place,
        event: &NamedEvent,
        context: ContextBuilder,
    ) -> Result<(ContextBuilder, Seen)> {
        let recorded = self.event(place, event)?;
        let seen = Seen {
            outcome: match &recorded.outcome {
                Outcome::Response(text) => SentOutcome::Response(text.clone().into()),
                Outcome::Stream(stream) => {
                    let streamed = stream.streamed();
                    SentOutcome::Stream(
                        streamed.map_err(|error| unusable(&place.file, &error.to_string()))?,
                    )
                }
                Outcome::Error(error) => SentOutcome::Error(error.clone()),
                Outcome::Nothing => SentOutcome::Nothing,
            },
            deferred: !recorded.deferred_by.is_empty(),
            pending: recorded.deferred_by.clone(),
            ended: recorded.ended.clone(),
            duration: Duration::ZERO,
            unknown: vec![],
            log: recorded.log.clone(),
        };
        Ok((recorded.context.apply_to(context), seen))
    }
}

/// Returns the error for a recording without the lines of the log.
pub(super) fn without_log(file: &Path) -> Error {
    unusable(file, "it was recorded without `--logs`")
}

fn unusable(file: &Path, why: &str) -> Error {
    let message = format!(
        "{}: {why}: `--against FILE.EXPORT --record EVENTS` records the original",
        file.display()
    );
    Error::ours("Runtime.InvalidParityFile", message)
}

/// Returns the name of an event relative to its folder, whose own path depends on the working
/// directory.
fn within(folder: &Path, event: &str) -> String {
    let event = Path::new(event);
    let within = event.strip_prefix(folder).unwrap_or(event);
    within.to_string_lossy().replace('\\', "/")
}

/// Hashes the files in a folder that Node may load, except for what npm has installed.
fn sources(folder: &Path) -> String {
    let mut files = Vec::new();
    collect(folder, &mut files);
    let mut hash = Hash::default();
    for file in files {
        // The files are read one at a time, since all of them together may be large.
        if let Ok(text) = fs::read(&file) {
            hash.add(within(folder, &file.to_string_lossy()).as_bytes());
            hash.add(&text);
        }
    }
    hash.to_string()
}

/// FNV-1a, which stays the same in every release, unlike the hash of the standard library.
struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Hash(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    fn of(text: &[u8]) -> String {
        let mut hash = Hash::default();
        hash.add(text);
        hash.to_string()
    }

    fn add(&mut self, text: &[u8]) {
        for byte in text.iter().chain(&[0]) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

impl Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let is_link = path.is_symlink();
        if files.len() >= SOURCES
            || name.starts_with('.')
            || name == "node_modules"
            || name == "target"
            || is_settings(&path)
        {
            continue;
        }
        // A symbolic link to a folder may form a cycle.
        if path.is_dir() && !is_link {
            collect(&path, files);
        } else if path.is_file() && ["js", "mjs", "cjs", "ts", "json"].contains(&&*extension) {
            files.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::{super::package::Original, *};

    #[test]
    fn a_recording_is_older_than_any_file_of_the_package_that_has_changed() {
        let top = std::env::temp_dir().join(format!("nodeback-sources-{}", std::process::id()));
        let _ = fs::remove_dir_all(&top);
        for file in [
            "package.json",
            "dist/src/index.js",
            "dist/lib/total.js",
            "node_modules/a/index.js",
            "events/a.json",
            "events/parity.recorded.json",
        ] {
            let file = top.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "{}").unwrap();
        }
        let text = top.join("dist/src/index.handler").display().to_string();
        let root = Original::root_of(&text, None);
        for (file, matters) in [
            ("dist/src/index.js", true),
            ("dist/lib/total.js", true),
            ("package.json", true),
            ("node_modules/a/index.js", false),
            ("events/parity.recorded.json", false),
        ] {
            let recording = Recording::of(&root);
            assert!(!recording.is_older_than(&root));
            fs::write(top.join(file), format!("changed {file}")).unwrap();
            assert_eq!(recording.is_older_than(&root), matters, "{file}");
        }
        fs::remove_dir_all(top).unwrap();
    }
}
