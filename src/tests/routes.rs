//! Which route a request takes.

use super::*;

fn routes(routes: LocalRoutes) -> Routes {
    routes.parse().unwrap_or_else(|mistake| panic!("{mistake}"))
}

fn key(routes: &Routes, method: &str, path: &str) -> String {
    let method = method.parse().unwrap();
    let found = routes.find(&method, path);
    found.map_or_else(|why| format!("{why:?}"), |found| found.key)
}

const NONE_OF_REST: &str = "NoRoute(Rest)";

#[test]
fn the_most_specific_route_goes_first() {
    let all = [
        "/{proxy+}",
        "OPTIONS /{proxy+}",
        "/pets/{proxy+}",
        "GET /pets/{id}",
        "/pets/{id}",
        "GET /pets/cat",
        "POST /pets/{id}/toys",
    ];
    // In whatever order they were added.
    for turn in 0..all.len() {
        let mut order = all;
        order.rotate_left(turn);
        let rest = order
            .iter()
            .fold(LocalRoutes::new(), |sum, route| sum.rest(*route));
        let http = order.iter();
        let http = http.fold(LocalRoutes::new(), |sum, route| sum.http_api(*route));
        for routes in [routes(rest), routes(http)] {
            for (method, path, expected) in [
                ("GET", "/pets/cat", "GET /pets/cat"),
                ("GET", "/pets/dog", "GET /pets/{id}"),
                ("PUT", "/pets/cat", "ANY /pets/{id}"),
                ("POST", "/pets/cat/toys", "POST /pets/{id}/toys"),
                // The path that goes first has no such method.
                ("GET", "/pets/cat/toys", "ANY /pets/{proxy+}"),
                ("GET", "/pets", "ANY /{proxy+}"),
                ("OPTIONS", "/other", "OPTIONS /{proxy+}"),
            ] {
                assert_eq!(key(&routes, method, path), expected, "{method} {path}");
            }
        }
    }
}

#[test]
fn in_an_http_api_a_full_match_goes_before_a_greedy_one() {
    let all = LocalRoutes::new().http_api("/a/b/{proxy+}");
    let all = all.http_api("/a/{x}/{y}").http_api("$default");
    let http = routes(all);
    assert_eq!(key(&http, "GET", "/a/b/c"), "ANY /a/{x}/{y}");
    assert_eq!(key(&http, "GET", "/a/b/c/d"), "ANY /a/b/{proxy+}");
    assert_eq!(key(&http, "GET", "/"), "$default");
    let rest = routes(LocalRoutes::new().rest("/a/b/{proxy+}").rest("/a/{x}/{y}"));
    assert_eq!(key(&rest, "GET", "/a/b/c"), "ANY /a/b/{proxy+}");
}

#[test]
fn a_rest_api_ignores_slashes_at_both_ends() {
    let rest = routes(LocalRoutes::new().rest("/fixed").rest("/{proxy+}"));
    for (path, key, in_event, proxy) in [
        ("/value/", "ANY /{proxy+}", "/value/", Some("value")),
        ("//value", "ANY /{proxy+}", "/value", Some("value")),
        ("/a//b", "ANY /{proxy+}", "/a//b", Some("a//b")),
        ("/a%2Fb", "ANY /{proxy+}", "/a%2Fb", Some("a%2Fb")),
        ("//fixed", "ANY /fixed", "/fixed", None),
    ] {
        let found = rest.find(&Method::GET, path).unwrap();
        assert_eq!((found.key.as_str(), found.path.as_str()), (key, in_event));
        let value = found.variables.first().map(|(_, value)| value.as_str());
        assert_eq!(value, proxy, "{path}");
    }
    assert_eq!(key(&rest, "GET", "/"), NONE_OF_REST);
    assert_eq!(key(&rest, "PURGE", "/fixed"), NONE_OF_REST);
}

#[test]
fn an_http_api_decodes_the_path_as_recorded_on_aws() {
    let http = routes(
        LocalRoutes::new()
            .http_api("/files/{name}")
            .http_api("$default"),
    );
    for (path, decoded) in [
        ("/files/plain", Some("/files/plain")),
        ("/files/a%20b", Some("/files/a b")),
        ("/files/a+b", Some("/files/a+b")),
        ("/files/a%3Fb", Some("/files/a")),
        ("/files/a%23b", Some("/files/a#b")),
        ("/files/a%2Fb", Some("/files/a/b")),
        ("/files/%CE%BB", Some("/files/λ")),
        ("/files/a%252Fb", Some("/files/a/b")),
        ("/files/a%253Fb", Some("/files/a?b")),
        ("/files/a%2525b", Some("/files/a%b")),
        ("/files/a%25b", None),
        ("/files/a%", None),
        ("/files/a%2", None),
        ("/files/a%zz", None),
    ] {
        let found = http.find(&Method::GET, path);
        match decoded {
            Some(decoded) => assert_eq!(found.unwrap().path, decoded, "{path}"),
            None => assert_eq!(found.unwrap_err(), Unmatched::Malformed, "{path}"),
        }
    }
    let found = http.find(&Method::GET, "/files/a%20b").unwrap();
    assert_eq!(found.variables, [("name".into(), "a b".into())]);
    assert_eq!(key(&http, "GET", "/files/a%2Fb"), "$default");
    assert_eq!(key(&http, "GET", "/files/a/"), "$default");
}

#[test]
fn of_a_load_balancers_rules_the_first_counts() {
    let alb = routes(LocalRoutes::new().alb("POST /a/*").alb("/a/*").alb("/a/b"));
    assert_eq!(key(&alb, "GET", "/a/b"), "ANY /a/*");
    assert_eq!(key(&alb, "POST", "/a/b"), "POST /a/*");
    assert_eq!(key(&alb, "PURGE", "/a/b"), "ANY /a/*");
    assert_eq!(key(&alb, "GET", "/b"), "NoRoute(Alb)");
}

#[test]
fn a_route_that_is_added_again_is_replaced() {
    let program = LocalRoutes::new().rest("old=/a").stage("dev").rest("/b");
    let line = LocalRoutes::new().rest("new=ANY /a").stage("live");
    let both = routes(program.and(line));
    assert_eq!(both.settings.stage.as_deref(), Some("live"));
    let found = both.find(&Method::GET, "/a").unwrap();
    assert_eq!(found.function, Some("new"));
    assert_eq!(
        both.lines("http://localhost:1"),
        "REST API: ANY http://localhost:1/b\nREST API: ANY http://localhost:1/a for new\n"
    );
}
