//! src/cli/generate.rs: a new key.

use std::path::Path;
use std::time::Duration;

use clap::Args;

use super::folder::Folder;
use super::{Moment, Outcome, Said, disk};
use crate::jwt::algorithm::{Algorithm, Family};

/// A key is read by every process within 30 s, and by those that fetch the JWKS within its max-age of
/// 300 s; it signs after that.
pub const LEAD: Duration = Duration::from_secs(600);

/// Makes a private key: a file that only its owner can read
///
/// Prints the name and the file, never the key. No file is overwritten.
#[derive(Args, Debug)]
pub struct Options {
    /// HS256, HS384, HS512, RS256.., PS256.., ES256, ES384 or EdDSA (Ed25519)
    #[arg(long, default_value = "EdDSA", value_parser = super::algorithm)]
    alg: Algorithm,
    /// The key's name; otherwise the day and four random characters
    #[arg(long, value_name = "NAME")]
    kid: Option<String>,
    /// From when it signs: `now`, seconds since 1970, or 2026-11-24T08:00:00Z; otherwise now where no
    /// key signs yet, and in ten minutes where one does, so that every process has read it
    #[arg(long, value_parser = super::moment)]
    nbf: Option<Moment>,
}

pub fn run(directory: &Path, options: Options) -> Outcome {
    disk::make_directory(directory)?;
    let folder = Folder::open_alone(directory)?;
    let now = folder.seconds();
    let not_before = match (options.nbf, folder.set.signer(folder.now)) {
        (Some(Moment::At(seconds)), _) => seconds,
        (None, Some(_)) => now + LEAD.as_secs(),
        (Some(Moment::Now), _) | (None, None) => now,
    };
    let made = folder.make(options.kid, options.alg, not_before, None)?;
    let published = options.alg.family() != Family::Hmac;
    let mut json = made.json();
    json["published"] = published.into();
    let mut notes = Vec::new();
    if !published {
        let text = "a secret is never published: only processes that have this file can verify, and \
                    each of them could sign";
        notes.push(text.to_owned());
    }
    Ok(Said::new(made.text(), json, notes))
}
