// Verify with the library that receivers in JavaScript use: node verify.mjs SECRET ID TIMESTAMP SIGNATURE < body
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

const [secret, id, timestamp, signature] = process.argv.slice(2);
const headers = { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature };
new Webhook(secret).verify(readFileSync(0).toString(), headers); // throws when it is not ours
