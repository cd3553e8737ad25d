"""tests/interop/foreign/with_jwcrypto.py: jwcrypto makes keys, signs and verifies."""

import functools
import json
import urllib.request

from jwcrypto.common import JWException, JWSEHeaderParameter
from jwcrypto.jwk import JWK, JWKSet
from jwcrypto.jws import JWS
from jwcrypto.jwt import JWT

import lines

REQUIRED = dict.fromkeys(["iss", "aud", "sub", "iat", "exp", "jti"])
MAKE = {
    "HS": lambda algorithm: {"kty": "oct", "size": int(algorithm[2:])},
    "RS": lambda algorithm: {"kty": "RSA", "size": 2048},
    "PS": lambda algorithm: {"kty": "RSA", "size": 2048},
    "ES": lambda algorithm: {"kty": "EC", "crv": "P-" + algorithm[2:]},
    "Ed": lambda algorithm: {"kty": "OKP", "crv": "Ed25519"},
}


def make(question):
    algorithm, kid = question["algorithm"], question["kid"]
    key = JWK.generate(**MAKE[algorithm[:2]](algorithm), alg=algorithm, kid=kid, use="sig")
    return {"text": key.export()}


def private(key):
    return load(json.dumps(key))


@functools.cache
def load(text):
    key = json.loads(text)
    return JWK.from_pem(key["pem"].encode()) if "pem" in key else JWK(**key["jwk"])


def public(question):
    return {"text": private(question["key"]).export_to_pem().decode()}


def sign(question):
    header, key = question["header"], private(question["key"])
    algorithm = header["alg"]
    if "crit" in header:
        # It signs only what it knows to be critical.
        known = {name: JWSEHeaderParameter(name, True, True, None) for name in header["crit"]}
        token = JWS(json.dumps(question["claims"]), header_registry=known)
        token.allowed_algs = [algorithm]
        token.add_signature(key, protected=json.dumps(header))
        return {"token": token.serialize(compact=True)}
    token = JWT(header=header, claims=question["claims"], algs=[algorithm])
    token.make_signed_token(key)
    return {"token": token.serialize()}


@functools.cache
def key_set(url):
    with urllib.request.urlopen(url) as answer:
        return JWKSet.from_json(answer.read())


def verify(question):
    source = question["source"]
    token = JWT(
        algs=[question["algorithm"]],
        check_claims={**REQUIRED, "iss": question["issuer"], "aud": question["audience"]},
        expected_type="JWS",
        strict_serialization=True,
    )
    token.leeway = 0
    key = key_set(source["url"]) if "url" in source else private(source)
    token.deserialize(question["token"], key)
    header = json.loads(token.header)
    # jwcrypto leaves the type to its caller.
    if header.get("typ") != "at+jwt":
        raise JWException("typ")
    return {"claims": json.loads(token.claims), "header": header}


lines.answer(
    {"make": make, "public": public, "sign": sign, "verify": verify}, refusal=JWException
)
