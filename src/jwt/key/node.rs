//! src/jwt/key/node.rs: the JSON of a key or of a set of keys. A second member of one name is
//! remembered and not refused at once: it must cost its own key and not the whole set.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use super::{KeyError, unreadable};

/// A JSON value; its strings are wiped when dropped, for some of them are private parts.
pub enum Node {
    Null,
    Bool,
    Integer(u64),
    /// A number that is no `u64`.
    Number,
    Text(Zeroizing<String>),
    List(Vec<Node>),
    Object(Members),
}

/// The members of an object, in their order.
#[derive(Default)]
pub struct Members {
    list: Vec<(String, Node)>,
    /// A name came twice, here.
    ambiguous: bool,
}

/// A set with more members in one object than any key has is no key's.
const MAX_MEMBERS: usize = 64;

impl Node {
    pub fn read(json: &[u8]) -> Result<Node, KeyError> {
        let read = serde_json::from_slice(json);
        // The reader's own message may quote what it read.
        read.or_else(|_| unreadable("no JSON; write the key as a JSON object (RFC 7517)"))
    }

    /// Whether a name comes twice in it, at any depth.
    pub fn is_ambiguous(&self) -> bool {
        match self {
            Node::Object(members) => {
                members.ambiguous || members.list.iter().any(|(_, value)| value.is_ambiguous())
            }
            Node::List(items) => items.iter().any(Node::is_ambiguous),
            _ => false,
        }
    }

    pub fn object(&self) -> Option<&Members> {
        match self {
            Node::Object(members) => Some(members),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn list(&self) -> Option<&[Node]> {
        match self {
            Node::List(items) => Some(items),
            _ => None,
        }
    }
}

impl Members {
    pub fn find(&self, name: &str) -> Option<&Node> {
        self.list.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Whether a name comes twice in this very object.
    pub fn are_ambiguous(&self) -> bool {
        self.ambiguous
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Node(..)")
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(AnyNode)
    }
}

struct AnyNode;

impl<'de> Visitor<'de> for AnyNode {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Bool)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Integer(number))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Number)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Number)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(Zeroizing::new(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut read: A) -> Result<Node, A::Error> {
        let mut members = Members::default();
        while let Some((name, value)) = read.next_entry::<String, Node>()? {
            members.ambiguous |= members.has(&name) || members.list.len() == MAX_MEMBERS;
            if members.list.len() < MAX_MEMBERS {
                members.list.push((name, value));
            }
        }
        Ok(Node::Object(members))
    }
}
