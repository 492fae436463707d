/** RGBA in 8 bits, row by row: an `ImageData`, or what has the same. */
export interface Pixels {
  readonly data: Uint8ClampedArray | Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Rows of a result, all columns wide. */
export interface Band {
  /** The first row. */
  readonly top: number;
  readonly height: number;
  readonly width: number;
  readonly data: Uint8ClampedArray;
}

/** What a network takes; a size of 0 is open. */
export interface NetworkImage {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly type: "float32" | "int8" | "uint8";
  /** Of integers: (number - zeroPoint) * scale is the number meant. */
  readonly scale: number;
  readonly zeroPoint: number;
}

export type Numbers = Float32Array | Int8Array | Uint8Array;

export interface UpscaleOptions {
  /**
   * How many times larger each side becomes; by default, as many as the
   * network makes it. Smaller results are means over areas of that one.
   */
  scale?: number;
  /** Called at first, and after each tile. */
  onProgress?: (done: number, tiles: number) => void;
  /** Ends the work between two tiles, with an `AbortError`. */
  signal?: AbortSignal;
  /**
   * The side of a tile in pixels; 0, which is the default, for 192. A tile may
   * have up to 15 pixels more.
   */
  tile?: number;
  /** By how many pixels tiles overlap; by default, as many as it takes. */
  overlap?: number;
}

export declare class Network {
  private constructor();
  /** How many times larger each side becomes; 0 for what does not upscale. */
  readonly scale: number;
  readonly input: NetworkImage;
  /** Names the sources that the engine is made of. */
  readonly version: string;
  /** Upscales an image; alpha is scaled bilinearly. */
  upscale(image: Pixels, options?: UpscaleOptions): Promise<ImageData>;
  /** The same from the top, for results that do not fit into memory. */
  bands(image: Pixels, options?: UpscaleOptions): AsyncGenerator<Band, void>;
  /** Computes one image, whose numbers are those of `input`. */
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
  /** The network and how it is computed here. */
  describe(): Promise<unknown>;
  /** Ends its worker, and whatever it computes. */
  close(): void;
}

/** The engine: bytes, a compiled module, or where it is. */
export type Wasm = BufferSource | WebAssembly.Module | URL | string;

export interface LoadOptions {
  /** Defaults to the file of this package that is the fastest here. */
  wasm?: Wasm | { simd: Wasm; relaxed?: Wasm };
  /**
   * `false` to compute in this thread; or a worker that runs
   * `@issp/engine/worker`, or what makes one. Defaults to one where there are
   * workers for the web, which Node has not.
   */
  worker?: false | Worker | (() => Worker);
  /** Seconds to find what is fastest here, for each size. Defaults to 0.1. */
  tuningSeconds?: number;
}

/** Loads a network from the bytes of a `.tflite` file. */
export declare function load(
  bytes: ArrayBuffer | ArrayBufferView,
  options?: LoadOptions,
): Promise<Network>;

/** Which build of the engine runs here. Throws where none does. */
export declare function wasmKind(): "simd" | "relaxed";

/** What cannot be done; `message` is a sentence for people. */
export declare class EngineError extends Error {}
