// A browser, and what a visitor does with it.
import { readFileSync } from "node:fs";
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

// launchWith starts a browser with the settings in a profile's folder, and with experimental features.
export const launchWith = (profile, { features, ...options } = {}) =>
  chromium.launchPersistentContext(profile, { ...how, ...options, args: features ? [...quiet, `--enable-features=${features}`] : quiet });

// The fields and their labels are the application's own.
const own = (path) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const limits = [...own("actions/fields.go").matchAll(/^\t\{"(\w+)", (\d+)\},$/gm)].map(([, name, max]) => [name, Number(max)]);
const words = own("locales/heroes.en-us.yaml");
const label = (name) => words.match(new RegExp(`- id: heroes\\.${name}\\n  translation: (.+)`))[1];

export const fields = limits.map(([name]) => name);
export const labels = Object.fromEntries(fields.map((name) => [name, label(name)]));

// A hero has a value in every field.
const famous = { name: "Captain Gopher", alter_ego: "Renée O'Neil", catch_phrase: "Errors are values! 🦸" };
export const hero = Object.fromEntries(fields.map((name) => [name, famous[name] ?? `The hero's ${name}`]));

// longest repeats a character in every field, as often as it may.
export const longest = (character) => Object.fromEntries(limits.map(([name, max]) => [name, character.repeat(max)]));

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
