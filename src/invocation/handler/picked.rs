//! A handler that picks another one for each event.

use super::{Handler, Work, enter};
use crate::{
    completion::{Callback, unused},
    error::{Error, Result},
    invocation::{context::Context, json},
};
use bytes::Bytes;
use serde_json::Value;
use std::{fmt, sync::Arc};

/// A handler that picks another one, of any shape, for each event.
///
/// It is for the tests of this crate, which compare hundreds of handlers with one original.
#[doc(hidden)]
#[derive(Debug)]
pub struct Picker<F>(pub F);

/// A handler, and its event.
#[doc(hidden)]
pub struct Picked(Box<dyn FnOnce(Context) -> Result<Work>>);

impl Picked {
    /// Picks a handler for an event.
    pub fn new<M>(handler: impl Handler<M>, event: Bytes) -> Self {
        Picked(Box::new(move |context| {
            enter(&Arc::new(handler), || json::from_json(event), context)
        }))
    }
}

impl fmt::Debug for Picked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Picked").finish_non_exhaustive()
    }
}

#[derive(Debug)]
#[doc(hidden)]
pub enum Marker {}

#[diagnostic::do_not_recommend]
impl<F> Handler<Marker> for Picker<F>
where
    F: Fn(Bytes) -> Picked + Send + Sync + 'static,
{
    type Event = Bytes;
    type Response = Value;

    fn call(self: &Arc<Self>, event: Bytes, context: Context, callback: Callback) -> Work {
        unused(callback);
        let thrown = context.done_callback::<Value>();
        let Picked(enter) = (self.0)(event);
        enter(context).unwrap_or_else(|error: Error| {
            thrown.returned(Err(error));
            Work::Done
        })
    }
}
