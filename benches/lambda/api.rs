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

/// The reply to a poll, with an event whose deadline is far away.
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

/// The reply to a response that is taken.
pub(crate) const TAKEN: &[u8] = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n\
                                  Content-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";
