//! The differences between the requests of both sides.

use super::{exchanges::Sent, request::Request};
use crate::parity::{
    compare::{Difference, Differences},
    excerpt::{Excerpt, shown, shown_pair},
};

/// The maximum number of requests of the original that are compared with those of the port member
/// by member, to find the pairs.
const LOOKED_INTO: usize = 100;

/// Returns the differences, each with a path such as `requests/2/body/Item`. `ignores` is called
/// with the path of each difference.
pub(in crate::parity) fn differences(
    sent: &Sent,
    ignores: &dyn Fn(&str) -> bool,
) -> Vec<Difference> {
    let mut differences = Differences::new(ignores);
    let originals: Vec<&Request> = sent.original.iter().map(|one| &one.request).collect();
    let pairs = pairs(&originals, &sent.port, ignores);
    for (at, (original, port)) in originals.iter().zip(&pairs).enumerate() {
        let path = path(at);
        match port.and_then(|port| sent.port.get(port)) {
            Some(port) if port.operation == original.operation => {
                members(&mut differences, &path, original, port);
            }
            port => {
                let port = port.map_or("undefined".to_owned(), described);
                differences.add(&path, described(original), port);
            }
        }
    }
    let further = (0..sent.port.len()).filter(|at| !pairs.contains(&Some(*at)));
    for (number, at) in (originals.len()..).zip(further) {
        let port = sent.port.get(at).map_or_else(String::new, described);
        differences.add(&path(number), "undefined".to_owned(), port);
    }
    if is_in_another_order(sent, &pairs) {
        let mut order: Vec<(usize, usize)> = pairs
            .iter()
            .enumerate()
            .filter_map(|(at, port)| Some((at, (*port)?)))
            .collect();
        let names = |order: &[(usize, usize)]| {
            let names = order.iter().map(|(at, _)| {
                let name = originals.get(*at).map_or("", |one| one.operation.as_str());
                format!("{at} {name}")
            });
            names.collect::<Vec<_>>().join(", ")
        };
        let original = names(&order);
        order.sort_by_key(|(_, port)| *port);
        let (original, port) = shown_pair(&original, &names(&order));
        let in_order = |names: Excerpt| format!("in the order {names}");
        differences.add("requests", in_order(original), in_order(port));
    }
    if sent.is_cut {
        let many = |count: usize| format!("{count} requests or more");
        let (original, port) = (many(originals.len()), many(sent.port.len()));
        differences.add("requests", original, port);
    }
    differences.list
}

fn path(at: usize) -> String {
    format!("requests/{at}")
}

fn described(request: &Request) -> String {
    format!("{} {}", request.operation, shown(&request.text()))
}

fn members(differences: &mut Differences<'_>, path: &str, original: &Request, port: &Request) {
    let (original, port) = (original.text(), port.text());
    differences.values(path, 0, Some(&original), Some(&port));
}

/// Returns whether a request of the port is the counterpart of the original's request at an index.
type Rule<'a> = &'a dyn Fn(usize, &Request, &Request) -> bool;

/// Returns the port's counterpart of each request of the original: an equal one, or else one that
/// differs only in ignored members, or else one of the same operation, or else any that is left.
fn pairs(
    originals: &[&Request],
    ports: &[Request],
    ignores: &dyn Fn(&str) -> bool,
) -> Vec<Option<usize>> {
    let is_same = |_: usize, original: &Request, port: &Request| original == port;
    let is_ignored = |at: usize, original: &Request, port: &Request| {
        let mut differences = Differences::new(ignores);
        if original.operation == port.operation {
            members(&mut differences, &path(at), original, port);
        }
        original.operation == port.operation && differences.list.is_empty()
    };
    let is_alike =
        |_: usize, original: &Request, port: &Request| original.operation == port.operation;
    let is_left = |_: usize, _: &Request, _: &Request| true;
    let rules: [Rule<'_>; 4] = [&is_same, &is_ignored, &is_alike, &is_left];
    let mut pairs = vec![None; originals.len()];
    let mut is_taken = vec![false; ports.len()];
    for (number, is_counterpart) in rules.into_iter().enumerate() {
        let open = pairs.iter().filter(|pair| pair.is_none()).count();
        if number == 1 && open > LOOKED_INTO {
            continue;
        }
        let open = originals.iter().zip(&mut pairs).enumerate();
        for (at, (original, pair)) in open.filter(|(_, (_, pair))| pair.is_none()) {
            let mut free = ports.iter().zip(&mut is_taken).enumerate();
            let found =
                free.find(|(_, (port, taken))| !**taken && is_counterpart(at, original, port));
            if let Some((found, (_, taken))) = found {
                *taken = true;
                *pair = Some(found);
            }
        }
    }
    pairs
}

/// Returns whether the port sent two requests in another order, although the original waited for
/// the response to the first. Requests that the original sent concurrently may come in any order.
fn is_in_another_order(sent: &Sent, pairs: &[Option<usize>]) -> bool {
    let all = sent.original.iter().zip(pairs).enumerate();
    let mut latest = all.flat_map(|(at, (exchange, port))| {
        let earlier = pairs.iter().take(at).enumerate();
        let alongside = &exchange.alongside;
        let waited = earlier.filter(move |(earlier, _)| alongside.binary_search(earlier).is_err());
        waited.map(move |(_, earlier)| (*earlier, *port))
    });
    latest.any(
        |(earlier, port)| matches!((earlier, port), (Some(earlier), Some(port)) if earlier > port),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// Lists the differences between requests, each of which is an operation and a body. Those of
    /// the original also have `alongside`.
    fn listed(
        original: &[(&str, Value, &[usize])],
        port: &[(&str, Value)],
        ignored: &str,
    ) -> Vec<String> {
        let original: Vec<Value> = original
            .iter()
            .map(|(operation, body, alongside)| {
                json!({ "operation": operation, "body": body, "alongside": alongside, "response": null })
            })
            .collect();
        let port: Vec<Value> = port
            .iter()
            .map(|(operation, body)| json!({ "operation": operation, "body": body }))
            .collect();
        let sent = json!({ "original": original, "port": port, "is_cut": false });
        let sent: Sent = serde_json::from_value(sent).unwrap();
        let listed = |one: Difference| format!("{}: {} | {}", one.path, one.original, one.port);
        let ignores = |path: &str| !ignored.is_empty() && path.ends_with(ignored);
        differences(&sent, &ignores)
            .into_iter()
            .map(listed)
            .collect()
    }

    const WAITED: &[usize] = &[];

    #[test]
    fn what_differs_in_a_request_has_its_path() {
        let get = |key: &str| json!({ "Key": { "id": { "S": key } } });
        let original = [("db Get", get("1"), WAITED), ("db Put", get("2"), WAITED)];
        let none: [&str; 0] = [];
        assert_eq!(
            listed(&original, &[("db Get", get("1")), ("db Put", get("2"))], ""),
            none
        );
        assert_eq!(
            listed(&original, &[("db Get", get("1")), ("db Put", get("3"))], ""),
            [r#"requests/1/body/Key/id/S: "2" | "3""#]
        );
        assert_eq!(
            listed(&original, &[("db Get", get("1"))], ""),
            [r#"requests/1: db Put {"body":{"Key":{"id":{"S":"2"}}}} | undefined"#]
        );
        let more = [
            ("db Get", get("1")),
            ("db Put", get("2")),
            ("db Put", get("2")),
        ];
        assert_eq!(
            listed(&original, &more, ""),
            [r#"requests/2: undefined | db Put {"body":{"Key":{"id":{"S":"2"}}}}"#]
        );
        assert_eq!(
            listed(&original[..1], &[("db Query", json!({}))], ""),
            [r#"requests/0: db Get {"body":{"Key":{"id":{"S":"1"}}}} | db Query {"body":{}}"#]
        );
        assert_eq!(
            listed(
                &original,
                &[("db Get", get("7")), ("db Put", get("7"))],
                "/S"
            ),
            none
        );
    }

    #[test]
    fn the_order_counts_where_the_original_waited() {
        let put = |key: u32| json!({ "key": key });
        let turned = [("db Put", put(2)), ("db Put", put(1))];
        assert_eq!(
            listed(
                &[("db Put", put(1), WAITED), ("db Put", put(2), WAITED)],
                &turned,
                ""
            ),
            ["requests: in the order 0 db Put, 1 db Put | in the order 1 db Put, 0 db Put"]
        );
        let at_once: [(_, _, &[usize]); 2] = [("db Put", put(1), WAITED), ("db Put", put(2), &[0])];
        assert!(listed(&at_once, &turned, "").is_empty());
        // Ignored members do not keep the pairs from being found.
        let put = |key: u32, date: u32| json!({ "key": key, "date": date });
        let at_once: [(_, _, &[usize]); 2] =
            [("db Put", put(1, 5), WAITED), ("db Put", put(2, 6), &[0])];
        let turned = [("db Put", put(2, 7)), ("db Put", put(1, 8))];
        assert!(listed(&at_once, &turned, "/date").is_empty());
    }
}
