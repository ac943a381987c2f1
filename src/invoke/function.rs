//! A handler of whatever shape, as the places that run it see it.

use super::{Unsignalled, invocation::Invocation};
use crate::{context::ContextBuilder, error::Error, handler::Handler};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};

/// What a handler is run with.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) unsignalled: Unsignalled,
    /// How long before its deadline an invocation fails that has no answer, if before it.
    pub(crate) answer_before_deadline: Option<Duration>,
}

/// A handler of whatever shape, with its settings.
#[derive(Clone)]
pub(crate) struct Function(Arc<Start>);

type Start = dyn Fn(Result<Bytes, Error>, ContextBuilder) -> Invocation + Send + Sync;

impl Function {
    pub(crate) fn new<M, H: Handler<M>>(handler: Arc<H>, settings: Settings) -> Self {
        Function(Arc::new(move |event, context| {
            Invocation::start(&handler, event, context, settings)
        }))
    }

    /// Starts an invocation: parses the event, and enters the handler. An event that could not be
    /// had fails it.
    pub(crate) fn start(&self, event: Result<Bytes, Error>, context: ContextBuilder) -> Invocation {
        (self.0)(event, context)
    }
}
