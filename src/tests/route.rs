//! Which requests a route matches, and which of several goes first.

use super::*;
use std::time::{Duration, Instant};

fn route(gateway: Gateway, text: &str) -> Route {
    Route::parse(gateway, text).unwrap_or_else(|mistake| panic!("{mistake}"))
}

fn variables_of(text: &str, path: &str) -> Option<Vec<(String, String)>> {
    route(Gateway::Rest, text).matches(path)
}

#[test]
fn a_route_names_its_function_its_method_and_its_path() {
    for (text, function, key) in [
        ("/clients/{id}", None, "ANY /clients/{id}"),
        ("GET /clients", None, "GET /clients"),
        ("get  /clients", None, "GET /clients"),
        ("ANY /", None, "ANY /"),
        (
            "orders=POST /orders/{id}",
            Some("orders"),
            "POST /orders/{id}",
        ),
        ("orders=/a=b", Some("orders"), "ANY /a=b"),
        ("/a=b", None, "ANY /a=b"),
    ] {
        let route = route(Gateway::Rest, text);
        assert_eq!(
            (route.function.as_deref(), route.key().as_str()),
            (function, key)
        );
    }
    let default = route(Gateway::HttpApi, "orders=$default");
    assert_eq!(default.key(), "$default");
}

#[test]
fn a_mistake_in_a_route_says_what_was_expected() {
    for (text, expected) in [
        ("", "expected a route such as"),
        ("clients", "expected a route such as"),
        ("$default", "expected a route such as"),
        ("FETCH /clients", "expected a method"),
        ("/a/", "no empty segment"),
        ("//", "no empty segment"),
        ("/{}", "no empty segment"),
        ("/{+}", "no empty segment"),
        ("/{a", "expected `}`"),
        ("/a{b}", "literal or one whole variable"),
        ("/{a}b", "expected `}`"),
        ("/{{a}}", "literal or one whole variable"),
        ("/{a+}/b", "at the end of the path"),
        ("/a?b", "literal or one whole variable"),
        ("GET /a b", "literal or one whole variable"),
    ] {
        let mistake = Route::parse(Gateway::Rest, text).unwrap_err();
        assert!(mistake.contains(expected), "{text}: {mistake}");
        assert!(
            mistake.starts_with(&format!("`--rest {text}`")),
            "{mistake}"
        );
    }
    assert!(Route::parse(Gateway::HttpApi, "GET $default").is_err());
}

#[test]
fn variables_take_whole_segments_and_greedy_ones_the_rest() {
    let is = |text, path, expected: &[(&str, &str)]| {
        let expected = expected.iter();
        let expected = expected.map(|(name, value)| ((*name).into(), (*value).into()));
        assert_eq!(
            variables_of(text, path),
            Some(expected.collect()),
            "{text} {path}"
        );
    };
    is("/", "/", &[]);
    is("/clients", "/clients", &[]);
    is("/clients/{id}", "/clients/7", &[("id", "7")]);
    is("/{a}/x/{b}", "/1/x/2", &[("a", "1"), ("b", "2")]);
    is("/{proxy+}", "/a/b//c", &[("proxy", "a/b//c")]);
    is(
        "/f/{id}/{rest+}",
        "/f/7/a/b",
        &[("id", "7"), ("rest", "a/b")],
    );
    for (text, path) in [
        ("/", "/a"),
        ("/clients", "/"),
        ("/clients", "/clients/"),
        ("/clients", "/clients/7"),
        ("/clients", "/Clients"),
        ("/clients/{id}", "/clients"),
        ("/clients/{id}", "/clients/"),
        ("/clients/{id}", "/clients/7/x"),
        ("/{a}/x", "//x"),
        ("/{proxy+}", "/"),
        ("/f/{proxy+}", "/f"),
    ] {
        assert_eq!(variables_of(text, path), None, "{text} {path}");
    }
}

#[test]
fn wildcards_match_as_those_of_a_load_balancer() {
    for (pattern, path) in [
        ("/*", "/"),
        ("/*", "/a/b"),
        ("/a/*", "/a/"),
        ("/a/*/c", "/a/b/b/c"),
        ("/*.png", "/a.png.png"),
        ("/a?c", "/abc"),
        ("/a?c", "/a/c"),
        ("/**", "/a"),
    ] {
        assert!(
            glob(pattern.as_bytes(), path.as_bytes()),
            "{pattern} {path}"
        );
    }
    for (pattern, path) in [
        ("/a/*", "/a"),
        ("/a", "/a/"),
        ("/a?", "/a"),
        ("/*.png", "/a.pn"),
        ("/A", "/a"),
    ] {
        assert!(
            !glob(pattern.as_bytes(), path.as_bytes()),
            "{pattern} {path}"
        );
    }
}

#[test]
fn a_pattern_of_many_wildcards_takes_no_exponential_time() {
    let pattern = "/".to_owned() + &"*a".repeat(200);
    let path = "/".to_owned() + &"a".repeat(16_000) + "b";
    let started = Instant::now();
    assert!(!glob(pattern.as_bytes(), path.as_bytes()));
    assert!(started.elapsed() < Duration::from_secs(10));
}
