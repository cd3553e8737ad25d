//! examples/session/passwords.rs: argon2id, off the async threads, and never more of it at once
//! than the machine bears.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;

use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::password_hash::{self, PasswordHasher};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use rocket::tokio::sync::Semaphore;
use rocket::tokio::task::spawn_blocking;

/// KiB of memory and rounds: the least that the OWASP cheat sheet "Password Storage" asks of
/// argon2id.
const M_COST: u32 = 19_456;
const T_COST: u32 = 2;

/// More bytes than this are not a password but a load.
const MAX_BYTES: usize = 1_024;

/// With more waiting, an honest "later" is worth more than a place in the queue.
const MAX_WAITING: usize = 64;

/// What somebody typed. It prints as nothing, wherever it may end up.
pub struct Password(String);

impl Password {
    pub fn new(typed: String) -> Self {
        Password(typed)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// A stored hash, with its salt and parameters.
#[derive(Clone)]
pub struct Hash(Arc<PasswordHash>);

/// Why there is neither a yes nor a no.
#[derive(Debug)]
pub enum Unanswered {
    /// Too many are waiting.
    Busy,
    /// The hash could not be made: no memory, no random bytes.
    Failed,
}

/// Makes and checks hashes, a few at a time.
pub struct Passwords {
    /// One permit for each hash that runs or waits.
    places: Semaphore,
    /// One permit for each hash that runs.
    running: Arc<Semaphore>,
    memory: Arc<Memory>,
    /// What a password is checked against where there is no account.
    nobody: Hash,
}

impl Passwords {
    pub async fn new() -> Result<Self, Unanswered> {
        // One core is left for everybody who is not logging in just now.
        let cores = available_parallelism().map_or(1, usize::from);
        let at_once = cores.saturating_sub(1).max(1);
        let running = Arc::new(Semaphore::new(at_once));
        let nobody = Password::new(String::new());
        let nobody = off_thread(&running, move || hash(&nobody)).await?;
        Ok(Passwords {
            places: Semaphore::new(at_once + MAX_WAITING),
            running,
            memory: Arc::default(),
            nobody,
        })
    }

    /// A hash to store.
    pub async fn hash(&self, password: Password) -> Result<Hash, Unanswered> {
        let _place = self.places.try_acquire().map_err(|_| Unanswered::Busy)?;
        off_thread(&self.running, move || hash(&password)).await
    }

    /// Whether the password is the one of the hash. Without a hash the answer is no, at the same
    /// cost; so it is for a password that is too long.
    pub async fn verify(
        &self,
        password: Password,
        hash: Option<&Hash>,
    ) -> Result<bool, Unanswered> {
        let _place = self.places.try_acquire().map_err(|_| Unanswered::Busy)?;
        let possible = hash.is_some() && password.0.len() <= MAX_BYTES;
        let Hash(hash) = hash.unwrap_or(&self.nobody).clone();
        let memory = self.memory.clone();
        let verify = move || {
            let bytes = password.0.as_bytes();
            let bytes = &bytes[..bytes.len().min(MAX_BYTES)];
            let verified = memory.lend(|blocks| matches(bytes, &hash, blocks));
            verified.map_err(|_| Unanswered::Failed)
        };
        Ok(off_thread(&self.running, verify).await? && possible)
    }
}

/// Runs `work` where it may block, when it is its turn.
async fn off_thread<T: Send + 'static>(
    running: &Arc<Semaphore>,
    work: impl FnOnce() -> Result<T, Unanswered> + Send + 'static,
) -> Result<T, Unanswered> {
    let permit = running.clone().acquire_owned().await;
    let permit = permit.map_err(|_| Unanswered::Failed)?;
    let work = move || {
        let done = work();
        // Given back here and not by the caller, who may have hung up while the hash runs on.
        drop(permit);
        done
    };
    spawn_blocking(work).await.map_err(|_| Unanswered::Failed)?
}

fn hash(password: &Password) -> Result<Hash, Unanswered> {
    let hash = Params::new(M_COST, T_COST, 1, None)
        .map_err(password_hash::Error::from)
        .and_then(|params| argon2id(params).hash_password(password.0.as_bytes()));
    hash.map(|hash| Hash(Arc::new(hash))).map_err(|_| Unanswered::Failed)
}

/// What `PasswordVerifier` does, but in memory that is there already; a stored hash that asks for
/// more is an error.
fn matches(
    password: &[u8],
    stored: &PasswordHash,
    blocks: &mut [Block],
) -> password_hash::Result<bool> {
    let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else {
        return Ok(false);
    };
    let argon2 = argon2id(Params::try_from(stored)?);
    let mut computed = vec![0; expected.len()];
    argon2.hash_password_into_with_memory(password, salt, &mut computed, blocks)?;
    // `Output` compares in constant time.
    Ok(Output::new(&computed)? == *expected)
}

fn argon2id(params: Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// What hashes work in, handed from one to the next. Allocated anew for each it would stay with the
/// allocator, once for each thread that ever ran one: 449 MB and not 79 after 300 logins at once.
#[derive(Default)]
struct Memory(Mutex<Vec<Vec<Block>>>);

impl Memory {
    fn lend<T>(&self, work: impl FnOnce(&mut [Block]) -> T) -> T {
        let idle = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unused = idle().pop();
        let mut blocks = unused.unwrap_or_else(|| vec![Block::new(); M_COST as usize]);
        let done = work(&mut blocks);
        idle().push(blocks);
        done
    }
}

#[cfg(test)]
mod tests {
    use rocket::futures::future::join_all;

    use super::*;

    #[rocket::async_test]
    async fn the_one_after_64_that_wait_is_refused_and_nobody_before() {
        let passwords = Passwords::new().await.unwrap();
        let at_once = passwords.running.available_permits();
        let all = passwords.running.acquire_many(at_once as u32).await.unwrap();
        let verify = || passwords.verify(Password::new("x".into()), None);
        let waiting = join_all((0..at_once + 64).map(|_| verify()));
        let one_more = async {
            let answer = verify().await;
            drop(all);
            answer
        };
        let (answers, one_more) = rocket::tokio::join!(waiting, one_more);
        assert!(matches!(one_more, Err(Unanswered::Busy)));
        assert!(answers.iter().all(|answer| matches!(answer, Ok(false))));
    }

    #[rocket::async_test]
    async fn no_password_is_right_without_a_hash_or_beyond_1024_bytes() {
        let passwords = Passwords::new().await.unwrap();
        let longest = || "a".repeat(1_024);
        let hash = passwords.hash(Password::new(longest())).await.unwrap();
        for (typed, hash, right) in [
            (longest(), Some(&hash), true),
            (longest() + "a", Some(&hash), false),
            (longest(), None, false),
            (String::new(), None, false),
        ] {
            let verified = passwords.verify(Password::new(typed), hash).await;
            assert_eq!(verified.unwrap(), right);
        }
    }

    #[test]
    fn a_stored_hash_that_asks_for_more_memory_is_an_error() {
        for (m_cost, fits) in [(M_COST, true), (M_COST * 2, false)] {
            let params = Params::new(m_cost, 1, 1, None).unwrap();
            let stored = argon2id(params).hash_password(b"x").unwrap();
            let verified = Memory::default().lend(|blocks| matches(b"x", &stored, blocks));
            assert_eq!(verified.is_ok(), fits);
        }
    }
}
