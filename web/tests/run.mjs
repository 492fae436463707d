// Runs a program for WASI: node run_test.mjs PROGRAM.wasm ARGUMENT...

import { readFile } from "node:fs/promises";
import { WASI } from "node:wasi";

const [file, ...names] = process.argv.slice(2);
const wasi = new WASI({
  version: "preview1",
  args: [file, ...names],
  env: process.env,
  returnOnExit: true,
});
const module = await WebAssembly.compile(await readFile(file));
const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
process.exitCode = wasi.start(instance);
