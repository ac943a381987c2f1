//! The report of a comparison as a page.

mod event;

use self::event::{article, process, values};
use super::{
    excerpt::beginning,
    report::{Compared, NAME, ParityReport, Verdict, millis},
};
use crate::{
    error::{Error, Result},
    page::{Distribution, histograms, page},
};
use maud::{Markup, html};
use std::{fs, path::Path};

/// The maximum numbers of events with a row, of events with an article on their differences, and of
/// accepted differences.
const EVENTS: usize = 10_000;
const ARTICLES: usize = 500;
const ACCEPTED: usize = 1000;

/// The number of articles whose side-by-side outcomes are open from the start.
const OPEN: usize = 5;

const TITLE: &str = "Parity report";

impl ParityReport {
    /// Returns the report as an HTML page: the differences of each event side by side, accepted
    /// differences with their reasons, and how long both sides took. The page is a single file that
    /// requests nothing.
    ///
    /// It is bounded: at most 10,000 events have a row, and 500 have their differences. An event
    /// has at most 20 differences, and 200 lines of its outcomes.
    ///
    /// ```no_run
    /// # async fn example(handler: fn(nodeback::Value, nodeback::Context, nodeback::Callback)) -> nodeback::Result<()> {
    /// let report = nodeback::parity::compare(handler, "legacy/index.handler", "events").await?;
    /// println!("{}", report.to_html());
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_html(&self) -> String {
        page(TITLE, &self.content())
    }

    /// Writes the [page](Self::to_html) to a file.
    ///
    /// ```no_run
    /// # async fn example(handler: fn(nodeback::Value, nodeback::Context, nodeback::Callback)) -> nodeback::Result<()> {
    /// let report = nodeback::parity::compare(handler, "legacy/index.handler", "events").await?;
    /// report.write_html("target/parity.html")?;
    /// assert!(report.is_same(), "{report}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write_html(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        fs::write(path, self.to_html()).map_err(|error| {
            let message = format!(
                "the report cannot be written to {}: {error}",
                path.display()
            );
            Error::ours("Runtime.InvalidParityFile", message)
        })
    }

    fn content(&self) -> Markup {
        html! {
            p { "The original " code { (self.original) } " on AWS's Node client, and its port to Rust, were called with the \
                same events." }
            p class={ "result " (if self.is_same() { "good" } else { "bad" }) } { (self.counts()) }
            @for remark in self.remarks() { p class="bad" { (remark) } }
            @if !self.unneeded.is_empty() {
                p class="bad" { a href="#unneeded" { "Unneeded entries of parity.json: " (self.unneeded.len()) } }
            }
            (self.differing())
            (self.accepted())
            (self.unneeded())
            (self.times())
            (self.all())
        }
    }

    fn differing(&self) -> Markup {
        let differing = || {
            let events = self.events.iter().enumerate();
            events.filter(|(_, event)| event.verdict() == Verdict::Differs)
        };
        let count = differing().count();
        html! {
            @if count > 0 {
                h2 { "Events that differ" }
                p { "Words that only one side has are marked. The outcomes line by line show every member, including those \
                    that are ignored or accepted." }
                @for (nth, (number, event)) in differing().take(ARTICLES).enumerate() {
                    (article(number, event, nth < OPEN))
                }
                @if count > ARTICLES {
                    p { (count - ARTICLES) " more events differ; see the list of all events." }
                }
            }
        }
    }

    fn accepted(&self) -> Markup {
        let accepted = || {
            let events = self.events.iter();
            events.flat_map(|event| event.accepted.iter().map(move |accepted| (event, accepted)))
        };
        let count = accepted().count();
        html! {
            @if count > 0 {
                h2 { "Accepted differences" }
                table class="stacked values" role="table" aria-label="Accepted differences" {
                    thead role="rowgroup" {
                        tr role="row" {
                            @for name in ["Event", "Reason", "Path", "Node", "Port"] {
                                th scope="col" role="columnheader" { (name) }
                            }
                        }
                    }
                    tbody role="rowgroup" {
                        @for (event, (difference, reason)) in accepted().take(ACCEPTED) {
                            tr role="row" {
                                th scope="row" role="rowheader" class="code" { (event.name) }
                                td role="cell" { (beginning(reason, NAME)) }
                                td role="cell" class="code" data-label="path" { (difference.shown_path()) }
                                (values(difference))
                            }
                        }
                    }
                }
                @if count > ACCEPTED {
                    p { (count - ACCEPTED) " more differences are accepted." }
                }
            }
        }
    }

    fn unneeded(&self) -> Markup {
        html! {
            @if !self.unneeded.is_empty() {
                h2 id="unneeded" { "Unneeded entries of parity.json" }
                p { "The differences that these entries accept no longer occur. Remove the entries." }
                ul class="problems" {
                    @for entry in self.unneeded.iter().take(ACCEPTED) { li { (beginning(entry, NAME)) } }
                }
                @if self.unneeded.len() > ACCEPTED {
                    p { (self.unneeded.len() - ACCEPTED) " more entries are not needed." }
                }
            }
        }
    }

    fn times(&self) -> Markup {
        let original = self.events.iter().filter_map(|event| event.original);
        let original = Distribution::of(original.map(millis));
        let port = Distribution::of(self.events.iter().map(|event| millis(event.port)));
        let sides = [("Node", original), ("Port", port)];
        let measured = || {
            let sides = sides.iter();
            sides.filter_map(|(name, times)| Some((*name, times.as_ref()?)))
        };
        let times: Vec<&Distribution> = measured().map(|(_, times)| times).collect();
        html! {
            @if !times.is_empty() {
                h2 { "Time" }
                p { "The time from the event to the outcome, with a line at the median. The time of Node includes two HTTP requests \
                    on this machine, while the port is called within its own process: compare the shapes of the \
                    distributions rather than the figures." }
                div class="plots" {
                    @for ((name, times), plot) in measured().zip(histograms(&times, "events", "ms")) {
                        figure {
                            figcaption { (name) }
                            div role="img" aria-label={ "Histogram of the time of " (name) ", with a median of " (ms(times.percentile(50))) } {
                                (plot)
                            }
                        }
                    }
                }
                div class="figures" { (figures(measured())) }
            }
        }
    }

    fn all(&self) -> Markup {
        html! {
            h2 { "All events" }
            table class="stacked" role="table" aria-label="All events" {
                thead role="rowgroup" {
                    tr role="row" {
                        th scope="col" role="columnheader" { "Event" }
                        th scope="col" role="columnheader" { "Result" }
                        th scope="col" role="columnheader" { "Notes" }
                        th scope="col" role="columnheader" class="number" { "Node" }
                        th scope="col" role="columnheader" class="number" { "Port" }
                    }
                }
                tbody role="rowgroup" {
                    @for (number, event) in self.events.iter().enumerate().take(EVENTS) { (row(number, event)) }
                }
            }
            @if self.events.len() > EVENTS {
                p { (self.events.len() - EVENTS) " more events are not listed." }
            }
        }
    }
}

fn figures<'a>(sides: impl Iterator<Item = (&'static str, &'a Distribution)>) -> Markup {
    html! {
        table aria-label="Times" {
            thead {
                tr {
                    th scope="col" { "Side" }
                    @for name in ["Least", "Median", "90 %", "99 %", "Most"] {
                        th scope="col" class="number" { (name) }
                    }
                }
            }
            tbody {
                @for (name, times) in sides {
                    tr {
                        th scope="row" { (name) }
                        @for percent in [0, 50, 90, 99, 100] {
                            td class="number" { (ms(times.percentile(percent))) }
                        }
                    }
                }
            }
        }
    }
}

fn row(number: usize, event: &Compared) -> Markup {
    let (class, result) = match event.verdict() {
        Verdict::Same => ("good", "same"),
        Verdict::Accepted => ("warn", "accepted"),
        Verdict::Differs => ("bad", "differs"),
    };
    html! {
        tr role="row" {
            th scope="row" role="rowheader" class="code" {
                @if event.verdict() == Verdict::Differs {
                    a href={ "#event-" (number) } { (event.name) }
                } @else {
                    (event.name)
                }
            }
            td role="cell" class=(class) { (result) }
            td role="cell" {
                @if event.streamed { "Both streamed their responses. " }
                @if event.deferred { "Both waited for unfinished tasks. " }
                @if let Some((original, port)) = event.requests {
                    "Requests to AWS: " (original) " from Node, " (port) " from the port. "
                }
                (process(event))
            }
            td role="cell" class="number" data-label="Node" {
                @match event.original { Some(time) => (ms(millis(time))), None => "recorded" }
            }
            td role="cell" class="number" data-label="Port" { (ms(millis(event.port))) }
        }
    }
}

fn ms(millis: f64) -> String {
    format!("{millis:.2} ms")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::invocation::timeline::{Timeline, TimelineEvent};
    use crate::parity::{
        accepted::Accepted,
        compare::Difference,
        excerpt::shown,
        outcome::{Seen, SentOutcome},
    };
    use serde_json::json;
    use std::time::Duration;

    const HOSTILE: &str = "</script></style><img src=x onerror=alert(1)>\" onload='\u{202e}";

    fn seen(outcome: SentOutcome) -> Seen {
        Seen {
            pending: vec![HOSTILE.into()],
            ended: Some(HOSTILE.into()),
            duration: Duration::from_millis(3),
            ..outcome.into()
        }
    }

    fn response(text: String) -> Seen {
        seen(SentOutcome::Response(text.into()))
    }

    fn compared(name: &str, original: &Seen, port: &Seen) -> Compared {
        Compared::new(
            name.into(),
            80,
            original,
            port,
            None,
            &mut Accepted::default(),
        )
    }

    /// Returns whether a page has no element and no attribute that a hostile text has added.
    fn is_harmless(html: &str) -> bool {
        let elements = html.to_lowercase();
        let of_ours = elements.matches("</style").count() == 1;
        let requests = [
            "<script",
            "<img",
            "<a href=\"http",
            "url(",
            "@import",
            "<link",
            "src=\"",
        ];
        let handler = regex_lite::Regex::new("<[^>]* on[a-z]+ *=").unwrap();
        of_ours
            && !requests.iter().any(|part| elements.contains(part))
            && !handler.is_match(&elements)
    }

    #[test]
    fn every_text_is_escaped() {
        let mut report = ParityReport::of(HOSTILE);
        let member =
            |value: &str| response(json!({ HOSTILE: { "a": value, "b": HOSTILE } }).to_string());
        let accepted = (
            Difference {
                path: HOSTILE.into(),
                original: shown(HOSTILE),
                port: shown(HOSTILE),
            },
            HOSTILE.to_owned(),
        );
        let error = |value: &str| {
            seen(SentOutcome::Error(
                json!({ "errorType": HOSTILE, "errorMessage": format!("{HOSTILE}{value}") }),
            ))
        };
        for (original, port) in [
            (member(HOSTILE), member("")),
            (error(""), error("!")),
            (error(""), seen(SentOutcome::Nothing)),
            (response(HOSTILE.into()), response(format!("{HOSTILE}!"))),
            (response("1".into()), response("1".into())),
        ] {
            let mut compared = compared(HOSTILE, &original, &port);
            compared.accepted.push(accepted.clone());
            report.add(compared);
        }
        report.unneeded.push(HOSTILE.into());
        let html = report.to_html();
        assert!(is_harmless(&html), "{html}");
        assert!(!html.contains('\u{202e}'));
        // The name, the member, the values and the reason are still shown.
        assert!(html.matches("&lt;img src=x onerror=alert(1)&gt;").count() > 20);
        for bad in [
            "<IMG src=x>",
            "<script>",
            "</style>",
            "<i onload='1'>",
            "<p class=\"a\" onclick=x>",
        ] {
            assert!(!is_harmless(&format!("{html}{bad}")), "{bad}");
        }
    }

    #[test]
    fn a_page_has_what_a_reader_looks_for() {
        let mut report = ParityReport::of("legacy/index.handler");
        report.add(compared(
            "a.json",
            &response(r#"{"a":1}"#.into()),
            &response(r#"{"a":1}"#.into()),
        ));
        let differs = compared(
            "b.json",
            &response(r#"{"note":"no order 7"}"#.into()),
            &response(r#"{"note":"no order: 7"}"#.into()),
        );
        report.add(differs);
        let mut recorded = response("1".into());
        recorded.duration = Duration::ZERO;
        report.add(compared("c.json", &recorded, &response("1".into())));
        report.is_outdated = true;
        let html = report.to_html();
        for part in [
            "<html lang=\"en\">",
            "<title>Parity report</title>",
            "<h1>Parity report</h1>",
            "3 events: 2 same, 1 differs",
            "<code>legacy/index.handler</code>",
            "<a href=\"#event-1\">b.json</a>",
            "<article id=\"event-1\">",
            "data-label=\"Port\">&quot;no order<ins>:</ins> 7&quot;</td>",
            "<td role=\"cell\" class=\"line number removed\">2</td>",
            "<td role=\"cell\" class=\"code added\">  &quot;note&quot;: &quot;no order<ins>:</ins> 7&quot;</td>",
            "aria-label=\"Histogram of the time of Node, with a median of 3.00 ms\"><svg ",
            "data-label=\"Node\">recorded</td>",
            "the original has changed since it was recorded",
        ] {
            assert!(html.contains(part), "{part} is not in {html}");
        }
        assert_eq!(html.matches("<svg ").count(), 2);
        for absent in ["Accepted differences", "Unneeded entries"] {
            assert!(!html.contains(absent), "{absent}");
        }
    }

    /// With more events, differences and bytes than a page shows.
    #[test]
    fn a_page_is_bounded() {
        let mut report = ParityReport::of("index.handler");
        let text = |text: &str| response(format!("\"{text}\""));
        report.add(compared("one.json", &text("1"), &text("2")));
        let items =
            |item: &str| response(format!("[{}]", vec![format!("\"{item}\""); 50].join(",")));
        let (one, two) = (items(&"1".repeat(500)), items(&"2".repeat(500)));
        for number in 0..EVENTS {
            let (one, two) = if number < ARTICLES {
                (&one, &two)
            } else {
                (&one, &one)
            };
            report.add(compared(&"n".repeat(1000), one, two));
        }
        assert_eq!(report.events[1].differences.len(), 20);
        assert_eq!(report.events[1].more, 30);
        let html = report.to_html();
        assert!(html.len() < 30_000_000, "{} bytes", html.len());
        assert_eq!(html.matches("<article").count(), ARTICLES);
        for part in [
            "There are 30 more differences.",
            "The report is too large for the outcomes of this event.",
            "1 more events differ",
            "1 more events are not listed.",
        ] {
            assert!(html.contains(part), "{part}");
        }
    }

    #[test]
    fn times_are_harmless_and_of_a_bounded_number_of_events() {
        let original = Seen {
            deferred: true,
            ..response("1".into())
        };
        let port = response("1".into());
        let mut timeline = Timeline::default();
        let logged = TimelineEvent::Logged {
            level: "INFO",
            message: HOSTILE.into(),
        };
        timeline.push_for_test(Duration::ZERO, logged);
        let mut report = ParityReport::of("index.handler");
        for n in 0..25 {
            let mut event = compared(&format!("{n}.json"), &original, &port);
            event.add_times(&original, &timeline);
            report.add(event);
        }
        let html = report.to_html();
        assert!(is_harmless(&html), "{html}");
        assert_eq!(html.matches("Node, as far as it is known").count(), 20);
        assert_eq!(html.matches("class=\"lanes\"").count(), 20);
    }
}
