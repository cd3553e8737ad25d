//! src/password/tests.rs: what is promised of passwords. Rows are those of the project's security
//! checklist.

mod cost;
mod foreign;
mod pepper;
mod queue;
mod stored;
mod typed;

use std::time::Duration;

use super::{Hooks, Passwords};
use crate::config::password::{Cost, Hashing};

/// A hash in microseconds, for tests that are about something else.
fn cheap() -> Hashing {
    Hashing { memory_kib: 32, iterations: 1, at_once: Some(1), ..Hashing::default() }
}

fn passwords() -> Passwords {
    Passwords::new(&cheap(), Hooks::new())
}

fn production() -> Passwords {
    Passwords::new(&Hashing { at_once: Some(1), ..Hashing::default() }, Hooks::new())
}

fn waiting(longest_wait: Duration, queue: usize) -> Passwords {
    Passwords::new(&Hashing { longest_wait, queue, ..cheap() }, Hooks::new())
}

const TODAY: Cost = Cost { memory_kib: 32, iterations: 1, parallelism: 1 };

/// Made by argon2-cffi 25.1 (the reference implementation), with the salt 00 01 .. 0f.
mod theirs {
    /// "pässword", NUL, " with NUL".
    pub const NUL: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$+y+6R0FAkX0TFEk3Z5vlfO1drHxfQPqyaxrBC6Jetk8";
    /// "correct horse", as the rest.
    pub const MORE_ROUNDS: &str = "$argon2id$v=19$m=12288,t=3,p=1$AAECAwQFBgcICQoLDA0ODw$VGRg+tjFiHl5WcoOpxeJTLK38ChU3AJYDoLODYxjYQQ";
    pub const LANES: &str =
        "$argon2id$v=19$m=1024,t=1,p=4$AAECAwQFBgcICQoLDA0ODw$1a4EoIvjr00PgwfhZz21j29+XXE5GYyA";
    pub const ARGON2I: &str = "$argon2i$v=19$m=12288,t=3,p=1$AAECAwQFBgcICQoLDA0ODw$TJaKRLGtt0Up9d0SKGlVXclPWS3gSCVNzwXNkj4ZbCI";
    pub const ARGON2D: &str = "$argon2d$v=19$m=12288,t=3,p=1$AAECAwQFBgcICQoLDA0ODw$FAagUNHclNraffX0gNH5mzKuojv2mq4qrmH3c/gAdkg";
    /// With the secret 20 21 .. 3f, which is [`PEPPER`].
    pub const PEPPERED: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$pSGMZ2GLWUSw86WXYUJIlbWkmb6pHdwi9UN+iihaGVE";
    pub const PEPPER: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8";
}
