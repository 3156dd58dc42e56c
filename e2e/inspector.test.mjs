import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { hero as known, launch, longest, posted, submit } from "./browser.mjs";
import { serve } from "./server.mjs";

const hero = { ...known, catch_phrase: "<b>Errors</b> are values!" };
const refused = /^Byte \d+ of \d+ was .* The server refuses it\./s;

let browser, server;
before(async () => ([browser, server] = await Promise.all([launch(), serve()])));
after(() => Promise.all([browser?.close(), server?.stop()]));

// visit opens the form as a new visitor.
async function visit(t, options) {
  const context = await browser.newContext({ baseURL: server.url, ...options });
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto("/");
  return { context, page };
}

const section = (page, name) => page.getByRole("region", { name, exact: true });
const text = async (locator) => (await locator.innerText()).replaceAll(/\s+/g, " ").trim();
const tamper = (page) => posted(page, () => page.getByRole("button", { name: "Change one byte" }).click());

test("the inspector shows what the browser holds, what the server reads and what others would show", async (t) => {
  const { context, page } = await visit(t);
  await submit(page, hero);
  await page.getByRole("link", { name: "See what your browser has" }).click();
  await page.waitForURL("/session");
  const [cookie] = await context.cookies();

  const holds = await text(section(page, "What your browser has"));
  for (const word of [cookie.name, cookie.value]) assert.ok(holds.includes(word), word);
  const reads = await text(section(page, "What the server reads"));
  for (const [key, value] of Object.entries(hero)) assert.ok(reads.includes(`${key} string ${value}`), key);
  for (const other of ["Flask's cookie", "Stock Buffalo's cookie"]) {
    const shown = await text(section(page, other));
    for (const value of Object.values(hero)) assert.ok(shown.includes(value), `${other}: ${value}`);
    assert.ok(!shown.includes(cookie.value));
  }
});

test("the details show the cookie's attributes, and the whole page is two screens at most", async (t) => {
  const { page } = await visit(t, { viewport: { width: 1280, height: 800 } });
  await submit(page, hero);
  await page.goto("/success"); // the flash has been shown
  await page.goto("/session");
  const height = () => page.evaluate(() => document.documentElement.scrollHeight);
  assert.ok((await height()) <= 1600, `${await height()} pixels`);
  const top = async (name) => (await section(page, name).boundingBox()).y;
  const details = await page.locator("summary").boundingBox();
  assert.ok((await top("What other frameworks would show")) < details.y);
  await page.getByText("Details", { exact: true }).click();
  const attributes = await text(section(page, "What the browser was told about the cookie"));
  for (const word of ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age="]) assert.ok(attributes.includes(word), word);
});

for (const javaScriptEnabled of [true, false]) {
  test(`a changed byte is refused and nothing else changes, JavaScript: ${javaScriptEnabled}`, async (t) => {
    const { context, page } = await visit(t, { javaScriptEnabled });
    await submit(page, hero);
    await page.goto("/session");
    assert.equal(await page.getByRole("status").count(), 0);
    const cookies = await context.cookies();
    for (let i = 0; i < 3; i++) {
      const response = await tamper(page);
      assert.equal(response.status(), 200);
      assert.equal(await response.headerValue("set-cookie"), null);
      assert.match(await text(page.getByRole("status")), refused);
      assert.ok(await page.getByRole("status").evaluate((e) => e.getBoundingClientRect().top < innerHeight), "in sight");
    }
    assert.deepEqual(await context.cookies(), cookies);
    await page.goto("/success");
    assert.equal(await text(page.getByRole("heading", { level: 1 })), hero.name);
  });
}

test("without a session the inspector leads to the form", async (t) => {
  const { context, page } = await visit(t);
  await page.getByRole("link", { name: "See inside your session" }).click();
  await page.waitForURL("/session");
  assert.match(await text(page.getByRole("main")), /You have no session/);
  await page.getByRole("link", { name: "Register a hero" }).click();
  await page.waitForURL("/heroes/new");
  assert.deepEqual(await context.cookies(), []);
});

test("in production there is no inspector", async (t) => {
  const secret = randomBytes(32).toString("base64url");
  const production = await serve({ env: { GO_ENV: "production", SESSION_SECRET: secret } });
  t.after(() => production.stop());
  const { page } = await visit(t, { baseURL: production.url });
  assert.equal(await page.locator("a[href='/session']").count(), 0);
  const unknown = await (await page.goto("/nowhere")).text();
  const inspector = await page.goto("/session");
  assert.equal(inspector.status(), 404);
  assert.equal(await inspector.text(), unknown);
});

// levels returns the levels of all headings, in order.
const levels = (page) => page.locator("h1, h2, h3, h4").evaluateAll((all) => all.map((h) => Number(h.tagName[1])));
const sideways = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

for (const [scene, values] of Object.entries({ inspector: hero, "inspector-longest": longest("W") })) {
  test(`no window scrolls sideways, and headings are in order: ${scene}`, async (t) => {
    const { page } = await visit(t);
    await submit(page, values);
    await page.goto("/session");
    await tamper(page);
    const headings = await levels(page);
    assert.equal(headings[0], 1);
    headings.slice(1).forEach((level, i) => assert.ok(level > 1 && level <= headings[i] + 1, `${headings}`));
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      for (const width of [320, 768, 1440]) {
        await page.setViewportSize({ width, height: 900 });
        assert.ok((await sideways(page)) <= 0, `${width} pixels wide`);
        const path = join(import.meta.dirname, "shots", `${scene}-${width}-${colorScheme}.png`);
        await page.screenshot({ path, fullPage: true });
      }
    }
  });
}
