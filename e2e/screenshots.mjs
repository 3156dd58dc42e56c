// Makes the README's pictures. Run it with: npm run screenshots
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { hero, launch, submit } from "./browser.mjs";
import { serve } from "./server.mjs";

const folder = join(import.meta.dirname, "..", "docs", "images");

mkdirSync(folder, { recursive: true });
const [browser, server] = await Promise.all([launch(), serve()]);
const page = await browser.newPage({ baseURL: server.url, viewport: { width: 560, height: 700 } });
const shoot = (name, options = {}) => page.screenshot({ path: join(folder, `${name}.png`), ...options });

await page.goto("/");
await shoot("form");
await submit(page, hero);
await shoot("success");
await page.setViewportSize({ width: 900, height: 620 });
await page.goto("/session");
await shoot("inspector");
await browser.close();
await server.stop();
