//! tests/interop/keys.rs: keys as other programs make and write them, and directories of them.

use std::fs;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::foreign::{Foreign, Library};

pub const ALGORITHMS: [&str; 12] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
    "ES384", "EdDSA",
];

/// Those that a PEM file says by its type.
pub const OF_PEM: [&str; 4] = ["RS256", "ES256", "ES384", "EdDSA"];

/// Who wrote a key, and how. In the order of their names: of keys without times the last one signs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Maker {
    Jose,
    Jwcrypto,
    /// Node's WebCrypto: `key_ops` and `ext`, neither `kid` nor always `alg`.
    WebCrypto,
    /// Python's, which PyJWT uses: PKCS#8.
    Cryptography,
    /// The same, PKCS#1 or SEC1.
    OlderCryptography,
    /// PKCS#8.
    OpenSsl,
    /// PKCS#1, or SEC1 behind the curve's name.
    OlderOpenSsl,
}

/// A private key, or a shared secret, as a file.
#[derive(Clone, Debug)]
pub struct Key {
    pub kid: String,
    pub algorithm: &'static str,
    pub maker: Maker,
    pub text: String,
}

/// One key of each maker for each algorithm.
pub struct Keys(Vec<Key>);

impl Maker {
    pub const JWK: [Maker; 3] = [Maker::Jose, Maker::Jwcrypto, Maker::WebCrypto];
    pub const PEM: [Maker; 4] =
        [Maker::Cryptography, Maker::OlderCryptography, Maker::OpenSsl, Maker::OlderOpenSsl];

    pub fn writes_pem(self) -> bool {
        Maker::PEM.contains(&self)
    }

    /// There is no older form of an Ed25519 key.
    fn algorithms(self) -> &'static [&'static str] {
        match self {
            Maker::OlderCryptography | Maker::OlderOpenSsl => &OF_PEM[..3],
            Maker::Cryptography | Maker::OpenSsl => &OF_PEM,
            Maker::Jose | Maker::Jwcrypto | Maker::WebCrypto => &ALGORITHMS,
        }
    }

    fn make(self) -> Vec<Key> {
        let mut foreign = match self {
            Maker::Jose | Maker::WebCrypto => Some((Library::Jose, "webcrypto")),
            Maker::Jwcrypto => Some((Library::Jwcrypto, "jwk")),
            Maker::Cryptography => Some((Library::PyJwt, "pkcs8")),
            Maker::OlderCryptography => Some((Library::PyJwt, "traditional")),
            Maker::OpenSsl | Maker::OlderOpenSsl => None,
        }
        .map(|(library, form)| (Foreign::start(library), form));
        let keys = self.algorithms().iter().map(|&algorithm| {
            let kid = format!("{self:?}-{algorithm}");
            let text = match &mut foreign {
                Some((foreign, _)) if self == Maker::Jose => foreign.make(algorithm, &kid, "jwk"),
                Some((foreign, form)) => foreign.make(algorithm, &kid, form),
                None => openssl(self, algorithm),
            };
            Key { kid, algorithm, maker: self, text }
        });
        keys.collect()
    }
}

fn openssl(maker: Maker, algorithm: &str) -> String {
    let line = match (maker, algorithm) {
        (Maker::OpenSsl, "RS256") => "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072",
        (Maker::OpenSsl, "ES256") => "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256",
        (Maker::OpenSsl, "ES384") => "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384",
        (Maker::OpenSsl, _) => "genpkey -algorithm ED25519",
        (_, "RS256") => "genrsa -traditional 2048",
        (_, "ES256") => "ecparam -name prime256v1 -genkey",
        (..) => "ecparam -name secp384r1 -genkey",
    };
    let made = Command::new("openssl").args(line.split(' ')).output().expect("openssl starts");
    assert!(made.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap()
}

impl Key {
    /// As a library takes it.
    pub fn shared(&self) -> Value {
        match self.maker.writes_pem() {
            true => json!({"pem": self.text}),
            false => json!({"jwk": serde_json::from_str::<Value>(&self.text).unwrap()}),
        }
    }

    pub fn is_symmetric(&self) -> bool {
        self.algorithm.starts_with("HS")
    }

    pub fn file(&self) -> String {
        format!("{}.{}", self.kid, if self.maker.writes_pem() { "pem" } else { "jwk" })
    }
}

impl Keys {
    /// Made once for all tests that run now.
    pub fn made() -> &'static Self {
        static MADE: OnceLock<Keys> = OnceLock::new();
        MADE.get_or_init(Keys::make)
    }

    pub fn make() -> Self {
        thread::scope(|scope| {
            let makers = Maker::JWK.into_iter().chain(Maker::PEM);
            let makers: Vec<_> = makers.map(|maker| scope.spawn(move || maker.make())).collect();
            Keys(makers.into_iter().flat_map(|maker| maker.join().unwrap()).collect())
        })
    }

    pub fn of(&self, maker: Maker) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(move |key| key.maker == maker)
    }

    pub fn get(&self, maker: Maker, algorithm: &str) -> &Key {
        self.of(maker).find(|key| key.algorithm == algorithm).unwrap()
    }

    pub fn all(&self) -> impl Iterator<Item = &Key> {
        self.0.iter()
    }

    /// A directory of every key that signs with `signer`: a JWK by its `nbf`, a PEM by a name behind
    /// all others.
    pub fn directory(&self, signer: &Key) -> (TempDir, String) {
        let directory = empty();
        let mut kid = signer.kid.clone();
        for key in self.0.iter().filter(|key| key.kid != signer.kid) {
            write(&directory, &key.file(), &key.text);
        }
        if signer.maker.writes_pem() {
            kid = format!("z-{kid}");
            write(&directory, &format!("{kid}.pem"), &signer.text);
        } else {
            let mut jwk: Value = serde_json::from_str(&signer.text).unwrap();
            jwk["nbf"] = 1.into();
            write(&directory, &signer.file(), &jwk.to_string());
        }
        (directory, kid)
    }
}

pub fn empty() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
    directory
}

/// A file that its owner alone can read.
pub fn write(directory: &TempDir, name: &str, text: &str) {
    let mut options = fs::OpenOptions::new();
    let path = directory.path().join(name);
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
}
