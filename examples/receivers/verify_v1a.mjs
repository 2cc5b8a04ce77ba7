// Verify a v1a webhook of Leadwire: node verify_v1a.mjs PUBLIC_KEY ID TIMESTAMP SIGNATURE < body
import { createPublicKey, verify as check } from "node:crypto";
import { readFileSync } from "node:fs";

const ED25519 = Buffer.from("302a300506032b6570032100", "hex"); // how a key file begins (RFC 8410)

export function verify(publicKey, webhookId, timestamp, signature, body) {
  if (!/^\d+$/.test(timestamp) || Math.abs(Date.now() / 1000 - Number(timestamp)) > 300) {
    return false; // too old, or a clock is wrong: somebody may be sending an old one again
  }
  const raw = Buffer.from(publicKey.replace(/^whpk_/, ""), "base64");
  const key = createPublicKey({ key: Buffer.concat([ED25519, raw]), format: "der", type: "spki" });
  const signed = Buffer.concat([Buffer.from(`${webhookId}.${timestamp}.`), body]);
  return signature.split(" ").some((one) => {
    const [version, given] = one.split(",");
    return version === "v1a" && check(null, signed, key, Buffer.from(given ?? "", "base64"));
  });
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  process.exit(verify(...process.argv.slice(2, 6), readFileSync(0)) ? 0 : 1);
}
