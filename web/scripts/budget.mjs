// Prints how much JavaScript the buyer's first page loads, compressed, and fails above the budget.
import { readFile, rm } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';

const BUDGET = 250 * 1024;
const dist = new URL('../dist/', import.meta.url);
const manifest = JSON.parse(await readFile(new URL('.vite/manifest.json', dist), 'utf8'));

/** An entry and all that it imports before it runs; not what it imports later. */
function loadedBy(entry, seen = new Set()) {
  if (!seen.has(entry)) {
    seen.add(entry);
    for (const imported of manifest[entry].imports ?? []) loadedBy(imported, seen);
  }
  return seen;
}

async function compressed(files) {
  let bytes = 0;
  for (const file of files) bytes += gzipSync(await readFile(new URL(file, dist))).length;
  return bytes;
}

const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
const first = [...loadedBy('index.html')].map((entry) => manifest[entry].file);
const firstBytes = await compressed(['theme.js', ...first]);
const later = Object.values(manifest).filter((one) => one.isDynamicEntry).map((one) => one.file);
console.log(`The buyer's first page loads ${kib(firstBytes)} of JavaScript, compressed; at most ${kib(BUDGET)} are allowed.`);
for (const file of later) console.log(`  ${file} is loaded when it is needed: ${kib(await compressed([file]))}`);

// It is for this script only, and not to be served.
await rm(new URL('.vite/', dist), { recursive: true });
if (firstBytes > BUDGET) {
  console.error('That is too much.');
  process.exit(1);
}
