import { methods } from "./methods.js";

const known = methods();

self.onmessage = async ({ data: { id, name, values } }) => {
  try {
    const result = await known[name](...values);
    const pixels = result?.data ?? result;
    const moved = ArrayBuffer.isView(pixels) ? [pixels.buffer] : [];
    self.postMessage({ id, result }, moved);
  } catch (error) {
    self.postMessage({ id, error: error.message, name: error.name });
  }
};
