//! src/throttle.rs: how many guesses an account and an address have, before any of them is looked at.
//!
//! An attempt is checked and counted in one step of the store, before any hashing: a guess that is
//! refused is refused whether it was right or wrong (checklist row 84). It costs the account and the
//! address one each; a success empties the account's bucket and gives the address its cost back. A
//! *known device* has a bucket of its own in the place of both, so that nobody can lock a victim out
//! (row 83). After 100 in a row an account takes one attempt an hour (row 82). There is no bucket for
//! all: it would be a door for an attacker to shut.
//!
//! A refused attempt is charged nowhere and prolongs nothing: however often somebody knocks, the
//! next place is free when it was said to be.

mod account;
mod address;
mod client;
mod gcra;
mod quota;
mod route;
mod rules;
mod service;
mod store;
mod verdict;

#[cfg(test)]
pub(crate) mod acceptance;
#[cfg(test)]
pub(crate) mod model;

pub use quota::Quota;
pub use route::Throttle;

pub(crate) use account::{AccountKey, normal};
pub(crate) use address::AddressKey;
pub(crate) use client::ClientAddress;
pub(crate) use gcra::{Ask, SKEW};
pub(crate) use rules::{Account, DEVICE_LIFE, Device, Held, MOST_DEVICES, Rules};
#[cfg(any(test, feature = "redis"))]
pub(crate) use rules::{FORGET, MOST_FAILURES};
pub(crate) use service::{By, Service};
pub(crate) use store::{Answer, Attempt, Limiter, Store, StoreError, Success, TakeKey};
pub(crate) use verdict::{Bucket, State, Verdict};
