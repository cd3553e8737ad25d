//! src/web/device.rs: the cookie by which a browser is known to the accounts that logged in from it.

use std::time::Duration;

use rocket::Request;

use super::cookie::CredentialCookie;
use crate::secret::{Digest, NoEntropy, Secret};
use crate::throttle::{AccountKey, DEVICE_LIFE};

/// Accounts that one browser keeps a device for; the one that logged in longest ago gives way.
const MOST: usize = 4;

/// The four characters of an account's key by which its device is found again.
const MARK: usize = 4;

/// What the device cookie holds: for each account a mark and 256 random bits of its own, so that no
/// account's device is worth anything at another's. The latest is the last.
#[derive(Default)]
pub struct Devices(Vec<(String, Secret<32>)>);

impl Devices {
    pub fn read(cookie: &CredentialCookie, request: &Request<'_>) -> Self {
        let mut devices = Devices::default();
        cookie.read(request, |value| {
            for entry in value.split('.').take(MOST) {
                devices.add(entry);
            }
        });
        devices
    }

    fn add(&mut self, entry: &str) {
        let parts = entry.split_at_checked(MARK);
        let device = parts.and_then(|(mark, rest)| Some((mark, Secret::parse(rest.as_bytes())?)));
        if let Some((mark, secret)) = device {
            self.0.push((mark.to_owned(), secret));
        }
    }

    /// The account's device; two for one account are none.
    pub fn of(&self, account: &AccountKey) -> Option<Digest> {
        let mark = mark(account);
        let mut own = self.0.iter().filter(|(other, _)| *other == mark);
        match (own.next(), own.next()) {
            (Some((_, secret)), None) => Some(secret.digest()),
            _ => None,
        }
    }

    /// A new device for the account in the place of an old one; its digest.
    pub fn renew(&mut self, account: &AccountKey) -> Result<Digest, NoEntropy> {
        let secret = Secret::random()?;
        let digest = secret.digest();
        let mark = mark(account);
        self.0.retain(|(other, _)| *other != mark);
        self.0.push((mark, secret));
        Ok(digest)
    }

    /// The account's device was used: it is the latest.
    pub fn used(&mut self, account: &AccountKey) {
        let mark = mark(account);
        // Stable: the others keep their order.
        self.0.sort_by_key(|(other, _)| *other == mark);
    }

    /// The `Set-Cookie` that keeps them from now on.
    pub fn set(&self, cookie: &CredentialCookie) -> String {
        let kept = &self.0[self.0.len().saturating_sub(MOST)..];
        let entries = kept.iter().map(|(mark, secret)| format!("{mark}{}", *secret.reveal()));
        let value = entries.collect::<Vec<_>>().join(".");
        cookie.set(&value, Some(Duration::from_millis(DEVICE_LIFE)))
    }
}

fn mark(account: &AccountKey) -> String {
    account.to_string().chars().take(MARK).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str) -> AccountKey {
        AccountKey::of("", name)
    }

    fn value(devices: &Devices) -> String {
        let all = devices.0.iter().map(|(mark, secret)| format!("{mark}{}", *secret.reveal()));
        all.collect::<Vec<_>>().join(".")
    }

    fn read(value: &str) -> Devices {
        let mut devices = Devices::default();
        value.split('.').take(MOST).for_each(|entry| devices.add(entry));
        devices
    }

    #[test]
    fn each_account_finds_its_own_device_and_no_other() {
        let mut devices = Devices::default();
        let ada = devices.renew(&account("ada")).unwrap();
        let grace = devices.renew(&account("grace")).unwrap();
        let read = read(&value(&devices));
        assert_eq!(read.of(&account("ada")), Some(ada));
        assert_eq!(read.of(&account("grace")), Some(grace));
        assert_eq!(read.of(&account("hedy")), None);
        let newer = devices.renew(&account("ada")).unwrap();
        assert_eq!((devices.of(&account("ada")), devices.0.len()), (Some(newer), 2));
        assert_ne!(newer, ada);
        devices.used(&account("grace"));
        assert_eq!(devices.0.last().unwrap().0, mark(&account("grace")));
    }

    #[test]
    fn the_account_that_logged_in_longest_ago_gives_way_to_a_fifth() {
        let mut devices = Devices::default();
        for name in ["a", "b", "c", "d", "a", "e"] {
            devices.renew(&account(name)).unwrap();
        }
        let kept = &devices.0[devices.0.len() - MOST..];
        assert!(kept.iter().all(|(own, _)| *own != mark(&account("b"))));
        assert!(kept.iter().any(|(own, _)| *own == mark(&account("a"))));
    }

    #[test]
    fn what_is_no_device_is_none_and_two_for_one_account_are_none() {
        let mut devices = Devices::default();
        devices.renew(&account("ada")).unwrap();
        let good = value(&devices);
        assert!(read(&good).of(&account("ada")).is_some());
        for bad in [
            String::new(),
            "x".into(),
            format!("{good}x"),
            good[1..].to_owned(),
            format!("{good}.{good}"),
            "\u{e4}\u{e4}\u{e4}".into(),
        ] {
            assert!(read(&bad).of(&account("ada")).is_none(), "{bad}");
        }
    }
}
