// Everyone can use the pages: in every language, in both colour schemes, with and without scripts.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { hero, launch, launchWith, posted } from "./browser.mjs";
import { serve } from "./server.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const locales = join(import.meta.dirname, "..", "locales");
const word = (text, id) => text.match(new RegExp(`- id: ${id}\\n  translation: (\\S+)`))[1];
const languages = Object.fromEntries(
  readdirSync(locales)
    .filter((file) => file.startsWith("all."))
    .map((file) => readFileSync(join(locales, file), "utf8"))
    .map((text) => [word(text, "language.code"), word(text, "language.direction")]),
);

let browser, server;
before(async () => ([browser, server] = await Promise.all([launch(), serve()])));
after(() => Promise.all([browser?.close(), server?.stop()]));

// open shows the form in a new visitor's browser.
async function open(t, options = {}) {
  const context = await browser.newContext({ baseURL: server.url, ...options });
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto("/");
  return { context, page };
}

// send fills the form and sends it, whatever language it is in.
async function send(page, values) {
  for (const [name, value] of Object.entries(values)) await page.locator(`#${name}`).fill(value);
  return posted(page, () => page.locator("main form .button").click());
}

// scenes lists everything that a visitor can see. Each one starts at the form.
const scenes = {
  form: () => {},
  wrong: (page) => send(page, { ...hero, name: "W".repeat(101) }),
  success: (page) => send(page, hero),
  edit: async (page) => {
    await send(page, hero);
    await page.locator(".actions a").first().click();
    await page.waitForURL("**/heroes/new");
  },
  forgotten: async (page) => {
    await send(page, hero);
    await posted(page, () => page.locator("header button").click());
  },
  "nobody yet": (page) => page.goto("/success"),
  missing: (page) => page.goto("/nowhere"),
  inspector: async (page) => {
    await send(page, hero);
    await page.goto("/session");
  },
};

async function violations(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run());
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
}

for (const [locale, direction] of Object.entries(languages)) {
  test(`axe finds no fault on any page, in both colour schemes: ${locale}`, async (t) => {
    for (const [name, show] of Object.entries(scenes)) {
      const { page } = await open(t, { locale });
      await show(page);
      assert.equal(await page.locator("html").getAttribute("lang"), locale);
      assert.equal(await page.locator("html").getAttribute("dir"), direction);
      for (const colorScheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme });
        assert.deepEqual(await violations(page), [], `${name}, ${colorScheme}`);
      }
    }
  });

  test(`nothing is cut off at 320 pixels, which is a zoom of 400 %: ${locale}`, async (t) => {
    for (const [name, show] of Object.entries(scenes)) {
      const { page } = await open(t, { locale, viewport: { width: 320, height: 640 } });
      await show(page);
      const beyond = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      assert.ok(beyond <= 0, `${name} is ${beyond} pixels too wide`);
    }
  });
}

test("axe finds a missing label", async (t) => {
  const { page } = await open(t);
  await page.evaluate(() => document.querySelector("label").remove());
  assert.match((await violations(page)).join(), /\blabel: /);
});

test("the page can be read and used with its text at 200 %", async (t) => {
  const { page } = await open(t, { viewport: { width: 640, height: 450 }, deviceScaleFactor: 2 });
  await page.evaluate(() => (document.documentElement.style.fontSize = "200%")); // only the text
  const beyond = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok((await beyond()) <= 0);
  assert.equal((await send(page, hero)).status(), 303);
  assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), hero.name);
});

test("the first visit weighs 20 KB at most, and the second loads no asset again", async (t) => {
  const { context, page } = await open(t);
  const production = await serve({ env: { GO_ENV: "production", SESSION_SECRET: "0".repeat(43) } });
  t.after(() => production.stop());
  const client = await context.newCDPSession(page);
  await client.send("Network.enable");
  let bytes = 0;
  client.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
  const asked = () => [...production.output().matchAll(/"path":"([^"]+)"/g)].map(([, address]) => address);

  await page.goto(production.url, { waitUntil: "networkidle" });
  assert.ok(asked().some((address) => address.startsWith("/assets/application-")));
  assert.ok(bytes > 2000 && bytes <= 20 << 10, `${bytes} bytes`);
  t.diagnostic(`the first visit weighs ${bytes} bytes with its headers`);
  const before = asked().length;
  await page.goto(`${production.url}/heroes/new`, { waitUntil: "networkidle" });
  assert.deepEqual(asked().slice(before), ["/heroes/new"]);
});

test("going back after the form does not send it again", async (t) => {
  const { page } = await open(t);
  await send(page, hero);
  let posts = 0;
  page.on("request", (request) => (posts += request.method() === "POST"));
  await page.goBack();
  assert.equal(new URL(page.url()).pathname, "/");
  await page.goForward();
  await page.reload();
  assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), hero.name);
  assert.equal(posts, 0);
});

test("if two tabs register a hero, the last one wins", async (t) => {
  const { context, page } = await open(t);
  const other = await context.newPage();
  await other.goto("/");
  await send(page, hero);
  await send(other, { ...hero, name: "Batman" });
  for (const tab of [page, other]) {
    await tab.goto("/success");
    assert.equal(await tab.getByRole("heading", { level: 1 }).textContent(), "Batman");
    assert.deepEqual(await tab.getByRole("status").allTextContents(), [], "each flash was seen");
  }
});

test("a flash is shown once, even if the redirect is followed twice", async (t) => {
  const { page } = await open(t);
  await send(page, hero);
  assert.equal(await page.getByRole("status").count(), 1);
  await page.goto("/success");
  assert.equal(await page.getByRole("status").count(), 0);
});

for (const javaScriptEnabled of [true, false]) {
  test(`a flash can be dismissed, scripts ${javaScriptEnabled ? "on" : "off"}`, async (t) => {
    const { page } = await open(t, { javaScriptEnabled });
    await send(page, hero);
    await page.getByRole("button", { name: "Dismiss this message" }).click();
    await page.getByRole("status").waitFor({ state: "hidden" });
    assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), hero.name);
  });
}

test("a visitor whose browser keeps no cookies sees a message", async (t) => {
  const profile = mkdtempSync(join(tmpdir(), "heroes-profile-"));
  mkdirSync(join(profile, "Default"));
  const settings = { profile: { default_content_setting_values: { cookies: 2 } } }; // as if the visitor had blocked them
  writeFileSync(join(profile, "Default", "Preferences"), JSON.stringify(settings));
  const context = await launchWith(profile);
  t.after(() => context.close().then(() => rmSync(profile, { recursive: true, force: true })));
  const page = await context.newPage();
  await page.goto(server.url);
  await send(page, hero);
  assert.match((await page.getByRole("status").allTextContents()).join(), /does not keep cookies/);
  assert.equal(await page.locator("#name").count(), 1, "the form is there");
});
