// Sessions that are bound to the device, in a real browser: bound, proved again, and worth nothing to a thief.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { hero, submit } from "./browser.mjs";
import { proxy, trusting } from "./https.mjs";
import { emptyFolder, serve } from "./server.mjs";

const valid = 10; // seconds, the shortest
const secret = "a-secret-of-the-browser-test-with-more-than-32-bytes";
const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

// The stores, and how many processes share one. Redis is tried if REDIS_URL names one.
const stores = { cookie: 2, file: 1, ...(process.env.REDIS_URL && { redis: 2 }) };

const suite = (store, processes) => {
  let servers, https, launch, browser, page;
  const settings = {
    GO_ENV: "production", ADDR: "127.0.0.1", SESSION_SECRET: secret, LOG_LEVEL: "debug", SESSION_STORE: store,
    SESSION_FILE: join(emptyFolder(), "sessions.db"), SESSION_DEVICE_BOUND: "true", SESSION_DEVICE_PROOF: `${valid}s`,
    REDIS_URL: process.env.REDIS_URL ?? "redis://127.0.0.1:6379",
  };
  const url = () => servers[0].url;
  const log = () => servers.map((server) => server.output()).join("\n");
  before(async () => {
    servers = await Promise.all(Array.from({ length: processes }, () => serve({ env: settings, cwd: emptyFolder() })));
    https = await proxy(...servers.map((server) => server.url));
    launch = trusting(https);
    await restart();
  });
  after(() => Promise.all([browser?.close(), https?.stop(), ...(servers ?? []).map((server) => server.stop())]));

  // restart restarts the browser. It signs six times in nine minutes, and proofs as short as these it refreshes with
  // each page.
  async function restart() {
    await browser?.close();
    browser = await launch();
    page = await browser.newPage();
  }

  const heading = () => page.getByRole("heading", { level: 1 }).textContent();
  const dbsc = (action) => https.seen.filter((r) => r.path.endsWith(`/${action}`));
  const proofs = async () => (await browser.cookies()).filter((c) => c.name.includes("_proof_"));
  const registered = async () => {
    for (let i = 0; i < 50 && !(await proofs()).length; i++) await sleep(0.1);
    assert.equal((await proofs()).length, 1);
  };

  test(`${store}: a session is bound, and the page shows the hero after the short cookie has expired`, async () => {
    await page.goto(https.url);
    await submit(page, hero);
    assert.equal(await heading(), hero.name);
    await registered();
    const [registration] = dbsc("register");
    assert.equal(registration.status, 200);
    assert.equal(registration.headers["sec-fetch-site"], "same-origin");
    for (let i = 0; i < 3 && !/"session":"bound"/.test(log()); i++) { // with the first page it proves that it has the key
      await page.reload();
      await sleep(0.5);
    }
    assert.match(log(), /"session":"bound"/);

    for (let i = 0; i < 2; i++) {
      await sleep(valid + 1);
      assert.deepEqual(await proofs(), [], "the short cookie has expired");
      await restart();
      await page.goto(`${https.url}/success`);
      assert.equal(await heading(), hero.name);
      assert.equal((await proofs()).length, 1);
    }
    assert.ok(dbsc("refresh").some((r) => r.status === 200));
    assert.ok(dbsc("refresh").every((r) => [200, 403].includes(r.status)));
  });

  test(`${store}: a visitor who comes by a link from another site is known, too`, async () => {
    await restart();
    await sleep(valid + 1);
    await page.goto(`data:text/html,<a href="${https.url}/success">a link</a>`);
    await page.getByText("a link").click();
    await page.waitForURL(`${https.url}/success`);
    assert.equal(await heading(), hero.name);
  });

  test(`${store}: a thief's copy works until the short cookie expires and never again, and the visitor continues`, async () => {
    await restart();
    await page.goto(`${https.url}/success`);
    const cookie = (await browser.cookies()).map((c) => `${c.name}=${c.value}`).join("; ");
    assert.match(cookie, /__Host-heroes_session=.*_proof_/s);
    const steal = (init) => fetch(`${url()}/success`, { redirect: "manual", headers: { cookie }, ...init });
    assert.ok((await (await steal()).text()).includes(hero.name), "for a few seconds, it works");
    await sleep(valid + 1);
    for (let i = 0; i < 2; i++) {
      const stolen = await steal();
      assert.equal(stolen.status, 303, "there is no hero");
      assert.equal(stolen.headers.get("set-cookie"), null);
      assert.ok(!(await stolen.text()).includes(hero.name));
      const change = await fetch(`${url()}/heroes`, {
        method: "POST", redirect: "manual", headers: { cookie, "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams(hero),
      });
      assert.equal(change.status, 409);
      assert.equal(change.headers.get("set-cookie"), null);
      assert.match(await change.text(), /Your browser could not be verified/);
      await page.reload();
      assert.equal(await heading(), hero.name);
      await sleep(valid / 2);
    }
  });

  test(`${store}: an outage ends no binding`, async () => {
    await restart();
    await sleep(valid + 1);
    https.watch = (asked, answer) => asked.url.endsWith("/refresh") && (answer.writeHead(503).end(), true);
    await page.goto(`${https.url}/success`);
    const [skipped] = https.seen.filter((r) => r.headers["secure-session-skipped"]);
    assert.match(skipped.headers["secure-session-skipped"], /server_error/);
    assert.notEqual(await heading(), hero.name, "there is no proof");
    https.watch = () => false;
    for (let i = 0; i < 40 && (await heading()) !== hero.name; i++) {
      await sleep(1);
      await page.goto(`${https.url}/success`);
    }
    assert.equal(await heading(), hero.name);
    assert.match(log(), /"reason":"skipped_error"/);
  });

  test(`${store}: after "Forget me", the next session is bound to a new key`, async () => {
    await restart();
    await page.goto(https.url);
    await page.getByRole("button", { name: "Forget me" }).click();
    await page.waitForURL(`${https.url}/`);
    assert.equal(await page.getByRole("button", { name: "Forget me" }).count(), 0);
    await page.goto(`${https.url}/heroes/new`);
    const before = dbsc("register").length;
    await submit(page, { ...hero, name: "Doctor Defer" });
    for (let i = 0; i < 50 && dbsc("register").length === before; i++) await sleep(0.1);
    for (let i = 0; i < 2; i++) {
      await sleep(valid + 1);
      await restart();
      await page.goto(`${https.url}/success`);
      assert.equal(await heading(), "Doctor Defer");
    }
    assert.equal(log().match(/"session":"bound"/g).length, 2);
  });
};

describe("sessions that are bound to the device", { concurrency: true }, () => {
  for (const [store, processes] of Object.entries(stores)) describe(store, { concurrency: false }, () => suite(store, processes));
});
