const CHANNELS = 4; // RGBA

/**
 * Makes rows of RGBA smaller: each square of `from` x `from` pixels becomes one
 * of `to` x `to`, by means over areas.
 */
export function reduce(data, width, from, to) {
  const parts = overlaps(from, to);
  const squares = width / from;
  const rows = data.length / (CHANNELS * width) / from;
  const made = new Uint8ClampedArray(CHANNELS * squares * to * rows * to);
  let at = 0;
  for (let y = 0; y < rows * to; ++y) {
    const top = from * Math.floor(y / to);
    for (let x = 0; x < squares * to; ++x) {
      const left = from * Math.floor(x / to);
      mean(data, width, top, left, parts[y % to], parts[x % to], made, at);
      at += CHANNELS;
    }
  }
  return made;
}

/** By pixel of the smaller square: which of the larger are in it, how much. */
function overlaps(from, to) {
  return Array.from({ length: to }, (_, i) => {
    const found = [];
    for (let j = 0; j < from; ++j) {
      const begin = Math.max(i * from, j * to);
      const share = Math.min((i + 1) * from, (j + 1) * to) - begin;
      if (share > 0) found.push([j, share]);
    }
    return found;
  });
}

function mean(data, width, top, left, rows, columns, made, at) {
  let red = 0;
  let green = 0;
  let blue = 0;
  let alpha = 0;
  let area = 0;
  for (const [y, height] of rows) {
    for (const [x, share] of columns) {
      const i = CHANNELS * ((top + y) * width + left + x);
      // What is not seen has no colour.
      const seen = height * share * data[i + 3];
      red += seen * data[i];
      green += seen * data[i + 1];
      blue += seen * data[i + 2];
      alpha += seen;
      area += height * share;
    }
  }
  made[at] = alpha && red / alpha;
  made[at + 1] = alpha && green / alpha;
  made[at + 2] = alpha && blue / alpha;
  made[at + 3] = alpha / area;
}
