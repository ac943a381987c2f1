//! The process group of an original. Killing the group also ends what the original has started.

use std::process::ExitStatus;
use tokio::process::{Child, Command};

/// A process that leads a group of its own. The group is killed when this is dropped.
///
/// A process that has left the group, such as one started with `detached` in Node, keeps running.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) leader: Child,
    #[cfg(unix)]
    id: Option<rustix::process::Pid>,
}

impl Group {
    pub(super) fn spawn(command: &mut Command) -> std::io::Result<Self> {
        #[cfg(unix)]
        command.process_group(0);
        let leader = command.kill_on_drop(true).spawn()?;
        Ok(Group {
            #[cfg(unix)]
            id: leader
                .id()
                .and_then(|id| rustix::process::Pid::from_raw(id.try_into().ok()?)),
            leader,
        })
    }

    /// Waits for the leader to end.
    ///
    /// Cancel safety: nothing is lost if the future is dropped.
    pub(super) async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        self.leader.wait().await
    }

    /// Kills the leader and what it has started, and waits for the leader.
    pub(super) async fn kill(&mut self) {
        self.kill_all();
        // This fails only if the process has already ended.
        let _ = self.leader.kill().await;
    }

    fn kill_all(&self) {
        #[cfg(unix)]
        if let Some(id) = self.id {
            // This fails if the group is empty.
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill_all();
    }
}
