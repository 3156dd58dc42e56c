import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { hero, launch, longest, posted, submit } from "./browser.mjs";
import { serve } from "./server.mjs";

const unbroken = longest("W");
const tooLong = { ...hero, name: "W".repeat(101), alter_ego: " ", catch_phrase: "W".repeat(281) };

let browser, server;
before(async () => ([browser, server] = await Promise.all([launch(), serve()])));
after(() => Promise.all([browser?.close(), server?.stop()]));

// scenes lists what a visitor can see. Each one starts at the form.
const scenes = {
  form: () => {},
  wrong: (page) => submit(page, tooLong),
  success: (page) => submit(page, hero),
  unbroken: (page) => submit(page, unbroken),
  missing: (page) => page.goto("/nowhere"),
  arabic: (page) => posted(page, () => page.getByRole("button", { name: "العربية" }).click()),
};

const paper = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
const sideways = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

for (const [scene, show] of Object.entries(scenes)) {
  test(`no window scrolls sideways, in both colour schemes: ${scene}`, async (t) => {
    const page = await browser.newPage({ baseURL: server.url });
    t.after(() => page.close());
    await page.goto("/");
    await show(page);
    const papers = new Set();
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      papers.add(await paper(page));
      for (const width of [320, 768, 1440]) {
        await page.setViewportSize({ width, height: 900 });
        assert.ok((await sideways(page)) <= 0, `${width} pixels wide`);
        const path = join(import.meta.dirname, "shots", `${scene}-${width}-${colorScheme}.png`);
        await page.screenshot({ path, fullPage: true });
      }
    }
    assert.equal(papers.size, 2);
  });
}
