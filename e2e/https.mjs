// An https proxy in front of an application, and a browser that trusts its certificate. Browsers bind no session to
// a device without https, or while they ignore errors of a certificate.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:https";
import { join } from "node:path";
import { launchWith } from "./browser.mjs";
import { emptyFolder } from "./server.mjs";

// makeCertificate makes a certificate for localhost, which signs itself.
function makeCertificate(key, cert) {
  const extensions = ["subjectAltName=DNS:localhost", "basicConstraints=critical,CA:TRUE", "extendedKeyUsage=serverAuth"];
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
    "-keyout", key, "-out", cert, "-subj", "/CN=localhost", ...extensions.flatMap((e) => ["-addext", e])], { stdio: "ignore" });
}

// proxy serves an application by https, with all of its processes in turn. It notes each request, which watch may answer
// itself by returning true.
export async function proxy(...urls) {
  const folder = emptyFolder();
  const [key, cert] = ["key.pem", "cert.pem"].map((name) => join(folder, name));
  makeCertificate(key, cert);
  const seen = [];
  const proxy = { seen, cert, watch: () => false };
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (asked, answer) => {
    const entry = { method: asked.method, path: asked.url, headers: asked.headers };
    seen.push(entry);
    if (proxy.watch(asked, answer)) return;
    const onward = request(urls[seen.length % urls.length] + asked.url, { method: asked.method, headers: asked.headers }, (got) => {
      entry.status = got.statusCode;
      entry.answer = got.headers;
      answer.writeHead(got.statusCode, got.rawHeaders);
      got.pipe(answer);
    });
    onward.on("error", () => answer.destroy());
    asked.pipe(onward);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  proxy.url = `https://localhost:${server.address().port}`;
  proxy.stop = () => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve)));
  return proxy;
}

// trusting makes a profile that trusts the proxy's certificate, and returns a function that starts a browser with it. That
// browser can bind sessions to its device.
export function trusting({ cert }) {
  const home = emptyFolder();
  const database = join(home, ".pki", "nssdb");
  mkdirSync(database, { recursive: true });
  execFileSync("certutil", ["-d", `sql:${database}`, "-N", "--empty-password"]);
  execFileSync("certutil", ["-d", `sql:${database}`, "-A", "-t", "CP,C,C", "-n", "heroes", "-i", cert]);
  return () => launchWith(join(home, "profile"), {
    env: { ...process.env, HOME: home },
    features: "DeviceBoundSessions,EnableBoundSessionCredentialsSoftwareKeysForManualTesting",
  });
}
