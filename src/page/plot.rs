//! Plots, as SVG inside a page.

use super::Distribution;
use maud::{Markup, PreEscaped};
use plotters::{
    coord::combinators::{BindKeyPoints, IntoLogRange},
    drawing::DrawingAreaErrorKind,
    prelude::*,
};

/// The size of an SVG in pixels, which fits a narrow screen without scaling.
const SIZE: (u32, u32) = (440, 240);

const BINS: usize = 30;

/// Times below this many milliseconds count as this many, since a logarithmic axis has no zero.
const SHORTEST: f64 = 0.001;

/// `style.css` replaces these colors by those of the light or the dark form of a page.
const INK: RGBColor = RGBColor(0x11, 0x11, 0x11);
const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
const SERIES: [RGBColor; 2] = [RGBColor(0x1f, 0x77, 0xb4), RGBColor(0xd9, 0x5f, 0x02)];

/// Returns a histogram of each distribution, with a line at its median. All of them have the same
/// axes, so that they can be compared. The time axis is logarithmic. `counted` names what is
/// counted, and `unit` is the unit of the times.
pub(crate) fn histograms(
    distributions: &[&Distribution],
    counted: &str,
    unit: &str,
) -> Vec<Markup> {
    let Some(axis) = Axis::of(distributions) else {
        return Vec::new();
    };
    let bins: Vec<_> = distributions.iter().map(|each| axis.bins(each)).collect();
    let highest = bins.iter().flatten().max().copied().unwrap_or(0);
    let plots = distributions.iter().zip(&bins).zip(SERIES.iter().cycle());
    plots
        .map(|((distribution, bins), color)| {
            let mut svg = String::new();
            let plot = Plot {
                axis: &axis,
                bins,
                median: distribution.percentile(50).max(SHORTEST),
                highest,
                counted,
                unit,
                color,
            };
            if plot.draw(SVGBackend::with_string(&mut svg, SIZE)).is_err() {
                // Drawing into a text does not fail. If it did, the page would still have the
                // figures.
                svg.clear();
            }
            PreEscaped(svg)
        })
        .collect()
}

/// A logarithmic axis, whose ends are 1, 2 or 5 times a power of ten.
#[derive(Debug, PartialEq)]
struct Axis {
    low: f64,
    high: f64,
    ticks: Vec<f64>,
}

/// Returns at most six counts from zero up to the highest, at equal distances.
fn counts(highest: u64) -> Vec<u64> {
    let mut steps =
        (0..19).flat_map(|exponent| [1, 2, 5].map(|digit| digit * 10_u64.pow(exponent)));
    let step = steps.find(|step| highest / step <= 5).unwrap_or(u64::MAX);
    (0..=highest / step).map(|nth| nth * step).collect()
}

impl Axis {
    fn of(distributions: &[&Distribution]) -> Option<Self> {
        let min = distributions
            .iter()
            .map(|each| each.min())
            .reduce(f64::min)?;
        let max = distributions
            .iter()
            .map(|each| each.max())
            .reduce(f64::max)?;
        let steps: Vec<f64> = (-3..9)
            .flat_map(|exponent| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(exponent)))
            .collect();
        let below = |step: &&f64| **step <= min;
        let low = *steps.iter().rev().find(below).unwrap_or(&SHORTEST);
        let above = |step: &&f64| **step >= max && **step > low;
        let high = *steps.iter().find(above).or(steps.last())?;
        let within = |step: &f64| (low..=high).contains(step);
        let mut ticks: Vec<f64> = steps.into_iter().filter(within).collect();
        if ticks.len() > 8 {
            ticks.retain(|tick| (tick.log10() - tick.log10().round()).abs() < 1e-9);
        }
        Some(Axis { low, high, ticks })
    }

    /// Counts the times in each bin. Those beyond the axis are in the first or the last.
    fn bins(&self, distribution: &Distribution) -> Vec<u64> {
        let times = distribution.each();
        let before = |bin: usize| match bin {
            0 => 0,
            BINS => times.len(),
            bin => times.partition_point(|millis| *millis < self.start(bin)),
        };
        let counts = (0..BINS).map(|bin| before(bin + 1) - before(bin));
        counts.map(|count| count as u64).collect()
    }

    /// Returns where a bin begins.
    fn start(&self, bin: usize) -> f64 {
        self.low * (self.high / self.low).powf(bin as f64 / BINS as f64)
    }
}

struct Plot<'a> {
    axis: &'a Axis,
    bins: &'a [u64],
    median: f64,
    /// The count of the highest bin of all distributions.
    highest: u64,
    counted: &'a str,
    unit: &'a str,
    color: &'a RGBColor,
}

impl Plot<'_> {
    fn draw<B: DrawingBackend>(
        &self,
        backend: B,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let area = backend.into_drawing_area();
        let axis = self.axis;
        let times = (axis.low..axis.high)
            .log_scale()
            .with_key_points(axis.ticks.clone());
        let top = self.highest + self.highest / 10 + 1;
        let counts = (0..top).with_key_points(counts(self.highest));
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .margin_right(20)
            .x_label_area_size(40)
            .y_label_area_size(76)
            .build_cartesian_2d(times, counts)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .axis_style(INK)
            .bold_line_style(GRID)
            .label_style(("sans-serif", 16).into_font().color(&INK))
            .x_label_formatter(&|time| format!("{time}"))
            .x_desc(format!("{}, logarithmic", self.unit))
            .y_desc(self.counted)
            .draw()?;
        let bars = self
            .bins
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0);
        chart.draw_series(bars.map(|(bin, count)| {
            let corners = [(axis.start(bin), 0), (axis.start(bin + 1), *count)];
            Rectangle::new(corners, self.color.filled())
        }))?;
        let median = [(self.median, 0), (self.median, top)];
        chart.draw_series([PathElement::new(median, INK.stroke_width(1))])?;
        area.present()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn of(millis: &[f64]) -> Distribution {
        Distribution::of(millis.iter().copied()).unwrap()
    }

    #[test]
    fn an_axis_has_every_time() {
        for (millis, low, high, ticks) in [
            (
                &[0.3, 7.0][..],
                0.2,
                10.0,
                &[0.2, 0.5, 1.0, 2.0, 5.0, 10.0][..],
            ),
            (&[1.0], 1.0, 2.0, &[1.0, 2.0]),
            (&[0.0], 0.001, 0.002, &[0.001, 0.002]),
            (
                &[0.05, 3000.0],
                0.05,
                5000.0,
                &[0.1, 1.0, 10.0, 100.0, 1000.0],
            ),
        ] {
            let axis = Axis::of(&[&of(millis)]).unwrap();
            let close = |one: f64, other: f64| (one / other - 1.0).abs() < 1e-9;
            assert!(close(axis.low, low) && close(axis.high, high), "{axis:?}");
            assert_eq!(axis.ticks.len(), ticks.len(), "{axis:?}");
            assert!(
                axis.ticks
                    .iter()
                    .zip(ticks)
                    .all(|(one, other)| close(*one, *other)),
                "{axis:?}"
            );
        }
    }

    #[test]
    fn a_few_counts_are_labeled() {
        for (highest, expected) in [
            (0, &[0][..]),
            (1, &[0, 1]),
            (7, &[0, 2, 4, 6]),
            (10_000, &[0, 2000, 4000, 6000, 8000, 10_000]),
            (
                u64::MAX,
                &[
                    0,
                    5_000_000_000_000_000_000,
                    10_000_000_000_000_000_000,
                    15_000_000_000_000_000_000,
                ],
            ),
        ] {
            assert_eq!(counts(highest), expected);
        }
    }

    #[test]
    fn each_time_is_in_a_bin() {
        let times = of(&[0.0, 0.001, 0.5, 1.0, 1.0, 900_000.0, 1e12]);
        let axis = Axis::of(&[&times]).unwrap();
        let bins = axis.bins(&times);
        assert_eq!(bins.iter().sum::<u64>(), 7);
        assert_eq!((bins.first(), bins.last()), (Some(&2), Some(&1)));
    }

    #[test]
    fn histograms_have_the_same_axes_and_colors_of_the_style() {
        let plots = histograms(&[&of(&[0.2; 10]), &of(&[3.0, 4.0])], "events", "ms");
        let [first, second] = &*plots else {
            panic!("there are two");
        };
        for plot in [first, second] {
            assert!(plot.0.starts_with("<svg ") && plot.0.trim_end().ends_with("</svg>"));
            assert!(
                plot.0.contains("\n10\n") && plot.0.contains("\n0.2\n"),
                "{}",
                plot.0
            );
            let colors = plot.0.split('"').filter(|value| value.starts_with('#'));
            for color in colors {
                assert!(include_str!("style.css").contains(color), "{color}");
            }
        }
        assert!(first.0.contains("#1F77B4") && second.0.contains("#D95F02"));
        let [one] = &*histograms(&[&of(&[1.0])], "<events>", "ms") else {
            panic!("there is one");
        };
        assert!(one.0.contains("&lt;events&gt;"));
        assert!(histograms(&[], "events", "ms").is_empty());
    }
}
