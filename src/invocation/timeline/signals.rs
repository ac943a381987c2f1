//! The signals in a timeline.

use super::{
    TimelineEvent,
    record::{Moment, Record, bounded},
    recorder::Recorder,
};
use crate::{
    completion::{CallSite, SignalObserver},
    error::Error,
};

/// The maximum number of duplicate signals. Further ones are only counted.
const DUPLICATES: u64 = 16;

/// Called by the driver.
impl Recorder {
    /// Records that the signal from a call site was the first, which its signaller may not have recorded yet.
    pub(in crate::invocation) fn took(&self, first: Option<CallSite>) {
        self.with(|record, _| {
            let signals = &record.signals;
            let found = signals.iter().find(|(_, from, _)| Some(*from) == first);
            if let Some((moment, ..)) = found.copied() {
                record.signalled(moment.place, true);
            }
        });
    }

    pub(in crate::invocation) fn never_called(&self, error: &Error) {
        let message = bounded(error.message());
        self.with(|record, now| {
            let dropped = record.dropped.take().unwrap_or(now);
            record.push(dropped, TimelineEvent::NeverCalled { message });
        });
    }
}

impl SignalObserver for Recorder {
    fn signalling(&self, call_site: CallSite, succeeds: bool) -> u64 {
        self.with(|record, now| {
            record.signals.push((now, call_site, succeeds));
            now.place
        })
    }

    fn signalled(&self, signal: u64, accepted: bool) {
        self.record.lock().signalled(signal, accepted);
    }

    fn rejected(&self, first: CallSite, duplicate: CallSite) {
        self.with(|record, now| {
            record.duplicates += 1;
            if record.duplicates > DUPLICATES {
                record.timeline.omitted_signals += 1;
            } else {
                record.push(now, TimelineEvent::DuplicateSignal { first, duplicate });
            }
        });
    }

    fn dropped(&self) {
        self.with(|record, now| record.dropped = Some(now));
    }
}

impl Record {
    /// Resolves a signal. The driver and the signaller both call this, in either order, and the
    /// second call does nothing.
    fn signalled(&mut self, place: u64, accepted: bool) {
        let is_it = |(moment, ..): &(Moment, CallSite, bool)| moment.place == place;
        let Some(at) = self.signals.iter().position(is_it) else {
            return;
        };
        let (moment, call_site, succeeds) = self.signals.remove(at);
        if accepted {
            let event = TimelineEvent::Signalled {
                call_site,
                succeeds,
            };
            self.push(moment, event);
        }
    }
}
