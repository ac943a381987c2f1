//! HTTP requests to the routes of API Gateway and of a load balancer.

use super::{
    configuration::new_id,
    function_name::FunctionName,
    function_url::own_name,
    invoke::{self, Server},
    invoke_request,
    limits::EVENT_LIMIT,
    rejection::{Rejected, set},
    routes::Unmatched,
};
use crate::http::{Gateway, GatewayRequest, bad_request, streamed_response_of};
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{Request, Response},
};
use std::sync::Arc;

/// Responds to a request as the gateway of the route that it matches.
pub(super) async fn respond(
    State(server): State<Arc<Server>>,
    request: Request<Body>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let found = match server.routes.find(&parts.method, parts.uri.path()) {
        Ok(found) => found,
        Err(Unmatched::NoRoute(gateway)) => {
            let why = "no route matches the method and the path";
            return reject(gateway, gateway.no_route(), why, &new_id());
        }
        Err(Unmatched::Malformed) => {
            let why = "the path is not valid percent-encoding";
            return reject(Gateway::HttpApi, bad_request(), why, &new_id());
        }
    };
    let gateway = found.gateway;
    let name = found.function.map_or_else(own_name, String::from);
    let named = FunctionName::of(&name).placed_in(server.configuration.region(None));
    let (request_id, context) = server.configuration.context(&named);
    let function = match server.functions.named(&name) {
        Ok(function) => function.clone(),
        // The functions of all routes were checked when the server started.
        Err(_) => return finish(gateway, gateway.failed(), &request_id),
    };
    let body = match invoke_request::body(body, &server.limits).await {
        Ok(body) => body,
        Err(rejection) if rejection.is_too_large() => {
            return reject(gateway, gateway.too_large(), TOO_LARGE, &request_id);
        }
        Err(rejection) => return rejection.respond(&request_id),
    };
    let request = GatewayRequest {
        gateway,
        settings: &server.routes.settings,
        parts: &parts,
        request_id: &request_id,
        path: &found.path,
        resource: found.resource,
        route_key: &found.key,
        path_parameters: &found.variables,
        function: &name,
        region: server.configuration.region(None),
    };
    let trace_id = parts.headers.get("x-amzn-trace-id");
    let trace_id = trace_id.and_then(|id| Some(id.to_str().ok()?.to_owned()));
    let context = context.optional(|members| members.xray_trace_id = trace_id);
    let span = context.span();
    let event = span.in_scope(|| request.event(&body));
    if body.len() > gateway.limit() || event.len() > EVENT_LIMIT {
        return reject(gateway, gateway.too_large(), TOO_LARGE, &request_id);
    }
    if let Err(rejection) = server.has_room() {
        return rejection.respond(&request_id);
    }
    let client = gateway.into();
    let (entry, outcome) = invoke::outcome(&server, client, function, context, event.into()).await;
    let response = match outcome {
        Ok(invoke::Response::Whole(result)) => span.in_scope(|| response_to(&request, &result)),
        Ok(invoke::Response::Stream(stream)) => match streamed_response_of(&stream.head) {
            Ok(response) => {
                if gateway != Gateway::Rest {
                    span.in_scope(|| {
                        tracing::warn!(
                            "the response is streamed, which AWS does not do for an HTTP API or a load balancer"
                        );
                    });
                }
                let response = response.map(|()| stream.into_body());
                return entry.attach_to(finish_streamed(gateway, response, &request_id));
            }
            Err(why) => {
                span.in_scope(|| tracing::error!("the result is not an HTTP response: {why}"));
                gateway.failed()
            }
        },
        // The error has been logged.
        Err(_) => gateway.failed(),
    };
    entry.attach_to(finish(gateway, response, &request_id))
}

/// Returns the response that a result describes, or the gateway's error if the result is invalid.
fn response_to(request: &GatewayRequest<'_>, result: &Bytes) -> Response<Bytes> {
    let gateway = request.gateway;
    let response = match result.len() > gateway.limit() {
        true => Err(format!(
            "it has {} bytes, and a load balancer accepts at most {}",
            result.len(),
            gateway.limit()
        )),
        false => request.response(result),
    };
    response.unwrap_or_else(|why| {
        tracing::error!("the result is not an HTTP response: {why}");
        gateway.failed()
    })
}

const TOO_LARGE: &str = "the request exceeds the limit of the gateway or of the function";

/// Responds to a request without calling a handler.
fn reject(
    gateway: Gateway,
    mut response: Response<Bytes>,
    why: &str,
    request_id: &str,
) -> Response<Body> {
    response.extensions_mut().insert(Rejected(why.into()));
    finish(gateway, response, request_id)
}

fn finish(gateway: Gateway, response: Response<Bytes>, request_id: &str) -> Response<Body> {
    finish_streamed(gateway, response.map(Body::from), request_id)
}

fn finish_streamed(
    gateway: Gateway,
    mut response: Response<Body>,
    request_id: &str,
) -> Response<Body> {
    set(
        response.headers_mut(),
        gateway.request_id_header(),
        request_id,
    );
    response
}
