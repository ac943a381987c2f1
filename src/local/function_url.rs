//! HTTP requests of a browser or curl, handled as requests to a Lambda function URL.

use super::{
    configuration::new_id,
    function_name::FunctionName,
    help,
    history::Client,
    invoke::{self, Server},
    invoke_request,
    limits::EVENT_LIMIT,
    rejection::{Rejection, set},
};
use crate::http::{UrlRequest, bad_gateway, response_of, streamed_response_of};
use axum::{
    body::Body,
    extract::State,
    http::{Method, Request, Response, StatusCode},
};
use std::{env, sync::Arc};

/// The start of a path that names a function.
pub(super) const PREFIX: &str = "/lambda-url/";

/// Returns whether a path belongs to one of Lambda's APIs, such as `/2015-03-31/functions/..`, and
/// not to a function.
pub(super) fn is_api(path: &str) -> bool {
    let mut segments = path.split('/').skip(1);
    let version = segments.next().unwrap_or_default();
    let is_date = version.len() == 10
        && version.bytes().enumerate().all(|(n, byte)| match n {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    is_date && segments.next() == Some("functions")
}

/// Responds to a request to `/lambda-url/{name}/..`, or to any other path if the program has only
/// one function.
pub(super) async fn respond(
    State(server): State<Arc<Server>>,
    request: Request<Body>,
) -> Response<Body> {
    let path = request.uri().path();
    let (name, path) = match path.strip_prefix(PREFIX) {
        Some(rest) => rest.find('/').map_or((rest, "/"), |at| rest.split_at(at)),
        None => ("", path),
    };
    let path = path.to_owned();
    let (name, region) = (name.to_owned(), server.configuration.region(None));
    let own = own_name();
    let named = match name.as_str() {
        // The name of the program is not part of the path, so it need not be a valid function name.
        "" => Ok(FunctionName::of(&own).placed_in(region)),
        name => FunctionName::parse(name, None).and_then(|named| named.in_region(region)),
    };
    let named = match named {
        Ok(named) => named,
        Err(rejection) => return rejection.respond(&new_id()),
    };
    let (request_id, context) = server.configuration.context(&named);
    let function = match server.functions.named(named.name) {
        Ok(function) => function.clone(),
        Err(mistake) => {
            let message = format!("Function not found, in /lambda-url/NAME: {mistake}");
            return Rejection::no_function(message).respond(&request_id);
        }
    };
    let method = request.method();
    if method == Method::CONNECT || method == Method::TRACE {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let message = format!("a function URL does not accept {method}");
        return Rejection::new(status, "MethodNotAllowedException", message).respond(&request_id);
    }
    let (parts, body) = request.into_parts();
    let url_request = UrlRequest {
        parts: &parts,
        path,
        function: named.name,
        request_id: &request_id,
    };
    let event = match invoke_request::body(body, &server.limits).await {
        Ok(body) => url_request.event(&body),
        Err(rejection) => return rejection.respond(&request_id),
    };
    if event.len() > EVENT_LIMIT {
        return invoke_request::too_large().respond(&request_id);
    }
    if let Err(rejection) = server.has_room() {
        return rejection.respond(&request_id);
    }
    let trace_id = parts.headers.get("x-amzn-trace-id");
    let trace_id = trace_id.and_then(|id| Some(id.to_str().ok()?.to_owned()));
    let context = context.optional(|members| members.xray_trace_id = trace_id);
    let span = context.span();
    let client = Client::FunctionUrl;
    let (entry, outcome) = invoke::outcome(&server, client, function, context, event.into()).await;
    let response = match outcome {
        Ok(invoke::Response::Whole(body)) => {
            response_of(&body).map(|response| response.map(Body::from))
        }
        Ok(invoke::Response::Stream(stream)) => {
            streamed_response_of(&stream.head).map(|response| response.map(|()| stream.into_body()))
        }
        // The error has been logged.
        Err(_) => Ok(bad_gateway().map(Body::from)),
    };
    let mut response = response.unwrap_or_else(|why| {
        span.in_scope(|| tracing::error!("the result is not an HTTP response: {why}"));
        bad_gateway().map(Body::from)
    });
    set(response.headers_mut(), "x-amzn-requestid", &request_id);
    entry.attach_to(response)
}

/// Returns the name of the function for a request that names none.
pub(super) fn own_name() -> String {
    env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|_| help::program(env::args_os().next()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_lambdas_apis_do_not_reach_the_function() {
        for (path, api) in [
            ("/2015-03-31/functions/f/invocations", true),
            (
                "/2021-11-15/functions/f/response-streaming-invocations",
                true,
            ),
            ("/", false),
            ("", false),
            ("/2015-03-31", false),
            ("/2015-03-31/orders", false),
            ("/2015-03-3x/functions", false),
            ("/functions", false),
        ] {
            assert_eq!(is_api(path), api, "{path}");
        }
    }
}
