//! src/throttle/service.rs: the throttle of one fairing, over its store and, where that fails, over the
//! limiter of this process: never off, never a closed door for all.

use std::sync::Arc;

use super::{
    AccountKey, Answer, Attempt, Limiter, Quota, Rules, Store, StoreError, Success, TakeKey,
    Verdict,
};
use crate::clock::Clock;
use crate::secret::Digest;

pub struct Service {
    fairing: Arc<str>,
    store: Arc<dyn Store>,
    /// It knows nothing of what the store counted: while it stands in, each process has a fresh
    /// burst, and no device is known.
    fallback: Arc<dyn Limiter>,
    clock: Clock,
    rules: Rules,
}

/// What was decided, and by whom.
#[derive(Debug)]
#[must_use]
pub struct Decision {
    pub verdict: Verdict,
    /// The device that was presented is known to the account: where it is not, a login makes a new
    /// one known.
    pub known_device: bool,
    /// Why this process's own limiter decided.
    pub failure: Option<StoreError>,
}

/// Who let an attempt through, which is told what became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct By {
    pub known_device: bool,
    /// This process's own limiter.
    pub fallback: bool,
}

impl Decision {
    pub fn by(&self) -> By {
        By { known_device: self.known_device, fallback: self.failure.is_some() }
    }
}

impl Service {
    pub fn new(
        fairing: Arc<str>,
        store: Arc<dyn Store>,
        fallback: Arc<dyn Limiter>,
        clock: Clock,
        rules: Rules,
    ) -> Self {
        Service { fairing, store, fallback, clock, rules }
    }

    /// The key of an account of this fairing.
    pub fn account(&self, name: &str) -> AccountKey {
        AccountKey::of(&self.fairing, name)
    }

    pub fn fairing(&self) -> &Arc<str> {
        &self.fairing
    }

    /// Asks and counts, before any hashing.
    pub async fn attempt(&self, attempt: &Attempt) -> Decision {
        let now = self.clock.now();
        match self.store.attempt(attempt, now, &self.rules).await {
            Ok(Answer { verdict, known_device }) => {
                Decision { verdict, known_device, failure: None }
            }
            Err(error) => {
                let Answer { verdict, known_device } =
                    self.fallback.attempt(attempt, now, &self.rules);
                Decision { verdict, known_device, failure: Some(error) }
            }
        }
    }

    /// The attempt was a success; whoever decided of it is told. That the store did not hear of it is
    /// no reason to refuse the login: what failed before then counts until the next one.
    pub async fn succeeded(
        &self,
        attempt: &Attempt,
        by: By,
        device: Option<Digest>,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let success = Success { paid: !by.known_device, device };
        if by.fallback {
            self.fallback.succeeded(attempt, &success, now, &self.rules);
            return Ok(());
        }
        self.store.succeeded(attempt, &success, now, &self.rules).await
    }

    /// Somebody proved by other means that the account is theirs: a reset, a sign-up. No attempt was
    /// made, so no address gets anything back.
    pub async fn vouch(&self, attempt: &Attempt, device: Option<Digest>) -> Result<(), StoreError> {
        let success = Success { paid: false, device };
        self.store.succeeded(attempt, &success, self.clock.now(), &self.rules).await
    }

    /// Nobody looked at what was attempted: it costs nothing.
    pub async fn undo(&self, attempt: &Attempt, by: By) -> Result<(), StoreError> {
        let (now, known) = (self.clock.now(), by.known_device);
        if by.fallback {
            self.fallback.undo(attempt, known, now, &self.rules);
            return Ok(());
        }
        self.store.undo(attempt, known, now, &self.rules).await
    }

    /// Knows no device of that account any longer. An error is one: a stolen device may still have a
    /// bucket of its own.
    pub async fn forget_devices(&self, account: &AccountKey) -> Result<(), StoreError> {
        self.fallback.forget_devices(account);
        self.store.forget_devices(account).await
    }

    /// Asks and counts for a route with its own quota.
    pub async fn take(&self, key: &TakeKey, quota: Quota) -> Decision {
        let now = self.clock.now();
        let (verdict, failure) = match self.store.take(key, quota, now).await {
            Ok(verdict) => (verdict, None),
            Err(error) => (self.fallback.take(key, quota, now), Some(error)),
        };
        Decision { verdict, known_device: false, failure }
    }

    /// Empties the bucket of a route.
    pub async fn reset(&self, key: &TakeKey, by: By) -> Result<(), StoreError> {
        if by.fallback {
            self.fallback.reset(key);
            return Ok(());
        }
        self.store.reset(key).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use async_trait::async_trait;

    use super::*;
    use crate::clock::Time;
    use crate::throttle::acceptance::{attempt, rules};
    use crate::throttle::verdict::State;
    use crate::throttle::{Account, Bucket, Held};

    /// A store that is away.
    struct Away;

    #[async_trait]
    impl Store for Away {
        async fn attempt(&self, _: &Attempt, _: Time, _: &Rules) -> Result<Answer, StoreError> {
            Err(StoreError::Failed("away".into()))
        }

        async fn succeeded(
            &self,
            _: &Attempt,
            _: &Success,
            _: Time,
            _: &Rules,
        ) -> Result<(), StoreError> {
            Err(StoreError::Failed("away".into()))
        }

        async fn undo(&self, _: &Attempt, _: bool, _: Time, _: &Rules) -> Result<(), StoreError> {
            Err(StoreError::Failed("away".into()))
        }

        async fn forget_devices(&self, _: &AccountKey) -> Result<(), StoreError> {
            Err(StoreError::NotReplicated)
        }

        async fn take(&self, _: &TakeKey, _: Quota, _: Time) -> Result<Verdict, StoreError> {
            Err(StoreError::Failed("away".into()))
        }

        async fn reset(&self, _: &TakeKey) -> Result<(), StoreError> {
            Err(StoreError::Failed("away".into()))
        }
    }

    /// One account and one address, whoever asks.
    #[derive(Default)]
    struct One(Mutex<(Account, u64)>);

    impl Limiter for One {
        fn attempt(&self, _: &Attempt, now: Time, rules: &Rules) -> Answer {
            let mut one = self.0.lock().unwrap();
            let mut held = Held { account: one.0, device: None, address: one.1 };
            let answer = rules.judge(&mut held, now.millis());
            *one = (held.account, held.address);
            answer
        }

        fn succeeded(&self, _: &Attempt, _: &Success, _: Time, _: &Rules) {
            self.0.lock().unwrap().0 = Account::default();
        }

        fn undo(&self, _: &Attempt, _: bool, _: Time, _: &Rules) {
            self.0.lock().unwrap().0 = Account::default();
        }

        fn forget_devices(&self, _: &AccountKey) {}

        fn take(&self, _: &TakeKey, quota: Quota, now: Time) -> Verdict {
            Verdict::of(true, State { bucket: Bucket::Route, quota, tat: 0 }, now.millis())
        }

        fn reset(&self, _: &TakeKey) {}
    }

    fn throttle(store: Arc<dyn Store>, fallback: Arc<dyn Limiter>) -> Service {
        let clock = Clock::stopped_at(Time::from_millis(1_800_000_000_000));
        Service::new("".into(), store, fallback, clock, rules())
    }

    #[tokio::test]
    async fn while_the_store_is_away_this_process_is_neither_open_nor_closed() {
        let throttle = throttle(Arc::new(Away), Arc::new(One::default()));
        let ada = attempt("ada", 1);
        for _ in 0..10 {
            let decision = throttle.attempt(&ada).await;
            assert!(decision.verdict.is_allowed() && decision.failure.is_some());
        }
        let refused = throttle.attempt(&ada).await;
        assert_eq!(refused.verdict.retry_after(), Some(Duration::from_secs(30)));
        throttle.succeeded(&ada, refused.by(), None).await.unwrap();
        assert!(throttle.attempt(&ada).await.verdict.is_allowed());
        throttle.undo(&ada, refused.by()).await.unwrap();
        let quota = Quota::new(1, Duration::from_secs(1)).unwrap();
        let taken = throttle.take(&TakeKey::of("mail", &"ada"), quota).await;
        assert!(taken.verdict.is_allowed() && taken.failure.is_some());
    }

    #[tokio::test]
    async fn what_the_store_decided_is_told_to_the_store_alone_and_a_reset_that_failed_is_an_error()
    {
        let (store, fallback) = (Arc::new(One::default()), Arc::new(One::default()));
        let throttle_of_two = throttle(store.clone(), fallback.clone());
        let ada = attempt("ada", 1);
        let decision = throttle_of_two.attempt(&ada).await;
        assert!(decision.failure.is_none());
        assert_eq!(store.0.lock().unwrap().0.failures, 1);
        assert_eq!(*fallback.0.lock().unwrap(), (Account::default(), 0));
        throttle_of_two.succeeded(&ada, decision.by(), None).await.unwrap();
        assert_eq!(store.0.lock().unwrap().0.failures, 0);
        let away = throttle(Arc::new(Away), fallback);
        assert!(away.succeeded(&ada, decision.by(), None).await.is_err());
        assert!(matches!(away.forget_devices(&ada.account).await, Err(StoreError::NotReplicated)));
    }
}
