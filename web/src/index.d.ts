/** RGBA in 8 bits, row by row: an `ImageData`, or an object of this form. */
export interface Pixels {
  readonly data: Uint8ClampedArray | Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Some rows of a result, in full width. */
export interface Band {
  /** The number of the first row. */
  readonly top: number;
  readonly height: number;
  readonly width: number;
  readonly data: Uint8ClampedArray;
}

/** The input of a network. A height or width of 0 means any. */
export interface NetworkImage {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly type: "float32" | "int8" | "uint8";
  /** Integers stand for the values (number - zeroPoint) * scale. */
  readonly scale: number;
  readonly zeroPoint: number;
}

export type Numbers = Float32Array | Int8Array | Uint8Array;

export interface UpscaleOptions {
  /**
   * The factor by which each side grows. Defaults to the network's scale.
   * A smaller result is the full result averaged over areas.
   */
  scale?: number;
  /** Called at the start and after each tile. */
  onProgress?: (done: number, tiles: number) => void;
  /** Stops the work between two tiles, with an `AbortError`. */
  signal?: AbortSignal;
  /**
   * The side of a tile in pixels. 0, the default, means 192. A tile may have
   * up to 15 pixels more.
   */
  tile?: number;
  /** By how many pixels tiles overlap. Defaults to the receptive field. */
  overlap?: number;
}

export declare class Network {
  private constructor();
  /** The factor by which each side grows; 0 if the network does not upscale. */
  readonly scale: number;
  readonly input: NetworkImage;
  /** The version of the engine: a hash of its sources. */
  readonly version: string;
  /** Upscales an image. Alpha is scaled bilinearly. */
  upscale(image: Pixels, options?: UpscaleOptions): Promise<ImageData>;
  /** Upscales in bands from the top, for results too large for memory. */
  bands(image: Pixels, options?: UpscaleOptions): AsyncGenerator<Band, void>;
  /** Computes one image. Its numbers have the type of `input`. */
  run(
    pixels: Numbers,
    height: number,
    width: number,
  ): Promise<{
    data: Numbers;
    height: number;
    width: number;
    channels: number;
  }>;
  /** Describes the network, and how the engine computes it here. */
  describe(): Promise<unknown>;
  /** Ends the worker of the network, and its work. */
  close(): void;
}

/** The engine: bytes, a compiled module, or an address. */
export type Wasm = BufferSource | WebAssembly.Module | URL | string;

export interface LoadOptions {
  /** Defaults to the fastest file of this package that runs here. */
  wasm?: Wasm | { simd: Wasm; relaxed?: Wasm };
  /**
   * `false` computes in this thread. Or give a worker that runs
   * `@issp/engine/worker`, or a function that makes one. Defaults to a new
   * worker in browsers, and to `false` in Node.
   */
  worker?: false | Worker | (() => Worker);
  /** Seconds to choose the fastest tiles, for each size. Defaults to 0.1. */
  tuningSeconds?: number;
}

/** Loads a network from the bytes of a `.tflite` file. */
export declare function load(
  bytes: ArrayBuffer | ArrayBufferView,
  options?: LoadOptions,
): Promise<Network>;

/** Returns which build of the engine runs here. Throws if none does. */
export declare function wasmKind(): "simd" | "relaxed";

/** An error of the engine. Its `message` is one sentence. */
export declare class EngineError extends Error {}
