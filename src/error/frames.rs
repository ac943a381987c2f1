//! The part of a backtrace that is useful in `trace`: the frames of the user's own code.

use std::{env, path::Path};

/// How many frames are kept, as in Node's stack.
const FRAMES: usize = 10;

/// Returns the source folder of this crate, in the two ways that the compiler writes it.
fn own_sources() -> [&'static str; 2] {
    let this = file!();
    let relative = this.strip_suffix("error/frames.rs").unwrap_or(this);
    [relative, concat!(env!("CARGO_MANIFEST_DIR"), "/src/")]
}

/// Returns the lines of `trace` for a backtrace that std has printed, in the form of Node's stack.
/// A frame is kept if its source file is known, and belongs neither to this crate nor to a
/// dependency nor to the standard library.
pub(super) fn of(backtrace: &str) -> Vec<String> {
    of_process_in(&env::current_dir().unwrap_or_default(), backtrace)
}

/// Does the same for a process with this working directory, which std leaves out of the paths below
/// it.
fn of_process_in(directory: &Path, backtrace: &str) -> Vec<String> {
    let mut symbol = "";
    let mut frames = Vec::new();
    for line in backtrace.lines() {
        let line = line.trim_start();
        if let Some(path) = line.strip_prefix("at ") {
            let (path, whole) = match path.strip_prefix("./") {
                Some(below) => (below, directory.join(below)),
                None => (path, path.into()),
            };
            if is_the_users(path) && is_the_users(&whole.to_string_lossy()) {
                frames.push(format!("    at {symbol} ({path})"));
            }
        } else if let Some((_, name)) = line.split_once(": ") {
            symbol = name;
        }
        if frames.len() == FRAMES {
            break;
        }
    }
    frames
}

fn is_the_users(path: &str) -> bool {
    const OTHERS: [&str; 4] = ["/rustc/", "/registry/src/", "/.cargo/git/", "/rustlib/src/"];
    let own = own_sources();
    // Frames of the C library have source paths, too.
    path.contains(".rs:")
        && !OTHERS.iter().any(|other| path.contains(other))
        && !own.iter().any(|own| path.starts_with(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_users_frames_are_kept() {
        let own = format!("{}error/make.rs", own_sources()[0]);
        let backtrace = format!(
            "   0: make
             at ./{own}:24:25
   1: orders::load
             at ./orders/src/load.rs:32:20
   2: core::ops::function::Fn::call
             at /rustc/5980/library/core/src/ops/function.rs:79:5
   3: <orders::Table as other::Get>::get::{{{{closure}}}}
             at /home/ada/orders/src/table.rs:7:9
   4: poll
             at /home/ada/.cargo/registry/src/index-19/tokio-1.54.1/src/task.rs:7:9
   5: __rust_try
   6: __libc_start_call_main
             at csu/../sysdeps/nptl/libc_start_call_main.h:58:16
   7: _start
"
        );
        assert_eq!(
            of(&backtrace),
            [
                "    at orders::load (orders/src/load.rs:32:20)",
                "    at <orders::Table as other::Get>::get::{{closure}} (/home/ada/orders/src/table.rs:7:9)",
            ]
        );
    }

    /// Containers without a working directory of their own run in `/`.
    #[test]
    fn only_the_users_frames_are_kept_wherever_the_process_runs() {
        let own = concat!(env!("CARGO_MANIFEST_DIR"), "/src/error/make.rs");
        for directory in ["/", env!("CARGO_MANIFEST_DIR"), "/nowhere"] {
            let shown = |path: &str| match Path::new(path).strip_prefix(directory) {
                Ok(below) => format!("./{}", below.display()),
                Err(_) => path.to_owned(),
            };
            let backtrace = [
                own,
                "/rustc/5980/library/core/src/option.rs",
                "/orders/src/load.rs",
            ]
            .map(|path| format!("  1: f\n       at {}:7:9\n", shown(path)))
            .concat();
            let kept = of_process_in(Path::new(directory), &backtrace);
            assert_eq!(kept.len(), 1, "{kept:?}");
            assert!(kept[0].ends_with("orders/src/load.rs:7:9)"), "{kept:?}");
        }
    }

    #[test]
    fn a_deep_stack_is_cut_off() {
        let frames = (0..50).map(|n| format!("  {n}: f\n             at ./a/src/f.rs:{n}:1\n"));
        let kept = of(&frames.collect::<String>());
        assert_eq!(kept.len(), 10);
        assert_eq!(kept[9], "    at f (a/src/f.rs:9:1)");
        assert!(of("").is_empty());
        assert!(of("disabled backtrace").is_empty());
    }
}
