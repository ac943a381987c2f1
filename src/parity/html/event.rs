//! The differences of one event, as a part of the page.

use super::super::{
    compare::Difference,
    diff::{Line, Part, Row, SideBySide, changed_words},
    excerpt::beginning,
    report::{Compared, NAME, millis},
    times::Times,
};
use maud::{Markup, html};

/// The differences of one event.
pub(super) fn article(number: usize, event: &Compared, is_open: bool) -> Markup {
    html! {
        article id={ "event-" (number) } {
            h3 class="code" { (event.name) }
            @if event.ended.is_some() { p class="quiet" { (process(event)) } }
            table class="stacked values" role="table" aria-label="Differences" {
                thead role="rowgroup" {
                    tr role="row" {
                        @for name in ["Path", "Node", "Port"] { th scope="col" role="columnheader" { (name) } }
                    }
                }
                tbody role="rowgroup" {
                    @for difference in &event.differences {
                        tr role="row" {
                            th scope="row" role="rowheader" class="code" { (difference.shown_path()) }
                            (values(difference))
                        }
                    }
                }
            }
            @if event.more > 0 { p { "There are " (event.more) " more differences." } }
            @if let Some(times) = &event.times { (both_times(times)) }
            @match &event.sides {
                Some(sides) if sides.rows.is_empty() => {}
                Some(sides) => {
                    details open[is_open] {
                        summary { "Outcomes, line by line" }
                        (side_by_side(sides))
                    }
                }
                None => { p class="quiet" { "The report is too large for the outcomes of this event. Compare it alone." } }
            }
        }
    }
}

/// The times of both sides.
fn both_times(times: &Times) -> Markup {
    html! {
        details open {
            summary { "Times" }
            table aria-label="Times of Node" {
                caption { "Node, as far as it is known" }
                thead { tr {
                    th scope="col" class="number" { "ms" }
                    th scope="col" { "What happened" }
                } }
                tbody {
                    @for (at, what) in &times.original {
                        tr {
                            td class="number" { @match at { Some(at) => (format!("{:.3}", millis(*at))), None => "?" } }
                            td class="event" { (what) }
                        }
                    }
                }
            }
            p { b { "The port" } }
            (times.port.content())
        }
    }
}

/// The values of both sides.
pub(super) fn values(difference: &Difference) -> Markup {
    let (original, port) = changed_words(&difference.original, &difference.port);
    html! {
        td role="cell" class="code" data-label="Node" { (removed(&original)) }
        td role="cell" class="code" data-label="Port" { (added(&port)) }
    }
}

fn removed(parts: &[Part]) -> Markup {
    html! { @for part in parts { @if part.is_changed { del { (part.text) } } @else { (part.text) } } }
}

fn added(parts: &[Part]) -> Markup {
    html! { @for part in parts { @if part.is_changed { ins { (part.text) } } @else { (part.text) } } }
}

fn side_by_side(sides: &SideBySide) -> Markup {
    html! {
        table class="stacked sides" role="table" aria-label="Outcomes, line by line" {
            colgroup { col class="line"; col; col class="line"; col; }
            thead role="rowgroup" {
                tr role="row" {
                    @for name in ["Line", "Node", "Line", "Port"] { th scope="col" role="columnheader" { (name) } }
                }
            }
            tbody role="rowgroup" {
                @for row in &sides.rows { (lines(row)) }
            }
        }
        @if sides.has_more { p class="quiet" { "The rest is not shown." } }
    }
}

fn lines(row: &Row) -> Markup {
    match row {
        Row::Gap => html! {
            tr role="row" class="gap" { td role="cell" colspan="4" { "Equal lines are left out." } }
        },
        Row::Equal {
            original,
            port,
            text,
        } => html! {
            tr role="row" class="equal" {
                td role="cell" class="line number" { (original) }
                td role="cell" class="code" { (text) }
                td role="cell" class="line number port" { (port) }
                td role="cell" class="code port" { (text) }
            }
        },
        Row::Different { original, port } => {
            let (original_parts, port_parts) = match (original, port) {
                (Some(original), Some(port)) => changed_words(&original.text, &port.text),
                // The whole line is already marked.
                _ => (whole(original.as_ref()), whole(port.as_ref())),
            };
            html! {
                tr role="row" {
                    (cells(original.as_ref(), "removed", &removed(&original_parts)))
                    (cells(port.as_ref(), "added", &added(&port_parts)))
                }
            }
        }
    }
}

fn whole(line: Option<&Line>) -> Vec<Part> {
    let part = |line: &Line| Part {
        text: line.text.to_string(),
        is_changed: false,
    };
    line.map(part).into_iter().collect()
}

fn cells(line: Option<&Line>, class: &str, text: &Markup) -> Markup {
    html! {
        @match line {
            Some(line) => {
                td role="cell" class={ "line number " (class) } { (line.number) }
                td role="cell" class={ "code " (class) } { (text) }
            }
            None => {
                td role="cell" class="none" {}
                td role="cell" class="none" {}
            }
        }
    }
}

/// How the process of Node ended.
pub(super) fn process(event: &Compared) -> Markup {
    html! { @if let Some(ended) = &event.ended { "The process of Node " (beginning(ended, NAME)) "." } }
}
