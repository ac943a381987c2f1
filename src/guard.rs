//! The one place where user code is entered: a handler, its future and its tasks, and also its
//! implementations of `Deserialize`, `Serialize`, `Display`, `source` and `Drop`. A panic in user
//! code becomes a value, and every traversal of what user code returns is bounded.

use crate::panic_place::{self, PanicPlace};
use std::{
    any::Any,
    error::Error as StdError,
    fmt::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

/// A caught panic: its message, and where it happened.
#[derive(Debug)]
pub(crate) struct Panic(pub(crate) String, pub(crate) Option<Box<PanicPlace>>);

impl Panic {
    /// Reads the message of a panic's payload, and drops the payload.
    pub(crate) fn of(payload: Box<dyn Any + Send>) -> Self {
        // The place comes first: the destructor of the payload may panic, too, and replace it.
        let place = panic_place::take();
        let message = message(payload.as_ref()).to_owned();
        drop_payload(payload);
        Panic(message, place)
    }
}

fn message(payload: &(dyn Any + Send)) -> &str {
    match (
        payload.downcast_ref::<&str>(),
        payload.downcast_ref::<String>(),
    ) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "a panic whose payload is not a string",
    }
}

/// How many payloads are dropped for one panic, if the destructor of each panics with another one.
const PAYLOADS: usize = 8;

fn drop_payload(mut payload: Box<dyn Any + Send>) {
    for _ in 0..PAYLOADS {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(next) => payload = next,
        }
    }
    // The chain of payloads may be endless, so the last one is leaked.
    Box::leak(payload);
}

/// Runs `f`, and returns its panic as an error.
///
/// Unwind safety: state that a panic leaves inconsistent belongs to the handler and its invocation,
/// which fails. State that outlives the invocation is shared through types that define how they
/// behave after a panic, such as a mutex, which is poisoned, or an atomic.
pub(crate) fn guarded<T>(f: impl FnOnce() -> T) -> Result<T, Panic> {
    panic_place::forget_earlier();
    catch_unwind(AssertUnwindSafe(f)).map_err(Panic::of)
}

/// Drops a value whose destructor may panic.
pub(crate) fn discard<T>(value: T) {
    // The panic hook has printed the message, and there is nowhere else to report it.
    let _ = guarded(|| drop(value));
}

/// A future whose `poll` and destructor may panic.
pub(crate) struct Guarded<F>(Option<Pin<Box<F>>>)
where
    F: Future + ?Sized;

impl<F: Future + ?Sized> Guarded<F> {
    pub(crate) fn new(future: Pin<Box<F>>) -> Self {
        Guarded(Some(future))
    }

    /// Polls the future without catching its panics, for callers that are guarded themselves. The
    /// future is dropped as soon as it is ready, so that a panic of its destructor counts as a
    /// panic of the future.
    pub(crate) fn poll_unguarded(&mut self, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Some(future) = &mut self.0 else {
            return Poll::Pending;
        };
        let polled = future.as_mut().poll(cx);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl<F: Future + ?Sized> Guarded<F> {
    /// Drops the future without catching a panic of its destructor.
    pub(crate) fn drop_unguarded(mut self) {
        self.0 = None;
    }
}

impl<F: Future + ?Sized> Drop for Guarded<F> {
    fn drop(&mut self) {
        discard(self.0.take());
    }
}

impl<F: Future + ?Sized> Future for Guarded<F> {
    type Output = Result<F::Output, Panic>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match guarded(|| self.poll_unguarded(cx)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}

/// The maximum length of the text of one `Display`, in bytes: Lambda's limit for a whole response.
const TEXT_LIMIT: usize = 6 * 1024 * 1024;

/// How many causes of an error are shown.
const CAUSES: usize = 32;

/// Returns the text of a value, even if its `Display` fails or panics. The text is then what it
/// wrote before, followed by a note about what happened.
pub(crate) fn text(value: &(impl fmt::Display + ?Sized)) -> String {
    let mut written = Bounded::default();
    let ended = guarded(|| write!(written, "{value}"));
    let Bounded { mut text, cut } = written;
    let note = match ended {
        Ok(Ok(())) if !cut => return text,
        Ok(_) if cut => format!("(cut off after {} bytes)", text.len()),
        Ok(_) => "(its Display returned an error)".into(),
        Err(Panic(message, _)) => format!("(its Display panicked: {message})"),
    };
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(&note);
    text
}

#[derive(Default)]
struct Bounded {
    text: String,
    cut: bool,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = TEXT_LIMIT.saturating_sub(self.text.len());
        let fits = (0..=room.min(more.len()))
            .rev()
            .find(|&at| more.is_char_boundary(at));
        let more_of_it = more.get(..fits.unwrap_or(0)).unwrap_or_default();
        self.text.push_str(more_of_it);
        if more_of_it.len() == more.len() {
            return Ok(());
        }
        self.cut = true;
        Err(fmt::Error)
    }
}

/// Returns an error and its causes, from the outermost to the innermost, up to twice as many as are
/// shown. A `source` that panics ends the chain.
pub(crate) fn chain<'a>(
    first: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let source = |error: &&'a (dyn StdError + 'static)| {
        let error = *error;
        guarded(|| error.source()).ok().flatten()
    };
    std::iter::successors(Some(first), source).take(2 * CAUSES)
}

/// Returns the texts of a chain of errors. An endless chain, such as that of an error that is its
/// own source, is cut off, and the last text says so.
pub(crate) fn texts<'a>(
    chain: impl IntoIterator<Item = &'a (dyn StdError + 'static)>,
) -> Vec<String> {
    let shown = chain.into_iter().take(CAUSES + 1).enumerate();
    let shown = shown.map(|(n, error)| match n {
        CAUSES => format!("(further causes are left out after {CAUSES})"),
        _ => text(error),
    });
    shown.collect()
}

/// Returns the texts of an error and of its causes.
pub(crate) fn causes(first: Option<&(dyn StdError + 'static)>) -> Vec<String> {
    texts(first.into_iter().flat_map(chain))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

    use super::*;
    use std::{future::ready, panic::panic_any, sync::Arc};

    /// Panics when it is dropped, with another bomb as the payload.
    struct Bomb(usize, Arc<()>);

    impl Drop for Bomb {
        fn drop(&mut self) {
            if self.0 > 0 {
                panic_any(Bomb(self.0 - 1, Arc::clone(&self.1)));
            }
        }
    }

    #[test]
    fn panics_of_dropped_payloads_are_caught_up_to_a_limit() {
        for (depth, leaked) in [(0, 0), (1, 0), (7, 0), (100, 1)] {
            let alive = Arc::new(());
            let bomb = Bomb(depth, Arc::clone(&alive));
            let Panic(message, _) = guarded(|| panic_any(bomb)).unwrap_err();
            assert_eq!(message, "a panic whose payload is not a string");
            assert_eq!(Arc::strong_count(&alive), 1 + leaked, "{depth}");
        }
    }

    #[test]
    fn a_panic_while_another_unwinds_is_caught_too() {
        struct Discards;
        impl Drop for Discards {
            fn drop(&mut self) {
                discard(Bomb(1, Arc::default()));
            }
        }
        let Panic(message, _) = guarded(|| {
            let _discards = Discards;
            panic!("the first")
        })
        .unwrap_err();
        assert_eq!(message, "the first");
    }

    #[test]
    fn a_panic_of_a_futures_destructor_is_its_outcome() {
        struct Future(bool);
        impl std::future::Future for Future {
            type Output = ();
            fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
                if self.0 {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            }
        }
        impl Drop for Future {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut ends = Guarded::new(Box::pin(Future(true)));
        let Poll::Ready(Err(Panic(message, _))) = Pin::new(&mut ends).poll(&mut cx) else {
            panic!("the panic is the outcome");
        };
        assert_eq!(message, "dropped");
        assert!(Pin::new(&mut ends).poll(&mut cx).is_pending());
        let mut pending = Guarded::new(Box::pin(Future(false)));
        assert!(Pin::new(&mut pending).poll(&mut cx).is_pending());
        drop(pending);
        let mut ready = Guarded::new(Box::pin(ready(7)));
        assert!(matches!(
            Pin::new(&mut ready).poll(&mut cx),
            Poll::Ready(Ok(7))
        ));
    }

    #[test]
    fn an_endless_text_is_cut_off() {
        struct Endless;
        impl fmt::Display for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    f.write_str("on and on, ")?;
                }
            }
        }
        let text = text(&Endless);
        assert!(text.ends_with(" bytes)") && text.len() < TEXT_LIMIT + 100);
    }

    #[test]
    fn chains_end_even_if_an_error_panics_or_is_its_own_source() {
        #[derive(Debug)]
        struct Two(Option<Box<Two>>, &'static str);
        impl fmt::Display for Two {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.1 {
                    "panics" => panic!("in Display"),
                    "fails" => f.write_str("half").and(Err(fmt::Error)),
                    text => f.write_str(text),
                }
            }
        }
        impl StdError for Two {
            fn source(&self) -> Option<&(dyn StdError + 'static)> {
                match (self.1, &self.0) {
                    ("no source", _) => panic!("in source"),
                    ("cycle", None) => Some(self),
                    (_, next) => next.as_deref().map(|next| next as _),
                }
            }
        }
        let chain = |texts: &[&'static str]| {
            let mut chain = None;
            for text in texts.iter().rev() {
                chain = Some(Box::new(Two(chain, text)));
            }
            causes(chain.as_deref().map(|first| first as _))
        };
        assert_eq!(chain(&[]), [""; 0]);
        assert_eq!(
            chain(&["one", "panics", "fails", "no source", "never"]),
            [
                "one",
                "(its Display panicked: in Display)",
                "half (its Display returned an error)",
                "no source",
            ]
        );
        let cycle = chain(&["one", "cycle"]);
        assert_eq!(cycle.len(), CAUSES + 1);
        assert_eq!(cycle[CAUSES], "(further causes are left out after 32)");
    }
}
