import { Engine } from "./engine.js";

/** What a thread that has an engine is asked for, by name. */
export function methods() {
  let engine = null;
  return {
    async open(wasm, bytes, tuningSeconds) {
      engine = await Engine.open(wasm, bytes, tuningSeconds);
      return { input: engine.input(), version: engine.version() };
    },
    start: (...of) => engine.start(...of),
    upscale: (...of) => engine.upscale(...of),
    run: (...of) => engine.run(...of),
    describe: () => engine.describe(),
    close: () => engine?.close(),
  };
}
