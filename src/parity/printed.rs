//! The output of a process: its end, and its lines between the marks that `original.mjs` prints
//! before each event.

use super::excerpt::visible;
use crate::log::lines::{LINE, LINES};
use parking_lot::Mutex;
use std::{collections::VecDeque, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::mpsc,
};

/// The number of bytes that are kept from the end.
const END: usize = 16 * 1024;

/// The end of the output of a process, from all of its streams.
#[derive(Clone, Debug, Default)]
pub(super) struct End(Arc<Mutex<VecDeque<u8>>>);

impl End {
    /// Returns the text in a form that is safe to show on a terminal.
    pub(super) fn text(&self) -> String {
        let end: Vec<u8> = self.0.lock().iter().copied().collect();
        let end = String::from_utf8_lossy(&end);
        let mut shown = String::new();
        for character in end.trim().chars() {
            match character {
                '\n' | '\t' => shown.push(character),
                '\r' => {}
                other => shown.push_str(&visible(other.encode_utf8(&mut [0; 4]))),
            }
        }
        shown
    }

    fn add(&self, read: &[u8]) {
        let mut end = self.0.lock();
        end.extend(read);
        let excess = end.len().saturating_sub(END);
        end.drain(..excess);
    }
}

/// The lines between two marks that are compared.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) lines: Vec<String>,
    /// The number of further lines, which are not kept.
    pub(super) more: usize,
}

/// Splits output into lines, and groups the lines by the marks.
struct Splitter {
    mark: String,
    is_compared: fn(&str) -> bool,
    lines: Lines,
    /// A line that has not ended.
    line: Vec<u8>,
    between: mpsc::UnboundedSender<Lines>,
}

impl Splitter {
    fn add(&mut self, read: &[u8]) {
        let mut parts = read.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            let room = LINE.saturating_sub(self.line.len());
            self.line.extend(part.iter().take(room));
            if parts.peek().is_some() {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if line == self.mark.as_bytes() {
            // The comparison may have ended.
            let _ = self.between.send(std::mem::take(&mut self.lines));
            return;
        }
        let line = String::from_utf8_lossy(&line);
        if !(self.is_compared)(&line) {
            return;
        }
        if self.lines.lines.len() < LINES {
            self.lines.lines.push(line.into_owned());
        } else {
            self.lines.more += 1;
        }
    }

    fn end(mut self) {
        self.end_line();
        let _ = self.between.send(self.lines);
    }
}

/// Reads the output of a process, so that the process never waits for a reader, and keeps the end
/// of the output.
pub(super) fn read(stream: impl AsyncRead + Send + Unpin + 'static, end: &End) {
    tokio::spawn(read_all(stream, end.clone(), None));
}

/// Reads like [`read`]. The receiver gets the lines before each mark, and finally those before the
/// end. `is_compared` selects the lines to keep.
pub(super) fn read_between(
    stream: impl AsyncRead + Send + Unpin + 'static,
    end: &End,
    mark: String,
    is_compared: fn(&str) -> bool,
) -> mpsc::UnboundedReceiver<Lines> {
    let (between, lines) = mpsc::unbounded_channel();
    let splitter = Splitter {
        mark,
        is_compared,
        lines: Lines::default(),
        line: Vec::new(),
        between,
    };
    tokio::spawn(read_all(stream, end.clone(), Some(splitter)));
    lines
}

async fn read_all(mut stream: impl AsyncRead + Unpin, end: End, mut splitter: Option<Splitter>) {
    let mut buffer = vec![0; 8 * 1024];
    while let Ok(length) = stream.read(&mut buffer).await {
        let read = buffer.get(..length).unwrap_or_default();
        if read.is_empty() {
            break;
        }
        end.add(read);
        if let Some(splitter) = &mut splitter {
            splitter.add(read);
        }
    }
    if let Some(splitter) = splitter {
        splitter.end();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn lines_are_split_at_marks_wherever_they_are_read() {
        let text = b"a\nb\n\nMARK\nc, not ended\nMARK\n\nMARK\nlast";
        for size in [1, 2, 3, 5, 7, 100] {
            let (mut write, stream) = tokio::io::duplex(size);
            tokio::spawn(async move { write.write_all(text).await });
            let (end, mut all) = (End::default(), Vec::new());
            let mut between = read_between(stream, &end, "MARK".into(), |line| !line.is_empty());
            while let Some(lines) = between.recv().await {
                all.push(lines.lines);
            }
            assert_eq!(
                all,
                [vec!["a", "b"], vec!["c, not ended"], vec![], vec!["last"]]
            );
            assert!(end.text().starts_with("a\nb") && end.text().ends_with("last"));
        }
    }

    #[tokio::test]
    async fn a_flood_is_bounded() {
        let text = [
            "x".repeat(10 * LINE),
            "\ny".repeat(3 * LINES),
            "\nMARK\n".into(),
        ]
        .concat();
        let end = End::default();
        let text = text.leak().as_bytes();
        let mut between = read_between(text, &end, "MARK".into(), |_| true);
        let lines = between.recv().await.unwrap();
        assert_eq!((lines.lines.len(), lines.more), (LINES, 2 * LINES + 1));
        assert_eq!(lines.lines[0].len(), LINE);
        assert_eq!(end.text().len(), END - 1);
    }
}
