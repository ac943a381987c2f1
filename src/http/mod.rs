//! HTTP requests as AWS events, and results as HTTP responses.

mod event;
#[cfg(feature = "local")]
mod gateway;
mod response;
#[cfg(feature = "lambda")]
mod service;

#[cfg(feature = "local")]
pub(crate) use event::UrlRequest;
#[cfg(feature = "local")]
pub(crate) use gateway::{Gateway, GatewayRequest, GatewaySettings, bad_request};
#[cfg(feature = "local")]
pub(crate) use response::{
    bad_gateway, has_no_content, of as response_of, of_stream as streamed_response_of,
};
#[cfg(feature = "lambda")]
pub use service::{HttpService, http_service};
