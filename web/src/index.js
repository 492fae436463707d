import { EngineError } from "./errors.js";
import { Network } from "./network.js";
import { findThread } from "./threads.js";
import { findWasm, wasmKind } from "./wasm.js";

export { EngineError, Network, wasmKind };

// A side of the image with which the scale of a network is found.
const TRIAL = 8;

/** Loads a network from the bytes of a `.tflite` file. */
export async function load(bytes, { wasm, worker, tuningSeconds = 0.1 } = {}) {
  const file = asBytes(bytes);
  const engine = await findWasm(wasm);
  const thread = findThread(worker);
  try {
    const known = await thread.call("open", engine, file, tuningSeconds);
    const { input } = known;
    const [height, width] = [input.height || TRIAL, input.width || TRIAL];
    // A network that takes and makes no RGB may be run all the same.
    const scale = await thread.call("start", height, width, 0, 0).then(
      (started) => started.scale,
      () => 0,
    );
    return new Network(thread, { ...known, scale });
  } catch (error) {
    thread.close();
    throw error;
  }
}

function asBytes(given) {
  if (given instanceof ArrayBuffer) return new Uint8Array(given);
  if (ArrayBuffer.isView(given)) {
    return new Uint8Array(given.buffer, given.byteOffset, given.byteLength);
  }
  throw new EngineError(
    "A network must be the bytes of a `.tflite` file: an ArrayBuffer or an array.",
  );
}
