//! The Runtime APIs that serve the functions.

use super::{blocking::Blocking, emulator::Emulator, stub::Stub};
use std::{
    net::SocketAddr,
    process::Command,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// The longest time that a benchmark waits for anything.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// The times of a batch of invocations.
pub(crate) struct Ran {
    pub(crate) whole: Duration,
    /// For each invocation, the time from the event to the response, if the API measures it.
    pub(crate) latencies: Vec<Duration>,
}

/// The kind of a Runtime API.
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

/// A Runtime API that serves one process.
pub(crate) enum Api {
    Stub(Stub),
    Blocking(Blocking),
    Emulator(Emulator),
}

impl Api {
    /// Starts the API. The emulator also starts the function.
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

    /// Waits for the first poll and returns its time.
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

/// Returns the reply to a poll, with an event whose deadline is far away.
pub(crate) fn event_reply(request_id: &str, event: &[u8]) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let deadline = (now.expect("after 1970") + Duration::from_secs(900)).as_millis();
    let mut reply = format!(
        "HTTP/1.1 200 OK\r\n\
         Content-Type: application/json\r\n\
         Lambda-Runtime-Aws-Request-Id: {request_id}\r\n\
         Lambda-Runtime-Deadline-Ms: {deadline}\r\n\
         Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:123456789012:function:echo\r\n\
         Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1\r\n\
         Date: Wed, 25 Nov 2026 01:00:00 GMT\r\n\
         Content-Length: {}\r\n\r\n",
        event.len()
    )
    .into_bytes();
    reply.extend_from_slice(event);
    reply
}

/// The reply to a post that is accepted.
pub(crate) const ACCEPTED: &[u8] = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n\
                                  Content-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";
