import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { deflateRawSync, gzipSync } from "node:zlib";
import { field, fields, hero, labels, launch, longest, posted, submit } from "./browser.mjs";
import { readings } from "./cookie.mjs";
import { emptyFolder, serve } from "./server.mjs";

const nobody = "There is no hero yet. Register one first.";
const registered = (name) => `\u2068${name}\u2069 is registered.`;

let browser, server;
before(async () => ([browser, server] = await Promise.all([launch(), serve()])));
after(() => Promise.all([browser?.close(), server?.stop()]));

// visit opens the form as a new visitor.
async function visit(t, { url = server.url, ...options } = {}) {
  const context = await browser.newContext({ baseURL: url, ...options });
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto("/");
  return { context, page };
}

const text = async (locator) => (await locator.textContent()).trim();
const texts = async (locator) => (await locator.allTextContents()).map((each) => each.trim());
const path = (page) => new URL(page.url()).pathname;
const flash = (page) => texts(page.getByRole("status"));

async function assertShows(page, { name, ...others }) {
  assert.equal(path(page), "/success");
  assert.equal(await text(page.getByRole("heading", { level: 1 })), name);
  assert.deepEqual(await texts(page.getByRole("definition")), Object.values(others));
  assert.equal(await page.title(), `${name} – Heroes`);
}

async function assertWrong(page, messages) {
  for (const name of fields) {
    const input = field(page, name);
    const message = page.locator(`#${name}-error`);
    const wrong = name in messages;
    assert.equal(await message.count(), wrong ? 1 : 0, `a message at ${name}`);
    assert.equal(await input.getAttribute("aria-invalid"), wrong ? "true" : null, `aria-invalid of ${name}`);
    assert.equal(await input.getAttribute("aria-describedby"), `${name}-hint` + (wrong ? ` ${name}-error` : ""));
    if (wrong) assert.match(await text(message), messages[name]);
  }
  const [first] = fields.filter((name) => name in messages);
  await page.locator(`#${first}:focus`).waitFor();
}

test("a hero is registered, shown once with a flash, and still there after a reload", async (t) => {
  const { page } = await visit(t);
  const posts = [];
  page.on("request", (request) => request.method() === "POST" && posts.push(request.url()));

  const response = await submit(page, hero);
  assert.equal(response.status(), 303);
  await assertShows(page, hero);
  assert.deepEqual(await flash(page), [registered(hero.name)]);

  await page.reload();
  await assertShows(page, hero);
  assert.deepEqual(await flash(page), []);
  assert.equal(posts.length, 1);
});

test("a hero can be changed", async (t) => {
  const { page } = await visit(t);
  await submit(page, hero);
  await page.getByRole("link", { name: "Change the hero" }).click();
  await page.waitForURL("/heroes/new");
  const other = { ...hero, name: "Doctor Defer", catch_phrase: "Last in, first out." };
  await submit(page, other);
  await assertShows(page, other);
});

test("two visitors do not see each other's hero", async (t) => {
  const [{ page: one }, { page: two }] = [await visit(t), await visit(t)];
  const other = { ...hero, name: "Nil Woman", alter_ego: "Nobody" };
  await submit(one, hero);
  await submit(two, other);
  await one.reload();
  await assertShows(one, hero);
  await assertShows(two, other);
});

test("a visitor who stored nothing has no cookie", async (t) => {
  const { context, page } = await visit(t);
  const style = await page.locator("link[rel=stylesheet]").getAttribute("href");
  for (const address of ["/", "/heroes/new", "/heroes", "/nowhere", "/robots.txt", "/assets/favicon.svg", style]) {
    const headers = await (await page.goto(address)).allHeaders();
    assert.equal(headers["set-cookie"], undefined, address);
  }
  await page.goto("/");
  assert.equal((await submit(page, { ...hero, name: " " })).status(), 422);
  assert.deepEqual(await context.cookies(), []);
});

const careful = { path: "/", httpOnly: true, sameSite: "Lax" };

test("the cookie is out of reach of scripts and of other sites", async (t) => {
  const { context, page } = await visit(t);
  await submit(page, hero);
  const [{ value, expires, ...attributes }, ...more] = await context.cookies();
  assert.deepEqual(more, []);
  assert.deepEqual(attributes, { ...careful, name: "_heroes_session", domain: "127.0.0.1", secure: false });
  assert.equal(await page.evaluate("document.cookie"), "");
});

test("what the Content-Security-Policy blocks is reported to the log", async (t) => {
  const { page } = await visit(t);
  const blocked = "a browser blocked what the Content-Security-Policy forbids";
  assert.ok(!server.output().includes(blocked));
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.src = "/evil.js?secret";
    document.body.append(script);
  });
  for (let tries = 0; !server.output().includes(blocked) && tries < 100; tries++) await page.waitForTimeout(100);
  const [line] = server.output().split("\n").filter((line) => line.includes(blocked));
  assert.match(line, /directive=script-src-elem blocked=http:\/\/127\.0\.0\.1:\d+\/evil\.js page=http:\/\/127\.0\.0\.1:\d+\/$/);
});

// Only long words: "name" appears by chance in one of some thousand sealed texts.
const telling = [...Object.values(hero), "Captain", "Gopher", ...fields.slice(1), "_flash_", "success", "registered"];
const told = (value) => {
  const all = readings(value);
  return telling.filter((word) => all.some((reading) => reading.includes(word)));
};

test("nothing of the hero can be read in the cookie", async (t) => {
  const { context, page } = await visit(t);
  const values = [];
  const note = async () => values.push(...(await context.cookies()).map((cookie) => cookie.value));
  const response = await submit(page, hero); // its cookie holds the flash, too
  values.push((await response.headerValue("set-cookie")).match(/=([^;]+)/)[1]);
  await note();
  await page.goto("/heroes/new");
  await submit(page, hero);
  await note();

  assert.ok(values.length >= 3);
  for (const value of values) assert.deepEqual(told(value), []);
  assert.equal(new Set(values).size, values.length, "the same hero is sealed differently each time");
});

test("the search for the hero finds one that is not sealed", () => {
  const json = Buffer.from(JSON.stringify(hero));
  const signed = `1700000000|${json.toString("base64url")}|c2lnbmF0dXJl`;
  for (const value of [
    json.toString("hex"),
    json.toString("base64"),
    encodeURIComponent(json.toString()),
    Buffer.from(signed).toString("base64url"),
    gzipSync(json).toString("base64url"),
    Buffer.concat([Buffer.from([1, 2, 3]), deflateRawSync(json)]).toString("base64url"),
  ]) {
    assert.ok(told(value).includes("alter_ego"), value);
  }
});

test("nothing of the hero, and no cookie, is in the server's log", async (t) => {
  const { context, page } = await visit(t);
  const secret = { ...hero, name: "Logless Lucy", alter_ego: "Lucy Ledger", catch_phrase: "Leave no trace!" };
  await submit(page, secret);
  await page.goto("/heroes/new");
  await submit(page, { ...secret, name: " " });
  const [cookie] = await context.cookies();
  const log = server.output();
  assert.match(log, /\/heroes/);
  for (const word of [...Object.values(secret), "Lucy", cookie.value]) assert.ok(!log.includes(word), word);
});

test("wrong input keeps what was typed, names each field and focuses the first wrong one", async (t) => {
  const { page } = await visit(t);
  const long = { ...hero, name: "n".repeat(101), alter_ego: " ", catch_phrase: "ü".repeat(281) };
  assert.equal((await submit(page, long)).status(), 422);
  await assertWrong(page, {
    name: /This has 101 characters; please use at most 100/,
    alter_ego: /fill in/,
    catch_phrase: /This has 281 characters; please use at most 280/,
  });
  for (const name of fields) assert.equal((await field(page, name).inputValue()).trim(), long[name].trim());

  assert.equal((await submit(page, { ...hero, alter_ego: "a".repeat(101) })).status(), 422);
  await assertWrong(page, { alter_ego: /This has 101/ });
  assert.equal(await field(page, "name").inputValue(), hero.name);

  await submit(page, { alter_ego: hero.alter_ego });
  await assertShows(page, hero);
});

test("an empty field is refused by the browser and, without its help, by the server", async (t) => {
  const { page } = await visit(t);
  await page.getByRole("button", { name: "Register hero" }).click();
  await page.locator("#name:focus:invalid").waitFor();
  assert.equal(path(page), "/");

  await page.locator("main form").evaluate((form) => (form.noValidate = true));
  assert.equal((await submit(page, {})).status(), 422);
  await assertWrong(page, Object.fromEntries(fields.map((name) => [name, /fill in/])));
});

test("the longest hero allowed is kept, in any script", async (t) => {
  const { page } = await visit(t);
  const values = { ...longest("ש"), name: "雄".repeat(100), alter_ego: "👩".repeat(100) };
  assert.equal((await submit(page, values)).status(), 303);
  await page.reload();
  await assertShows(page, values);
});

test("wrong input leaves the registered hero unchanged", async (t) => {
  const { page } = await visit(t);
  await submit(page, hero);
  await page.goto("/heroes/new");
  assert.equal((await submit(page, { ...hero, name: "Somebody Else", catch_phrase: " " })).status(), 422);
  await page.goto("/success");
  await assertShows(page, hero);
});

const attacks = {
  ...hero,
  name: `<script>window.ran = alert(1)</script>`,
  alter_ego: `"><img src=x onerror="window.ran = alert(2)">`,
  catch_phrase: `' autofocus onfocus='window.ran = alert(3)' <%= 6 * 7 %> {{.Name}} &lt;b&gt; <svg onload=alert(4)>`,
};

test("what a visitor types is shown, not run", async (t) => {
  const { page } = await visit(t);
  const ran = [];
  page.on("dialog", (dialog) => {
    ran.push(dialog.message());
    return dialog.dismiss();
  });
  page.on("pageerror", (error) => ran.push(error.message));
  page.on("request", (request) => request.url().endsWith("/x") && ran.push(request.url()));
  const assertInert = async () => {
    assert.equal(await page.locator("main").locator("script, img, svg, b").count(), 0);
    assert.equal(await page.evaluate("'ran' in window"), false);
    assert.deepEqual(ran, []);
  };

  await submit(page, attacks);
  await assertShows(page, attacks);
  assert.deepEqual(await flash(page), [registered(attacks.name)]);
  await assertInert();

  for (const blank of fields) {
    await page.goto("/heroes/new");
    assert.equal((await submit(page, { ...attacks, [blank]: " " })).status(), 422);
    for (const name of fields) {
      assert.equal((await field(page, name).inputValue()).trim(), name === blank ? "" : attacks[name]);
    }
    await assertInert();
  }
});

test("it works without JavaScript", async (t) => {
  const { page } = await visit(t, { javaScriptEnabled: false });
  assert.equal((await submit(page, { ...hero, alter_ego: " ", catch_phrase: "c".repeat(281) })).status(), 422);
  await assertWrong(page, { alter_ego: /fill in/, catch_phrase: /This has 281/ });
  assert.equal(await field(page, "name").inputValue(), hero.name);

  assert.equal((await submit(page, hero)).status(), 303);
  await assertShows(page, hero);
  assert.deepEqual(await flash(page), [registered(hero.name)]);
  await page.reload();
  await assertShows(page, hero);
  assert.deepEqual(await flash(page), []);
});

test("without a hero the success page leads to the form, which says why, and stores nothing", async (t) => {
  const { context, page } = await visit(t);
  await page.goto("/success");
  assert.equal(path(page), "/heroes/new");
  assert.deepEqual(await flash(page), [nobody]);
  assert.deepEqual(await context.cookies(), []);
  await submit(page, hero);
  await assertShows(page, hero);
});

test("forgetting a visitor ends the session and removes the cookie", async (t) => {
  const { context, page } = await visit(t, { javaScriptEnabled: false });
  const forget = page.getByRole("button", { name: "Forget me" });
  assert.equal(await forget.count(), 0, "there is nothing to forget yet");
  await submit(page, hero);
  assert.equal((await posted(page, () => forget.click())).status(), 303);
  assert.equal(path(page), "/");
  assert.deepEqual(await flash(page), ["Your session has ended. Your browser no longer has your hero."]);
  assert.equal(await forget.count(), 0);
  assert.deepEqual(await context.cookies(), []);
  await page.goto("/success");
  assert.deepEqual(await flash(page), [nobody]);
});

test("a language can be chosen on each page, and it stays", async (t) => {
  const { page } = await visit(t, { javaScriptEnabled: false });
  const choose = (name) => posted(page, () => page.getByRole("button", { name }).click());
  const assertSpeaks = async (lang, dir, name) => {
    assert.equal(await page.locator("html").getAttribute("lang"), lang);
    assert.equal(await page.locator("html").getAttribute("dir"), dir);
    assert.equal(await text(page.locator("[aria-current]")), name);
  };
  await assertSpeaks("en", "ltr", "English");
  await submit(page, hero);
  assert.equal((await choose("Deutsch")).status(), 303);
  assert.equal(path(page), "/success");
  await assertSpeaks("de", "ltr", "Deutsch");
  assert.equal(await text(page.getByRole("heading", { level: 1 })), hero.name);

  await page.goto("/nowhere");
  await assertSpeaks("de", "ltr", "Deutsch");
  await choose("العربية");
  assert.equal(path(page), "/", "for there is no such page to go back to");
  await assertSpeaks("ar", "rtl", "العربية");
  await page.reload();
  await assertSpeaks("ar", "rtl", "العربية");
});

test("a flash waits while an error page is shown", async (t) => {
  const { page } = await visit(t);
  await page.request.post("/heroes", { form: hero, maxRedirects: 0 }); // shares the page's cookies
  assert.equal((await page.goto("/nowhere")).status(), 404);
  assert.deepEqual(await flash(page), []);
  await page.getByRole("link", { name: "Back to the start page" }).click();
  await page.waitForURL("/");
  assert.deepEqual(await flash(page), [registered(hero.name)]);
});

test("a tampered cookie is an empty session", async (t) => {
  const { context, page } = await visit(t);
  await submit(page, hero);
  const [cookie] = await context.cookies();
  const { value } = cookie;
  const swap = (at) => value.slice(0, at) + (value[at] === "A" ? "B" : "A") + value.slice(at + 1);
  const swapped = [0, 20, value.length >> 1, value.length - 1].map(swap);
  const resized = [value + "A", value.slice(0, -1), value.slice(0, 20), value + value, ""];
  for (const wrong of [...swapped, ...resized]) {
    await context.clearCookies();
    await context.addCookies([{ ...cookie, value: wrong }]);
    const success = await page.goto("/success");
    assert.equal(success.status(), 200, wrong);
    assert.equal(path(page), "/heroes/new", wrong);
    assert.deepEqual(await flash(page), [nobody]);
  }

  await context.addCookies([{ ...cookie, value: swap(10) }]);
  await page.goto("/");
  assert.deepEqual(await flash(page), []);
  await submit(page, hero);
  await assertShows(page, hero);
});

test("a form that another site sends changes nothing", async (t) => {
  const { context, page } = await visit(t);
  await submit(page, hero);
  const elsewhere = await context.newPage();
  const inputs = fields.map((name) => `<input name=${name} value=x>`).join("");
  await elsewhere.setContent(`<form method=post action="${server.url}/heroes">${inputs}<button>`);
  const response = await posted(elsewhere, () => elsewhere.getByRole("button").click());
  assert.equal(response.status(), 403);
  assert.equal(await text(elsewhere.getByRole("heading")), "Not from here");
  await page.reload();
  await assertShows(page, hero);
});

test("no request leaves the host", async (t) => {
  const { context, page } = await visit(t);
  const asked = [];
  context.on("request", (request) => asked.push(request.url()));
  await page.reload();
  await submit(page, { ...hero, name: " " });
  await submit(page, hero);
  await page.goto("/nowhere");
  assert.ok(asked.some((url) => url.includes("/assets/")));
  assert.deepEqual(asked.filter((url) => new URL(url).origin !== server.url), []);
});

test("labels are tied to fields", async (t) => {
  const { page } = await visit(t);
  for (const name of fields) {
    assert.equal(await field(page, name).getAttribute("name"), name);
    assert.equal(await page.getByRole("textbox", { name: labels[name], exact: true }).count(), 1);
    assert.equal(await page.locator(`#${name}-hint`).count(), 1);
    await page.getByText(labels[name], { exact: true }).click();
    await page.locator(`[name=${name}]:focus`).waitFor();
  }
});

test("a keyboard is enough", async (t) => {
  const { page } = await visit(t);
  const press = (key) => page.keyboard.press(key);
  const type = (value) => page.keyboard.insertText(value);

  await press("Tab");
  assert.equal(await text(page.locator(":focus-visible")), "Skip to the content");
  assert.ok((await page.locator(":focus-visible").boundingBox()).x >= 0, "out of sight");
  await press("Enter");
  for (const name of fields) {
    await press("Tab");
    await page.locator(`#${name}:focus-visible`).waitFor();
    await type(name === "alter_ego" ? " " : hero[name]);
  }
  assert.equal((await posted(page, () => press("Enter"))).status(), 422);
  await assertWrong(page, { alter_ego: /fill in/ });
  await type(hero.alter_ego);
  assert.equal((await posted(page, () => press("Enter"))).status(), 303);
  await assertShows(page, hero);

  const stops = [];
  while (stops.at(-1) !== "Change the hero") {
    await press("Tab");
    stops.push(await text(page.locator(":focus-visible"))); // fails at the end of the page
  }
  assert.ok(stops.includes("Forget me"));
  await press("Enter");
  await page.waitForURL("/heroes/new");
});

test("a restarted server keeps the visitor's session", async (t) => {
  const cwd = emptyFolder();
  const first = await serve({ cwd });
  t.after(() => first.stop());
  const { page } = await visit(t, { url: first.url });
  await submit(page, hero);
  await first.stop();

  const second = await serve({ cwd, env: { PORT: new URL(first.url).port } });
  t.after(() => second.stop());
  assert.equal(second.url, first.url);
  await page.reload();
  await assertShows(page, hero);
});

test("in production the binary needs and writes no file, and only this host gets the cookie", async (t) => {
  const cwd = emptyFolder();
  const production = await serve({
    cwd,
    env: { GO_ENV: "production", SESSION_SECRET: randomBytes(32).toString("base64url") },
  });
  t.after(() => production.stop());
  const url = production.url.replace("127.0.0.1", "localhost"); // where browsers accept Secure cookies over http
  const { context, page } = await visit(t, { url });
  const answers = [];
  page.on("response", (response) => answers.push([new URL(response.url()).pathname, response.status()]));

  await page.reload();
  assert.ok(answers.some(([address]) => /^\/assets\/application-\w+\.css$/.test(address)));
  assert.ok(answers.some(([address]) => /^\/assets\/favicon-\w+\.svg$/.test(address)));
  assert.deepEqual(answers.filter(([, status]) => status >= 400), []);
  assert.equal((await submit(page, { ...hero, name: " " })).status(), 422);
  assert.equal((await submit(page, hero)).status(), 303);
  await page.reload();
  await assertShows(page, hero);

  const [{ value, expires, ...attributes }, ...more] = await context.cookies();
  assert.deepEqual(more, []);
  assert.deepEqual(attributes, { ...careful, name: "__Host-heroes_session", domain: "localhost", secure: true });
  assert.deepEqual(told(value), []);

  assert.equal((await page.goto("/nowhere")).status(), 404);
  assert.equal(await text(page.getByRole("heading")), "Nobody lives here");
  assert.deepEqual(readdirSync(cwd), []);
});
