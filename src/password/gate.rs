//! src/password/gate.rs: how many hashes run, how many wait behind them, and for how long.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::PasswordError;
use crate::error::Reason;

/// The one way to work that blocks.
pub struct Gate {
    /// One permit for each hash that runs.
    running: Arc<Semaphore>,
    /// One permit for each that waits for one of the above.
    waiting: Semaphore,
    longest_wait: Duration,
}

/// A hook panicked, or the runtime is shutting down.
#[derive(Debug)]
struct Lost;

impl Gate {
    pub fn new(at_once: usize, queue: usize, longest_wait: Duration) -> Self {
        Gate {
            running: Arc::new(Semaphore::new(at_once)),
            waiting: Semaphore::new(queue),
            longest_wait,
        }
    }

    /// Runs `work` off the async threads when it is its turn. A caller that goes away before that
    /// leaves its place at once.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let running = || self.running.clone();
        let permit = match running().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _place = self.waiting.try_acquire().map_err(|_| Reason::Busy)?;
                let turn = timeout(self.longest_wait, running().acquire_owned()).await;
                // The semaphore is never closed.
                turn.ok().and_then(Result::ok).ok_or(Reason::Busy)?
            }
        };
        let work = move || {
            let done = work();
            // Given back here and not by the caller, who may have hung up while the hash runs on.
            drop(permit);
            done
        };
        // The cause of a `JoinError` is not kept: a hook's panic may hold what it was given.
        spawn_blocking(work).await.map_err(|_| PasswordError::failed(Lost))
    }

    #[cfg(test)]
    pub fn running(&self) -> &Semaphore {
        &self.running
    }

    #[cfg(test)]
    pub fn waiting(&self) -> &Semaphore {
        &self.waiting
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the work on a password did not end: a hook panicked, or this is a shutdown")
    }
}

impl std::error::Error for Lost {}
