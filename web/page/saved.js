// A PNG file that a worker packs, so that the page stays alive meanwhile.

export class SavedPng {
  #worker;

  constructor(worker) {
    this.#worker = worker;
  }

  /** Each of these is to be awaited before the next. */
  begin(width, height, channels) {
    return this.#call("begin", { width, height, channels });
  }

  /** Adds rows of RGBA, which are taken away. */
  write(rows) {
    return this.#call("write", rows, [rows.buffer]);
  }

  finish() {
    return this.#call("finish");
  }

  close() {
    this.#worker.terminate();
  }

  #call(name, value, moved = []) {
    return new Promise((done, failed) => {
      this.#worker.onmessage = ({ data: { result, error } }) =>
        error === undefined ? done(result) : failed(new RangeError(error));
      this.#worker.onerror = (event) => {
        event.preventDefault();
        failed(new RangeError(event.message));
      };
      this.#worker.postMessage({ name, value }, moved);
    });
  }
}
