//! src/password/work.rs: Argon2id, in memory that is handed from one hash to the next.

use std::sync::{Mutex, PoisonError};

use argon2::{Algorithm, Argon2, Block, Params, Version};

use super::PasswordError;
use crate::config::password::Cost;

/// Where hashes are computed.
///
/// Allocated anew for each hash, the memory would stay with the allocator, once for each thread that
/// ever ran one: 449 MB and not 79 after 300 logins at once. Here there are as many pieces as hashes
/// ever ran at the same time, each as large as the largest hash that it was used for.
#[derive(Default)]
pub struct Workshop {
    idle: Mutex<Vec<Vec<Block>>>,
    /// What ran, in order.
    #[cfg(test)]
    pub runs: Mutex<Vec<Cost>>,
    /// How many pieces were allocated.
    #[cfg(test)]
    pub allocations: std::sync::atomic::AtomicUsize,
}

impl Workshop {
    /// Fills `hash` from the rest.
    pub fn run(
        &self,
        cost: &Cost,
        pepper: Option<&[u8]>,
        password: &str,
        salt: &[u8],
        hash: &mut [u8],
    ) -> Result<(), PasswordError> {
        #[cfg(test)]
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).push(*cost);
        let Cost { memory_kib, iterations, parallelism } = *cost;
        let failed = |error: argon2::Error| PasswordError::failed(error.to_string());
        let params = Params::new(memory_kib, iterations, parallelism, None).map_err(failed)?;
        let blocks = params.block_count();
        let (variant, version) = (Algorithm::Argon2id, Version::V0x13);
        let argon2 = match pepper {
            None => Argon2::new(variant, version, params),
            Some(pepper) => {
                Argon2::new_with_secret(pepper, variant, version, params).map_err(failed)?
            }
        };
        let mut memory = self.take(blocks)?;
        let done = argon2.hash_password_into_with_memory(
            password.as_bytes(),
            salt,
            hash,
            memory.as_mut_slice(),
        );
        self.idle().push(memory);
        done.map_err(failed)
    }

    fn take(&self, blocks: usize) -> Result<Vec<Block>, PasswordError> {
        let mut memory = self.idle().pop().unwrap_or_default();
        if memory.len() < blocks {
            // The old piece goes first, so that the two never exist beside each other.
            memory = Vec::new();
            memory.try_reserve_exact(blocks).map_err(PasswordError::failed)?;
            memory.resize(blocks, Block::new());
            #[cfg(test)]
            self.allocations.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        Ok(memory)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Vec<Block>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
