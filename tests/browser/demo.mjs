// Uses the demo page as people do: `drop.png`, `turned.jpg`, `wide.png`,
// `large.png`, `four.png` and `text.txt` are in the folder. What is saved goes
// there too.

import { access, readFile } from "node:fs/promises";
import path from "node:path";

const SIZES = { phone: [390, 844], desk: [1280, 900] };
const DONE = "#save:not([hidden])";

export default async function check(page, folder) {
  const browser = await page.createCDPSession();
  await browser.send("Browser.setDownloadBehavior", {
    behavior: "allow",
    downloadPath: folder,
  });
  const choose = async (name) => {
    const input = await page.$("#file");
    await input.uploadFile(path.join(folder, name));
  };
  const found = { wide: {}, saved: {} };
  const look = async (name) => {
    for (const [device, [width, height]] of Object.entries(SIZES)) {
      await page.setViewport({ width, height });
      await frames(page);
      const file = path.join(folder, `${name}_${device}.png`);
      await page.screenshot({ path: file, fullPage: true });
      found.wide[`${name}_${device}`] = await page.evaluate(
        () => document.documentElement.scrollWidth - window.innerWidth,
      );
    }
  };
  await look("start");
  await drop(page, path.join(folder, "drop.png"));
  found.saved.drop = await save(page, folder);
  found.done = await text(page, "#status");
  found.slider = await slide(page);
  found.zoom = await zoom(page);
  await look("done");
  await page.emulateMediaFeatures([
    { name: "prefers-color-scheme", value: "dark" },
  ]);
  await look("dark");
  found.dark = await page.evaluate(
    () => getComputedStyle(document.body).backgroundColor,
  );
  await page.emulateMediaFeatures([]);
  await choose("turned.jpg");
  found.saved.turned = await save(page, folder);
  await choose("wide.png");
  found.saved.wide = await save(page, folder);
  found.reduced = await text(page, "#reduced");
  await choose("text.txt");
  await page.waitForSelector("#problem:not([hidden])");
  found.problem = await text(page, "#problem");
  await look("problem");
  found.cancel = await cancel(page, () => choose("large.png"));
  await page.select("#network", "Again");
  found.saved.again = await save(page, folder);
  await page.select("#network", "Four");
  await choose("four.png");
  found.saved.four = await save(page, folder);
  found.sizes = await page.$$eval("#scale option", (all) =>
    all.map((of) => of.textContent),
  );
  await page.select("#scale", "2");
  found.saved.half = await save(page, folder);
  await page.select("#scale", "3");
  found.saved.third = await save(page, folder);
  found.hidden = await page.$eval("#problem", (of) => of.hidden);
  return found;
}

const text = (page, of) => page.$eval(of, (element) => element.textContent);

function frames(page) {
  return page.evaluate(async () => {
    for (let i = 0; i < 2; ++i) {
      await new Promise((done) => requestAnimationFrame(() => done()));
    }
  });
}

async function drop(page, file) {
  const bytes = (await readFile(file)).toString("base64");
  await page.evaluate(
    (data, name) => {
      const all = Uint8Array.from(atob(data), (of) => of.charCodeAt(0));
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([all], name, { type: "image/png" }));
      const options = { dataTransfer, bubbles: true, cancelable: true };
      document.body.dispatchEvent(new DragEvent("drop", options));
    },
    bytes,
    path.basename(file),
  );
}

/** Waits until it is done, and saves it. Returns the name of the file. */
async function save(page, folder) {
  // What was done before is not taken for it.
  await frames(page);
  await page.waitForFunction(() => !document.getElementById("cancel").hidden
    || !document.getElementById("save").hidden);
  await page.waitForSelector(DONE, { timeout: 60000 });
  const name = await page.$eval("#save", (link) => link.download);
  await page.click("#save");
  for (let i = 0; i < 100; ++i) {
    const exists = await access(path.join(folder, name)).then(
      () => true,
      () => false,
    );
    if (exists) return name;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`${name} was not saved`);
}

async function slide(page) {
  await page.focus("#slider");
  const states = [];
  for (const key of [null, "ArrowRight", "Home", "End"]) {
    if (key) await page.keyboard.press(key);
    states.push(
      await page.evaluate(() => ({
        value: Number(document.getElementById("slider").value),
        clip: document.querySelector(".after").style.clipPath,
      })),
    );
  }
  const box = await (await page.$("#box")).boundingBox();
  await page.mouse.click(box.x + 0.25 * box.width, box.y + 0.5 * box.height);
  states.push({
    value: await page.$eval("#slider", (range) => Number(range.value)),
  });
  return states;
}

async function zoom(page) {
  const scale = () =>
    page.$eval(".stage", (stage) => new DOMMatrix(stage.style.transform).a);
  const scales = { fit: await scale() };
  await page.keyboard.press("+");
  scales.plus = await scale();
  await page.keyboard.press("-");
  scales.minus = await scale();
  for (const name of ["1", "2"]) {
    await page.click(`[data-zoom="${name}"]`);
    scales[name] = await scale();
  }
  const place = () =>
    page.$eval(".stage", (stage) => new DOMMatrix(stage.style.transform).e);
  await page.click("#larger");
  for (let i = 0; i < 4; ++i) await page.click("#larger");
  const before = await place();
  const box = await (await page.$("#box")).boundingBox();
  const [x, y] = [box.x + 0.6 * box.width, box.y + 0.5 * box.height];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + 20, y, { steps: 4 });
  await page.mouse.up();
  scales.panned = (await place()) - before;
  await page.mouse.wheel({ deltaY: 100 });
  scales.wheel = await scale();
  await page.click('[data-zoom=""]');
  scales.end = await scale();
  return scales;
}

async function cancel(page, begin) {
  await begin();
  await page.waitForFunction(
    () => /^[1-9]\d* of/.test(document.getElementById("status").textContent),
    { polling: "mutation", timeout: 60000 },
  );
  await page.click("#cancel");
  await page.waitForSelector("#again:not([hidden])");
  const status = await text(page, "#status");
  const saves = await page.$eval("#save", (link) => !link.hidden);
  await page.click("#again");
  await page.waitForSelector(DONE, { timeout: 60000 });
  return { status, saves, again: await text(page, "#status") };
}
