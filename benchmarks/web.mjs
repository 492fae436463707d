// Times the engine of web/ against LiteRT.js in one page of Chromium.
//
//     node web.mjs JOBS.json
//
// Jobs: `modules`, a folder with puppeteer-core and @litertjs/core; `chromium`;
// `web` and `wasm`, folders of the engine; `files`, paths of `.tflite` files by
// name; `repeats`. Prints JSON. For each file, it has the milliseconds of each
// turn of both, the difference of their outputs, and their times to load.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";

const jobs = JSON.parse(await readFile(process.argv[2]));
const require = createRequire(path.join(path.resolve(jobs.modules), "any.js"));
const puppeteer = require("puppeteer-core");

const IMPORTS = {
  "@litertjs/core": "/modules/@litertjs/core/dist/index.js",
  "@litertjs/wasm-utils": "/modules/@litertjs/wasm-utils/dist/index.js",
};
const PAGE = `<!doctype html><script type="importmap">${JSON.stringify({
  imports: IMPORTS,
})}</script>`;
const FOLDERS = {
  modules: path.join(jobs.modules, "node_modules"),
  web: jobs.web,
  wasm: jobs.wasm,
};
const TYPES = { ".js": "text/javascript", ".wasm": "application/wasm" };

async function answer(request, response) {
  const [, folder, ...rest] = new URL(request.url, "http://x").pathname.split("/");
  if (!folder) {
    response.setHeader("content-type", "text/html");
    response.end(PAGE);
    return;
  }
  const file =
    folder === "files"
      ? jobs.files[decodeURIComponent(rest[0])]
      : path.join(FOLDERS[folder] ?? "/none", ...rest);
  try {
    const data = await readFile(file);
    const type = TYPES[path.extname(file)] ?? "application/octet-stream";
    response.setHeader("content-type", type);
    response.end(data);
  } catch {
    response.statusCode = 404;
    response.end();
  }
}

async function measure(names, repeats) {
  const litert = await import("@litertjs/core");
  const { Engine } = await import("/web/src/engine.js");
  const { wasmKind } = await import("/web/src/wasm.js");
  const read = async (from) => new Uint8Array(await (await fetch(from)).arrayBuffer());
  const begin = performance.now();
  await litert.loadLiteRt("/modules/@litertjs/core/wasm/", { threads: false });
  const started = performance.now() - begin;
  const wasm = await read(`/wasm/issp_${wasmKind()}.wasm`);
  const found = { wasm: wasmKind(), litert_start_ms: started, files: {} };
  for (const name of names) {
    const bytes = await read(`/files/${encodeURIComponent(name)}`);
    let since = performance.now();
    const engine = await Engine.open(wasm, bytes, 0.3);
    const { height, width, channels } = engine.input();
    const pixels = new Float32Array(height * width * channels);
    for (let i = 0; i < pixels.length; ++i) pixels[i] = ((i * 7919) % 256) / 255;
    let ours = engine.run(pixels, height, width).data;
    const engineReady = performance.now() - since;
    since = performance.now();
    const model = await litert.loadAndCompile(bytes, { accelerator: "wasm" });
    const run = async () => {
      const input = new litert.Tensor(pixels, [1, height, width, channels]);
      const [output] = await model.run(input);
      const data = await output.data();
      input.delete();
      output.delete();
      return data;
    };
    const theirs = await run();
    const litertReady = performance.now() - since;
    let difference = 0;
    for (let i = 0; i < ours.length; ++i) {
      difference = Math.max(difference, Math.abs(ours[i] - theirs[i]));
    }
    const times = { engine: [], litert: [] };
    for (let turn = 0; turn < repeats; ++turn) {
      since = performance.now();
      ours = engine.run(pixels, height, width).data;
      times.engine.push(performance.now() - since);
      since = performance.now();
      await run();
      times.litert.push(performance.now() - since);
    }
    found.files[name] = {
      ...times,
      difference,
      engine_ready_ms: engineReady,
      litert_ready_ms: litertReady,
    };
    engine.close();
    model.delete();
  }
  return found;
}

const server = createServer(answer);
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const browser = await puppeteer.launch({
  executablePath: jobs.chromium,
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
  protocolTimeout: 1_200_000,
});
try {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const names = Object.keys(jobs.files);
  const found = await page.evaluate(measure, names, jobs.repeats);
  const chromium = await browser.version();
  console.log(JSON.stringify({ chromium, ...found }));
} finally {
  await browser.close();
  server.close();
}
