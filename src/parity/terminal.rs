//! The report of a comparison on a terminal: color, and a progress bar if it takes long.

use super::{lines::Lines, report::Compared};
use crate::log;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    fmt::Display,
    future::Future,
    io::{self, Write},
    pin::pin,
    time::Duration,
};
use tokio::time::sleep;

/// The time after which a comparison shows a progress bar.
const LONG: Duration = Duration::from_secs(1);

const TICK: Duration = Duration::from_millis(100);

/// Writes the lines of a report to stdout and a progress bar to stderr, which may be the same
/// terminal.
pub(super) struct Terminal {
    has_color: bool,
    bar: ProgressBar,
}

impl Terminal {
    /// Uses color only on a terminal, and not if `NO_COLOR` is set or `TERM` is `dumb`.
    pub(super) fn new() -> Self {
        Terminal {
            has_color: console::colors_enabled(),
            bar: ProgressBar::hidden(),
        }
    }

    pub(super) fn event(&self, compared: &Compared, count: usize) {
        self.bar.set_length(count as u64);
        self.bar.inc(1);
        if self.bar.position() == 1 {
            self.bar.set_style(style("{bar:30} {pos} of {len} events"));
        }
        self.line(&Lines {
            compared,
            has_color: self.has_color,
        });
    }

    /// Prints a line in place of the bar, which moves down.
    pub(super) fn line(&self, line: &dyn Display) {
        self.bar.suspend(|| {
            // The comparison goes on if its output cannot be written, such as to a closed pipe.
            let _ = writeln!(io::stdout(), "{line}");
        });
    }

    /// Awaits a comparison, and shows a bar if it takes long and stderr is a terminal.
    pub(super) async fn during<T>(&self, comparison: impl Future<Output = T>) -> T {
        self.during_on(ProgressDrawTarget::stderr, comparison).await
    }

    async fn during_on<T>(
        &self,
        target: impl FnOnce() -> ProgressDrawTarget,
        comparison: impl Future<Output = T>,
    ) -> T {
        let mut comparison = pin!(comparison);
        tokio::select! {
            biased;
            compared = &mut comparison => return compared,
            () = sleep(LONG) => {}
        }
        let bar = self.show(target());
        let compared = comparison.await;
        drop(bar);
        compared
    }

    fn show(&self, target: ProgressDrawTarget) -> Shown<'_> {
        if self.bar.position() == 0 {
            self.bar
                .set_style(style("{spinner} waiting for the first event: {elapsed}"));
        }
        self.bar.set_draw_target(target);
        // The bar is hidden if stderr is not a terminal.
        if !self.bar.is_hidden() {
            self.bar.tick();
            self.bar.enable_steady_tick(TICK);
            let bar = self.bar.clone();
            log::set_around(Some(Box::new(move |write| bar.suspend(write))));
        }
        Shown(&self.bar)
    }
}

/// Shows the bar until this is dropped.
struct Shown<'a>(&'a ProgressBar);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        log::set_around(None);
        self.0.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    // An invalid template falls back to the default bar of `indicatif`.
    let style = ProgressStyle::with_template(template);
    style.map_or_else(
        |_| ProgressStyle::default_bar(),
        |style| style.progress_chars("=> "),
    )
}

#[cfg(test)]
mod tests {
    use super::{super::report::tests::compared, *};
    use indicatif::TermLike;
    use parking_lot::Mutex;
    use std::sync::Arc;

    /// The line of the bar, and each text that it has had.
    #[derive(Clone, Debug, Default)]
    struct Drawn(Arc<Mutex<(String, Vec<String>)>>);

    impl Drawn {
        fn line(&self) -> String {
            self.0.lock().0.clone()
        }

        fn ever(&self, text: &str) -> bool {
            self.0.lock().1.iter().any(|line| line.contains(text))
        }
    }

    impl TermLike for Drawn {
        fn width(&self) -> u16 {
            80
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            let (line, lines) = &mut *self.0.lock();
            line.push_str(text);
            lines.push(line.clone());
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            self.0.lock().0.clear();
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_comparison_has_a_bar_if_it_takes_long() {
        let terminal = Terminal::new();
        let drawn = Drawn::default();
        let target = || ProgressDrawTarget::term_like(Box::new(drawn.clone()));
        let short = terminal.during_on(target, async {
            sleep(LONG / 2).await;
            7
        });
        assert_eq!(short.await, 7);
        assert!(!drawn.ever(""));

        let event = compared("a.json", "1", "1");
        let comparison = async {
            sleep(LONG * 2).await;
            assert!(drawn.ever("waiting for the first event"));
            terminal.event(&event, 2);
            assert!(drawn.ever("1 of 2 events"), "{drawn:?}");
            terminal.bar.suspend(|| assert_eq!(drawn.line(), ""));
        };
        terminal.during_on(target, comparison).await;
        assert_eq!(drawn.line(), "");
    }
}
