// From files to pixels.

const ROWS = 256; // That a canvas holds at once: those of phones are small.

/** A picture with its pixels as RGBA, turned as its EXIF says. */
export async function readPhotograph(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new Error(`${file.name || "This"} is no picture that this browser can read.`);
  }
  try {
    return { bitmap, ...readPixels(bitmap) };
  } catch {
    bitmap.close();
    throw new Error(
      `There is not enough memory for ${size(bitmap)} pixels: close other pages, or choose a smaller picture.`,
    );
  }
}

function readPixels(bitmap) {
  const { width, height } = bitmap;
  const data = new Uint8ClampedArray(4 * width * height);
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = Math.min(ROWS, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  for (let y = 0; y < height; y += ROWS) {
    const rows = Math.min(ROWS, height - y);
    context.clearRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, -y);
    data.set(context.getImageData(0, 0, width, rows).data, 4 * width * y);
  }
  return { width, height, data, hasAlpha: hasAlpha(data) };
}

function hasAlpha(data) {
  for (let i = 3; i < data.length; i += 4) if (data[i] < 255) return true;
  return false;
}

/** For people: "640 × 480". */
export function size({ width, height }) {
  return `${width.toLocaleString("en")} × ${height.toLocaleString("en")}`;
}

/** A picture to try, with what is hard to enlarge. */
export function testCard() {
  const canvas = document.createElement("canvas");
  canvas.width = 320;
  canvas.height = 240;
  const of = canvas.getContext("2d");
  const sky = of.createLinearGradient(0, 0, 0, 240);
  sky.addColorStop(0, "#f4efe6");
  sky.addColorStop(1, "#d5dfe8");
  of.fillStyle = sky;
  of.fillRect(0, 0, 320, 240);
  of.strokeStyle = "#1d2a38";
  for (let i = 0; i < 24; ++i) {
    const angle = (Math.PI * i) / 12;
    of.lineWidth = 0.6 + (i % 4) * 0.4;
    of.beginPath();
    of.moveTo(84 + 12 * Math.cos(angle), 84 + 12 * Math.sin(angle));
    of.lineTo(84 + 66 * Math.cos(angle), 84 + 66 * Math.sin(angle));
    of.stroke();
  }
  const colors = ["#b23a2e", "#d98a1f", "#2f7d5b", "#2b5f9e", "#5b3f8c"];
  colors.forEach((color, i) => {
    of.fillStyle = color;
    of.beginPath();
    of.arc(186 + 26 * i, 52, 10 + (i % 2) * 3, 0, 2 * Math.PI);
    of.fill();
  });
  of.lineWidth = 1;
  for (let i = 0; i < 9; ++i) {
    of.strokeStyle = "#35506b";
    of.beginPath();
    of.arc(236, 120, 4 + 4 * i, 0, 2 * Math.PI);
    of.stroke();
  }
  of.fillStyle = "#1d2a38";
  ["22px Georgia, serif", "14px Georgia, serif", "10px sans-serif", "8px sans-serif"].reduce(
    (y, font) => {
      of.font = font;
      of.fillText("Sharp at every size 0123456789", 16, y);
      return y + parseInt(font) + 1;
    },
    184,
  );
  return new Promise((done) => canvas.toBlob(done)).then(
    (blob) => new File([blob], "test card.png", { type: "image/png" }),
  );
}
