// A browser, and what a visitor does with it.
import { chromium } from "playwright-core";

const quiet = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const how = { executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: quiet };

export const launch = () => chromium.launch(how);

// launchWith starts a browser with the settings in a profile's folder.
export const launchWith = (profile) => chromium.launchPersistentContext(profile, how);

export const labels = { name: "Hero's name", alter_ego: "Secret identity", catch_phrase: "Catch phrase" };

// field finds an input by its label, as a person does.
export const field = (page, name) => page.getByLabel(labels[name], { exact: true });

// submit fills the form, sends it and returns the response to the POST, which may
// be a redirect. By then the next page has loaded.
export async function submit(page, hero) {
  for (const [name, value] of Object.entries(hero)) await field(page, name).fill(value);
  return posted(page, () => page.getByRole("button", { name: "Register hero" }).click());
}

export async function posted(page, act) {
  const [response] = await Promise.all([
    page.waitForResponse((r) => r.request().method() === "POST"),
    page.waitForEvent("load"),
    act(),
  ]);
  return response;
}
