//! src/web/tokens/open.rs: keys, issuer and audience, chosen from settings; what is insecure does not
//! launch.

use super::TokenMode;
use crate::clock::{Clock, Time};
use crate::config::doctor::{Finding, Surroundings};
use crate::config::jwt::{Jwt, Transport};
use crate::jwt::codec::Policy;
use crate::jwt::key::{Key, KeyError};
use crate::jwt::source::{self, Opened, Source};
use crate::web::cookie::CredentialCookie;

/// Who makes tokens for whom in profile `debug`, where nobody says so.
const SELF: &str = "http://localhost";

impl TokenMode {
    /// Everything that tokens need, or why it does not launch.
    pub async fn open(
        settings: &Jwt,
        cookie: CredentialCookie,
        around: &Surroundings,
        clock: &Clock,
    ) -> Result<(Self, Vec<Finding>), Vec<Finding>> {
        let broken = |error: KeyError| vec![Finding::refuse("RI033", error.to_string())];
        Key::ephemeral("self-test").and_then(|key| key.self_test()).map_err(broken)?;
        let (policy, mut findings) = policy(settings, around.release)?;
        let Opened { keys, findings: found, watch } = open_keys(settings, around, clock).await?;
        findings.extend(found);
        let mode = TokenMode {
            keys,
            policy,
            ttl: settings.access_ttl,
            transport: settings.transport,
            cookie,
            _watch: watch,
        };
        Ok((mode, findings))
    }

    /// For the line at liftoff.
    pub fn describe(&self, now: Time) -> String {
        let keys = self.keys.current();
        let signer = keys.signer(now).map_or_else(
            || "no key signs".to_owned(),
            |key| format!("key `{}` signs ({})", key.kid(), key.algorithm().name()),
        );
        let way = match self.transport {
            Transport::Bearer => "bearer tokens".to_owned(),
            Transport::Cookie => format!("tokens in cookie `{}`", self.cookie.name()),
            Transport::Both => format!("bearer tokens and cookie `{}`", self.cookie.name()),
        };
        let ttl = humantime::format_duration(self.ttl);
        format!(
            "{way} of {}, {signer}, {} verify, each lives {ttl}",
            self.policy.issuer,
            keys.len()
        )
    }
}

fn policy(settings: &Jwt, release: bool) -> Result<(Policy, Vec<Finding>), Vec<Finding>> {
    let mut findings = Vec::new();
    if settings.issuer.is_none() || settings.audience.is_empty() {
        let text = "identity.jwt needs `issuer` (who makes the tokens) and `audience` (for whom), or \
                    a token of any other application with these keys would open this one; set \
                    issuer = \"https://example.com\" and audience = [\"https://example.com\"]";
        match release {
            true => return Err(vec![Finding::refuse("RI032", text.into())]),
            false => findings.push(Finding::warn("RI032", format!("{text}; until then {SELF}"))),
        }
    }
    let audience = match settings.audience.is_empty() {
        true => vec![SELF.to_owned()],
        false => settings.audience.clone(),
    };
    let issuer = settings.issuer.as_deref().unwrap_or(SELF);
    let policy = Policy { leeway: settings.leeway, ..Policy::new(issuer, audience) };
    Ok((policy, findings))
}

async fn open_keys(
    settings: &Jwt,
    around: &Surroundings,
    clock: &Clock,
) -> Result<Opened, Vec<Finding>> {
    let source = match (&settings.keys, &settings.jwks) {
        (Some(directory), _) => Source::Directory(directory.clone()),
        (None, Some(inline)) => Source::Inline(inline.0.clone()),
        (None, None) => {
            let text = "identity.jwt has neither `keys` nor `jwks`; make a key with \
                        `identity-keys generate --dir keys` and set keys = \"keys\"";
            if around.release {
                return Err(vec![Finding::refuse("RI027", text.into())]);
            }
            let mut opened = source::ephemeral()?;
            let text = format!("{text}; until then a key that dies with this process signs");
            opened.findings.push(Finding::warn("RI027", text));
            return Ok(opened);
        }
    };
    source.open(clock.clone()).await
}
