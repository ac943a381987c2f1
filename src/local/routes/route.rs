//! A single route: its syntax, and the requests that it matches.

use crate::http::Gateway;
use axum::http::Method;
use std::{cmp::Ordering, fmt};

/// A route of an API, or a rule of a load balancer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Route {
    pub(super) gateway: Gateway,
    /// The function that the route names.
    pub(super) function: Option<String>,
    /// `None` for `ANY`.
    method: Option<Method>,
    /// The path as it was written.
    pub(super) path: String,
    target: Target,
}

#[derive(Clone, Debug, PartialEq)]
enum Target {
    /// The path of a resource, such as `/clients/{id}`.
    Resource(Vec<Segment>),
    /// The `$default` route of an HTTP API, which matches what no other route does.
    Default,
    /// The path pattern of a load balancer's rule, with the wildcards `*` and `?`.
    Pattern,
}

#[derive(Clone, Debug, PartialEq)]
enum Segment {
    Literal(String),
    Variable(String),
    Greedy(String),
}

impl Segment {
    /// Returns the rank of the segment. A lower rank takes precedence.
    fn rank(&self) -> u8 {
        match self {
            Segment::Literal(_) => 0,
            Segment::Variable(_) => 1,
            Segment::Greedy(_) => 2,
        }
    }
}

/// The methods of API Gateway. `ANY` stands for all of them.
const METHODS: [Method; 7] = [
    Method::DELETE,
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::PATCH,
    Method::POST,
    Method::PUT,
];

const DEFAULT: &str = "$default";

impl Route {
    /// Parses `[FUNCTION=][METHOD ]PATH`.
    ///
    /// # Errors
    ///
    /// Returns what was expected.
    pub(super) fn parse(gateway: Gateway, text: &str) -> Result<Self, String> {
        let mistake = |what: &str| {
            let option = option(gateway);
            Err(format!("`{option} {text}`: {what}"))
        };
        let (function, rest) = match text.split_once('=') {
            Some((name, rest)) if is_name(name) => (Some(name.to_owned()), rest),
            _ => (None, text),
        };
        let rest = rest.trim();
        let (method, path) = match rest.split_once(char::is_whitespace) {
            Some((method, path)) => (method, path.trim_start()),
            None => ("ANY", rest),
        };
        let method = match method.to_ascii_uppercase() {
            any if any == "ANY" => None,
            name => match METHODS.iter().find(|method| method.as_str() == name) {
                Some(method) => Some(method.clone()),
                None => return mistake("expected a method such as GET or ANY before the path"),
            },
        };
        let target = match gateway {
            Gateway::HttpApi if path == DEFAULT && method.is_none() => Ok(Target::Default),
            _ if !path.starts_with('/') => {
                Err("expected a route such as `GET /clients/{id}` or `/{proxy+}`")
            }
            Gateway::Alb => Ok(Target::Pattern),
            Gateway::Rest | Gateway::HttpApi => segments(path).map(Target::Resource),
        };
        let target = match target {
            Ok(target) => target,
            Err(what) => return mistake(what),
        };
        Ok(Route {
            gateway,
            function,
            method,
            path: path.to_owned(),
            target,
        })
    }

    /// Returns the route as API Gateway writes it.
    pub(super) fn key(&self) -> String {
        match self.target {
            Target::Default => DEFAULT.into(),
            _ => format!("{} {}", self.method(), self.path),
        }
    }

    pub(super) fn is_the_same_as(&self, other: &Self) -> bool {
        self.gateway == other.gateway && self.key() == other.key()
    }

    fn method(&self) -> &str {
        self.method.as_ref().map_or("ANY", Method::as_str)
    }

    pub(super) fn takes(&self, method: &Method) -> bool {
        match (&self.method, self.gateway) {
            (Some(own), _) => own == method,
            (None, Gateway::Alb) => true,
            (None, Gateway::Rest | Gateway::HttpApi) => METHODS.contains(method),
        }
    }

    /// Returns the values of the path variables if the path matches.
    pub(super) fn matches(&self, path: &str) -> Option<Vec<(String, String)>> {
        match &self.target {
            Target::Default => Some(Vec::new()),
            Target::Pattern => glob(self.path.as_bytes(), path.as_bytes()).then(Vec::new),
            Target::Resource(segments) => variables(segments, path),
        }
    }

    /// Compares two routes that match the same request: the lesser one takes precedence. A literal
    /// precedes a variable, a variable precedes a greedy one, and a method precedes `ANY`. In an
    /// HTTP API, any route without a greedy variable precedes a route with one.
    pub(super) fn precedence(&self, other: &Self) -> Ordering {
        let greedy = |route: &Route| route.gateway == Gateway::HttpApi && route.is_greedy();
        let any = |route: &Route| route.method.is_none();
        greedy(self)
            .cmp(&greedy(other))
            .then_with(|| match (&self.target, &other.target) {
                (Target::Resource(own), Target::Resource(other)) => {
                    let ranks = |segments: &[Segment]| {
                        segments.iter().map(Segment::rank).collect::<Vec<_>>()
                    };
                    ranks(own).cmp(&ranks(other))
                }
                (Target::Resource(_), _) => Ordering::Less,
                (_, Target::Resource(_)) => Ordering::Greater,
                _ => Ordering::Equal,
            })
            .then_with(|| any(self).cmp(&any(other)))
    }

    fn is_greedy(&self) -> bool {
        match &self.target {
            Target::Resource(segments) => matches!(segments.last(), Some(Segment::Greedy(_))),
            Target::Default => true,
            Target::Pattern => false,
        }
    }

    /// Returns the route as the server lists it when it starts.
    pub(super) fn line(&self, server: &str) -> String {
        let method = self.method();
        let path = match self.target {
            Target::Default => "/ (any other path)",
            _ => &self.path,
        };
        let kind = match self.gateway {
            Gateway::Rest => "REST API",
            Gateway::HttpApi => "HTTP API",
            Gateway::Alb => "ALB",
        };
        match &self.function {
            Some(function) => format!("{kind}: {method} {server}{path} for {function}\n"),
            None => format!("{kind}: {method} {server}{path}\n"),
        }
    }
}

/// Returns the option that adds a route of this kind.
fn option(gateway: Gateway) -> &'static str {
    match gateway {
        Gateway::Rest => "--rest",
        Gateway::HttpApi => "--http-api",
        Gateway::Alb => "--alb",
    }
}

fn is_name(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !text.is_empty() && text.bytes().all(is_letter)
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", option(self.gateway), self.key())
    }
}

fn segments(path: &str) -> Result<Vec<Segment>, &'static str> {
    let mut segments = Vec::new();
    if path == "/" {
        return Ok(segments);
    }
    for part in path.split('/').skip(1) {
        if matches!(segments.last(), Some(Segment::Greedy(_))) {
            return Err("expected the greedy variable at the end of the path");
        }
        let segment = match part.strip_prefix('{').map(|rest| rest.strip_suffix('}')) {
            None => Segment::Literal(part.into()),
            Some(None) => return Err("expected `}` at the end of a variable"),
            Some(Some(name)) => match name.strip_suffix('+') {
                Some(name) => Segment::Greedy(name.into()),
                None => Segment::Variable(name.into()),
            },
        };
        let (Segment::Literal(text) | Segment::Variable(text) | Segment::Greedy(text)) = &segment;
        if text.is_empty() {
            return Err("expected no empty segment or variable name in the path");
        }
        if text.contains(['{', '}', '?', '#']) || text.contains(char::is_whitespace) {
            return Err("expected segments that are literal or one whole variable");
        }
        segments.push(segment);
    }
    Ok(segments)
}

fn variables(segments: &[Segment], path: &str) -> Option<Vec<(String, String)>> {
    let mut rest = Some(path.strip_prefix('/')?).filter(|rest| !rest.is_empty());
    let mut variables = Vec::new();
    for segment in segments {
        let path = rest?;
        if let Segment::Greedy(name) = segment {
            variables.push((name.clone(), path.to_owned()));
            return Some(variables);
        }
        let (part, after) = match path.split_once('/') {
            Some((part, after)) => (part, Some(after)),
            None => (path, None),
        };
        rest = after;
        match segment {
            Segment::Literal(text) if text != part => return None,
            Segment::Variable(_) if part.is_empty() => return None,
            Segment::Variable(name) => variables.push((name.clone(), part.to_owned())),
            Segment::Literal(_) | Segment::Greedy(_) => {}
        }
    }
    rest.is_none().then_some(variables)
}

/// Returns whether a path matches a pattern, in which `*` stands for any text and `?` for one byte.
/// The number of steps is at most the product of both lengths.
fn glob(mut pattern: &[u8], mut path: &[u8]) -> bool {
    // Where to continue if the text after the last `*` does not match: after the `*`, and one byte
    // later in the path.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), path.split_first()) {
            (None, None) => return true,
            (Some((b'*', after)), _) => {
                retry = Some((after, path));
                pattern = after;
            }
            (Some((&own, after)), Some((&byte, rest))) if own == b'?' || own == byte => {
                pattern = after;
                path = rest;
            }
            _ => {
                let Some((after, from)) = retry else {
                    return false;
                };
                let Some((_, later)) = from.split_first() else {
                    return false;
                };
                retry = Some((after, later));
                pattern = after;
                path = later;
            }
        }
    }
}

#[cfg(test)]
#[path = "../../tests/route.rs"]
mod tests;
