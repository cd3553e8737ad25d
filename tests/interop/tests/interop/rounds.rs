//! tests/interop/rounds.rs: many tokens with claims by chance, both ways. One short round as a test;
//! `scripts/interop` asks for more, each with new keys, by `INTEROP_ROUNDS` and `INTEROP_SEED`.
#![allow(clippy::print_stdout, reason = "the table is what this is for")]

use std::collections::BTreeMap;
use std::env;

use serde_json::{Value, json};

use crate::claims::{Draft, now};
use crate::foreign::{Expected, Foreign, Library};
use crate::keys::{ALGORITHMS, Key, Keys, Maker, OF_PEM};
use crate::ours::{check, expected};
use crate::random::Random;
use crate::server::{ISSUER, Me, Server};

/// How many tokens of one library and algorithm were taken and refused, as they had to be.
#[derive(Clone, Copy, Default)]
struct Tally {
    ours_read: usize,
    ours_refused: usize,
    theirs_read: usize,
    theirs_refused: usize,
}

type Tallies = BTreeMap<(&'static str, Library), Tally>;

#[test]
fn claims_by_chance_mean_the_same_to_everybody() {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (rounds, seed) = (number("INTEROP_ROUNDS"), number("INTEROP_SEED").unwrap_or(1));
    let mut random = Random::new(seed);
    let mut libraries = Foreign::all();
    let mut tallies = Tallies::new();
    match rounds {
        None => round(Keys::made(), 1, &mut random, &mut libraries, &mut tallies),
        Some(rounds) => {
            for number in 1..=rounds {
                println!("round {number} of {rounds}, seed {seed}");
                round(&Keys::make(), 20, &mut random, &mut libraries, &mut tallies);
            }
            print(&tallies);
        }
    }
    assert_eq!(tallies.len(), ALGORITHMS.len() * Library::ALL.len());
    for tally in tallies.values() {
        assert!(tally.ours_read > 0 && tally.theirs_read > 0);
        assert!(tally.ours_refused > 0 && tally.theirs_refused > 0);
    }
}

fn round(
    keys: &Keys,
    tokens: usize,
    random: &mut Random,
    libraries: &mut [Foreign],
    tallies: &mut Tallies,
) {
    for algorithm in ALGORITHMS {
        let key = some_key(keys, algorithm, random);
        let audience = *random.pick(&[&["api"][..], &["api", "web"], &["x", "y", "api"]]);
        let server = Server::signing_with(keys, key, audience);
        for _ in 0..tokens {
            ours(&server, key, audience, random, libraries, tallies);
            theirs(&server, key, random, libraries, tallies);
        }
        // All ways to spoil one, once a round.
        for library in libraries.iter_mut() {
            let good = draft(key, &server.kid, random);
            let of_server = Key { kid: server.kid.clone(), ..key.clone() };
            for (name, token) in good.spoilt(&of_server, keys, library) {
                let answer = server.me(&token);
                let who = library.library.name();
                assert!(answer.is_refusal(), "{who} {algorithm}, {name}: {answer:?}: {token}");
                tallies.entry((algorithm, library.library)).or_default().theirs_refused += 1;
            }
        }
    }
}

/// Of any maker.
fn some_key<'k>(keys: &'k Keys, algorithm: &str, random: &mut Random) -> &'k Key {
    let makers: Vec<_> = match (OF_PEM.contains(&algorithm), algorithm) {
        (false, _) => Maker::JWK.to_vec(),
        (true, "EdDSA") => [&Maker::JWK[..], &[Maker::OpenSsl, Maker::Cryptography]].concat(),
        (true, _) => [&Maker::JWK[..], &Maker::PEM].concat(),
    };
    keys.get(*random.pick(&makers), algorithm)
}

/// A user by chance logs in, and each library reads who it is.
fn ours(
    server: &Server,
    key: &Key,
    audience: &[&str],
    random: &mut Random,
    libraries: &mut [Foreign],
    tallies: &mut Tallies,
) {
    let user = random.user();
    let token = server.token_for(&user);
    let algorithm = key.algorithm;
    let wanted = *random.pick(audience);
    let good = Expected { several: audience.len() > 1, ..expected(server, key, wanted) };
    for library in libraries {
        let who = library.library.name();
        let taken = library.verify(&token, &good);
        let claims = taken.unwrap_or_else(|why| panic!("{who} {algorithm}: {why}: {token}")).claims;
        assert_eq!(claims["user"], json!(user), "{who} {algorithm}: {token}");
        assert_eq!(claims["sub"], json!(user.id), "{who} {algorithm}: {token}");
        let aud = if audience.len() == 1 { json!(audience[0]) } else { json!(audience) };
        assert_eq!(claims["aud"], aud);
        check(library, &token, &good, random.next() as usize);
        let tally = tallies.entry((algorithm, library.library)).or_default();
        tally.ours_read += 1;
        tally.ours_refused += 3;
    }
    assert_eq!(server.me(&token).me().user, user, "{algorithm}: {token}");
}

/// Claims by chance, and we read what each library signed.
fn theirs(
    server: &Server,
    key: &Key,
    random: &mut Random,
    libraries: &mut [Foreign],
    tallies: &mut Tallies,
) {
    for library in libraries {
        let (who, algorithm) = (library.library.name(), key.algorithm);
        let good = draft(key, &server.kid, random);
        let token = good.sign(library);
        let answer = server.me(&token);
        assert_eq!(answer.status, 200, "{who} {algorithm}: {answer:?}: {token}");
        let text = |name: &str| good.claims[name].as_str().unwrap_or_default().to_owned();
        let aud = match &good.claims["aud"] {
            Value::Array(several) => several.iter().map(|name| name.as_str().unwrap()).collect(),
            one => vec![one.as_str().unwrap()],
        };
        let wanted = Me {
            user: serde_json::from_value(good.claims["user"].clone()).unwrap(),
            subject: text("sub"),
            audience: aud.into_iter().map(str::to_owned).collect(),
            scopes: text("scope").split_whitespace().map(str::to_owned).collect(),
        };
        assert_eq!(answer.me(), wanted, "{who} {algorithm}: {token}");
        tallies.entry((algorithm, library.library)).or_default().theirs_read += 1;
    }
}

/// A token that we must take.
fn draft(key: &Key, kid: &str, random: &mut Random) -> Draft {
    let mut draft = Draft::good(key);
    draft.header["kid"] = kid.into();
    draft.header["typ"] = (*random.pick(&["at+jwt", "AT+JWT", "application/at+jwt"])).into();
    if random.one_in(4) {
        draft.header[format!("x{}", random.text(0, 10))] = random.value(2);
    }
    draft.claims = random.claims("api", ISSUER, now());
    draft
}

fn print(tallies: &Tallies) {
    println!("\n{:<10}{:<10}{:>23}{:>23}", "", "", "our tokens", "their tokens");
    println!("{:<10}{:<10}{:>12}{:>11}{:>12}{:>11}", "", "", "read", "refused", "read", "refused");
    let mut all = Tally::default();
    for ((algorithm, library), tally) in tallies {
        row(algorithm, library.name(), tally);
        all.ours_read += tally.ours_read;
        all.ours_refused += tally.ours_refused;
        all.theirs_read += tally.theirs_read;
        all.theirs_refused += tally.theirs_refused;
    }
    row("all", "", &all);
}

fn row(algorithm: &str, library: &str, tally: &Tally) {
    let Tally { ours_read, ours_refused, theirs_read, theirs_refused } = tally;
    println!(
        "{algorithm:<10}{library:<10}{ours_read:>12}{ours_refused:>11}{theirs_read:>12}\
         {theirs_refused:>11}"
    );
}
