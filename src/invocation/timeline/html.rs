//! A timeline as an HTML page, with a drawing and with tables that have the same content.

use super::{
    TaskEnd, Timeline, TimelineTask,
    describe::{Tone, spawned},
    drawing::drawing,
    in_millis,
};
use crate::{page::page, text::excerpt};
use maud::{Markup, html};
use std::time::Duration;

/// The maximum number of timelines on a page.
const TIMELINES: usize = 100;

/// Explains the drawing and the tables.
const EXPLANATION: &str = "The drawing has a lane for the handler and for each task. Each bar \
     spans the lifetime of a task, and its dark parts show when the task kept the event loop busy. \
     The tables have the same content.";

impl Timeline {
    /// Returns the timeline as an HTML page, with a drawing and with tables that have the same content.
    /// The page is self-contained and sends no requests.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use nodeback::{Callback, Context, Value};
    ///
    /// let handler = |event: Value, _: Context, callback: Callback| callback.succeed(event);
    /// let context = Context::builder().record_timeline().build();
    /// let timeline = nodeback::invoke(handler, "an event", context).await.timeline.unwrap();
    /// assert!(timeline.to_html().contains("handler entered"));
    /// # }
    /// ```
    pub fn to_html(&self) -> String {
        page(
            &self.title(),
            &html! {
                p class="quiet" { (EXPLANATION) }
                (self.content())
            },
        )
    }

    /// Returns the drawing and the tables, without a heading.
    pub(crate) fn content(&self) -> Markup {
        html! {
            @if !self.request_id.is_empty() {
                p class="quiet" { "Request " code { (excerpt(&self.request_id, 100)) } }
            }
            (self.figure_and_tables())
        }
    }

    /// Returns the drawing and the tables, without the request id.
    pub(crate) fn figure_and_tables(&self) -> Markup {
        html! {
            (drawing(self))
            table aria-label="What happened" {
                thead { tr {
                    th scope="col" class="number" { "ms" }
                    th scope="col" { "In" }
                    th scope="col" { "What happened" }
                } }
                tbody {
                    @for entry in &self.entries {
                        tr {
                            td class="number" { (millis(entry.at)) }
                            td class="quiet owner" { (entry.by.map_or(String::new(), |by| self.label(by))) }
                            td class={ "event " (entry.event.tone().class()) } { (self.describe(&entry.event)) }
                        }
                    }
                }
            }
            @for omission in self.omissions() { p class="quiet" { (omission) "." } }
            @if !self.tasks.is_empty() { (self.task_table()) }
        }
    }

    fn task_table(&self) -> Markup {
        html! {
            div class="figures" role="group" aria-label="Tasks" tabindex="0" {
                table {
                    caption { "The handler and its tasks, in ms" }
                    thead { tr {
                        th scope="col" { "Task" }
                        th scope="col" { "Where" }
                        th scope="col" class="number" { "Spawned" }
                        th scope="col" class="number" { "Started" }
                        th scope="col" class="number" { "Ended" }
                        th scope="col" class="number" { "Ran for" }
                        th scope="col" class="number" { "Runs" }
                        th scope="col" { "End" }
                    } }
                    tbody { @for task in &self.tasks { (self.row(task)) } }
                }
            }
        }
    }

    fn row(&self, task: &TimelineTask) -> Markup {
        let at = |time: Option<Duration>| time.map_or("–".into(), millis);
        html! {
            tr {
                th scope="row" class="owner" { (self.label(task.id)) }
                td { (spawned(task.kind)) }
                td class="number" { (millis(task.spawned)) }
                td class="number" { (at(task.started)) }
                td class="number" { (at(task.ended)) }
                td class="number" { (millis(task.busy)) }
                td class="number" { (task.runs) }
                td class={ "event " (task.end.tone().class()) } { (task.end.describe()) }
            }
        }
    }
}

/// Returns one page with several timelines.
pub(crate) fn page_of(timelines: &[Timeline]) -> String {
    if let [timeline] = timelines {
        return timeline.to_html();
    }
    page(
        "Timelines",
        &html! {
            p class="quiet" { (EXPLANATION) }
            @for timeline in timelines.iter().take(TIMELINES) {
                section {
                    h2 { (timeline.title()) }
                    (timeline.content())
                }
            }
            @if timelines.len() > TIMELINES {
                p class="quiet" { (timelines.len() - TIMELINES) " further invocations are not shown." }
            }
        },
    )
}

impl Tone {
    pub(super) fn class(self) -> &'static str {
        match self {
            Tone::Plain => "",
            Tone::Quiet => "quiet",
            Tone::Good => "good",
            Tone::Warning => "warn",
            Tone::Bad => "bad",
        }
    }
}

impl TaskEnd {
    /// Returns the class of a bar.
    pub(super) fn class(&self) -> &'static str {
        self.tone().class()
    }
}

fn millis(time: Duration) -> String {
    format!("{:.3}", in_millis(time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        completion::CallSite,
        invocation::{
            timeline::{TimelineEntry, TimelineEvent},
            unfinished::UnfinishedTask,
        },
    };

    /// Returns a timeline with hostile text wherever it contains text of user code.
    fn hostile() -> Timeline {
        let text =
            "</script><script>alert(1)</script><img src=x onerror=alert(1)>\u{202e}\u{1b}\"'&";
        let events = [
            TimelineEvent::Logged {
                level: "WARN",
                message: text.into(),
            },
            TimelineEvent::NeverCalled {
                message: text.into(),
            },
            TimelineEvent::Responded {
                by: super::super::RespondedBy::EventLoop,
                bytes: None,
                error: Some(text.into()),
            },
            TimelineEvent::HandlerLeft {
                end: TaskEnd::Failed {
                    message: text.into(),
                },
            },
            TimelineEvent::Signalled {
                call_site: CallSite::Returned,
                succeeds: true,
            },
        ];
        let entries = events
            .into_iter()
            .enumerate()
            .map(|(n, event)| TimelineEntry {
                at: Duration::from_millis(n as u64),
                by: Some(0),
                event,
            });
        Timeline {
            request_id: text.into(),
            function_name: text.into(),
            deadline: Some(Duration::from_millis(3)),
            entries: entries.collect(),
            tasks: vec![TimelineTask {
                id: 0,
                kind: UnfinishedTask::Handler,
                spawned: Duration::ZERO,
                started: None,
                ended: None,
                end: TaskEnd::Panicked {
                    message: text.into(),
                },
                runs: 1,
                busy: Duration::from_millis(2),
                long_runs: vec![(Duration::ZERO, Duration::from_millis(2))],
            }],
            omitted_lines: 1,
            ..Timeline::default()
        }
    }

    #[test]
    fn every_text_is_escaped() {
        for page in [hostile().to_html(), page_of(&[hostile(), hostile()])] {
            let elements = page.split('<').skip(1).map(|rest| {
                rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '/' && c != '!')
                    .next()
                    .unwrap()
            });
            for element in elements {
                assert!(!["script", "/script", "img"].contains(&element), "{page}");
            }
            assert!(
                page.matches("&lt;script&gt;alert(1)").count() >= 7,
                "{page}"
            );
            assert!(!page.contains(['\u{202e}', '\u{1b}']), "{page}");
            // The page sends no requests: no attribute has an address.
            assert!(
                !page.contains("href=") && !page.contains("src=\""),
                "{page}"
            );
        }
    }

    #[test]
    fn the_page_states_entries_tasks_and_omissions() {
        let page = hostile().to_html();
        for part in [
            "success signalled at the handler&#39;s return",
            "1 further line of the log is not shown.",
            "<td class=\"number\">4.000</td>",
            "<th scope=\"row\" class=\"owner\">handler</th>",
        ] {
            let part = part.replace("&#39;", "'");
            assert!(page.contains(&part), "{part}: {page}");
        }
    }

    #[test]
    fn a_page_has_a_bounded_number_of_timelines() {
        let timelines = vec![Timeline::default(); 150];
        let page = page_of(&timelines);
        assert_eq!(page.matches("<section>").count(), 100);
        assert!(page.contains("50 further invocations are not shown."));
    }
}
