// examples/accounts, as people with several browsers use it.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launch, posted } from "./browser.mjs";
import { build, emptyFolder, serve } from "./server.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const shots = join(import.meta.dirname, "shots");
const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const password = "correct horse battery";

let browser, server;
before(async () => {
  mkdirSync(shots, { recursive: true });
  const binary = build("examples/accounts", { GOWORK: "off" });
  [browser, server] = await Promise.all([launch(), serve({ binary, cwd: emptyFolder() })]);
});
after(() => Promise.all([browser?.close(), server?.stop()]));

let people = 0;
const newEmail = () => `person-${++people}@example.com`;

// profile opens the first page in a browser of its own.
async function profile(t, options = {}) {
  const context = await browser.newContext({ baseURL: server.url, ...options });
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto("/");
  return page;
}

const path = (page) => new URL(page.url()).pathname.replace(/(.)\/$/, "$1");
const heading = (page) => page.getByRole("heading", { level: 1 }).textContent();
const flash = (page) => page.getByRole("status").allTextContents();
const press = (page, name) => posted(page, () => page.getByRole("button", { name }).click());
const follow = (page, name) => page.getByRole("link", { name }).first().click();

async function signUp(page, email) {
  await follow(page, "Sign up");
  await page.getByLabel("Email address").fill(email);
  await page.getByLabel("Password").fill(password);
  await press(page, "Sign up");
  assert.deepEqual(await flash(page), ["Welcome! Your account is ready."]);
}

async function signIn(page, email, { remember = false, secret = password } = {}) {
  await follow(page, "Sign in");
  await page.getByLabel("Email address").fill(email);
  await page.getByLabel("Password").fill(secret);
  if (remember) await page.getByLabel("Remember me for 30 days").check();
  return press(page, "Sign in");
}

// single returns the browser of a person who has signed up, and a function that signs in another.
async function single(t) {
  const email = newEmail();
  const one = await profile(t);
  await signUp(one, email);
  const other = async () => {
    const page = await profile(t, { userAgent: firefox });
    await signIn(page, email, { remember: true });
    return page;
  };
  return { email, one, other };
}

// pair returns two browsers of one person. Both are signed in.
async function pair(t) {
  const { email, one, other } = await single(t);
  return { email, one, two: await other() };
}

// assertOut checks that a browser is asked to sign in at its next click.
async function assertOut(page) {
  await follow(page, "Devices");
  assert.equal(path(page), "/sign-in");
  assert.equal(await heading(page), "Sign in");
}

const devices = (page) => page.getByRole("listitem").getByRole("heading").allTextContents();

test("a device ends another, which is out at its next click", async (t) => {
  const { one, two } = await pair(t);
  await follow(one, "Devices");
  assert.deepEqual((await devices(one)).sort(), ["Chrome on Linux this device", "Firefox on Linux"]);
  assert.equal((await press(one, "Sign out Firefox on Linux")).status(), 303);
  assert.deepEqual(await flash(one), ["That device has been signed out."]);
  assert.deepEqual(await devices(one), ["Chrome on Linux this device"]);
  await assertOut(two);
  await follow(one, "Password");
  assert.equal(await heading(one), "Change your password");
});

test("a device ends all others, which are out at their next click", async (t) => {
  const { email, one, two } = await pair(t);
  const three = await profile(t, { javaScriptEnabled: false });
  await signIn(three, email);
  await follow(three, "Devices");
  await press(three, "Sign out all other devices");
  assert.deepEqual(await flash(three), ["Other devices signed out: 2."]);
  await assertOut(one);
  await assertOut(two);
  assert.deepEqual(await devices(three), ["Chrome on Linux this device"]);
});

test("remember me keeps the cookie for 30 days, and otherwise the browser forgets it", async (t) => {
  const { one, two } = await pair(t);
  const days = async (page) => {
    const [cookie] = await page.context().cookies();
    assert.ok(cookie.httpOnly);
    return cookie.expires < 0 ? "session" : Math.round((cookie.expires - Date.now() / 1000) / 86400);
  };
  assert.equal(await days(one), "session");
  assert.equal(await days(two), 30);
});

test("the page that confirms asks for the password alone, and leads back", async (t) => {
  const { email, two } = await pair(t);
  await two.goto("/sign-in?return_to=/account/password");
  assert.equal(await heading(two), "Confirm that it is you");
  assert.equal(await two.getByText(email).count(), 1);
  assert.equal(await two.getByLabel("Email address").count(), 0);
  await two.getByLabel("Password").fill("wrong horse");
  assert.equal((await press(two, "Confirm")).status(), 422);
  await two.locator("#password:focus").waitFor();
  assert.equal(await two.title(), "Error: Confirm that it is you – Accounts");
  await two.getByLabel("Password").fill(password);
  await press(two, "Confirm");
  assert.equal(path(two), "/account/password");
  const [cookie] = await two.context().cookies();
  assert.ok(cookie.expires > Date.now() / 1000 + 29 * 86400, "it is still remembered");

  await two.goto("/sign-in");
  await posted(two, () => two.getByRole("main").getByRole("button", { name: "Sign out" }).click());
  assert.equal(await heading(two), "You are not signed in");
});

test("a new password signs out every other device", async (t) => {
  const { email, one, two } = await pair(t);
  await follow(one, "Password");
  await one.getByLabel("New password").fill("another horse entirely");
  await press(one, "Change password");
  assert.deepEqual(await flash(one), ["Your password has been changed. Other devices signed out: 1."]);
  await assertOut(two);
  assert.equal((await signIn(two, email)).status(), 422);
  await two.getByLabel("Password").fill("another horse entirely");
  await press(two, "Sign in");
  assert.equal(await heading(two), "Hello");
});

test("a deleted account is gone on every device", async (t) => {
  const { email, one, two } = await pair(t);
  await follow(one, "Delete your account");
  await press(one, "Delete my account");
  assert.deepEqual(await flash(one), ["Your account has been deleted."]);
  await assertOut(two);
  assert.equal((await signIn(two, email)).status(), 422);
});

test("a theme is kept when somebody signs in, and the page has its colors", async (t) => {
  const page = await profile(t, { colorScheme: "light" });
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await paper();
  await press(page, "Dark");
  assert.notEqual(await paper(), light);
  await signUp(page, newEmail());
  assert.notEqual(await paper(), light);
  await press(page, "System");
  assert.equal(await paper(), light);
});

// scenes lists what a person can see. Each one starts in a browser that is signed in. If it calls
// other, a second one is.
const scenes = {
  home: () => {},
  devices: async ({ one, other }) => {
    await other();
    await one.goto("/devices");
  },
  flash: async ({ one, other }) => {
    await other();
    await one.goto("/devices");
    await press(one, "Sign out all other devices");
  },
  confirm: ({ one }) => one.goto("/sign-in?return_to=/account/password"),
  password: ({ one }) => one.goto("/account/password"),
  "password-wrong": async ({ one }) => {
    await one.goto("/account/password");
    await one.getByLabel("New password").fill("short");
    await press(one, "Change password");
  },
  delete: ({ one }) => one.goto("/account/delete"),
  missing: ({ one }) => one.goto("/nowhere"),
  nobody: ({ one }) => press(one, "Sign out"),
  "sign-in": async ({ one }) => {
    await press(one, "Sign out");
    await one.goto("/sign-in");
  },
  "sign-in-wrong": async ({ one }) => {
    await press(one, "Sign out");
    await signIn(one, "nobody@example.com");
  },
  "sign-up": async ({ one }) => {
    await press(one, "Sign out");
    await one.goto("/sign-up");
  },
  "sign-up-wrong": async ({ one, email }) => {
    await press(one, "Sign out");
    await one.goto("/sign-up");
    await one.getByLabel("Email address").fill(email);
    await one.getByLabel("Password").fill(password);
    await press(one, "Sign up");
  },
};

for (const [name, show] of Object.entries(scenes)) {
  test(`axe finds no fault in both color schemes, and no window scrolls sideways: ${name}`, async (t) => {
    const person = await single(t);
    await show(person);
    const page = person.one;
    assert.match(await page.title(), / – Accounts$/);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`), [], colorScheme);
      for (const width of [320, 900]) {
        await page.setViewportSize({ width, height: 700 });
        const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(beyond <= 0, `${beyond} pixels too wide`);
        await page.screenshot({ path: join(shots, `accounts-${name}-${width}-${colorScheme}.png`), fullPage: true });
      }
    }
  });
}
