//! The drawing of a timeline, in SVG. Positions in time are percentages, so that the drawing is as
//! wide as the page while its text keeps its size.

use super::{
    Timeline, TimelineTask,
    describe::{Tone, spawned},
    in_millis,
    lanes::{LANES, Lane, Mark},
};
use maud::{Markup, html};
use std::{collections::BTreeSet, time::Duration};

/// The height of a lane, which consists of a label and a bar.
const LANE: usize = 44;
/// The distance from the top of a lane to the center of its bar.
const CENTER: usize = 30;
/// The height of the axis.
const AXIS: usize = 22;

/// Marks closer than this, in percent of the width, are moved apart.
const CLOSE: f64 = 6.0;
/// The distance between marks that were moved apart, in pixels.
const APART: f64 = 20.0;

/// The maximum number of ticks after zero.
const TICKS: u32 = 5;

type PlacedMark = (Duration, Mark, Tone);

pub(super) fn drawing(timeline: &Timeline) -> Markup {
    let end = timeline.end();
    let lanes = timeline.lanes();
    let height = AXIS + lanes.len() * LANE;
    let description = format!(
        "{} lanes from 0 to {:.3} ms. The table below has the same content.",
        lanes.len(),
        in_millis(end)
    );
    let marks = lanes.iter().flat_map(|lane| &lane.marks);
    let marks: BTreeSet<_> = marks.map(|(_, mark, _)| *mark).collect();
    html! {
        figure class="lanes" {
            svg role="img" aria-label=(description) width="100%" height=(height) {
                @for (at, text) in ticks(end) {
                    @let x = percent(at, end);
                    line class="grid" x1={ (x) "%" } x2={ (x) "%" } y1=(AXIS - 4) y2=(height) {}
                    text class="quiet" x={ (x) "%" } y="12" text-anchor=(anchor(x)) { (text) }
                }
                @for (n, lane) in lanes.iter().enumerate() {
                    (drawn(timeline, lane, AXIS + n * LANE))
                }
            }
            @if timeline.tasks.len() > LANES {
                p class="quiet" { (timeline.tasks.len() - LANES) " further tasks are only in the tables." }
            }
            figcaption {
                @for mark in marks {
                    span { b { (mark.symbol()) } " " (mark.meaning()) } " "
                }
            }
        }
    }
}

fn drawn(timeline: &Timeline, lane: &Lane<'_>, top: usize) -> Markup {
    let end = timeline.end();
    let center = top + CENTER;
    html! {
        text y=(top + 14) {
            tspan class="label" { (lane.label) }
            @if let Some(task) = lane.task.filter(|task| task.id != 0) {
                tspan class="quiet" dx="8" { (spawned(task.kind)) }
            }
        }
        @if let Some(task) = lane.task { (bar(task, end, center)) }
        @for (x, shift, (at, mark, tone)) in placed(&lane.marks, end) {
            svg x={ (x) "%" } y=(center) overflow="visible" {
                g class={ "mark " (tone.class()) } transform={ "translate(" (shift) ",0)" } {
                    title { (mark.meaning()) ", " (format!("{:.3}", in_millis(at))) " ms" }
                    circle r="9" {}
                    text y="4" text-anchor="middle" { (mark.symbol()) }
                }
            }
        }
    }
}

/// Draws the lifetime of a task, and its long runs.
fn bar(task: &TimelineTask, end: Duration, center: usize) -> Markup {
    let (from, to) = (
        percent(task.spawned, end),
        percent(task.ended.unwrap_or(end), end),
    );
    html! {
        rect class={ "bar " (task.end.class()) } x={ (from) "%" } width={ ((to - from).max(0.0)) "%" } y=(center - 6) height="12" rx="3" {
            title { (task.end.describe()) }
        }
        @for (at, took) in &task.long_runs {
            @let (from, to) = (percent(*at, end), percent(*at + *took, end));
            rect class={ "run " (task.end.class()) } x={ (from) "%" } width={ ((to - from).max(0.0)) "%" } y=(center - 6) height="12" {
                title { "ran for " (format!("{:.3}", in_millis(*took))) " ms" }
            }
        }
    }
}

/// Returns each mark with its position in percent, and how many pixels it is moved so that it does
/// not hide another: to the right in the left half, and to the left in the right half.
fn placed(marks: &[PlacedMark], end: Duration) -> Vec<(f64, f64, PlacedMark)> {
    let left = |mark: &&PlacedMark| percent(mark.0, end) <= 50.0;
    let mut placed = side_by_side(marks.iter().filter(left), end, APART);
    let right = marks.iter().filter(|mark| !left(mark)).rev();
    placed.extend(side_by_side(right, end, -APART));
    placed
}

/// Moves marks away from the first of their group, which they would otherwise hide.
fn side_by_side<'a>(
    marks: impl Iterator<Item = &'a PlacedMark>,
    end: Duration,
    apart: f64,
) -> Vec<(f64, f64, PlacedMark)> {
    let (mut placed, mut first, mut count) = (Vec::new(), None, 0.0);
    for mark in marks {
        let x = percent(mark.0, end);
        match first {
            Some(first) if f64::abs(x - first) < CLOSE * count => {
                placed.push((first, apart * count, *mark));
                count += 1.0;
            }
            _ => {
                first = Some(x);
                count = 1.0;
                placed.push((x, 0.0, *mark));
            }
        }
    }
    placed
}

/// Returns round times for the axis, starting at zero.
fn ticks(end: Duration) -> Vec<(Duration, String)> {
    let end_millis = in_millis(end);
    if end_millis <= 0.0 {
        return vec![(Duration::ZERO, "0 ms".into())];
    }
    let least = end_millis / f64::from(TICKS);
    let power = 10_f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power);
    let step = step.into_iter().find(|step| *step >= least);
    let step = step.unwrap_or(least);
    let decimals = if power < 0.1 {
        2
    } else {
        usize::from(power < 1.0)
    };
    (0..=TICKS)
        .map(|n| step * f64::from(n))
        .take_while(|at| *at <= end_millis)
        .filter_map(|at| {
            let time = Duration::try_from_secs_f64(at / 1000.0).ok()?;
            Some((time, format!("{at:.decimals$} ms")))
        })
        .collect()
}

/// Returns the position from the left in percent, rounded to three decimal places.
fn percent(at: Duration, end: Duration) -> f64 {
    let end = end.as_secs_f64();
    if end <= 0.0 {
        return 0.0;
    }
    (at.as_secs_f64() / end * 100_000.0)
        .round()
        .clamp(0.0, 100_000.0)
        / 1000.0
}

fn anchor(percent: f64) -> &'static str {
    match percent {
        x if x < 10.0 => "start",
        x if x > 90.0 => "end",
        _ => "middle",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn marks_of_the_same_time_are_placed_side_by_side_within_the_drawing() {
        let marks = [0, 1, 50, 90, 100, 100].map(|at| (ms(at), Mark::Signal, Tone::Plain));
        let placed = placed(&marks, ms(100));
        let places: Vec<_> = placed.iter().map(|(x, shift, ..)| (*x, *shift)).collect();
        let left = [(0.0, 0.0), (0.0, 20.0), (50.0, 0.0)];
        // Marks in the right half are placed from right to left.
        let right = [(100.0, 0.0), (100.0, -20.0), (100.0, -40.0)];
        assert_eq!(places, [left, right].concat());
    }

    #[test]
    fn an_axis_has_a_few_round_times() {
        for (end, expected) in [
            (Duration::ZERO, &["0 ms"][..]),
            (ms(31), &["0 ms", "10 ms", "20 ms", "30 ms"]),
            (
                ms(1_000),
                &["0 ms", "200 ms", "400 ms", "600 ms", "800 ms", "1000 ms"],
            ),
            (
                Duration::from_micros(130),
                &["0.00 ms", "0.05 ms", "0.10 ms"],
            ),
        ] {
            let ticks = ticks(end);
            let found: Vec<_> = ticks.iter().map(|(_, text)| text.as_str()).collect();
            assert_eq!(found, expected);
        }
        assert!(ticks(Duration::MAX).len() <= 6);
    }

    #[test]
    fn positions_are_within_the_drawing() {
        assert_eq!(percent(ms(1), ms(3)), 33.333);
        assert_eq!(percent(ms(9), ms(3)), 100.0);
        assert_eq!(percent(ms(0), Duration::ZERO), 0.0);
    }
}
