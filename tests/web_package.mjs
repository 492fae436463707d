// Tries the package in web/ on files of a folder: node web_package.mjs FOLDER
//
// `jobs.json` has, by name: `network`, `pixels` (a file of RGBA), `height` and
// `width`, and options of `upscale`. Results are written to NAME.rgba; what
// else was found is printed as JSON.

import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";

import { load, wasmKind } from "../web/src/index.js";

const folder = process.argv[2];
const read = (name) => readFile(path.join(folder, name));
const { wasm, jobs, network, photograph } = JSON.parse(await read("jobs.json"));
const options = { wasm: path.join(folder, wasm), tuningSeconds: 0.01 };

const imageOf = async ({ pixels, height, width }) => ({
  data: new Uint8ClampedArray(await read(pixels)),
  height,
  width,
});

async function problemOf(run) {
  try {
    await run();
    return null;
  } catch (error) {
    return { name: error.name, message: error.message };
  }
}

async function runJob([name, job]) {
  const opened = await load(await read(job.network), options);
  const image = await imageOf(job);
  const progress = [];
  const made = await opened.upscale(image, {
    ...job.options,
    onProgress: (...of) => progress.push(of),
  });
  await writeFile(path.join(folder, `${name}.rgba`), made.data);
  opened.close();
  const { scale, input, version } = opened;
  const closed = await problemOf(() => opened.upscale(image));
  return [
    name,
    { scale, input, version, progress, closed, size: [made.height, made.width] },
  ];
}

const image = await imageOf(photograph);
const tiles = { tile: 24, overlap: 6 };

/** Cancels after a tile, and goes on. */
async function cancel(opened) {
  const controller = new AbortController();
  let done = 0;
  const cancelled = await problemOf(() =>
    opened.upscale(image, {
      ...tiles,
      signal: controller.signal,
      onProgress: (of) => {
        done = of;
        if (of === 2) controller.abort();
      },
    }),
  );
  const aborted = AbortSignal.abort();
  const never = await problemOf(() => opened.upscale(image, { signal: aborted }));
  return { cancelled, done, never };
}

const isSame = (a, b) =>
  Buffer.compare(new Uint8Array(a.buffer), new Uint8Array(b.buffer)) === 0;

async function inTurns(opened) {
  const once = await opened.upscale(image);
  const both = await Promise.all([
    opened.upscale(image, tiles),
    opened.upscale(image, tiles),
  ]);
  return both.every((of) => isSame(of.data, once.data));
}

async function inBands(opened) {
  const whole = await opened.upscale(image);
  let are = true;
  let next = 0;
  for await (const { top, height, width, data } of opened.bands(image, tiles)) {
    const part = whole.data.slice(4 * width * top, 4 * width * (top + height));
    are &&= top === next && isSame(part, data);
    next = top + height;
  }
  return are && next === whole.height;
}

/** What a network of numbers makes, and whether it goes on after errors. */
async function refuse(opened) {
  const bytes = await read(network);
  const { height, width } = image;
  const numbers = new Float32Array(3 * height * width).fill(0.5);
  const problems = {
    huge: await problemOf(() => opened.run(numbers, 30000, 30000)),
    vast: await problemOf(() => opened.run(numbers, 1 << 25, 1 << 25)),
    count: await problemOf(() => opened.run(numbers, height, width + 1)),
    scale: await problemOf(() => opened.upscale(image, { scale: 3 })),
    image: await problemOf(() => opened.upscale({ data: [], width: 1, height: 1 })),
    empty: await problemOf(() => load(new Uint8Array(0), options)),
    text: await problemOf(() => load(Buffer.from("no network".repeat(99)), options)),
    half: await problemOf(() => load(bytes.subarray(0, bytes.length / 2), options)),
    kind: await problemOf(() => load("network.tflite", options)),
    wasm: await problemOf(() => load(bytes, { wasm: "/no/such/file.wasm" })),
  };
  const made = await opened.run(numbers, height, width);
  return { problems, size: [made.height, made.width, made.channels] };
}


const opened = await load(await read(network), options);
const found = {
  kind: wasmKind(),
  jobs: Object.fromEntries(await Promise.all(Object.entries(jobs).map(runJob))),
  cancel: await cancel(opened),
  inTurns: await inTurns(opened),
  inBands: await inBands(opened),
  refuse: await refuse(opened),
  described: Object.keys(await opened.describe()),
};
opened.close();
console.log(JSON.stringify(found));
