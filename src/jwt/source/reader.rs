//! src/jwt/source/reader.rs: looks at a directory that may not answer.
//!
//! A look at a network file system whose server is gone blocks for as long as that takes, and nothing
//! can stop it. It is left to its thread, and counts as a directory that cannot be read.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time;

use super::files::{self, Look};

/// Within it a directory answers, or it counts as one that cannot be read.
const LIMIT: Duration = Duration::from_secs(10);

type Read = dyn Fn(&Path) -> io::Result<Look> + Send + Sync;

pub struct Reader {
    pub directory: PathBuf,
    read: Arc<Read>,
    limit: Duration,
    /// A look that did not come back in time.
    hangs: Option<JoinHandle<io::Result<Look>>>,
}

impl Reader {
    pub fn new(directory: PathBuf) -> Self {
        Reader { directory, read: Arc::new(files::look), limit: LIMIT, hangs: None }
    }

    /// Looks once. While a look hangs no second one begins: each would cost a thread.
    pub async fn look(&mut self) -> io::Result<Look> {
        if self.hangs.as_ref().is_some_and(|look| !look.is_finished()) {
            return Err(self.no_answer());
        }
        // What it found is of another time.
        self.hangs = None;
        let (read, directory) = (self.read.clone(), self.directory.clone());
        let mut look = spawn_blocking(move || read(&directory));
        match time::timeout(self.limit, &mut look).await {
            Ok(done) => done.unwrap_or_else(|error| Err(io::Error::other(error))),
            Err(_) => {
                self.hangs = Some(look);
                Err(self.no_answer())
            }
        }
    }

    fn no_answer(&self) -> io::Error {
        let text = format!("it does not answer within {:?}", self.limit);
        io::Error::new(ErrorKind::TimedOut, text)
    }
}

#[cfg(test)]
impl Reader {
    /// One that reads as a test wants.
    pub fn by(
        directory: PathBuf,
        limit: Duration,
        read: impl Fn(&Path) -> io::Result<Look> + Send + Sync + 'static,
    ) -> Self {
        Reader { directory, read: Arc::new(read), limit, hangs: None }
    }
}
