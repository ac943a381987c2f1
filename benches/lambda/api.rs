//! The Runtime APIs that the functions run on.

use super::{blocking::Blocking, emulator::Emulator, stub::Stub};
use std::{
    net::SocketAddr,
    process::Command,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// No benchmark waits longer for anything.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// So many invocations that have run.
pub(crate) struct Ran {
    pub(crate) whole: Duration,
    /// Of each, from the event to the response, where the API takes that.
    pub(crate) latencies: Vec<Duration>,
}

/// Which one it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Stub,
    Blocking,
    Emulator,
}

impl Kind {
    pub(crate) const ALL: [Kind; 3] = [Kind::Stub, Kind::Blocking, Kind::Emulator];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Stub => "an asynchronous Runtime API",
            Kind::Blocking => "a blocking Runtime API",
            Kind::Emulator => "AWS's emulator",
        }
    }
}

/// One of them, for one process.
pub(crate) enum Api {
    Stub(Stub),
    Blocking(Blocking),
    Emulator(Emulator),
}

impl Api {
    /// Starts it. The emulator starts the function, too.
    pub(crate) fn start(kind: Kind, function: &Command) -> Self {
        match kind {
            Kind::Stub => Api::Stub(Stub::start()),
            Kind::Blocking => Api::Blocking(Blocking::start()),
            Kind::Emulator => Api::Emulator(Emulator::start(function)),
        }
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Api::Stub(stub) => Some(stub.address),
            Api::Blocking(blocking) => Some(blocking.address),
            Api::Emulator(_) => None,
        }
    }

    /// When the function polled first.
    pub(crate) fn polled(&self) -> Option<Instant> {
        match self {
            Api::Stub(stub) => Some(stub.polled()),
            Api::Blocking(blocking) => Some(blocking.polled()),
            Api::Emulator(_) => None,
        }
    }

    pub(crate) fn connections(&self) -> Option<usize> {
        match self {
            Api::Stub(stub) => Some(stub.connections()),
            Api::Blocking(blocking) => Some(blocking.connections()),
            Api::Emulator(_) => None,
        }
    }

    pub(crate) fn invoke(&mut self, event: &[u8], times: u32) -> Ran {
        match self {
            Api::Stub(stub) => Ran {
                whole: stub.invoke(event, times),
                latencies: vec![],
            },
            Api::Blocking(blocking) => blocking.invoke(event, times),
            Api::Emulator(emulator) => emulator.invoke(event, times),
        }
    }
}

/// The deadline that every event gets: far away.
pub(crate) fn deadline() -> u128 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    (now.expect("after 1970") + Duration::from_secs(900)).as_millis()
}
