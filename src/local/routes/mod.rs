//! The routes of the local server.

mod route;

use self::route::Route;
use crate::{
    http::{Gateway, GatewaySettings},
    invocation::Functions,
};
use axum::http::Method;
use percent_encoding::percent_decode_str;

/// Routes of an API Gateway API or of an Application Load Balancer, for the local server: see
/// [`Runtime::local_routes`](crate::Runtime::local_routes).
///
/// A route is written `[FUNCTION=][METHOD ]PATH`: `/clients/{id}`, `GET /clients/{id}`,
/// `orders=POST /orders`. `ANY` stands for every method, and is the default. In a program with
/// several handlers, `FUNCTION` is the handler that the route calls.
///
/// ```
/// use nodeback::LocalRoutes;
///
/// let routes = LocalRoutes::new()
///     .rest("GET /clients/{id}")
///     .rest("/files/{proxy+}")
///     .stage("dev")
///     .stage_variable("table", "clients-dev");
/// # drop(routes);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LocalRoutes {
    routes: Vec<(Gateway, String)>,
    settings: GatewaySettings,
}

impl LocalRoutes {
    /// Returns an empty list of routes.
    ///
    /// ```
    /// let routes = nodeback::LocalRoutes::new();
    /// # drop(routes);
    /// ```
    pub fn new() -> Self {
        LocalRoutes::default()
    }

    /// Adds a route of a REST API with Lambda proxy integration, with payload format 1.0. The
    /// option `--rest` does the same.
    ///
    /// ```
    /// let routes = nodeback::LocalRoutes::new().rest("GET /clients/{id}").rest("/{proxy+}");
    /// # drop(routes);
    /// ```
    pub fn rest(self, route: impl Into<String>) -> Self {
        self.add(Gateway::Rest, route)
    }

    /// Adds a route of an HTTP API with payload format 2.0. The route may be `$default`. The option
    /// `--http-api` does the same.
    ///
    /// ```
    /// let routes = nodeback::LocalRoutes::new().http_api("GET /clients/{id}").http_api("$default");
    /// # drop(routes);
    /// ```
    pub fn http_api(self, route: impl Into<String>) -> Self {
        self.add(Gateway::HttpApi, route)
    }

    /// Adds a rule of an Application Load Balancer, whose path is a pattern with the wildcards `*`
    /// and `?`. Rules are evaluated in the order in which they were added. The option `--alb` does
    /// the same.
    ///
    /// ```
    /// let routes = nodeback::LocalRoutes::new().alb("/clients/*");
    /// # drop(routes);
    /// ```
    pub fn alb(self, rule: impl Into<String>) -> Self {
        self.add(Gateway::Alb, rule)
    }

    pub(super) fn add(mut self, gateway: Gateway, route: impl Into<String>) -> Self {
        self.routes.push((gateway, route.into()));
        self
    }

    /// Enables multi-value headers of the load balancer's target group, which are off by default.
    /// The option `--alb-multi-value-headers` does the same.
    ///
    /// ```
    /// let routes = nodeback::LocalRoutes::new().alb("/*").alb_multi_value_headers();
    /// # drop(routes);
    /// ```
    pub fn alb_multi_value_headers(mut self) -> Self {
        self.settings.alb_multi_value_headers = true;
        self
    }

    /// Sets the stage of the APIs. The default is `Prod` for a REST API and `$default` for an HTTP
    /// API. The option `--stage` does the same.
    ///
    /// ```
    /// let routes = nodeback::LocalRoutes::new().rest("/{proxy+}").stage("dev");
    /// # drop(routes);
    /// ```
    pub fn stage(mut self, stage: impl Into<String>) -> Self {
        self.settings.stage = Some(stage.into());
        self
    }

    /// Adds a stage variable. The option `--stage-variable` does the same.
    ///
    /// ```
    /// let routes = nodeback::LocalRoutes::new().rest("/").stage_variable("table", "clients-dev");
    /// # drop(routes);
    /// ```
    pub fn stage_variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let variable = (name.into(), value.into());
        self.settings.stage_variables.push(variable);
        self
    }

    /// Adds a binary media type of the REST API, such as `image/png`, `image/*` or `*/*`. The
    /// option `--binary-media-type` does the same.
    ///
    /// ```
    /// let routes = nodeback::LocalRoutes::new().rest("/images").binary_media_type("image/*");
    /// # drop(routes);
    /// ```
    pub fn binary_media_type(mut self, media_type: impl Into<String>) -> Self {
        let media_type: String = media_type.into();
        let types = &mut self.settings.binary_media_types;
        types.push(media_type.trim().to_ascii_lowercase());
        self
    }

    /// Combines these routes with others, whose stage takes precedence.
    pub(super) fn and(mut self, other: Self) -> Self {
        let settings = other.settings;
        self.routes.extend(other.routes);
        self.settings.stage = settings.stage.or(self.settings.stage);
        let variables = &mut self.settings.stage_variables;
        variables.extend(settings.stage_variables);
        let types = &mut self.settings.binary_media_types;
        types.extend(settings.binary_media_types);
        self.settings.alb_multi_value_headers |= settings.alb_multi_value_headers;
        self
    }

    /// Parses the routes.
    ///
    /// # Errors
    ///
    /// Returns what was expected in the first invalid one.
    pub(super) fn parse(&self) -> Result<Routes, String> {
        let mut routes: Vec<Route> = Vec::new();
        for (gateway, text) in &self.routes {
            let route = Route::parse(*gateway, text)?;
            // A route that is added again replaces the earlier one. Of a load balancer's rules, the
            // first match applies, so all of them stay.
            routes.retain(|other| *gateway == Gateway::Alb || !other.is_the_same_as(&route));
            routes.push(route);
        }
        if let Some(stage) = &self.settings.stage {
            let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            let is_named = (1..=128).contains(&stage.len()) && stage.bytes().all(is_letter);
            if !is_named && stage != "$default" {
                return Err(format!(
                    "`--stage {stage}`: expected letters, digits, - and _, at most 128"
                ));
            }
        }
        for media_type in &self.settings.binary_media_types {
            if media_type
                .split('/')
                .filter(|part| !part.is_empty())
                .count()
                != 2
            {
                return Err(format!(
                    "`--binary-media-type {media_type}`: expected a type such as image/png or */*"
                ));
            }
        }
        Ok(Routes {
            routes,
            settings: self.settings.clone(),
        })
    }
}

/// The parsed routes.
#[derive(Debug, Default)]
pub(super) struct Routes {
    routes: Vec<Route>,
    pub(super) settings: GatewaySettings,
}

/// A route that matches a request.
#[derive(Debug)]
pub(super) struct Match<'a> {
    pub(super) gateway: Gateway,
    /// The function that the route names.
    pub(super) function: Option<&'a str>,
    pub(super) resource: &'a str,
    pub(super) key: String,
    /// The path in the event.
    pub(super) path: String,
    pub(super) variables: Vec<(String, String)>,
}

/// The reason why no route matches a request.
#[derive(Debug, PartialEq)]
pub(super) enum Unmatched {
    /// No route matches. This gateway, the first one that has routes, responds.
    NoRoute(Gateway),
    /// An HTTP API cannot decode the path.
    Malformed,
}

impl Routes {
    pub(super) fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// Returns the routes, one per line.
    pub(super) fn lines(&self, server: &str) -> String {
        self.routes.iter().map(|route| route.line(server)).collect()
    }

    /// Checks that the function of each route exists.
    ///
    /// # Errors
    ///
    /// Returns a message with the first route whose function does not exist.
    pub(super) fn check(&self, functions: &Functions) -> Result<(), String> {
        for route in &self.routes {
            let function = route.function.as_deref().unwrap_or_default();
            if let Err(mistake) = functions.named(function) {
                return Err(format!(
                    "`{route}` calls no handler: {mistake} (as in `NAME={}`)",
                    route.key()
                ));
            }
        }
        Ok(())
    }

    /// Finds the route of a request: of a REST API if one matches, then of an HTTP API, then of a
    /// load balancer.
    pub(super) fn find(&self, method: &Method, path: &str) -> Result<Match<'_>, Unmatched> {
        // A REST API ignores additional slashes at the start and at the end.
        let rest = format!("/{}", path.trim_start_matches('/'));
        let matched = rest.trim_end_matches('/');
        let matched = if matched.is_empty() { "/" } else { matched };
        if let Some(found) = self.best(Gateway::Rest, method, matched, &rest) {
            return Ok(found);
        }
        if self.has(Gateway::HttpApi) {
            let Some(decoded) = decoded(path) else {
                return Err(Unmatched::Malformed);
            };
            if let Some(found) = self.best(Gateway::HttpApi, method, &decoded, &decoded) {
                return Ok(found);
            }
        }
        if let Some(found) = self.best(Gateway::Alb, method, path, path) {
            return Ok(found);
        }
        let kinds = [Gateway::Rest, Gateway::HttpApi, Gateway::Alb];
        let responds = kinds.into_iter().find(|kind| self.has(*kind));
        Err(Unmatched::NoRoute(responds.unwrap_or(Gateway::Alb)))
    }

    fn has(&self, gateway: Gateway) -> bool {
        self.routes.iter().any(|route| route.gateway == gateway)
    }

    /// Returns the matching route with the highest precedence.
    fn best(
        &self,
        gateway: Gateway,
        method: &Method,
        matched: &str,
        path: &str,
    ) -> Option<Match<'_>> {
        let routes = self.routes.iter();
        let routes = routes.filter(|route| route.gateway == gateway && route.takes(method));
        let matching = routes.filter_map(|route| Some((route, route.matches(matched)?)));
        // Of equal routes, this returns the first, as a load balancer does with its rules.
        let (route, variables) = matching.min_by(|(a, _), (b, _)| a.precedence(b))?;
        Some(Match {
            gateway,
            function: route.function.as_deref(),
            resource: &route.path,
            key: route.key(),
            path: path.to_owned(),
            variables,
        })
    }
}

/// Decodes a path as an HTTP API does: twice, where a `?` that the first decoding yields ends the
/// path. Returns `None` if, in either decoding, a `%` does not start an escape.
fn decoded(path: &str) -> Option<String> {
    let once = decode(path)?;
    decode(once.split('?').next().unwrap_or_default())
}

fn decode(path: &str) -> Option<String> {
    let escapes = path.split('%').skip(1);
    let mut digits = escapes.map(|escape| escape.as_bytes().get(..2).unwrap_or_default());
    let is_whole = digits.all(|two| two.len() == 2 && two.iter().all(u8::is_ascii_hexdigit));
    is_whole.then(|| percent_decode_str(path).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
#[path = "../../tests/routes.rs"]
mod tests;
