//! The report of a benchmark as a page.

use super::{
    figures::Figures,
    report::{BenchReport, unusable},
    text::{failed, shown, size, whole},
    times::{SPREAD, Times},
};
use crate::{
    error::Result,
    page::{Distribution, histograms, page},
};
use maud::{Markup, html};
use std::{fs, path::Path};

/// The number of events that have plots.
const EVENTS: usize = 200;

const TITLE: &str = "Benchmark";

const COLUMNS: [&str; 4] = ["Per second", "Median", "p99", "Maximum"];

impl BenchReport {
    /// Returns the report as an HTML page, with the distribution of the times of each event as a
    /// plot. With the report of an earlier run as the baseline, it has the plots of both side by
    /// side. The page is one file that requests nothing.
    ///
    /// ```no_run
    /// # use nodeback::bench::BenchReport;
    /// # fn example(report: BenchReport) -> nodeback::Result<()> {
    /// let baseline = BenchReport::read("before.json")?;
    /// println!("{}", report.to_html(Some(&baseline)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_html(&self, baseline: Option<&BenchReport>) -> String {
        page(TITLE, &self.content(baseline))
    }

    /// Writes the [page](Self::to_html) of this run to a file.
    ///
    /// ```no_run
    /// # fn example(report: nodeback::bench::BenchReport) -> nodeback::Result<()> {
    /// report.write_html("target/bench.html")
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write_html(&self, file: impl AsRef<Path>) -> Result<()> {
        self.write_html_beside(file.as_ref(), None)
    }

    pub(super) fn write_html_beside(
        &self,
        file: &Path,
        baseline: Option<&BenchReport>,
    ) -> Result<()> {
        fs::write(file, self.to_html(baseline)).map_err(|error| unusable(file, &error))
    }

    fn content(&self, baseline: Option<&BenchReport>) -> Markup {
        let events = || self.events.iter().map(|event| &event.0);
        let earlier = |event: &Figures| baseline.and_then(|baseline| baseline.named(&event.name));
        html! {
            p { "The invocations of a handler in one process, without HTTP. Times are those of whole invocations. The parts of \
                an invocation are medians of separate invocations." }
            @for remark in self.remarks() { p { (remark) } }
            h2 { "All events" }
            div class="figures" {
                table aria-label="All events" {
                    thead {
                        tr {
                            th scope="col" { "Event" }
                            @for name in COLUMNS { th scope="col" class="number" { (name) } }
                            th scope="col" class="number" { "Allocations" }
                            @if baseline.is_some() { th scope="col" class="number" { "Median, of the baseline's" } }
                        }
                    }
                    tbody {
                        @for event in events() {
                            tr {
                                th scope="row" class="code" { (event.name) }
                                (cells(&event.port.times))
                                td class="number" { (event.allocations.map_or("not counted".into(), |all| all.count.to_string())) }
                                @if baseline.is_some() {
                                    td class="number" { (earlier(event).map_or("not in the baseline".into(), |baseline| format!("{:.2}", event.change(baseline)))) }
                                }
                            }
                        }
                    }
                }
            }
            @for event in events().take(EVENTS) { (article(event, earlier(event))) }
            @if self.events.len() > EVENTS { p { (self.events.len() - EVENTS) " more events have no plots." } }
        }
    }
}

fn article(event: &Figures, baseline: Option<&Figures>) -> Markup {
    let mut sides = vec![("Port", &event.port)];
    sides.extend(baseline.map(|baseline| ("Baseline", &baseline.port)));
    let original = event.original.as_ref();
    sides.extend(original.map(|original| ("Original on Node, over HTTP", original)));
    let spread = sides.iter().filter_map(|(name, side)| {
        Some((*name, &side.times, Distribution::of(side.times.spread())?))
    });
    let spread: Vec<_> = spread.collect();
    let distributions: Vec<&Distribution> = spread.iter().map(|(_, _, spread)| spread).collect();
    let counted = match sides.iter().any(|(_, side)| side.times.count() > SPREAD) {
        true => "invocations, of a sample",
        false => "invocations",
    };
    html! {
        article {
            h3 class="code" { (event.name) }
            @for (name, side) in &sides {
                @if let Some(failed) = failed(side) { p class="bad" { (name) ": " (failed) } }
            }
            div class="plots" {
                @for ((name, times, _), plot) in spread.iter().zip(histograms(&distributions, counted, "µs")) {
                    figure {
                        figcaption { (name) }
                        div role="img" aria-label={ "Histogram of the time of " (name) ", with a median of " (shown(times.median())) } {
                            (plot)
                        }
                    }
                }
            }
            div class="figures" {
                table aria-label="Times" {
                    thead {
                        tr {
                            th scope="col" { "Run" }
                            th scope="col" class="number" { "Invocations" }
                            @for name in COLUMNS { th scope="col" class="number" { (name) } }
                        }
                    }
                    tbody {
                        @for (name, side) in &sides {
                            tr {
                                th scope="row" { (name) }
                                td class="number" { (whole(side.times.count() as f64)) }
                                (cells(&side.times))
                            }
                        }
                    }
                }
                (parts(event, baseline))
            }
            @if let Some(allocations) = event.allocations {
                p { (allocations.count) " allocations of " (size(allocations.bytes)) ", at most " (size(allocations.peak)) " at a time" }
            }
        }
    }
}

fn cells(times: &Times) -> Markup {
    html! {
        td class="number" { (whole(times.rate())) }
        @for time in [times.median(), times.percentile(99), times.max()] {
            td class="number" { (shown(time)) }
        }
    }
}

fn parts(event: &Figures, baseline: Option<&Figures>) -> Markup {
    let runs = [("Port", Some(event)), ("Baseline", baseline)];
    let runs = runs
        .into_iter()
        .filter_map(|(name, run)| Some((name, run?)));
    html! {
        table aria-label="Parts of an invocation" {
            thead {
                tr {
                    th scope="col" { "Part" }
                    @for (name, _) in event.parts.each() { th scope="col" class="number" { (name) } }
                }
            }
            tbody {
                @for (name, run) in runs {
                    tr {
                        th scope="row" { (name) }
                        @for (_, time) in run.parts.each() { td class="number" { (shown(time)) } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{report::tests::report, text::tests::figures},
        *,
    };

    #[test]
    fn a_page_has_a_plot_of_each_run_of_each_event() {
        let mut one = figures("<a>.json", 1000);
        let plots = |page: &str| page.matches("<svg ").count();
        let alone = report(&[one.clone(), figures("b.json", 700)]);
        let page = alone.to_html(None);
        assert_eq!(plots(&page), 2);
        assert!(page.contains("&lt;a&gt;.json") && !page.contains("<a>.json"));
        assert!(page.contains("µs, logarithmic") && page.contains("not counted"));
        one.original = Some(figures("", 300_000).port);
        one.port.failed = 1;
        one.port.first_error = Some("<b>".into());
        let baseline = report(&[figures("<a>.json", 2000)]);
        let page = report(&[one, figures("b.json", 700)]).to_html(Some(&baseline));
        assert_eq!(plots(&page), 4);
        assert!(
            page.contains("Original on Node, over HTTP")
                && page
                    .contains("Port: 1 of 100 invocations failed; the first error is: &lt;b&gt;")
                && page.contains("0.51")
                && page.contains("not in the baseline")
        );
    }

    #[test]
    fn many_events_are_bounded() {
        let many: Vec<_> = (0..EVENTS + 7)
            .map(|at| figures(&format!("{at}.json"), 1000))
            .collect();
        let page = report(&many).to_html(None);
        assert_eq!(page.matches("<svg ").count(), EVENTS);
        assert!(page.contains("7 more events have no plots"));
    }
}
