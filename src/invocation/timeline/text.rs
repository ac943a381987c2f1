//! A timeline as text.

use super::{
    Timeline, TimelineTask,
    describe::Tone,
    in_millis,
    lanes::{LANES, Lane},
};
use crate::{invocation::queue::HANDLER_SERIAL, text::excerpt};
use std::{collections::BTreeSet, fmt, time::Duration};

/// The width of a drawing, in characters.
const COLUMNS: usize = 56;

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, &|_, text| text.into())
    }
}

impl Timeline {
    /// Writes the text. `paint` adds color to its parts.
    pub(crate) fn write(
        &self,
        f: &mut dyn fmt::Write,
        paint: &dyn Fn(Tone, &str) -> String,
    ) -> fmt::Result {
        let request_id = excerpt(&self.request_id, 100);
        writeln!(f, "{}", self.title())?;
        if !request_id.is_empty() {
            writeln!(
                f,
                "{}",
                paint(Tone::Quiet, &format!("request {request_id}"))
            )?;
        }
        writeln!(f)?;
        self.draw(f, paint)?;
        writeln!(f)?;
        let owners: Vec<_> = self
            .entries
            .iter()
            .map(|entry| entry.by.map_or(String::new(), |by| self.label(by)))
            .collect();
        let width = owners.iter().map(String::len).max().unwrap_or(0);
        for (entry, owner) in self.entries.iter().zip(owners) {
            let head = format!("{:>11.3} ms  {owner:width$}", in_millis(entry.at));
            let text = self.describe(&entry.event);
            let (head, text) = (paint(Tone::Quiet, &head), paint(entry.event.tone(), &text));
            writeln!(f, "{head}  {text}")?;
        }
        for omission in self.omissions() {
            writeln!(f, "{:>11}     {}", "", paint(Tone::Quiet, &omission))?;
        }
        Ok(())
    }

    fn draw(&self, f: &mut dyn fmt::Write, paint: &dyn Fn(Tone, &str) -> String) -> fmt::Result {
        let lanes = self.lanes();
        let width = lanes.iter().map(|lane| lane.label.len()).max();
        let width = width.unwrap_or(0);
        let end = format!("{:.3} ms", in_millis(self.end()));
        let axis = format!("  {:width$}  0{end:>1$}", "", COLUMNS);
        writeln!(f, "{}", paint(Tone::Quiet, &axis))?;
        for lane in &lanes {
            let drawn = self.drawn(lane);
            writeln!(f, "  {:width$}  {}", lane.label, drawn.trim_end())?;
        }
        if self.tasks.len() > LANES {
            let more = self.tasks.len() - LANES;
            let more = format!("  {:width$}  {more} more tasks are only listed", "");
            writeln!(f, "{}", paint(Tone::Quiet, &more))?;
        }
        let marks = lanes.iter().flat_map(|lane| &lane.marks);
        let marks: BTreeSet<_> = marks.map(|(_, mark, _)| *mark).collect();
        let legend = marks
            .iter()
            .map(|mark| format!("{} {}", mark.symbol(), mark.meaning()));
        let legend = legend.collect::<Vec<_>>().join("   ");
        writeln!(f, "\n  {}", paint(Tone::Quiet, &legend))
    }

    /// Draws a lane. Marks of the same time are placed side by side.
    fn drawn(&self, lane: &Lane<'_>) -> String {
        let mut cells = lane.task.map_or(Vec::new(), |task| self.bar(task));
        let mut free = 0;
        for (at, mark, _) in &lane.marks {
            let is_apart = lane.task.is_none();
            let column = self.column(*at).max(free);
            if cells.len() <= column {
                cells.resize(column + 1, ' ');
            }
            if let Some(cell) = cells.get_mut(column) {
                *cell = mark.symbol();
            }
            free = column + 1 + usize::from(is_apart);
        }
        cells.into_iter().collect()
    }

    /// Draws the lifetime of a task.
    fn bar(&self, task: &TimelineTask) -> Vec<char> {
        let (from, to) = (
            self.column(task.spawned),
            self.column(task.ended.unwrap_or(self.end())),
        );
        let line = if task.id == HANDLER_SERIAL { '-' } else { '=' };
        let mut cells = vec![' '; from];
        cells.resize(to + 1, line);
        for (at, took) in &task.long_runs {
            let (from, to) = (self.column(*at), self.column(*at + *took));
            for cell in cells.iter_mut().take(to + 1).skip(from) {
                *cell = '#';
            }
        }
        cells
    }

    fn column(&self, at: Duration) -> usize {
        let end = self.end().as_nanos().max(1);
        let column = at.as_nanos().saturating_mul(COLUMNS as u128) / end;
        usize::try_from(column).map_or(COLUMNS, |column| column.min(COLUMNS))
    }
}
