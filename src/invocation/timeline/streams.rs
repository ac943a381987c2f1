//! The stream in a timeline.

use super::{TimelineEvent, record::bounded, recorder::Recorder};
use crate::{completion::CallSite, stream::StreamObserver};

/// The maximum number of chunks. Further chunks are only counted.
const CHUNKS: u64 = 16;

impl Recorder {
    /// Records that the handler is entered with a stream.
    pub(in crate::invocation) fn stream_opened(&self, high_water_mark: usize) {
        self.with(|record, now| {
            record.stream = Some((0, 0));
            record.push(now, TimelineEvent::StreamOpened { high_water_mark });
        });
    }
}

impl StreamObserver for Recorder {
    fn written(&self, bytes: usize) {
        self.with(|record, now| {
            let (chunks, total) = record.stream.get_or_insert_default();
            *chunks += 1;
            *total = total.saturating_add(bytes);
            if *chunks > CHUNKS {
                record.timeline.omitted_chunks += 1;
            } else {
                record.push(now, TimelineEvent::ChunkWritten { bytes });
            }
        });
    }

    fn read_first(&self) {
        self.with(|record, now| record.push(now, TimelineEvent::FirstChunkTaken));
    }

    fn ended(&self, call_site: Option<CallSite>) {
        self.with(|record, now| {
            let (chunks, bytes) = record.stream.unwrap_or_default();
            let ended = TimelineEvent::StreamEnded {
                call_site,
                chunks,
                bytes,
            };
            record.push(now, ended);
        });
    }

    fn abandoned(&self, why: &str) {
        let reason = bounded(why);
        self.with(|record, now| record.push(now, TimelineEvent::StreamAbandoned { reason }));
    }
}
