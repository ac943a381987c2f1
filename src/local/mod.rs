//! Running a function locally: its own command line, and a server that speaks the Invoke API.

mod api;
mod arguments;
mod asynchronous;
mod command;
mod configuration;
mod connection;
mod event;
mod event_stream;
mod function_name;
mod function_url;
mod gateway;
mod help;
mod history;
mod host;
mod invoke;
mod invoke_request;
mod limits;
mod listen;
mod once;
mod origin;
mod outcome;
mod output;
mod page;
mod rejection;
mod router;
mod routes;
mod run;
mod signals;
mod source;
mod stream;
mod timeline;
mod trace_header;

#[cfg(feature = "parity")]
pub(crate) use arguments::{Argument, Arguments};
#[cfg(feature = "parity")]
pub(crate) use configuration::FunctionConfiguration;
pub(crate) use configuration::LocalSettings;
pub(crate) use router::serve;
pub use routes::LocalRoutes;
pub(crate) use run::run;
#[cfg(feature = "bench")]
pub(crate) use signals::Signals;
