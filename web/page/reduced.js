// A picture on a canvas that is small enough for any device.

const MOST = 4096; // Pixels of a side.

export class ReducedView {
  #context;
  #sums;
  #row = 0;

  /** For a picture of this size, on a canvas whose size is set to fit. */
  constructor(canvas, width, height) {
    this.width = width;
    this.height = height;
    this.step = Math.ceil(Math.max(width, height) / MOST);
    canvas.width = Math.ceil(width / this.step);
    canvas.height = Math.ceil(height / this.step);
    this.#context = canvas.getContext("2d");
    this.#sums = new Uint32Array(5 * canvas.width);
  }

  /** Adds rows of RGBA, from the top: means of squares where it is reduced. */
  add(rows) {
    const { width, step } = this;
    const count = rows.length / (4 * width);
    if (step === 1) {
      this.#context.putImageData(new ImageData(rows, width, count), 0, this.#row);
      this.#row += count;
      return;
    }
    for (let y = 0; y < count; ++y) {
      this.#addRow(rows.subarray(4 * width * y, 4 * width * (y + 1)));
      this.#row += 1;
      if (this.#row % step === 0 || this.#row === this.height) this.#show();
    }
  }

  #addRow(row) {
    const { width, step } = this;
    const sums = this.#sums;
    for (let x = 0, from = 0; x < width; ++x, from += 4) {
      const to = 5 * Math.floor(x / step);
      const alpha = row[from + 3];
      // What is not seen has no colour.
      sums[to] += row[from] * alpha;
      sums[to + 1] += row[from + 1] * alpha;
      sums[to + 2] += row[from + 2] * alpha;
      sums[to + 3] += alpha;
      sums[to + 4] += 1;
    }
  }

  #show() {
    const sums = this.#sums;
    const pixels = new ImageData(sums.length / 5, 1);
    for (let i = 0, from = 0; from < sums.length; i += 4, from += 5) {
      const alpha = sums[from + 3];
      for (let c = 0; alpha && c < 3; ++c) pixels.data[i + c] = sums[from + c] / alpha;
      pixels.data[i + 3] = alpha / sums[from + 4];
    }
    this.#context.putImageData(pixels, 0, Math.ceil(this.#row / this.step) - 1);
    sums.fill(0);
  }
}
