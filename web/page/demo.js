import { load, wasmKind } from "../src/index.js";
import { readPhotograph, size, testCard } from "./photograph.js";
import { ReducedView } from "./reduced.js";
import { SavedPng } from "./saved.js";
import { Viewer } from "./viewer.js";

const find = (id) => document.getElementById(id);
const data = JSON.parse(find("data").textContent);
const box = find("box");
const [before, after] = box.querySelectorAll("canvas");

let photograph = null; // What is shown.
let work = null; // An AbortController of what is computed.
let loaded = null; // { index, network }: a promise of the one that is open.

const viewer = new Viewer(box, (zoom) => {
  for (const button of document.querySelectorAll("[data-zoom]")) {
    const is = button.dataset.zoom === String(zoom ?? "");
    button.setAttribute("aria-pressed", String(is));
  }
});

function tell(problem) {
  find("problem").textContent = problem;
  find("problem").hidden = !problem;
}

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (of) => of.charCodeAt(0));
  const stream = new Blob([bytes]).stream();
  const unpacked = stream.pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(unpacked).arrayBuffer());
}

function makeWorker(name) {
  const script = new Blob([data.workers[name]], { type: "text/javascript" });
  const address = URL.createObjectURL(script);
  const worker = new Worker(address);
  URL.revokeObjectURL(address);
  return worker;
}

function findNetwork() {
  const index = find("network").selectedIndex;
  if (loaded?.index !== index) {
    closeNetwork();
    loaded = { index, network: openNetwork(index) };
    loaded.network.then(offerScales, () => {});
  }
  return loaded.network;
}

async function openNetwork(index) {
  const file = await unpack(data.networks[index].bytes);
  const wasm = await unpack(data.wasm[wasmKind()]);
  return load(file, { wasm, worker: () => makeWorker("engine") });
}

/** Lets visitors choose sizes up to that of the network, which is the first. */
function offerScales({ scale: most }) {
  const select = find("scale");
  if (select.length === most - 1) return;
  select.replaceChildren();
  for (let scale = most; scale > 1; --scale) {
    select.add(new Option(`x${scale}`, scale));
  }
}

function closeNetwork() {
  loaded?.network.then(
    (network) => network.close(),
    () => {},
  );
  loaded = null;
}

/** Enlarges a file, or says why that is not possible. */
async function open(file) {
  work?.abort();
  tell("");
  try {
    const read = await readPhotograph(file);
    photograph?.bitmap.close();
    photograph = { ...read, name: file.name || "photograph" };
  } catch (error) {
    tell(error.message);
    return;
  }
  await enlarge();
}

async function enlarge() {
  work?.abort();
  const controller = new AbortController();
  work = controller;
  const { signal } = controller;
  tell("");
  begin();
  try {
    const network = await findNetwork();
    signal.throwIfAborted();
    await compute(network, signal);
  } catch (error) {
    if (signal.aborted) {
      if (work === controller) stopped("Cancelled.");
      return;
    }
    // It is opened anew the next time.
    closeNetwork();
    stopped("");
    tell(sentence(error));
  } finally {
    if (work === controller) work = null;
  }
}

function sentence(error) {
  if (error.name === "EngineError") return error.message;
  if (error instanceof RangeError || error.name === "QuotaExceededError") {
    return "There is not enough memory for the larger picture: close other pages, or choose a smaller photograph.";
  }
  return `This went wrong: ${error.message}`;
}

async function compute(network, signal) {
  const { width, height, hasAlpha } = photograph;
  const scale = Number(find("scale").value);
  const larger = { width: scale * width, height: scale * height };
  const view = show(larger);
  const start = performance.now();
  const options = { scale, signal, onProgress: (...of) => progress(start, ...of) };
  const bands = network.bands(photograph, options);
  const png = new SavedPng(makeWorker("png"));
  try {
    await png.begin(larger.width, larger.height, hasAlpha ? 4 : 3);
    // A band is packed while the next is computed.
    let next = bands.next();
    for (;;) {
      const { done, value } = await next;
      if (done) break;
      next = bands.next();
      // Who waits for it learns of an error.
      next.catch(() => {});
      view.add(value.data);
      await png.write(value.data);
    }
    find("status").textContent = "Packing the file …";
    const blob = await png.finish();
    signal.throwIfAborted();
    finish(blob, larger, (performance.now() - start) / 1000, scale);
  } finally {
    png.close();
    await bands.return();
  }
}

/** Puts the photograph, as the browser enlarges it, into view. */
function show(larger) {
  const view = new ReducedView(after, larger.width, larger.height);
  before.width = after.width;
  before.height = after.height;
  const context = before.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(photograph.bitmap, 0, 0, before.width, before.height);
  viewer.show(after.width, after.height, photograph.hasAlpha);
  const note = find("reduced");
  note.hidden = view.step === 1;
  note.textContent =
    `You see ${size(before)} of ${size(larger)} pixels, so that the page stays fast. ` +
    "The saved PNG has every pixel.";
  return view;
}

function begin() {
  find("start").hidden = true;
  find("work").hidden = false;
  find("cancel").hidden = false;
  find("again").hidden = true;
  find("save").hidden = true;
  find("progress").value = 0;
  find("status").textContent = "Getting ready …";
  const { width, height } = photograph;
  find("facts").textContent = `${photograph.name}, ${size(photograph)} pixels`;
  viewer.show(width, height, false);
  for (const canvas of [before, after]) canvas.width = canvas.height = 1;
}

function progress(start, done, tiles) {
  find("progress").value = done / tiles;
  const seconds = (performance.now() - start) / 1000;
  const left = done ? Math.ceil((seconds / done) * (tiles - done)) : 0;
  find("status").textContent =
    `${done} of ${tiles} tiles` + (left > 1 ? `, about ${time(left)} left` : "");
}

function time(seconds) {
  const minutes = Math.floor(seconds / 60);
  return minutes ? `${minutes} min ${Math.round(seconds % 60)} s` : `${Math.round(seconds)} s`;
}

function stopped(text) {
  find("status").textContent = text;
  find("cancel").hidden = true;
  find("again").hidden = false;
  find("progress").value = 0;
}

function finish(blob, larger, seconds, scale) {
  const save = find("save");
  URL.revokeObjectURL(save.href);
  save.href = URL.createObjectURL(blob);
  save.download = `${photograph.name.replace(/\.[^.]*$/, "")}_x${scale}.png`;
  save.hidden = false;
  find("cancel").hidden = true;
  const speed = (larger.width * larger.height) / 1e6 / seconds;
  find("progress").value = 1;
  find("status").textContent =
    `${size(larger)} pixels in ${seconds < 60 ? `${seconds.toFixed(1)} s` : time(seconds)}, ` +
    `${speed.toFixed(speed < 10 ? 1 : 0)} megapixels a second`;
}

function takeFiles(files) {
  const file = [...(files ?? [])][0];
  if (file) open(file);
}

function listen() {
  const picker = find("file");
  find("choose").onclick = () => picker.click();
  find("another").onclick = () => picker.click();
  find("card").onclick = async () => open(await testCard());
  find("cancel").onclick = () => work?.abort();
  find("again").onclick = enlarge;
  find("smaller").onclick = () => viewer.step(-1);
  find("larger").onclick = () => viewer.step(1);
  for (const id of ["network", "scale"]) {
    find(id).onchange = () => photograph && enlarge();
  }
  for (const button of document.querySelectorAll("[data-zoom]")) {
    button.onclick = () => viewer.setZoom(Number(button.dataset.zoom) || null);
  }
  picker.onchange = () => {
    takeFiles(picker.files);
    picker.value = "";
  };
  addEventListener("paste", (event) => takeFiles(event.clipboardData?.files));
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dragging");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    takeFiles(event.dataTransfer?.files);
  });
  addEventListener("keydown", (event) => {
    if (find("work").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") viewer.step(1);
    else if (event.key === "-") viewer.step(-1);
    else if (event.key === "0") viewer.setZoom(null);
  });
}

function check() {
  wasmKind();
  if (typeof CompressionStream === "undefined" || typeof createImageBitmap === "undefined") {
    throw new Error("This browser is too old for this page: it cannot pack PNG files.");
  }
}

for (const { name } of data.networks) find("network").add(new Option(name));
listen();
try {
  check();
  findNetwork();
} catch (error) {
  tell(error.message);
  for (const control of document.querySelectorAll("button, select")) control.disabled = true;
}
