//! src/session/notice.rs: who waits for the end of a user's sessions, and what wakes them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
#[cfg(feature = "redis")]
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
#[cfg(feature = "redis")]
use tokio::time::Instant;

use super::{Record, StoreError};
use crate::clock::Time;
use crate::ticket::{Handle, Tag};

/// A notice says that something of a user ended or was rewritten, in any process. It names the user
/// alone: whoever is woken looks for itself.
#[async_trait]
pub trait Notices: Send + Sync + 'static {
    /// From now on every notice of this user wakes.
    fn watch(&self, tag: &Tag) -> Watch;

    /// The session of a handle, whatever its id is by now, and when it was last seen: one read. A
    /// superseded record is none.
    async fn lives(
        &self,
        tag: &Tag,
        handle: &Handle,
    ) -> Result<Option<(Arc<Record>, Time)>, StoreError>;
}

/// Those of this process that wait, by the user that they wait for.
#[derive(Default)]
pub struct Registry {
    watched: Mutex<HashMap<Tag, Watched>>,
    #[cfg(feature = "redis")]
    pushes: Mutex<Pushes>,
}

struct Watched {
    sender: watch::Sender<()>,
    watches: usize,
}

/// Whether notices of other processes arrive.
#[cfg(feature = "redis")]
#[derive(Default)]
enum Pushes {
    /// There are no other processes.
    #[default]
    Always,
    /// When was asked what was last answered in full.
    Since(Option<Instant>),
}

/// A silence that is longer may be a connection that is dead.
#[cfg(feature = "redis")]
const PROOF: Duration = Duration::from_millis(1_500);

/// One that waits. Nothing is kept for a user that nobody waits for.
pub struct Watch {
    registry: Arc<Registry>,
    tag: Tag,
    told: watch::Receiver<()>,
}

impl Registry {
    pub fn watch(self: &Arc<Self>, tag: &Tag) -> Watch {
        let mut all = self.lock();
        let watched = all
            .entry(*tag)
            .or_insert_with(|| Watched { sender: watch::Sender::new(()), watches: 0 });
        watched.watches += 1;
        Watch { registry: self.clone(), tag: *tag, told: watched.sender.subscribe() }
    }

    /// Wakes those that wait for this user.
    pub fn tell(&self, tag: &Tag) {
        if let Some(watched) = self.lock().get(tag) {
            watched.sender.send_replace(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Tag, Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

#[cfg(feature = "redis")]
impl Registry {
    /// One whose notices arrive only as long as it is proved.
    pub fn unproved() -> Self {
        Registry { pushes: Mutex::new(Pushes::Since(None)), ..Registry::default() }
    }

    /// Everything that was told before `asked` has arrived.
    pub fn proved(&self, asked: Instant) {
        *self.pushes.lock().unwrap_or_else(PoisonError::into_inner) = Pushes::Since(Some(asked));
    }

    /// Wakes everyone: something may have been missed.
    pub fn tell_all(&self) {
        for watched in self.lock().values() {
            watched.sender.send_replace(());
        }
    }
}

impl Watch {
    /// Waits for the next notice, or returns at once where one came since the last time.
    pub async fn changed(&mut self) {
        if self.told.changed().await.is_err() {
            // The sender lives as long as this does.
            std::future::pending::<()>().await;
        }
    }

    /// Whether notices of every process arrive at present; if not, one has to look.
    pub fn is_pushed(&self) -> bool {
        #[cfg(feature = "redis")]
        if let Pushes::Since(proof) =
            *self.registry.pushes.lock().unwrap_or_else(PoisonError::into_inner)
        {
            return proof.is_some_and(|asked| asked.elapsed() < PROOF);
        }
        true
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut all = self.registry.lock();
        if let Some(watched) = all.get_mut(&self.tag) {
            watched.watches -= 1;
            if watched.watches == 0 {
                all.remove(&self.tag);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::user::UserId;

    #[test]
    fn nothing_is_kept_for_a_user_that_nobody_waits_for() {
        let (registry, tag) = (Arc::new(Registry::default()), Tag::of("", &UserId::from(1)));
        registry.tell(&tag);
        let (mut one, two) = (registry.watch(&tag), registry.watch(&tag));
        assert!(one.changed().now_or_never().is_none(), "told before it watched");
        drop(two);
        registry.tell(&tag);
        assert!(one.changed().now_or_never().is_some());
        assert!(one.changed().now_or_never().is_none());
        drop(one);
        assert!(registry.is_empty());
    }

    #[cfg(feature = "redis")]
    #[tokio::test(start_paused = true)]
    async fn notices_are_taken_to_arrive_for_a_second_and_a_half_after_they_were_asked_for() {
        let (registry, tag) = (Arc::new(Registry::unproved()), Tag::of("", &UserId::from(1)));
        let watch = registry.watch(&tag);
        assert!(!watch.is_pushed());
        registry.proved(Instant::now());
        assert!(watch.is_pushed());
        tokio::time::advance(PROOF).await;
        assert!(!watch.is_pushed());
    }
}
