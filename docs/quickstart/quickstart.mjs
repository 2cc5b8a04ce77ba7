// Who am I, a lead comes in, an answer goes out: with Node's own fetch.
const { LEADWIRE_URL, LEADWIRE_TOKEN, LEADWIRE_SOURCE } = process.env;

// The same key again does it once, so a call that got no answer may be repeated.
async function call(method, path, body, idempotencyKey) {
  const headers = { Authorization: `Bearer ${LEADWIRE_TOKEN}`, "Content-Type": "application/json" };
  if (idempotencyKey) headers["Idempotency-Key"] = idempotencyKey;
  const answer = await fetch(`${LEADWIRE_URL}/v1/${path}`, { method, headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
  return answer.json();
}

console.log("I am", (await call("GET", "whoami")).name);
const lead = {
  first_name: "Ava", request_title: "Leaking tap", identifier_type: "email", email: "ava@example.net",
  source_id: LEADWIRE_SOURCE,
};
const { uid } = await call("POST", "leads", lead, "order-4713");
console.log("lead", uid);
const reply = { content: "We can come today at four." };
const { data } = await call("POST", `leads/${uid}/conversations/reply`, reply, "answer-to-4713");
console.log(data.message.status);
