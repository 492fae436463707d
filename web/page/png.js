// PNG files as a stream: rows go in, and what is compressed is kept as a Blob,
// which browsers may put on disk.

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const BITS = 8;
const COLOR_TYPES = { 3: 2, 4: 6 };
const SUB = 1; // The filter: differences from the pixel to the left.
const PART = 8 << 20; // Bytes that are gathered before they become a Blob.

const TABLE = new Uint32Array(256).map((_, byte) => {
  let crc = byte;
  for (let i = 0; i < 8; ++i) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  return crc;
});

function chunk(type, data) {
  const made = new Uint8Array(12 + data.length);
  const view = new DataView(made.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; ++i) made[4 + i] = type.charCodeAt(i);
  made.set(data, 8);
  let crc = 0xffffffff;
  for (let i = 4; i < 8 + data.length; ++i) {
    crc = TABLE[(crc ^ made[i]) & 255] ^ (crc >>> 8);
  }
  view.setUint32(8 + data.length, ~crc >>> 0);
  return made;
}

export class PngWriter {
  #width;
  #channels;
  #writer;
  #reading;
  #parts = [];
  #gathered = [];
  #size = 0;

  /** `channels` is 3 for pixels whose alpha may be left out, else 4. */
  constructor(width, height, channels) {
    this.#width = width;
    this.#channels = channels;
    const header = new Uint8Array(13);
    const view = new DataView(header.buffer);
    view.setUint32(0, width);
    view.setUint32(4, height);
    header[8] = BITS;
    header[9] = COLOR_TYPES[channels];
    this.#keep(new Uint8Array(SIGNATURE));
    this.#keep(chunk("IHDR", header));
    const stream = new CompressionStream("deflate");
    this.#writer = stream.writable.getWriter();
    this.#reading = this.#read(stream.readable.getReader());
    // Whoever writes learns of it.
    this.#reading.catch(() => {});
  }

  /** Adds rows of RGBA. */
  async write(rows) {
    const [width, channels] = [this.#width, this.#channels];
    const length = 1 + channels * width;
    const count = rows.length / (4 * width);
    const filtered = new Uint8Array(length * count);
    let to = 0;
    for (let y = 0, from = 0; y < count; ++y) {
      filtered[to++] = SUB;
      for (let x = 0; x < width; ++x, from += 4) {
        for (let c = 0; c < channels; ++c) {
          const left = x ? rows[from + c - 4] : 0;
          filtered[to++] = rows[from + c] - left;
        }
      }
    }
    await this.#writer.write(filtered);
  }

  async finish() {
    await this.#writer.close();
    await this.#reading;
    this.#keep(chunk("IEND", new Uint8Array(0)));
    return new Blob([...this.#parts, ...this.#gathered], { type: "image/png" });
  }

  async #read(reader) {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.#keep(chunk("IDAT", value));
    }
  }

  #keep(bytes) {
    this.#gathered.push(bytes);
    this.#size += bytes.length;
    if (this.#size < PART) return;
    this.#parts.push(new Blob(this.#gathered));
    this.#gathered = [];
    this.#size = 0;
  }
}
