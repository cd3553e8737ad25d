//! src/ticket.rs: what a browser holds (a ticket), where it leads (a tag), what a list shows (a handle).

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::secret::{self, Digest, NoEntropy, Secret};
use crate::user::UserId;

/// The cookie's value: 43 base64url characters (32 random bytes), `.`, 22 characters of tag.
///
/// The random part alone is the credential; stores see its SHA-256 digest and nothing else.
#[derive(Clone, Debug)]
pub struct Ticket {
    secret: Secret<32>,
    tag: Tag,
}

/// Names a user's key in a store: 128 bits of a digest of the user's id and kind.
///
/// It routes and proves nothing: whoever knows a user's id can compute it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag([u8; 16]);

/// Names a session to people and programs: 128 random bits, kept for the session's life.
///
/// A handle is no credential. Shown as 22 base64url characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle([u8; 16]);

impl Ticket {
    const SECRET: usize = 43;
    const LENGTH: usize = Self::SECRET + 1 + 22;

    pub fn random(tag: Tag) -> Result<Self, NoEntropy> {
        Ok(Ticket { secret: Secret::random()?, tag })
    }

    /// Exactly the form that [`Ticket::reveal`] writes; anything else is no ticket.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != Self::LENGTH || bytes[Self::SECRET] != b'.' {
            return None;
        }
        let mut tag = [0; 16];
        secret::decode(&bytes[Self::SECRET + 1..], &mut tag).then_some(())?;
        Some(Ticket { secret: Secret::parse(&bytes[..Self::SECRET])?, tag: Tag(tag) })
    }

    pub fn tag(&self) -> &Tag {
        &self.tag
    }

    pub fn digest(&self) -> Digest {
        self.secret.digest()
    }

    /// In clear, for the one cookie that carries it.
    pub fn reveal(&self) -> Zeroizing<String> {
        let mut text = self.secret.reveal();
        text.push('.');
        text.push_str(&secret::encode(&self.tag.0));
        text
    }
}

impl Tag {
    /// The tag of a user of one fairing; `kind` is the fairing's name, empty for the unnamed.
    pub fn of(kind: &str, user: &UserId) -> Self {
        // The length keeps ("a", "bc") apart from ("ab", "c").
        let text = format!("rocket_identity user {}:{kind}:{user}", kind.len());
        let mut tag = [0; 16];
        tag.copy_from_slice(&Digest::of(text.as_bytes()).as_bytes()[..16]);
        Tag(tag)
    }

    #[cfg(feature = "redis")]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Tag(bytes)
    }

    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tag(..)")
    }
}

impl Handle {
    pub(crate) fn random() -> Result<Self, NoEntropy> {
        secret::random_bytes().map(Handle)
    }

    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; 16];
        secret::decode(text, &mut bytes).then_some(Handle(bytes))
    }
}

/// The text is no handle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAHandle;

impl fmt::Display for NotAHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a session's handle has 22 base64url characters")
    }
}

impl std::error::Error for NotAHandle {}

/// From the 22 characters that `Display` writes.
impl FromStr for Handle {
    type Err = NotAHandle;

    fn from_str(text: &str) -> Result<Self, NotAHandle> {
        Handle::parse(text.as_bytes()).ok_or(NotAHandle)
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&secret::encode(&self.0))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket() -> Ticket {
        Ticket::random(Tag::of("", &UserId::from(7))).unwrap()
    }

    #[test]
    fn a_ticket_reads_back_as_it_was_written() {
        let ticket = ticket();
        let again = Ticket::parse(&ticket.reveal()).unwrap();
        assert_eq!(again.digest(), ticket.digest());
        assert_eq!(again.tag(), ticket.tag());
        assert_eq!(ticket.reveal().len(), 66);
    }

    /// Checklist row 1: nothing is encoded in the random part; the tag behind the dot only routes.
    #[test]
    fn two_tickets_of_one_user_share_the_tag_and_no_prefix() {
        let (one, two) = (ticket().reveal(), ticket().reveal());
        assert_eq!(one[44..], two[44..]);
        assert_ne!(one[..8], two[..8]);
    }

    #[test]
    fn a_ticket_with_any_one_byte_changed_to_a_foreign_one_is_refused() {
        let good = ticket().reveal();
        for position in 0..good.len() {
            for foreign in [b' ', b'=', b'+', b'/', b'%', b'"', b'\0', b'\t', b'.', 0x7f] {
                let mut bytes = good.as_bytes().to_vec();
                if bytes[position] == foreign {
                    continue;
                }
                bytes[position] = foreign;
                let text = String::from_utf8(bytes).unwrap();
                assert!(Ticket::parse(&text).is_none(), "{position}: {foreign}");
            }
        }
        for text in [&good[1..], &good[..65], &format!("{}A", *good), &good.replace('.', "é")] {
            assert!(Ticket::parse(text).is_none());
        }
    }

    #[test]
    fn the_debug_of_a_ticket_prints_nothing_of_it() {
        assert_eq!(format!("{:?}", ticket()), "Ticket { secret: Secret(..), tag: Tag(..) }");
    }

    #[test]
    fn the_same_id_under_another_kind_has_another_tag() {
        let id = UserId::from("c");
        assert_ne!(Tag::of("", &id), Tag::of("admin", &id));
        assert_ne!(Tag::of("one", &id), Tag::of("two", &id));
        assert_ne!(Tag::of("a", &UserId::from("b:c")), Tag::of("a:b", &id));
    }
}
