import { EngineError, engineError } from "./errors.js";

const CHANNELS = 4; // RGBA
const BROKEN =
  "The engine has stopped, most likely since there was no memory: " +
  "load the network again, and use smaller tiles.";
// What is worked on at once should stay in the cache of any CPU.
const CACHE_BYTES = 3 << 20;
const TYPES = ["float32", "int8", "uint8"];
const ARRAYS = { float32: Float32Array, int8: Int8Array, uint8: Uint8Array };

/** One network in one instance of the engine. */
export class Engine {
  #exports;
  #network = 0;
  #broken = false;
  #tiles = [];
  #scale = 0;

  /**
   * Opens a network.
   *
   * `wasm` is the bytes or the module of the engine, `bytes` those of a
   * `.tflite` file.
   */
  static async open(wasm, bytes, tuningSeconds) {
    const engine = new Engine();
    await engine.#start(wasm);
    engine.#open(bytes, tuningSeconds);
    return engine;
  }

  async #start(wasm) {
    const wasi = {
      clock_time_get: (id, precision, to) => {
        const nanoseconds = BigInt(Math.round(performance.now() * 1e6));
        this.#view().setBigUint64(to, nanoseconds, true);
        return 0;
      },
    };
    // It writes nothing, and closes nothing.
    const imports = new Proxy(wasi, { get: (of, name) => of[name] ?? (() => 8) });
    const made = await WebAssembly.instantiate(wasm, {
      wasi_snapshot_preview1: imports,
    });
    this.#exports = (made.instance ?? made).exports;
    this.#call(() => this.#exports._initialize());
  }

  #open(bytes, tuningSeconds) {
    const of = this.#exports;
    const error = this.#allocate(256);
    const options = this.#allocate(24);
    const file = this.#allocate(bytes.length);
    this.#bytes(file, bytes.length).set(bytes);
    const view = this.#view();
    view.setInt32(options, 1, true);
    view.setInt32(options + 4, CACHE_BYTES, true);
    view.setFloat64(options + 8, tuningSeconds, true);
    view.setInt32(options + 16, 0, true);
    this.#network = this.#call(() =>
      of.issp_open(file, bytes.length, options, error, 256),
    );
    const text = this.#text(error);
    for (const pointer of [file, options, error]) of.free(pointer);
    if (!this.#network) {
      throw engineError("The network cannot be opened", text);
    }
  }

  /** What it takes and makes; a size of 0 is open. */
  input() {
    return this.#image("issp_input");
  }

  output() {
    return this.#image("issp_output");
  }

  /** Computes one image; `pixels` are rows of pixels of the input's type. */
  run(pixels, height, width) {
    const of = this.#exports;
    this.#check("This image cannot be computed", () =>
      of.issp_resize(this.#network, height, width),
    );
    const input = this.input();
    const output = this.output();
    const count = height * width * input.channels;
    if (!(pixels instanceof ARRAYS[input.type]) || pixels.length !== count) {
      throw new EngineError(
        `The image needs ${ARRAYS[input.type].name} of ${count} numbers ` +
          `(${height} x ${width} x ${input.channels}).`,
      );
    }
    const made = new ARRAYS[output.type](
      output.height * output.width * output.channels,
    );
    const from = this.#allocate(pixels.byteLength);
    const to = this.#allocateOrFree(made.byteLength, from);
    this.#bytes(from, pixels.byteLength).set(bytesOf(pixels));
    this.#check("This image cannot be computed", () =>
      of.issp_run(this.#network, from, to),
    );
    bytesOf(made).set(this.#bytes(to, made.byteLength));
    of.free(from);
    of.free(to);
    const { height: rows, width: columns, channels } = output;
    return { data: made, height: rows, width: columns, channels };
  }

  /**
   * Prepares for a photograph.
   *
   * Returns how many times larger it becomes, and of each tile what it needs
   * and what it makes.
   */
  start(height, width, tile, overlap) {
    const of = this.#exports;
    const count = this.#check("This photograph cannot be upscaled", () =>
      of.issp_start(this.#network, height, width, tile, overlap),
    );
    const rectangles = this.#allocate(32);
    const tiles = [];
    for (let i = 0; i < count; ++i) {
      this.#call(() =>
        of.issp_tile(this.#network, i, rectangles, rectangles + 16),
      );
      const view = this.#view();
      tiles.push({
        needed: rectangle(view, rectangles),
        made: rectangle(view, rectangles + 16),
      });
    }
    of.free(rectangles);
    this.#tiles = tiles;
    this.#scale = of.issp_scale(this.#network);
    return { scale: this.#scale, tiles };
  }

  /** Upscales tile `index` of RGBA, from what it needs to what it makes. */
  upscale(index, pixels) {
    const of = this.#exports;
    const { needed, made: part } = this.#tiles[index] ?? {};
    if (pixels.length !== CHANNELS * needed?.width * needed?.height) {
      throw new EngineError(`Tile ${index} needs other pixels, or does not exist.`);
    }
    const row = CHANNELS * this.#scale * part.width;
    const size = row * this.#scale * part.height;
    const from = this.#allocate(pixels.length);
    const to = this.#allocateOrFree(size, from);
    this.#bytes(from, pixels.length).set(pixels);
    this.#check("This tile cannot be upscaled", () =>
      of.issp_upscale_tile(
        this.#network,
        index,
        from,
        CHANNELS * needed.width,
        CHANNELS,
        to,
        row,
      ),
    );
    const made = this.#bytes(to, size).slice();
    of.free(from);
    of.free(to);
    return made;
  }

  /** The network and how it is computed, as `issp_describe` has it. */
  describe() {
    const text = this.#call(() => this.#exports.issp_describe(this.#network));
    return JSON.parse(this.#text(text));
  }

  version() {
    return this.#text(this.#exports.issp_version());
  }

  close() {
    if (this.#network && !this.#broken) {
      this.#exports.issp_close(this.#network);
    }
    this.#network = 0;
    this.#broken = true;
  }

  #image(name) {
    const at = this.#allocate(24);
    this.#exports[name](this.#network, at);
    const view = this.#view();
    const [height, width, channels, type] = [0, 4, 8, 12].map((of) =>
      view.getInt32(at + of, true),
    );
    const scale = view.getFloat32(at + 16, true);
    const zeroPoint = view.getInt32(at + 20, true);
    this.#exports.free(at);
    return { height, width, channels, type: TYPES[type], scale, zeroPoint };
  }

  // Without exceptions, C++ ends in a trap: after one, nothing may be called.
  #call(run) {
    if (this.#broken) throw new EngineError(BROKEN);
    try {
      return run();
    } catch (error) {
      this.#broken = true;
      throw new EngineError(BROKEN, { cause: error });
    }
  }

  #check(what, run) {
    const result = this.#call(run);
    if (result >= 0) return result;
    const text = this.#text(this.#exports.issp_error(this.#network));
    throw engineError(what, text);
  }

  #allocate(size) {
    const pointer = this.#call(() => this.#exports.malloc(Math.max(size, 1)));
    if (pointer) return pointer;
    throw new EngineError("There is not enough memory for an image of this size.");
  }

  #allocateOrFree(size, other) {
    try {
      return this.#allocate(size);
    } catch (error) {
      if (!this.#broken) this.#exports.free(other);
      throw error;
    }
  }

  // Memory moves when it grows, so that views last until the next call.
  #view() {
    return new DataView(this.#exports.memory.buffer);
  }

  #bytes(pointer, size) {
    return new Uint8Array(this.#exports.memory.buffer, pointer >>> 0, size);
  }

  #text(pointer) {
    const from = this.#bytes(pointer, 0).byteOffset;
    const all = new Uint8Array(this.#exports.memory.buffer);
    return new TextDecoder().decode(all.slice(from, all.indexOf(0, from)));
  }
}

function bytesOf(array) {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function rectangle(view, at) {
  const [top, left, height, width] = [0, 4, 8, 12].map((of) =>
    view.getInt32(at + of, true),
  );
  return { top, left, height, width };
}
