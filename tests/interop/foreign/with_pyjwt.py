"""tests/interop/foreign/with_pyjwt.py: PyJWT signs and verifies; `cryptography` makes PEM keys."""

import functools
import json

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import HMACAlgorithm

import lines

REQUIRED = ["iss", "aud", "sub", "iat", "exp", "jti"]
MAKE = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "EdDSA": lambda: ed25519.Ed25519PrivateKey.generate(),
}
FORM = {
    "pkcs8": serialization.PrivateFormat.PKCS8,
    "traditional": serialization.PrivateFormat.TraditionalOpenSSL,
}


class Careless(HMACAlgorithm):
    """PyJWT refuses a PEM as a secret; whoever forges a token has taken that check out."""

    def prepare_key(self, key):
        return key


careless = jwt.PyJWT()
careless._jws.unregister_algorithm("HS256")
careless._jws.register_algorithm("HS256", Careless(Careless.SHA256))


def make(question):
    text = MAKE[question["algorithm"]]().private_bytes(
        serialization.Encoding.PEM, FORM[question["form"]], serialization.NoEncryption()
    )
    return {"text": text.decode()}


def public(question):
    key = private(question["key"], None)
    text = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return {"text": text.decode()}


def private(key, algorithm):
    return load(json.dumps(key), algorithm)


@functools.cache
def load(text, algorithm):
    """Loading an RSA key takes longer than signing with it."""
    key = json.loads(text)
    if "pem" in key:
        return serialization.load_pem_private_key(key["pem"].encode(), None)
    return jwt.PyJWK(key["jwk"], algorithm)


def sign(question):
    # PyJWT writes `typ: JWT` unless told otherwise; an empty one is left out.
    headers = {"typ": "", **question["header"]}
    algorithm = headers["alg"]
    if algorithm == "none":
        return {"token": jwt.encode(question["claims"], "", "none", headers)}
    key = private(question["key"], algorithm)
    if isinstance(key, jwt.PyJWK) and isinstance(key.key, bytes) and b"-----BEGIN" in key.key:
        return {"token": careless.encode(question["claims"], key.key, algorithm, headers)}
    return {"token": jwt.encode(question["claims"], key, algorithm, headers)}


@functools.cache
def client(url):
    return jwt.PyJWKClient(url)


def verify(question):
    token, source = question["token"], question["source"]
    if "url" in source:
        key = client(source["url"]).get_signing_key_from_jwt(token)
    else:
        key = private(source, question["algorithm"])
    found = jwt.decode_complete(
        token,
        key,
        algorithms=[question["algorithm"]],
        issuer=question["issuer"],
        audience=question["audience"],
        options={
            "require": REQUIRED,
            "strict_aud": not question["several"],
            "enforce_minimum_key_length": True,
        },
    )
    # PyJWT leaves the type to its caller.
    if found["header"].get("typ") != "at+jwt":
        raise jwt.InvalidTokenError("typ")
    return {"claims": found["payload"], "header": found["header"]}


lines.answer(
    {"make": make, "public": public, "sign": sign, "verify": verify}, refusal=jwt.PyJWTError
)
