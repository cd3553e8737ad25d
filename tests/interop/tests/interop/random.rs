//! tests/interop/random.rs: users and claims by chance, with whatever JSON can carry from one language
//! to another; the same for the same seed.

use serde_json::{Map, Value, json};

use crate::server::Account;

/// SplitMix64.
pub struct Random(u64);

/// Bytes of a text when everything but ASCII is escaped, as Python does: the token must stay under
/// the 8,192 bytes that we read.
const LARGE: usize = 4_000;

/// What has gone wrong between two JSON libraries somewhere.
const PIECES: &[&str] = &[
    "a",
    "Z",
    "7",
    " ",
    "\"",
    "\\",
    "/",
    "\0",
    "\u{1}",
    "\u{8}",
    "\n",
    "\r",
    "\t",
    "\u{7f}",
    "\u{85}",
    "é",
    "e\u{301}",
    "ß",
    "日本",
    "\u{5d0}\u{202e}",
    "\u{2028}",
    "\u{2029}",
    "\u{d7ff}",
    "\u{e000}",
    "\u{fffd}",
    "\u{feff}",
    "\u{ffff}",
    "🦀",
    "👩\u{200d}🚀",
    "\u{10ffff}",
    "</script>",
    "\\u0041",
    "\\\"",
    "{}",
    "null",
    "%00",
    ".",
    "=",
    "-_",
    "__proto__",
    "constructor",
    "toString",
];

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn pick<'p, T>(&mut self, from: &'p [T]) -> &'p T {
        &from[self.below(from.len())]
    }

    /// From `least` to `most` bytes of UTF-8, `most` in ASCII with escapes as well.
    pub fn text(&mut self, least: usize, most: usize) -> String {
        let wanted = least + self.below(most + 1 - least);
        let mut text = String::new();
        let mut size = 0;
        loop {
            let piece = *self.pick(PIECES);
            size += escaped(piece);
            if size > wanted {
                break;
            }
            text.push_str(piece);
        }
        if text.len() < least {
            text.push_str(&"x".repeat(least - text.len()));
        }
        text
    }

    /// Any JSON that every language reads alike: no integer beyond 2^53, no whole float, no -0.
    pub fn value(&mut self, depth: usize) -> Value {
        const END: u64 = 1 << 53;
        match self.below(if depth == 0 { 6 } else { 8 }) {
            0 => Value::Null,
            1 => self.one_in(2).into(),
            2 => (self.next() % END).into(),
            3 => (-((self.next() % (END - 1)) as i64) - 1).into(),
            4 => ((self.below(2_000_000) as f64 - 1_000_000.0) + 0.625).into(),
            5 => self.text(0, 40).into(),
            6 => (0..self.below(4)).map(|_| self.value(depth - 1)).collect(),
            _ => self.object(depth - 1).into(),
        }
    }

    fn object(&mut self, depth: usize) -> Map<String, Value> {
        (0..self.below(4)).map(|_| (self.text(0, 12), self.value(depth))).collect()
    }

    /// One user in five is as large as a token can hold.
    pub fn user(&mut self) -> Account {
        let most = if self.one_in(5) { LARGE } else { 60 };
        Account { id: self.text(1, 255), name: self.text(0, most), more: self.value(2) }
    }

    /// Claims that we must take, beside the registered ones that `now` decides.
    pub fn claims(&mut self, audience: &str, issuer: &str, now: u64) -> Value {
        let others = || self::Value::from("other");
        let aud = match self.below(4) {
            0 => json!(audience),
            1 => json!([audience]),
            2 => json!([others(), audience, self.text(0, 20)]),
            _ => json!([self.text(1, 20), others(), audience]),
        };
        let mut claims = json!({
            "iss": issuer, "aud": aud, "sub": self.text(1, 255), "jti": self.text(1, 128),
            "iat": now - self.next() % 600, "exp": now + 30 + self.next() % 3600,
            "user": self.user(),
        });
        if self.one_in(3) {
            claims["nbf"] = (now - self.next() % 1000).into();
        }
        if self.one_in(3) {
            claims["scope"] = "notes:read notes:write".into();
        }
        for _ in 0..self.below(4) {
            claims[format!("x{}", self.text(0, 20))] = self.value(3);
        }
        claims
    }
}

fn escaped(text: &str) -> usize {
    let of = |c: char| match c {
        '"' | '\\' => 2,
        ' '..='~' => 1,
        c if c.len_utf16() == 2 => 12,
        _ => 6,
    };
    text.chars().map(of).sum()
}
