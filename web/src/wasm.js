import { EngineError } from "./errors.js";

// The least modules that have one instruction of a kind each:
// i8x16.popcnt and i8x16.relaxed_swizzle.
const HEAD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0];
const PROBES = {
  relaxed: [
    10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11,
  ],
  simd: [10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
};

let chosen = null;

/**
 * Which build of the engine runs here: "relaxed", the faster one, or "simd".
 */
export function wasmKind() {
  chosen ??= findKind();
  return chosen;
}

function findKind() {
  if (typeof WebAssembly === "undefined") {
    throw new EngineError("WebAssembly is missing or switched off here.");
  }
  for (const [kind, code] of Object.entries(PROBES)) {
    if (WebAssembly.validate(new Uint8Array([...HEAD, ...code]))) {
      return kind;
    }
  }
  throw new EngineError(
    "WebAssembly has no SIMD here: the engine needs Chrome 91, Firefox 89, " +
      "Safari 16.4 or Node 16.4, or a newer one.",
  );
}

/**
 * The bytes, or the module, of the engine that runs here.
 *
 * `given` is either of them, or an address, or an object of these by kind.
 */
export async function findWasm(given) {
  const kind = wasmKind();
  if (given && (given.simd || given.relaxed)) {
    given = given[kind] ?? given.simd;
  }
  if (
    given instanceof WebAssembly.Module ||
    given instanceof ArrayBuffer ||
    ArrayBuffer.isView(given)
  ) {
    return given;
  }
  return read(given ?? addressOf(kind));
}

// Bundlers look for these, word by word.
function addressOf(kind) {
  return kind === "relaxed"
    ? new URL("../dist/issp_relaxed.wasm", import.meta.url)
    : new URL("../dist/issp_simd.wasm", import.meta.url);
}

async function read(address) {
  const text = String(address);
  if (isNode() && !/^(https?|data|blob):/.test(text)) {
    const { readFile } = await import("node:fs/promises");
    return readFile(address).catch(() => {
      throw new EngineError(`The engine cannot be read from ${text}.`);
    });
  }
  const response = await fetch(address).catch(() => null);
  if (!response?.ok) {
    throw new EngineError(`The engine cannot be loaded from ${text}.`);
  }
  return response.arrayBuffer();
}

function isNode() {
  return typeof process !== "undefined" && Boolean(process.versions?.node);
}
