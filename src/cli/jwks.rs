//! src/cli/jwks.rs: the keys as one set (RFC 7517 section 5).

use std::path::Path;

use clap::Args;
use serde::Deserialize;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use super::folder::Folder;
use super::{Outcome, Refused, Said, refused};
use crate::jwt::key::Key;
use crate::jwt::source::advice::{self, shown};
use crate::jwt::source::files::{Form, KeyFile};

/// Prints the public set, as `/.well-known/jwks.json` does
#[derive(Args, Debug)]
pub struct Options {
    /// Prints the private set instead, on one line, for `identity.jwt.jwks`; needs the next flag too
    #[arg(long)]
    private: bool,
    /// Whoever sees the output can log in as anybody: no terminal, no log, no shell history
    #[arg(long)]
    yes_print_secrets: bool,
}

/// Whether a JWK says its name; in a file it need not.
#[derive(Deserialize)]
struct Named {
    kid: Option<IgnoredAny>,
}

pub fn run(directory: &Path, options: &Options) -> Outcome {
    if options.private != options.yes_print_secrets {
        let text = "private keys are printed only with both --private and --yes-print-secrets; send \
                    the output where secrets are kept, not to a terminal";
        return Err(Refused { code: 2, text: text.to_owned() });
    }
    let folder = Folder::open(directory)?;
    let text = match options.private {
        true => private(&folder)?,
        false => Zeroizing::new(folder.set.published(folder.now)),
    };
    serde_json::from_str::<IgnoredAny>(&text)
        .or_else(|error| refused(format!("the set came out wrong: {error}")))?;
    let missing = folder.found.iter().map(|found| &found.finding);
    let missing = missing.filter(|finding| ["RI028", "RI029"].contains(&finding.code));
    let notes = missing.map(|finding| finding.text.clone()).collect();
    Ok(Said { text, json: None, notes })
}

/// Every key that is not past its end, private members included. One that cannot be written so is
/// an error: a set that silently lacks the signer is worse than none.
fn private(folder: &Folder) -> Result<Zeroizing<String>, Refused> {
    let mut keys = Vec::new();
    for file in &folder.look.files {
        let key = file.key().or_else(|e| refused(advice::flaw(&shown(&file.path), &e).text))?;
        if folder.files(&file.kid).len() > 1 {
            return refused(format!("two files are named {}; rename or remove one", file.kid));
        }
        if let Some(twin) = folder.twins(file).first() {
            return refused(format!(
                "{} and {} hold one key under two names; remove one",
                shown(&file.path),
                shown(&twin.path)
            ));
        }
        if key.expires().is_none_or(|end| end > folder.seconds()) {
            keys.push(member(file, &key)?);
        }
    }
    // Room for all of it at once: growing would leave a copy behind.
    let length: usize = keys.iter().map(|key| key.len() + 1).sum();
    let mut set = Zeroizing::new(String::with_capacity(length + 16));
    set.push_str(r#"{"keys":["#);
    for (number, key) in keys.iter().enumerate() {
        set.push_str(if number == 0 { "" } else { "," });
        set.push_str(key);
    }
    set.push_str("]}");
    Ok(set)
}

fn member(file: &KeyFile, key: &Key) -> Result<Zeroizing<String>, Refused> {
    if let (Form::Pem, public) = (file.form, key.public_jwk().filter(|_| !key.can_sign())) {
        return match public {
            Some(public) => Ok(Zeroizing::new(public.to_string())),
            None => refused(format!(
                "{} is a private key in PEM, which a set cannot hold; `identity-keys rotate` makes \
                 the next one as a JWK",
                shown(&file.path)
            )),
        };
    }
    let content = file.content.as_ref().ok().and_then(|bytes| std::str::from_utf8(bytes).ok());
    let named = content.and_then(|text| Some((text, serde_json::from_str::<Named>(text).ok()?)));
    let Some((text, Named { kid })) = named else {
        return refused(format!("{} is no JSON; write the key as one", shown(&file.path)));
    };
    let mut line = Zeroizing::new(String::with_capacity(text.len() + file.kid.len() + 16));
    // No string of JSON holds a line break, so none of these is part of a value.
    line.extend(text.chars().filter(|c| !matches!(c, '\n' | '\r' | '\t')));
    if kid.is_none()
        && let Some(brace) = line.find('{')
    {
        line.insert_str(brace + 1, &format!(r#""kid":"{}","#, file.kid));
    }
    Ok(line)
}
