//! The timeline of an invocation: its entries, their order and times, and its bounds.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod bounds;
#[cfg(feature = "local")]
mod command;
mod entries;
mod pictures;
mod streams;
#[cfg(feature = "local")]
#[path = "../support/mod.rs"]
mod support;
mod text;

use nodeback::{
    Context, ContextBuilder, Handler, json,
    timeline::{Timeline, TimelineEvent},
};
use std::time::Duration;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn context() -> ContextBuilder {
    Context::builder()
        .aws_request_id("request-1")
        .function_name("orders")
        .timeout(ms(1_000))
        .record_timeline()
}

async fn timeline<M>(handler: impl Handler<M>) -> Timeline {
    let outcome = nodeback::invoke(handler, json!({}), context().build()).await;
    *outcome.timeline.unwrap()
}

/// The entries that `pick` picks, with their times.
fn picked<T>(
    timeline: &Timeline,
    pick: impl Fn(&TimelineEvent) -> Option<T>,
) -> Vec<(Duration, T)> {
    let entries = timeline.entries.iter();
    entries
        .filter_map(|entry| Some((entry.at, pick(&entry.event)?)))
        .collect()
}
