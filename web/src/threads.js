import { EngineError } from "./errors.js";
import { methods } from "./methods.js";

/** An engine in this thread. */
export class Here {
  #methods = methods();

  async call(name, ...values) {
    const result = await this.#methods[name](...values);
    // What waits, such as a click, comes before the next call.
    await new Promise((done) => setTimeout(done));
    return result;
  }

  close() {
    this.#methods.close();
  }
}

/** An engine in a worker. */
export class There {
  #worker;
  #waiting = new Map();
  #last = 0;
  #end = null;

  constructor(worker) {
    this.#worker = worker;
    worker.onmessage = ({ data }) => this.#answer(data);
    worker.onerror = (event) => {
      event.preventDefault?.();
      this.#stop(`The engine's worker failed: ${event.message || "no reason"}.`);
    };
  }

  call(name, ...values) {
    if (this.#end) return Promise.reject(new EngineError(this.#end));
    return new Promise((done, failed) => {
      const id = ++this.#last;
      this.#waiting.set(id, { done, failed });
      this.#worker.postMessage({ id, name, values });
    });
  }

  close() {
    this.#stop("The network is closed.");
  }

  #answer({ id, result, error }) {
    const { done, failed } = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) done(result);
    else failed(new EngineError(error));
  }

  #stop(reason) {
    this.#end ??= reason;
    this.#worker.terminate();
    for (const { failed } of this.#waiting.values()) {
      failed(new EngineError(reason));
    }
    this.#waiting.clear();
  }
}

/** Where the engine runs: `worker` is as of `load`. */
export function findThread(worker) {
  if (worker === false) return new Here();
  if (typeof worker === "function") return new There(worker());
  if (worker) return new There(worker);
  if (typeof Worker === "undefined") return new Here();
  return new There(
    new Worker(new URL("./worker.js", import.meta.url), { type: "module" }),
  );
}
