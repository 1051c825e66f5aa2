import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import { after, before, test } from "node:test";

import { Webhook } from "standardwebhooks";

import { PorticoError, verifyWebhook, type WebhookOptions } from "portico-client";

import { Daemon, Demo } from "./support/stage.js";

interface Received {
  body: string;
  headers: http.IncomingHttpHeaders;
}

const PLAIN = "a secret of the webhook";
const STANDARD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const deliveries = new Map<string, Received[]>();
let demo: Demo;

before(async () => {
  demo = await Demo.start();
  for (const secret of [PLAIN, STANDARD]) deliveries.set(secret, await deliveriesUnder(secret));
});
after(() => demo.stop());

/** The deliveries of a real daemon for a login and its session. */
async function deliveriesUnder(secret: string): Promise<Received[]> {
  const received: Received[] = [];
  let arrived = () => {};
  const server = http.createServer(async (request, response) => {
    received.push({ body: Buffer.concat(await request.toArray()).toString(), headers: request.headers });
    response.end();
    arrived();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const url = `http://127.0.0.1:${port}/hook`;
  const configuration = `[sessions]\nenabled = true\n[webhook]\nurl = "${url}"\nsecret = "${secret}"\n`;
  const daemon = await Daemon.start({ after }, demo.relay, configuration);
  await demo.approved(daemon.client, "as hooked");
  while (received.length < 3) await new Promise<void>((resolve) => (arrived = resolve));
  server.closeAllConnections();
  server.close();
  return received;
}

function codeOf(body: string, headers: http.IncomingHttpHeaders, secret: string, options?: WebhookOptions): string {
  try {
    verifyWebhook(body, headers, secret, options);
    return "verified";
  } catch (error) {
    assert.ok(error instanceof PorticoError);
    return error.code;
  }
}

test("what the daemon signed verifies under both schemes, with either kind of secret", () => {
  for (const [secret, received] of deliveries) {
    const types = received.map(({ body, headers }) => {
      const bytes = Buffer.from(body);
      assert.deepEqual(
        verifyWebhook(bytes, headers, secret),
        verifyWebhook(body, headers, secret, { scheme: "portal" }),
      );
      assert.deepEqual(verifyWebhook(body, new Headers(headers as Record<string, string>), secret), JSON.parse(body));
      return verifyWebhook(body, headers, secret).type;
    });
    assert.deepEqual(types.sort(), ["authenticate_key", "key_handshake", "session_created"]);
  }
});

test("the library of Standard Webhooks agrees", () => {
  for (const { body, headers } of deliveries.get(STANDARD)!) {
    assert.deepEqual(new Webhook(STANDARD).verify(body, headers as Record<string, string>), JSON.parse(body));
    const at = new Date();
    const signature = new Webhook(STANDARD).sign("msg_1", at, body);
    const theirs = {
      "webhook-id": "msg_1",
      "webhook-timestamp": String(Math.floor(+at / 1_000)),
      "webhook-signature": signature,
    };
    assert.equal(codeOf(body, theirs, STANDARD), "verified");
    // Two signatures: one with the old secret, one with the new secret.
    assert.equal(codeOf(body, { ...theirs, "webhook-signature": `v1,AAAA ${signature}` }, STANDARD), "verified");
  }
});

test("a forged, altered or unsigned delivery is refused", () => {
  for (const scheme of ["standard", "portal"] as const) {
    for (const [secret, received] of deliveries) {
      const { body, headers } = received[0]!;
      const code = (body: string, headers: http.IncomingHttpHeaders, under = secret) =>
        codeOf(body, headers, under, { scheme });
      assert.equal(code(`${body} `, headers), "invalid_signature");
      assert.equal(code(body, headers, "another secret, of 16 bytes"), "invalid_signature");
      assert.equal(code(body, {}), "invalid_signature");
      assert.equal(code(body, { ...headers, "x-portal-signature": "", "webhook-signature": "" }), "invalid_signature");
      const doubled = { ...headers, "webhook-signature": ["a", "b"], "x-portal-signature": ["a", "b"] };
      assert.equal(code(body, doubled as unknown as http.IncomingHttpHeaders), "invalid_signature");
    }
  }
});

test("a delivery that somebody recorded cannot be sent again later, nor without its time", () => {
  const { body, headers } = deliveries.get(PLAIN)![0]!;
  const sent = Number(headers["webhook-timestamp"]) * 1_000;
  assert.equal(codeOf(body, headers, PLAIN, { now: sent + 300_000 }), "verified");
  assert.equal(codeOf(body, headers, PLAIN, { now: sent + 301_000 }), "too_old");
  assert.equal(codeOf(body, headers, PLAIN, { now: sent - 301_000 }), "too_early");
  assert.equal(
    codeOf(body, { ...headers, "webhook-timestamp": String(sent / 1_000 + 600) }, PLAIN),
    "invalid_signature",
  );
  // Without the newer headers, the older signature is not used instead.
  const { "webhook-signature": _, ...older } = headers;
  assert.equal(codeOf(body, older, PLAIN), "invalid_signature");
});

test("a secret that is missing or cannot be read is an error of the set-up", () => {
  const { body, headers } = deliveries.get(PLAIN)![0]!;
  assert.equal(codeOf(body, headers, ""), "bad_options");
  assert.equal(codeOf(body, headers, "whsec_not base64"), "bad_options");
});

test("a signed body that is not JSON is named", () => {
  const headers = { "x-portal-signature": createHmac("sha256", PLAIN).update("hello").digest("hex") };
  assert.equal(codeOf("hello", headers, PLAIN, { scheme: "portal" }), "malformed_delivery");
});
