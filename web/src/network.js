import { EngineError } from "./errors.js";
import { reduce } from "./reduce.js";

const CHANNELS = 4; // RGBA

/** A network, which upscales photographs; `load` makes it. */
export class Network {
  #thread;
  #busy = Promise.resolve();
  #closed = false;

  constructor(thread, { input, version, scale }) {
    this.#thread = thread;
    this.input = input;
    this.version = version;
    this.scale = scale;
  }

  /** Upscales an image of RGBA: all of it, or what a tile at a time makes. */
  async upscale(image, options = {}) {
    let data = null;
    let width = 0;
    let height = 0;
    for await (const band of this.bands(image, options)) {
      width = band.width;
      height = (width / image.width) * image.height;
      data ??= makePixels(width, height);
      data.set(band.data, CHANNELS * width * band.top);
    }
    return typeof ImageData === "undefined"
      ? { data, width, height, colorSpace: "srgb" }
      : new ImageData(data, width, height);
  }

  /**
   * The same as bands of rows, from the top, for results that do not fit into
   * memory.
   */
  async *bands(image, options = {}) {
    const { onProgress, signal, tile = 0, overlap = -1 } = options;
    checkImage(image);
    const finish = await this.#wait(signal);
    try {
      const { height, width } = image;
      const of = await this.#call("start", height, width, tile, overlap);
      this.scale = of.scale;
      const scale = options.scale ?? of.scale;
      checkScale(scale, of.scale);
      const rows = groupByTop(of.tiles);
      let done = 0;
      onProgress?.(0, of.tiles.length);
      for (const tiles of rows.values()) {
        const { top, height: count } = tiles[0].made;
        const data = makePixels(of.scale * width, of.scale * count);
        for (const { needed, made } of tiles) {
          signal?.throwIfAborted();
          const pixels = await this.#call(
            "upscale",
            done,
            cut(image, needed),
          );
          done += 1;
          paste(
            pixels,
            data,
            of.scale * made.left,
            of.scale * made.width,
            of.scale * width,
          );
          onProgress?.(done, of.tiles.length);
        }
        yield {
          top: scale * top,
          height: scale * count,
          width: scale * width,
          data:
            scale === of.scale
              ? data
              : reduce(data, of.scale * width, of.scale, scale),
        };
      }
    } finally {
      finish();
    }
  }

  /** Computes one image as the network has it; see `input`. */
  async run(pixels, height, width) {
    const finish = await this.#wait();
    try {
      return await this.#call("run", pixels, height, width);
    } finally {
      finish();
    }
  }

  /** How it is computed. */
  async describe() {
    const finish = await this.#wait();
    try {
      return await this.#call("describe");
    } finally {
      finish();
    }
  }

  close() {
    this.#closed = true;
    this.#thread.close();
  }

  #call(name, ...values) {
    if (this.#closed) throw new EngineError("The network is closed.");
    return this.#thread.call(name, ...values);
  }

  // Waits for what was asked for before. Returns what is called at the end.
  async #wait(signal) {
    const before = this.#busy;
    let finish;
    this.#busy = new Promise((done) => (finish = done));
    await before;
    if (signal?.aborted) {
      finish();
      signal.throwIfAborted();
    }
    return finish;
  }
}

function checkImage(image) {
  const { data, width, height } = image ?? {};
  const isWhole = (side) => Number.isInteger(side) && side > 0;
  if (
    !isWhole(width) ||
    !isWhole(height) ||
    data?.length !== CHANNELS * width * height ||
    data.BYTES_PER_ELEMENT !== 1
  ) {
    throw new EngineError(
      "An image must have `width`, `height` and `data`: four bytes for each pixel.",
    );
  }
}

function checkScale(scale, most) {
  if (!Number.isInteger(scale) || scale < 1 || scale > most) {
    throw new EngineError(
      `\`scale\` is ${scale}, expected a whole number from 1 to ${most}.`,
    );
  }
}

function makePixels(width, height) {
  try {
    return new Uint8ClampedArray(CHANNELS * width * height);
  } catch {
    throw new EngineError(
      `There is not enough memory for ${width} x ${height} pixels: ` +
        "use `bands` to get them in bands.",
    );
  }
}

function groupByTop(tiles) {
  const rows = new Map();
  for (const tile of tiles) {
    const { top } = tile.made;
    rows.set(top, [...(rows.get(top) ?? []), tile]);
  }
  return rows;
}

function cut({ data, width: all }, { top, left, height, width }) {
  const pixels = new Uint8Array(CHANNELS * width * height);
  for (let y = 0; y < height; ++y) {
    const from = CHANNELS * ((top + y) * all + left);
    const row = data.subarray(from, from + CHANNELS * width);
    pixels.set(row, CHANNELS * width * y);
  }
  return pixels;
}

function paste(pixels, to, left, width, all) {
  const row = CHANNELS * width;
  for (let y = 0; row * y < pixels.length; ++y) {
    to.set(
      pixels.subarray(row * y, row * (y + 1)),
      CHANNELS * (all * y + left),
    );
  }
}
