//! The Invoke API: `Invoke`, `InvokeWithResponseStream`, and `InvokeAsync`, which AWS has
//! deprecated.

use super::{
    asynchronous::Asynchronous,
    configuration::new_id,
    function_name::FunctionName,
    history::{Client, Entry},
    invoke::{ReplyTo, Server, start},
    invoke_request::{self, InvocationType, InvokeHeaders},
    limits::{EVENT_INVOCATION, INVOKE_ASYNC},
    rejection::{Rejection, respond},
    trace_header,
};
use crate::{
    completion::callback,
    error::Result,
    invocation::{ContextBuilder, Function},
    log,
};
use axum::{
    body::Body,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, Request, Response, StatusCode},
};
use bytes::Bytes;
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
pub(super) struct Qualifier {
    #[serde(rename = "Qualifier")]
    qualifier: Option<String>,
}

/// Handles `Invoke`.
pub(super) async fn invoke(
    state: State<Arc<Server>>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<Qualifier>, QueryRejection>,
    request: Request<Body>,
) -> Response<Body> {
    call(state, path, query, request, false).await
}

/// Handles `InvokeWithResponseStream`.
pub(super) async fn invoke_with_response_stream(
    state: State<Arc<Server>>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<Qualifier>, QueryRejection>,
    request: Request<Body>,
) -> Response<Body> {
    call(state, path, query, request, true).await
}

async fn call(
    State(server): State<Arc<Server>>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<Qualifier>, QueryRejection>,
    request: Request<Body>,
    streams: bool,
) -> Response<Body> {
    let named = path
        .map_err(|error| error.to_string())
        .and_then(|Path(name)| {
            let Query(query) = query.map_err(|error| error.to_string())?;
            Ok((name, query.qualifier))
        });
    let (name, qualifier) = match named {
        Ok(named) => named,
        Err(mistake) => return Rejection::parameter(mistake).respond(&new_id()),
    };
    let (parts, body) = request.into_parts();
    let call = match Call::find(&server, &name, qualifier.as_deref(), &parts.headers) {
        Ok(call) => call,
        Err(rejection) => return rejection.respond(&new_id()),
    };
    let request_id = call.request_id.clone();
    match call.accept(&server, &parts.headers, body, streams).await {
        Ok(response) => response,
        Err(rejection) => rejection.respond(&request_id),
    }
}

/// Handles `InvokeAsync`, which AWS has replaced with `Invoke` of the type `Event`.
pub(super) async fn invoke_async(
    State(server): State<Arc<Server>>,
    path: Result<Path<String>, PathRejection>,
    request: Request<Body>,
) -> Response<Body> {
    let name = match path {
        Ok(Path(name)) => name,
        Err(mistake) => return Rejection::parameter(mistake.to_string()).respond(&new_id()),
    };
    let (parts, body) = request.into_parts();
    let call = match Call::find(&server, &name, None, &parts.headers) {
        Ok(call) => call,
        Err(rejection) => return rejection.respond(&new_id()),
    };
    let request_id = call.request_id.clone();
    let event = invoke_request::event(body, &server.limits, Some(INVOKE_ASYNC)).await;
    match event.and_then(|event| server.has_room().map(|()| event)) {
        Ok(event) => {
            let entry = call.start_asynchronous(&server, event);
            let response = respond(StatusCode::ACCEPTED, &request_id, r#"{"Status":202}"#);
            entry.attach_to(response)
        }
        Err(rejection) => rejection.respond(&request_id),
    }
}

/// A call of an existing function.
struct Call<'a> {
    named: FunctionName<'a>,
    function: Function,
    request_id: String,
    context: ContextBuilder,
}

impl<'a> Call<'a> {
    fn find(
        server: &'a Server,
        name: &'a str,
        qualifier: Option<&'a str>,
        headers: &'a HeaderMap,
    ) -> Result<Self, Rejection> {
        let signed_for = invoke_request::signed_region(headers);
        let region = server.configuration.region(signed_for);
        let named = FunctionName::parse(name, qualifier)?.in_region(region)?;
        let function = server.functions.named(named.name);
        let function = function.map_err(|mistake| {
            Rejection::no_function(format!("{}: {mistake}", named.not_found()))
        })?;
        let (request_id, context) = server.configuration.context(&named);
        Ok(Call {
            named,
            function: function.clone(),
            request_id,
            context,
        })
    }

    async fn accept(
        mut self,
        server: &Arc<Server>,
        headers: &HeaderMap,
        body: Body,
        streams: bool,
    ) -> Result<Response<Body>, Rejection> {
        let InvokeHeaders {
            invocation_type,
            log_tail,
            client_context,
            tenant_id,
            xray_trace_id,
        } = InvokeHeaders::parse(headers)?;
        let is_event = invocation_type == InvocationType::Event;
        if is_event && streams {
            return Err(Rejection::parameter(
                "Invocation type `Event`: expected RequestResponse or DryRun for InvokeWithResponseStream",
            ));
        }
        let limit = is_event.then_some(EVENT_INVOCATION);
        let event = invoke_request::event(body, &server.limits, limit).await?;
        server.has_room()?;
        let request_id = self.request_id.clone();
        if invocation_type == InvocationType::DryRun {
            let mut response = respond(StatusCode::NO_CONTENT, &request_id, "");
            trace_header::send_back(response.headers_mut(), xray_trace_id.as_deref());
            return Ok(response);
        }
        self.context = self.context.optional(|members| {
            members.client_context = client_context;
            members.tenant_id = tenant_id;
            members.xray_trace_id = xray_trace_id;
        });
        if is_event {
            let mut response = respond(StatusCode::ACCEPTED, &request_id, "");
            let trace_id = self.context.members().xray_trace_id.as_deref();
            trace_header::send_back(response.headers_mut(), trace_id);
            let entry = self.start_asynchronous(server, event);
            return Ok(entry.attach_to(response));
        }
        let tail = log_tail.then(|| log::Tail::of(&request_id));
        let (callback, completion) = callback();
        let context = self.context.clone();
        let client = match streams {
            true => Client::InvokeWithResponseStream,
            false => Client::Invoke,
        };
        let reply_to = ReplyTo::Client {
            callback,
            accepts_streams: streams,
        };
        let entry = start(server, client, self.function, self.context, event, reply_to);
        let outcome = completion.await.map(Option::unwrap_or_default);
        let response = match outcome {
            Ok(outcome) if streams => outcome.stream(context.members(), tail),
            Ok(outcome) => outcome.respond(context.members(), tail.as_ref()),
            Err(error) => {
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                Rejection::new(status, "ServiceException", error.to_string()).respond(&request_id)
            }
        };
        Ok(entry.attach_to(response))
    }

    fn start_asynchronous(self, server: &Arc<Server>, event: Bytes) -> Entry {
        let invocation = Asynchronous {
            version_arn: self.named.version_arn(),
            function: self.function,
            context: self.context,
            event,
        };
        invocation.start(server)
    }
}
