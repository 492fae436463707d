// Before npm packs the folder: the engine is built, and the licence comes along.

import { access, copyFile } from "node:fs/promises";

for (const kind of ["simd", "relaxed"]) {
  const file = new URL(`dist/issp_${kind}.wasm`, import.meta.url);
  await access(file).catch(() => {
    console.error(`${file.pathname} is missing: \`make web\` builds it.`);
    process.exit(1);
  });
}
const licence = new URL("../LICENSE", import.meta.url);
await copyFile(licence, new URL("LICENSE", import.meta.url));
