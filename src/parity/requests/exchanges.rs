//! The requests of both sides since an event began, and the response to each request of the port.

use super::{http::Reply, request::Request};
use serde::{Deserialize, Serialize};

/// The maximum number of requests of an event that are kept for each side.
const REQUESTS: usize = 1000;

/// A request of the original, with the response that it got.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(in crate::parity) struct Exchange {
    #[serde(flatten)]
    pub(super) request: Request,
    /// The earlier requests that had no response when this one came: it did not wait for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) alongside: Vec<usize>,
    /// `None` until there is one.
    pub(super) response: Option<Reply>,
}

/// The requests of both sides during an event.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(in crate::parity) struct Sent {
    pub(in crate::parity) original: Vec<Exchange>,
    pub(super) port: Vec<Request>,
    /// Whether there were more than are kept.
    pub(super) is_cut: bool,
}

impl Sent {
    /// Returns how many requests the original and the port sent.
    pub(in crate::parity) fn counts(&self) -> (usize, usize) {
        (self.original.len(), self.port.len())
    }
}

/// The requests of the current event.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    /// `None` before the first event. Requests that are sent until then are not compared.
    event: Option<Event>,
    number: usize,
}

#[derive(Debug, Default)]
struct Event {
    sent: Sent,
    /// Which requests of the original had their response replayed to the port.
    played: Vec<bool>,
    /// For each request of the port, the request of the original whose response was replayed.
    matched: Vec<Option<usize>>,
}

/// Identifies a request of the original while it waits for its response: the number of the event,
/// and the index of the request in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket(usize, usize);

/// Where the response to a request of the port comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// From the server: no event has begun.
    Server,
    Original(Ticket),
    /// The original did not send such a request.
    Nowhere,
}

impl Exchanges {
    /// Begins an event. `recorded` has the requests of the original, if they were recorded.
    pub(super) fn begin(&mut self, recorded: Vec<Exchange>) {
        self.number += 1;
        let event = self.event.insert(Event::default());
        event.played = vec![false; recorded.len()];
        event.sent.original = recorded;
    }

    /// Returns the requests since the event began.
    pub(super) fn take(&mut self) -> Sent {
        self.event
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
            .sent
    }

    /// Adds a request of the original. Returns `None` if it is not kept.
    pub(super) fn original(&mut self, request: &Request) -> Option<Ticket> {
        let number = self.number;
        let event = self.event.as_mut()?;
        let all = &mut event.sent.original;
        let retried = |exchange: &Exchange| {
            let response = exchange.response.as_ref();
            response.is_some_and(Reply::is_retryable) && exchange.request == *request
        };
        if let Some(at) = all.iter().rposition(retried) {
            if let Some(exchange) = all.get_mut(at) {
                exchange.response = None;
            }
            return Some(Ticket(number, at));
        }
        if all.len() >= REQUESTS {
            event.sent.is_cut = true;
            return None;
        }
        let waiting = all
            .iter()
            .enumerate()
            .filter(|(_, exchange)| exchange.response.is_none());
        let alongside = waiting.map(|(at, _)| at).collect();
        all.push(Exchange {
            request: request.clone(),
            alongside,
            response: None,
        });
        event.played.push(false);
        Some(Ticket(number, all.len() - 1))
    }

    /// Adds the response to a request of the original.
    pub(super) fn responded(&mut self, Ticket(number, at): Ticket, reply: Reply) {
        if number != self.number {
            return;
        }
        let event = self.event.as_mut();
        if let Some(exchange) = event.and_then(|event| event.sent.original.get_mut(at)) {
            exchange.response = Some(reply);
        }
    }

    /// Returns the response that the original got, if it has arrived.
    pub(super) fn response(&self, Ticket(number, at): Ticket) -> Option<&Reply> {
        let event = self.event.as_ref().filter(|_| number == self.number)?;
        event.sent.original.get(at)?.response.as_ref()
    }

    /// Adds a request of the port.
    pub(super) fn port(&mut self, request: &Request) -> Source {
        let number = self.number;
        let Some(event) = self.event.as_mut() else {
            return Source::Server;
        };
        let original = &event.sent.original;
        let is_retryable = |at: usize| {
            let response = original
                .get(at)
                .and_then(|exchange| exchange.response.as_ref());
            response.is_some_and(Reply::is_retryable)
        };
        let mut earlier = event.sent.port.iter().zip(&event.matched).rev();
        let again = earlier
            .find_map(|(earlier, at)| at.filter(|at| is_retryable(*at) && earlier == request));
        if let Some(at) = again {
            return Source::Original(Ticket(number, at));
        }
        let find = |matches: &dyn Fn(&Request) -> bool| {
            let mut all = original.iter().zip(&event.played);
            all.position(|(exchange, played)| !played && matches(&exchange.request))
        };
        // The response to another request of the same operation lets the port go on, so that each
        // difference is found.
        let found = find(&|other| other == request)
            .or_else(|| find(&|other| other.operation == request.operation));
        if let Some(played) = found.and_then(|at| event.played.get_mut(at)) {
            *played = true;
        }
        if event.sent.port.len() < REQUESTS {
            event.sent.port.push(request.clone());
            event.matched.push(found);
        } else {
            event.sent.is_cut = true;
        }
        found.map_or(Source::Nowhere, |at| Source::Original(Ticket(number, at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;
    use serde_json::json;

    fn request(operation: &str, body: u32) -> Request {
        serde_json::from_value(json!({ "operation": operation, "body": body })).unwrap()
    }

    fn reply(status: u16) -> Reply {
        Reply::error(StatusCode::from_u16(status).unwrap(), "Code", "", false)
    }

    fn played(exchanges: &mut Exchanges, request: &Request) -> Option<usize> {
        match exchanges.port(request) {
            Source::Original(Ticket(_, at)) => Some(at),
            _ => None,
        }
    }

    #[test]
    fn the_port_gets_the_response_to_the_same_request_or_else_to_the_same_operation() {
        let mut exchanges = Exchanges::default();
        assert!(matches!(exchanges.port(&request("a", 1)), Source::Server));
        exchanges.begin(vec![]);
        for (operation, body) in [("a", 1), ("a", 2), ("b", 1)] {
            let ticket = exchanges.original(&request(operation, body)).unwrap();
            exchanges.responded(ticket, reply(200));
        }
        let wanted = [("a", 2), ("a", 7), ("a", 1), ("b", 7)];
        let found =
            wanted.map(|(operation, body)| played(&mut exchanges, &request(operation, body)));
        assert_eq!(found, [Some(1), Some(0), None, Some(2)]);
        let sent = exchanges.take();
        assert_eq!((sent.original.len(), sent.port.len()), (3, 4));
    }

    #[test]
    fn what_is_sent_before_a_response_is_alongside() {
        let mut exchanges = Exchanges::default();
        exchanges.begin(vec![]);
        let first = exchanges.original(&request("a", 1)).unwrap();
        let second = exchanges.original(&request("a", 2)).unwrap();
        exchanges.responded(first, reply(200));
        exchanges.original(&request("a", 3)).unwrap();
        exchanges.responded(second, reply(200));
        exchanges.original(&request("a", 4)).unwrap();
        let sent = exchanges.take();
        let alongside: Vec<_> = sent.original.into_iter().map(|one| one.alongside).collect();
        assert_eq!(alongside, [vec![], vec![0], vec![1], vec![2]]);
    }

    #[test]
    fn a_retry_is_not_a_further_request() {
        let mut exchanges = Exchanges::default();
        exchanges.begin(vec![]);
        for status in [500, 429, 200, 200] {
            let ticket = exchanges.original(&request("a", 1)).unwrap();
            exchanges.responded(ticket, reply(status));
        }
        // The port sees no failure, so that the number of its own retries does not matter.
        let found = [(); 3].map(|()| played(&mut exchanges, &request("a", 1)));
        assert_eq!(found, [Some(0), Some(1), None]);

        exchanges.begin(vec![]);
        let ticket = exchanges.original(&request("a", 1)).unwrap();
        exchanges.responded(ticket, reply(503));
        let found = [(); 3].map(|()| played(&mut exchanges, &request("a", 1)));
        assert_eq!(found, [Some(0); 3]);
        let sent = exchanges.take();
        assert_eq!((sent.original.len(), sent.port.len()), (1, 1));
    }

    #[test]
    fn a_response_that_comes_after_its_event_is_not_the_next_ones() {
        let mut exchanges = Exchanges::default();
        exchanges.begin(vec![]);
        let late = exchanges.original(&request("a", 1)).unwrap();
        exchanges.begin(vec![]);
        let ticket = exchanges.original(&request("a", 2)).unwrap();
        exchanges.responded(late, reply(200));
        assert!(exchanges.response(ticket).is_none());
        exchanges.responded(ticket, reply(201));
        assert_eq!(exchanges.response(ticket).unwrap().status, 201);
        assert!(exchanges.response(late).is_none());
    }

    #[test]
    fn endless_requests_are_cut() {
        let mut exchanges = Exchanges::default();
        exchanges.begin(vec![]);
        for n in 0..1100 {
            exchanges.original(&request("a", n));
            exchanges.port(&request("b", n));
        }
        let sent = exchanges.take();
        assert_eq!((sent.original.len(), sent.port.len()), (REQUESTS, REQUESTS));
        assert!(sent.is_cut);
    }
}
