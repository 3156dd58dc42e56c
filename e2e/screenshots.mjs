// Makes the README's picture. Run it with: npm run screenshots
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { hero, launch, submit } from "./browser.mjs";
import { serve } from "./server.mjs";

const folder = join(import.meta.dirname, "..", "docs", "images");

mkdirSync(folder, { recursive: true });
const [browser, server] = await Promise.all([launch(), serve()]);
const page = await browser.newPage({ baseURL: server.url, viewport: { width: 900, height: 640 } });
await page.goto("/");
await submit(page, hero);
await page.goto("/session");
await page.screenshot({ path: join(folder, "inspector.png") });
await browser.close();
await server.stop();
