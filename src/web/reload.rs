//! src/web/reload.rs: the application's hook that reads a user again, and what its answer changes.

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::auth::written;
use super::core::{Core, SessionMode};
use super::visit::Visit;
use crate::error::{Failure, Reason};
use crate::event::Event;
use crate::session::StoredUser;
use crate::ticket::Tag;
use crate::user::{User, UserId};

/// The hook, with its user written: `None` for one that is gone.
pub type Reload = dyn Fn(UserId) -> Answer + Send + Sync;
type Answer = Pin<Box<dyn Future<Output = Result<Option<Box<str>>, String>> + Send>>;

pub fn erased<U, Fut, E>(hook: impl Fn(UserId) -> Fut + Send + Sync + 'static) -> Arc<Reload>
where
    U: User,
    Fut: Future<Output = Result<Option<U>, E>> + Send + 'static,
    E: Display,
{
    Arc::new(move |id| {
        let read = hook(id.clone());
        Box::pin(async move {
            match read.await {
                Ok(None) => Ok(None),
                // Another user's data under this one's sessions would be worse than old data.
                Ok(Some(user)) if user.id() != id => Err("it answered with another user".into()),
                Ok(Some(user)) => match written(&user) {
                    Ok(json) => Ok(Some(json)),
                    Err(_) => Err("the user cannot be written as JSON".into()),
                },
                Err(error) => Err(error.to_string()),
            }
        })
    })
}

/// Reads the user again; `None` where the one that is known stays. A user that is gone has no session
/// any longer: `SessionInvalid`.
pub async fn again<U: User>(
    core: &Core,
    mode: &SessionMode,
    visit: &Visit<U>,
    (tag, id): (&Tag, UserId),
) -> Result<Option<(U, StoredUser)>, Failure> {
    let Some(hook) = &core.reload else { return Ok(None) };
    let tell = |event: Event| core.events.emit(event.tag(tag).address(visit.peer));
    // Nothing that the hook reads is older.
    let as_of = core.clock.now();
    match hook(id.clone()).await {
        Ok(Some(json)) => {
            let user = serde_json::from_str(&json).ok();
            let stored = StoredUser { version: U::VERSION, json, as_of };
            mode.sessions.update_user(tag, stored.clone()).await?;
            Ok(user.map(|user| (user, stored)))
        }
        Ok(None) => {
            mode.sessions.end_all(tag).await?;
            tell(Event::new(Event::LOGOUT_EVERYWHERE).reason("user_gone").user(id));
            Err(Reason::SessionInvalid.into())
        }
        Err(cause) => {
            tell(Event::new(Event::RELOAD_FAILED).cause(&cause));
            Ok(None)
        }
    }
}
