//! tests/browser: the example as people meet it: its own process, a certificate, a browser.
//!
//! Screenshots of each run are in `target/screenshots`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "other programs keep no clock of ours")]

mod browser;
mod devices;
mod https;
mod processes;
mod programs;
mod proxy;
