// The application as a visitor meets it: its own binary, on its own port.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

const root = dirname(import.meta.dirname);
const temp = mkdtempSync(join(tmpdir(), "heroes-e2e-"));
const running = new Set();

process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
  rmSync(temp, { recursive: true, force: true });
});

// build builds the application in a folder, once, and returns its binary.
const binaries = {};
export function build(folder, env = {}) {
  if (!binaries[folder]) {
    const binary = join(temp, `app-${Object.keys(binaries).length}`);
    execFileSync("go", ["build", "-o", binary, "./cmd/app"], { cwd: join(root, folder), env: { ...process.env, ...env }, stdio: "inherit" });
    binaries[folder] = binary;
  }
  return binaries[folder];
}

// emptyFolder makes a folder that is deleted when the tests end.
export const emptyFolder = () => mkdtempSync(join(temp, "empty-"));

// serve starts an application in cwd, in development unless env says otherwise,
// and resolves as soon as it has printed its address. It is Heroes unless binary is another.
export async function serve({ env = {}, cwd = root, binary = build(".") } = {}) {
  const { PATH, HOME } = process.env; // and nothing else of this shell's environment
  const child = spawn(binary, { cwd, env: { PATH, HOME, GO_ENV: "development", PORT: "0", ...env } });
  running.add(child);

  const lines = [];
  const ended = new Promise((resolve) => child.once("close", resolve)).then(() => running.delete(child));
  const output = () => lines.join("\n");
  const url = await new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on("line", (line) => {
        lines.push(line);
        const [, address] = line.match(/ is at (http:[^\s"]+)/) ?? [];
        if (address) resolve(address);
      });
    }
    ended.then(() => reject(new Error(`the server ended before it began:\n${output()}`)));
  });

  return {
    url,
    output,
    stop() {
      child.kill("SIGTERM");
      return ended;
    },
  };
}
