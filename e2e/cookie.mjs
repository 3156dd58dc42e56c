// What someone can read in a cookie without the key.
import { brotliDecompressSync, constants, inflateRawSync, unzipSync } from "node:zlib";

const maxOutputLength = 1 << 16;
const zlib = { maxOutputLength, finishFlush: constants.Z_SYNC_FLUSH }; // accept a text whose end is cut off
const unpackers = [
  (b) => unzipSync(b, zlib), // gzip or zlib, by its first bytes
  (b) => inflateRawSync(b, zlib),
  (b) => brotliDecompressSync(b, { maxOutputLength }),
];

// readings returns the value, and every text that decoding and unpacking it can
// produce, up to four layers deep.
export function readings(value) {
  const found = new Set([value]);
  let layer = [value];
  for (let depth = 0; depth < 4; depth++) {
    layer = layer.flatMap((text) => [...decoded(text), ...unpacked(text)]).filter((text) => !found.has(text));
    layer.forEach((text) => found.add(text));
  }
  return [...found].flatMap((text) => [text, Buffer.from(text, "latin1").toString()]);
}

// Texts are latin1: a character for each byte.
function decoded(text) {
  const words = text.match(/[\w+/%-]{8,}/g) ?? []; // a signed cookie has several, with a separator between them
  return words.flatMap((word) => [
    unescape(word),
    Buffer.from(word, "base64").toString("latin1"), // reads base64url, too
    Buffer.from(word, "hex").toString("latin1"),
  ]);
}

// The packed bytes may follow a header.
function unpacked(text) {
  const bytes = Buffer.from(text, "latin1");
  const starts = Array.from({ length: Math.min(bytes.length, 48) }, (_, i) => bytes.subarray(i));
  return starts.flatMap((rest) => unpackers.flatMap((unpack) => attempt(() => [unpack(rest).toString("latin1")])));
}

function attempt(act) {
  try {
    return act();
  } catch {
    return [];
  }
}
