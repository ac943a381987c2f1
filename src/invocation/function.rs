//! Handlers of any shape behind one type, with their settings and names.

#[cfg(feature = "lambda")]
use super::layers::Layers;
use super::{
    context::Context,
    handler::{Handler, Work, enter},
    json,
    settings::InvocationSettings,
};
use crate::{
    error::{Error, Result},
    phases::{self, Phase},
};
use bytes::Bytes;
use std::{borrow::Cow, fmt, sync::Arc};

/// A handler of any shape, with its settings and layers.
#[derive(Clone)]
pub(crate) struct Function {
    pub(super) enter: Arc<Enter>,
    pub(crate) settings: InvocationSettings,
    #[cfg(feature = "lambda")]
    pub(crate) layers: Option<Layers>,
}

/// Parses the event, and enters the handler.
type Enter = dyn Fn(Bytes, Context) -> Result<Work> + Send + Sync;

impl Function {
    pub(crate) fn new<M>(handler: impl Handler<M>) -> Self {
        let handler = Arc::new(handler);
        Function {
            enter: Arc::new(move |event, context| {
                let read = || {
                    phases::mark(Phase::Reading);
                    let event = json::from_json(event);
                    phases::mark(Phase::Read);
                    event
                };
                enter(&handler, read, context)
            }),
            settings: InvocationSettings::default(),
            #[cfg(feature = "lambda")]
            layers: None,
        }
    }
}

/// The functions of one program, by the names that they are exported under.
#[derive(Clone, Default)]
pub(crate) struct Functions(Vec<(Option<Cow<'static, str>>, Function)>);

impl Functions {
    /// Adds a function. It replaces the one that was exported under the same name before.
    pub(crate) fn export(&mut self, name: Option<Cow<'static, str>>, function: Function) {
        self.0.retain(|(other, _)| *other != name);
        self.0.push((name, function));
    }

    pub(crate) fn each(&mut self) -> impl Iterator<Item = &mut Function> {
        self.0.iter_mut().map(|(_, function)| function)
    }

    /// Returns the function with a name. If there is only one function, any name refers to it.
    /// Otherwise the part after the last dot counts: `other` and `index.other` refer to the same
    /// function.
    pub(crate) fn named(&self, name: &str) -> Result<&Function, NotExported> {
        if let [(_, only)] = self.0.as_slice() {
            return Ok(only);
        }
        let last = name.rsplit('.').next().unwrap_or(name);
        let found = self
            .0
            .iter()
            .find(|(exported, _)| exported.as_deref() == Some(last));
        found
            .map(|(_, function)| function)
            .ok_or_else(|| NotExported {
                name: name.into(),
                exported: self.names().map(String::from).collect(),
            })
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|(name, _)| name.as_deref())
    }
}

/// No function has this name.
#[derive(Debug)]
pub(crate) struct NotExported {
    name: String,
    exported: Vec<String>,
}

impl NotExported {
    pub(crate) fn into_error(self) -> Error {
        Error::ours("Runtime.HandlerNotFound", self.to_string())
    }
}

impl fmt::Display for NotExported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NotExported { name, exported } = self;
        match name.as_str() {
            "" => f.write_str("no handler is named: expected ")?,
            name => write!(f, "`{name}` is not exported: expected ")?,
        }
        match exported.as_slice() {
            [] => f.write_str("at least one handler in `nodeback::exports()`"),
            names => write!(f, "one of {}", names.join(", ")),
        }
    }
}
