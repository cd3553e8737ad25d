//! src/redis/throttle.rs: the throttle's store: key names and scripts. All keys are in one slot of a
//! Cluster, so that one script can ask an account's bucket and an address's.

use std::fmt;
use std::sync::LazyLock;

use async_trait::async_trait;
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{Cmd, Pipeline, Script};

use super::Link;
use super::session::{ENDS, WRITES, composed};
use crate::clock::Time;
use crate::secret::Digest;
use crate::session;
use crate::throttle::{
    AccountKey, AddressKey, Answer, Ask, Attempt, Bucket, DEVICE_LIFE, FORGET, MOST_DEVICES,
    MOST_FAILURES, Quota, Rules, SKEW, State, Store, StoreError, Success, TakeKey, Verdict,
};

const PARTS: &str = include_str!("scripts/throttle_parts.lua");

/// Loaded on each new connection, so that a request is one round trip.
pub static SCRIPTS: LazyLock<Scripts> = LazyLock::new(|| Scripts {
    attempt: composed(WRITES, PARTS, include_str!("scripts/throttle_attempt.lua")),
    succeeded: composed(WRITES, PARTS, include_str!("scripts/throttle_succeeded.lua")),
    undo: composed(ENDS, PARTS, include_str!("scripts/throttle_undo.lua")),
    take: composed(WRITES, PARTS, include_str!("scripts/throttle_take.lua")),
    forget: Script::new(include_str!("scripts/throttle_forget.lua")),
});

pub struct Scripts {
    attempt: Script,
    succeeded: Script,
    undo: Script,
    take: Script,
    forget: Script,
}

impl Scripts {
    pub fn all(&self) -> [&Script; 5] {
        [&self.attempt, &self.succeeded, &self.undo, &self.take, &self.forget]
    }

    /// Each once, on keys that begin with `probe`, and nothing left behind.
    pub fn try_all(&self, all: &mut Pipeline, probe: &str, now: u64) {
        let [account, address, devices, route] =
            ["a", "i", "k", "r"].map(|k| format!("{probe}{k}"));
        let device = [0u8; 32];
        let mut attempt = self.attempt.prepare_invoke();
        attempt.key(&account).key(&address).key(&devices).arg(now).arg(&device);
        for number in [1, 1, 1, 1, 1, 1, 1, 1] {
            attempt.arg(number);
        }
        let mut succeeded = self.succeeded.prepare_invoke();
        succeeded.key(&account).key(&address).key(&devices).arg(now).arg(&device).arg(&device);
        succeeded.arg(now + 1_000).arg(1).arg(1).arg(1).arg(1);
        let mut undo = self.undo.prepare_invoke();
        undo.key(&account)
            .key(&address)
            .key(&devices)
            .arg(now)
            .arg("")
            .arg(1)
            .arg(1)
            .arg(2)
            .arg(1)
            .arg(1);
        all.invoke_script(&attempt);
        all.invoke_script(&undo);
        all.invoke_script(&succeeded);
        all.invoke_script(self.take.key(&route).arg(now).arg(1).arg(1).arg(1));
        all.invoke_script(&self.forget.key(&devices));
        all.cmd("UNLINK").arg(&account).arg(&address).arg(&route);
    }
}

impl Link {
    /// `a` an account, `i` an address, `k` an account's known devices, `r` a route's bucket.
    fn throttle_key(&self, kind: char, of: &dyn fmt::Display) -> String {
        format!("{}{{throttle}}:{kind}:{of}", self.prefix())
    }

    /// Account, address and devices of an attempt.
    fn attempt_keys(&self, account: &AccountKey, address: &AddressKey) -> [String; 3] {
        [
            self.throttle_key('a', account),
            self.throttle_key('i', address),
            self.throttle_key('k', account),
        ]
    }
}

#[async_trait]
impl Store for Link {
    async fn attempt(
        &self,
        attempt: &Attempt,
        now: Time,
        rules: &Rules,
    ) -> Result<Answer, StoreError> {
        let now = now.millis();
        let mut call = SCRIPTS.attempt.prepare_invoke();
        for key in self.attempt_keys(&attempt.account, &attempt.address) {
            call.key(key);
        }
        call.arg(now)
            .arg(device(attempt.device.as_ref()))
            .arg(rules.account.refill_ms())
            .arg(rules.account.window_ms())
            .arg(rules.slow().window_ms())
            .arg(rules.address.refill_ms())
            .arg(rules.address.window_ms())
            .arg(MOST_FAILURES)
            .arg(FORGET)
            .arg(SKEW);
        let (allowed, known, slow, own, address): (bool, bool, bool, u64, u64) =
            self.call(call).await?;
        let (bucket, quota) = match (known, slow) {
            (true, _) => (Bucket::Device, rules.account),
            (false, true) => (Bucket::Account, rules.slow()),
            (false, false) => (Bucket::Account, rules.account),
        };
        let own = State { bucket, quota, tat: own };
        let address = State { bucket: Bucket::Address, quota: rules.address, tat: address };
        let verdict = match known {
            true => Verdict::of(allowed, own, now),
            false => Verdict::of_both(allowed, own, address, now),
        };
        Ok(Answer { verdict, known_device: known })
    }

    async fn succeeded(
        &self,
        attempt: &Attempt,
        success: &Success,
        now: Time,
        rules: &Rules,
    ) -> Result<(), StoreError> {
        let mut call = SCRIPTS.succeeded.prepare_invoke();
        for key in self.attempt_keys(&attempt.account, &attempt.address) {
            call.key(key);
        }
        call.arg(now.millis())
            .arg(device(attempt.device.as_ref()))
            .arg(device(success.device.as_ref()))
            .arg(now.millis() + DEVICE_LIFE)
            .arg(MOST_DEVICES)
            .arg(rules.address.refill_ms())
            .arg(u8::from(success.paid))
            .arg(SKEW);
        self.call::<u64>(call).await?;
        Ok(())
    }

    async fn undo(
        &self,
        attempt: &Attempt,
        known_device: bool,
        now: Time,
        rules: &Rules,
    ) -> Result<(), StoreError> {
        let mut call = SCRIPTS.undo.prepare_invoke();
        for key in self.attempt_keys(&attempt.account, &attempt.address) {
            call.key(key);
        }
        call.arg(now.millis())
            .arg(device(attempt.device.as_ref().filter(|_| known_device)))
            .arg(rules.account.refill_ms())
            .arg(rules.address.refill_ms())
            .arg(MOST_FAILURES)
            .arg(FORGET)
            .arg(SKEW);
        self.call::<u64>(call).await?;
        Ok(())
    }

    async fn forget_devices(&self, account: &AccountKey) -> Result<(), StoreError> {
        let mut call = SCRIPTS.forget.prepare_invoke();
        call.key(self.throttle_key('k', account));
        self.call_durably::<u64>(call).await?;
        Ok(())
    }

    async fn take(&self, key: &TakeKey, quota: Quota, now: Time) -> Result<Verdict, StoreError> {
        let now = now.millis();
        let mut call = SCRIPTS.take.prepare_invoke();
        call.key(self.throttle_key('r', key))
            .arg(now)
            .arg(quota.refill_ms())
            .arg(quota.window_ms())
            .arg(SKEW);
        let (allowed, tat) = self.call(call).await?;
        Ok(Verdict::of_route(Ask { allowed, tat }, quota, now))
    }

    async fn reset(&self, key: &TakeKey) -> Result<(), StoreError> {
        let key = self.throttle_key('r', key);
        let unlink = async |connection: &mut MultiplexedConnection| {
            Cmd::new().arg("UNLINK").arg(&key).query_async::<()>(connection).await
        };
        Ok(self.run(unlink).await?)
    }
}

/// As the scripts want it: empty where there is none.
fn device(id: Option<&Digest>) -> &[u8] {
    id.map(|id| &id.as_bytes()[..]).unwrap_or_default()
}

impl From<session::StoreError> for StoreError {
    fn from(error: session::StoreError) -> Self {
        match error {
            session::StoreError::NotReplicated => StoreError::NotReplicated,
            session::StoreError::Unavailable(cause) | session::StoreError::Unreadable(cause) => {
                StoreError::Failed(cause)
            }
        }
    }
}

#[cfg(test)]
mod tests;
