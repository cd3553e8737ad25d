// tests/interop/foreign/with_jose.mjs: jose makes keys, signs and verifies, on Node's WebCrypto.
// Its argument is the folder that holds node_modules.

import { createPrivateKey } from "node:crypto";
import { createRequire } from "node:module";

const jose = createRequire(`${process.argv[2]}/`)("jose");

const REQUIRED = ["iss", "aud", "sub", "iat", "exp", "jti"];

/** What WebCrypto itself writes, `key_ops` and `ext` included. */
async function raw(key) {
  return crypto.subtle.exportKey("jwk", key);
}

async function make({ algorithm, kid, form }) {
  const options = { extractable: true, modulusLength: 2048 };
  const key = algorithm.startsWith("HS")
    ? await jose.generateSecret(algorithm, options)
    : (await jose.generateKeyPair(algorithm, options)).privateKey;
  const jwk = form === "webcrypto" ? await raw(key) : { ...(await jose.exportJWK(key)), alg: algorithm, kid };
  return { text: JSON.stringify(jwk, null, 2) };
}

async function privateKey(key, algorithm) {
  return "pem" in key ? createPrivateKey(key.pem) : jose.importJWK(key.jwk, algorithm);
}

async function sign({ key, header, claims }) {
  const crit = Object.fromEntries((header.crit ?? []).map((name) => [name, true]));
  const token = await new jose.SignJWT(claims)
    .setProtectedHeader(header)
    .sign(await privateKey(key, header.alg), { crit });
  return { token };
}

const keySets = new Map();

function keySet(url) {
  if (!keySets.has(url)) {
    keySets.set(url, jose.createRemoteJWKSet(new URL(url)));
  }
  return keySets.get(url);
}

async function verify({ token, source, algorithm, issuer, audience }) {
  const key = "url" in source ? keySet(source.url) : await privateKey(source, algorithm);
  const found = await jose.jwtVerify(token, key, {
    algorithms: [algorithm],
    issuer,
    audience,
    typ: "at+jwt",
    requiredClaims: REQUIRED,
    maxTokenAge: "1h",
    clockTolerance: 0,
  });
  return { claims: found.payload, header: found.protectedHeader };
}

const operations = { make, sign, verify };

async function answer(line) {
  const question = JSON.parse(line);
  try {
    return await operations[question.op](question);
  } catch (error) {
    return error instanceof jose.errors.JOSEError
      ? { refused: error.code, why: error.message }
      : { failed: error.stack ?? String(error) };
  }
}

// By hand: node:readline also ends a line at U+2028.
let rest = "";
process.stdin.setEncoding("utf8");
for await (const chunk of process.stdin) {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop();
  for (const line of lines) {
    process.stdout.write(`${JSON.stringify(await answer(line))}\n`);
  }
}
