import { PngWriter } from "./png.js";

let writer = null;

const known = {
  begin: ({ width, height, channels }) => {
    writer = new PngWriter(width, height, channels);
  },
  write: (rows) => writer.write(rows),
  finish: () => writer.finish(),
};

self.onmessage = async ({ data: { name, value } }) => {
  try {
    self.postMessage({ result: await known[name](value) });
  } catch (error) {
    self.postMessage({ error: error.message });
  }
};
