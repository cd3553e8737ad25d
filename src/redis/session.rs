//! src/redis/session.rs: the session slice's store: key names, fields and commands.

mod record;
mod scripts;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{Cmd, RedisError, Value, from_redis_value};

pub use self::record::{Words, number, read_record};
use self::record::{read_pending, read_user, write_pending, write_record, write_user};
pub use self::scripts::{ENDS, SCRIPTS, WRITES, composed};
use super::Link;
use crate::clock::Time;
use crate::config::Evict;
use crate::secret::Digest;
use crate::session::{
    Begun, Found, GRACE, MOST_PENDING, NewPending, NewSession, Pending, Record, Rotated, Rotation,
    Store, StoreError, StoredUser,
};
use crate::ticket::{Handle, Tag};

impl Link {
    pub fn key(&self, tag: &Tag) -> Vec<u8> {
        let prefix = self.prefix().as_bytes();
        let mut key = Vec::with_capacity(prefix.len() + 24);
        key.extend_from_slice(prefix);
        // The braces make the tag alone decide the slot of a Cluster.
        key.push(b'{');
        key.extend_from_slice(crate::secret::encode(tag.as_bytes()).as_bytes());
        key.push(b'}');
        key
    }
}

#[async_trait]
impl Store for Link {
    fn is_away(&self) -> bool {
        Link::is_away(self)
    }

    async fn answers(&self) -> bool {
        // Which our scripts need too, so that it asks for no right of its own.
        let time = async |connection: &mut MultiplexedConnection| {
            Cmd::new().arg("TIME").query_async::<()>(connection).await
        };
        self.run(time).await.is_ok()
    }

    async fn find(&self, tag: &Tag, id: &Digest) -> Result<Option<Found>, StoreError> {
        // Room for the whole command, so that it is laid out in one piece.
        let mut command = Cmd::with_capacity(5, 160);
        command
            .arg(b"HMGET")
            .arg(self.key(tag))
            .arg(&field(b"s:", id))
            .arg(&field(b"t:", id))
            .arg(b"u");
        let reply: Value = self
            .run(async |connection| match connection.send_packed_command(&command).await? {
                // An error reply is a value here, and must not be taken for "no such session".
                Value::ServerError(error) => Err(error.into()),
                reply => Ok(reply),
            })
            .await?;
        // Taken apart by hand: the values are moved, not copied.
        let (record, seen, user) = match three(reply) {
            Some([Value::BulkString(record), seen, Value::BulkString(user)]) => {
                (record, seen, user)
            }
            Some([..]) => return Ok(None),
            None => return Err(unreadable("not a reply to HMGET")),
        };
        let record = read_record(&record).ok_or_else(|| unreadable("not a record"))?;
        let seen = match seen {
            Value::Nil => record.created,
            seen => Time::from_millis(from_redis_value(seen).map_err(unreadable)?),
        };
        let user = read_user(&user).ok_or_else(|| unreadable("not a user"))?;
        Ok(Some(Found { record: Arc::new(record), seen, user: Arc::new(user) }))
    }

    async fn begin(&self, tag: &Tag, new: NewSession) -> Result<Begun, StoreError> {
        let reply = self.log_in(tag, &new, b"").await?;
        begun(&reply).ok_or_else(|| unreadable("not a reply to a login"))
    }

    async fn touch(
        &self,
        tag: &Tag,
        id: &Digest,
        seen: Time,
        expires: Time,
    ) -> Result<(), StoreError> {
        let mut call = SCRIPTS.touch.prepare_invoke();
        call.key(self.key(tag)).arg(id.as_bytes()).arg(seen.millis()).arg(expires.millis());
        self.call(call).await
    }

    async fn update_user(&self, tag: &Tag, user: StoredUser) -> Result<bool, StoreError> {
        let mut call = SCRIPTS.update_user.prepare_invoke();
        call.key(self.key(tag)).arg(write_user(&user)).arg(user.as_of.millis());
        self.call_and_tell(call, tag).await
    }

    async fn end(&self, tag: &Tag, id: &Digest) -> Result<bool, StoreError> {
        let mut call = SCRIPTS.end.prepare_invoke();
        call.key(self.key(tag)).arg(id.as_bytes());
        self.call_durably_and_tell(call, tag).await
    }

    async fn withdraw(&self, tag: &Tag, id: &Digest) -> Result<(), StoreError> {
        let mut call = SCRIPTS.end.prepare_invoke();
        call.key(self.key(tag)).arg(id.as_bytes());
        self.call::<u64>(call).await.map(drop)
    }

    async fn end_all(&self, tag: &Tag) -> Result<Time, StoreError> {
        let mut call = SCRIPTS.end_all.prepare_invoke();
        call.key(self.key(tag));
        let moment = self.call_durably_and_tell(call, tag).await?;
        Ok(Time::from_millis(moment))
    }

    async fn list(
        &self,
        tag: &Tag,
        now: Time,
        idle: Duration,
    ) -> Result<Vec<(Arc<Record>, Time)>, StoreError> {
        let mut call = SCRIPTS.list.prepare_invoke();
        call.key(self.key(tag)).arg(now.millis()).arg(millis(idle));
        let reply: Vec<Vec<u8>> = self.call(call).await?;
        let pairs = reply.as_chunks::<2>().0;
        // What cannot be read is no session.
        Ok(pairs.iter().filter_map(|[record, seen]| listed(record, seen)).collect())
    }

    async fn end_by_handle(&self, tag: &Tag, handle: &Handle) -> Result<bool, StoreError> {
        let mut call = SCRIPTS.end_by_handle.prepare_invoke();
        call.key(self.key(tag)).arg(handle.to_string());
        self.call_durably_and_tell(call, tag).await
    }

    async fn end_others(
        &self,
        tag: &Tag,
        keep: &Handle,
        now: Time,
        idle: Duration,
    ) -> Result<(Time, usize), StoreError> {
        let mut call = SCRIPTS.end_others.prepare_invoke();
        call.key(self.key(tag)).arg(keep.to_string()).arg(now.millis()).arg(millis(idle));
        let (moment, ended) = self.call_durably_and_tell(call, tag).await?;
        Ok((Time::from_millis(moment), ended))
    }

    async fn rotate(&self, tag: &Tag, old: &Digest, new: Rotation) -> Result<Rotated, StoreError> {
        let mut call = SCRIPTS.rotate.prepare_invoke();
        call.key(self.key(tag))
            .arg(old.as_bytes())
            .arg(new.id.as_bytes())
            .arg(new.authenticated_at.millis())
            .arg(new.now.millis())
            .arg(millis(new.idle))
            .arg(millis(GRACE));
        let reply: Option<(Vec<u8>, Vec<u8>)> = self.call(call).await?;
        let Some((record, seen)) = reply else {
            return Ok(Rotated::Gone);
        };
        let (record, seen) = listed(&record, &seen).ok_or_else(|| unreadable("not a record"))?;
        Ok(Rotated::Done(record, seen))
    }

    async fn begin_pending(&self, tag: &Tag, new: NewPending) -> Result<Begun, StoreError> {
        let NewPending { id, pending, own_revocation, idle } = new;
        let own = own_revocation.map(|moment| moment.millis().to_string());
        let mut call = SCRIPTS.pending.prepare_invoke();
        call.key(self.key(tag))
            .arg(id.as_bytes())
            .arg(write_pending(&pending))
            .arg(pending.since.millis())
            .arg(own.unwrap_or_default())
            .arg(MOST_PENDING)
            .arg(pending.begun.millis())
            .arg(millis(idle));
        let reply: String = self.call(call).await?;
        begun(&reply).ok_or_else(|| unreadable("not a reply to a login"))
    }

    async fn find_pending(&self, tag: &Tag, id: &Digest) -> Result<Option<Pending>, StoreError> {
        let mut command = Cmd::new();
        command.arg("HGET").arg(self.key(tag)).arg(&field(b"p:", id));
        let query = async |connection: &mut MultiplexedConnection| {
            command.query_async::<Option<Vec<u8>>>(connection).await
        };
        let Some(line) = self.run(query).await? else {
            return Ok(None);
        };
        let pending = read_pending(&line).ok_or_else(|| unreadable("not a login that waits"))?;
        Ok(Some(pending))
    }

    async fn confirm_pending(
        &self,
        tag: &Tag,
        id: &Digest,
        new: NewSession,
    ) -> Result<Option<Begun>, StoreError> {
        let reply = self.log_in(tag, &new, id.as_bytes()).await?;
        match reply == "gone" {
            true => Ok(None),
            false => begun(&reply).map(Some).ok_or_else(|| unreadable("not a reply to a login")),
        }
    }
}

impl Link {
    /// `waited` is the id of the login that this session confirms, or empty.
    async fn log_in(
        &self,
        tag: &Tag,
        new: &NewSession,
        waited: &[u8],
    ) -> Result<String, StoreError> {
        let own = new.own_revocation.map(|moment| moment.millis().to_string());
        let evict = match new.evict {
            Evict::Oldest => "oldest",
            Evict::Refuse => "refuse",
        };
        let mut call = SCRIPTS.login.prepare_invoke();
        call.key(self.key(tag))
            .arg(new.id.as_bytes())
            .arg(write_record(&new.record))
            .arg(write_user(&new.user))
            .arg(new.since.millis())
            .arg(own.unwrap_or_default())
            .arg(new.max_per_user)
            .arg(new.record.created.millis())
            .arg(millis(new.idle))
            .arg(evict)
            .arg(waited);
        for replaced in &new.replaces {
            call.arg(replaced.as_bytes());
        }
        // What a login replaces is ended by it, and an end waits for the replicas.
        if !new.replaces.is_empty() {
            return self.call_durably_and_tell(call, tag).await;
        }
        let reply: String = self.call(call).await?;
        if reply == "evicted" {
            // Only now it is known that something ended.
            self.tell(tag).await;
        }
        Ok(reply)
    }
}

fn begun(reply: &str) -> Option<Begun> {
    match reply {
        "kept" | "evicted" => Some(Begun::Kept),
        "revoked" => Some(Begun::RevokedMeanwhile),
        "many" => Some(Begun::TooMany),
        _ => None,
    }
}

/// A record as a script gives it, with when it was last seen or nothing.
fn listed(record: &[u8], seen: &[u8]) -> Option<(Arc<Record>, Time)> {
    let record = read_record(record)?;
    let seen = match seen {
        b"" => record.created,
        seen => Time::from_millis(std::str::from_utf8(seen).ok()?.parse().ok()?),
    };
    Some((Arc::new(record), seen))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn three(reply: Value) -> Option<[Value; 3]> {
    match reply {
        Value::Array(values) => values.try_into().ok(),
        _ => None,
    }
}

/// `s:`, `t:` or `p:` and the digest, as raw bytes.
fn field(kind: &[u8; 2], id: &Digest) -> [u8; 34] {
    let mut field = [0; 34];
    field[..2].copy_from_slice(kind);
    field[2..].copy_from_slice(id.as_bytes());
    field
}

pub fn unreadable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Unreadable(cause.into())
}

/// What lies there is not ours to read: a key of another type.
pub fn is_foreign(error: &RedisError) -> bool {
    error.code() == Some("WRONGTYPE")
}
