//! tests/interop: tokens and keys between us and other people's libraries, as real processes: PyJWT,
//! jwcrypto and Node's jose, which `scripts/foreign` installs. `scripts/interop` makes `rounds` longer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "other programs keep no clock of ours")]

mod claims;
mod foreign;
mod key_files;
mod keys;
mod ours;
mod random;
mod rounds;
mod server;
mod theirs;
