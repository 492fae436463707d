// Sorts the first table, moves the first slider, and looks at a report in
// several sizes, in the dark and in print.

import { createHash } from "node:crypto";
import path from "node:path";

const SIZES = { phone: [390, 844], desk: [1280, 900] };

export default async function check(page, folder) {
  const found = { sorted: await sortByKeyboard(page) };
  found.slider = (await page.$(".slider")) ? await slide(page) : null;
  found.chosen = (await page.$(".slider select")) ? await choose(page) : null;
  found.zoom = (await page.$("[data-zoom]")) ? await zoom(page) : null;
  found.pull = found.zoom ? await pull(page) : null;
  found.touch = (await page.$(".slider")) ? await touch(page) : null;
  found.wide = {};
  for (const [name, [width, height]] of Object.entries(SIZES)) {
    await page.setViewport({ width, height });
    found.wide[name] = await page.evaluate(
      () => document.documentElement.scrollWidth - window.innerWidth,
    );
    const file = path.join(folder, `${name}.png`);
    await page.screenshot({ path: file, fullPage: true });
  }
  await page.emulateMediaFeatures([
    { name: "prefers-color-scheme", value: "dark" },
  ]);
  found.dark = await page.evaluate(
    () => getComputedStyle(document.body).backgroundColor,
  );
  await page.screenshot({ path: path.join(folder, "dark.png"), fullPage: true });
  await page.emulateMediaFeatures([]);
  await page.emulateMediaType("print");
  found.print = await page.evaluate(inPrint);
  await page.screenshot({ path: path.join(folder, "print.png"), fullPage: true });
  return found;
}

async function sortByKeyboard(page) {
  if (!(await page.$("table.sortable"))) {
    return null;
  }
  const orders = [];
  // The last column: numbers in all reports.
  await page.focus("table.sortable thead th:last-child button");
  for (const key of ["Enter", "Space"]) {
    await page.keyboard.press(key);
    orders.push(
      await page.$eval("table.sortable", (table) => {
        const header = table.tHead.rows[0].lastElementChild;
        return {
          ariaSort: header.getAttribute("aria-sort"),
          values: [...table.tBodies[0].rows].map(
            (row) => row.lastElementChild.dataset.value ?? null,
          ),
        };
      }),
    );
  }
  return orders;
}

async function slide(page) {
  const first = await page.$(".slider");
  await first.scrollIntoView();
  const range = await first.$("input[type=range]");
  await range.focus();
  const states = [];
  for (const keys of [[], Array(20).fill("ArrowRight"), ["Home"]]) {
    for (const key of keys) {
      await page.keyboard.press(key);
    }
    states.push({
      value: await range.evaluate((input) => Number(input.value)),
      clip: await first.$eval(
        ".picture[data-side=right]",
        (picture) => getComputedStyle(picture).clipPath,
      ),
      seen: digest(await (await first.$(".box")).screenshot()),
    });
  }
  const box = await (await first.$(".box")).boundingBox();
  await page.mouse.click(box.x + 0.25 * box.width, box.y + 0.5 * box.height);
  states.push({
    value: await range.evaluate((input) => Number(input.value)),
  });
  return states;
}

function digest(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

// On which side each picture is, after the reader has chosen two others.
async function choose(page) {
  await page.select(".slider select[data-side=left]", "1");
  await page.select(".slider select[data-side=right]", "2");
  return page.$$eval(".slider .picture", (pictures) =>
    pictures.map((picture) => picture.dataset.side),
  );
}

async function zoom(page) {
  const range = ".slider input[type=range]";
  await page.$eval(range, (input) => {
    input.value = 100;
    input.dispatchEvent(new Event("input"));
  });
  const found = {};
  for (const name of ["1", "2", "4", "fit"]) {
    await page.click(`.slider [data-zoom="${name}"]`);
    found[name] = await page.$eval(".slider .box", async (box) => {
      // What the page does when it scrolls comes with the next frame.
      await new Promise((done) => requestAnimationFrame(() => done()));
      await new Promise((done) => requestAnimationFrame(() => done()));
      const stage = box.querySelector(".stage");
      const share = parseFloat(stage.style.getPropertyValue("--x")) / 100;
      return {
        width: stage.clientWidth,
        line: share * stage.clientWidth - box.scrollLeft,
        middle: box.clientWidth / 2,
      };
    });
  }
  return found;
}

// Pulls the picture and the grip where the picture is larger than its frame.
async function pull(page) {
  await page.click('.slider [data-zoom="4"]');
  const state = () =>
    page.$eval(".slider .box", (box) => ({
      left: box.scrollLeft,
      value: Number(box.querySelector("input").value),
    }));
  const states = [await state()];
  const box = await (await page.$(".slider .box")).boundingBox();
  await drag(page, box.x + 50, box.y + 20, 30);
  states.push(await state());
  const grip = await (await page.$(".slider .grip")).boundingBox();
  const middle = grip.x + grip.width / 2;
  await drag(page, middle, grip.y + grip.height / 2, box.width / 4);
  states.push(await state());
  await page.click('.slider [data-zoom="fit"]');
  return states;
}

// A finger moves the line sideways, and scrolls the page up and down.
async function touch(page) {
  await page.setViewport({ width: 390, height: 844, hasTouch: true });
  const first = await page.$(".slider .box");
  await first.scrollIntoView();
  const state = () =>
    page.$eval(".slider input", (input) => ({
      value: Number(input.value),
      top: window.scrollY,
    }));
  const states = [await state()];
  for (const [right, down] of [[0.2, 0], [0, -0.2]]) {
    const box = await first.boundingBox();
    const x = box.x + 0.5 * box.width;
    const y = box.y + 0.5 * box.height;
    const { top } = states.at(-1);
    await swipe(page, x, y, right * box.width, down * 844);
    // A busy machine scrolls late. If the page never moves, the test fails.
    const hasMoved = (was) => window.scrollY !== was;
    const limit = { timeout: down ? 5000 : 300 };
    await page.waitForFunction(hasMoved, limit, top).catch(() => {});
    states.push(await state());
  }
  return states;
}

async function swipe(page, x, y, right, down) {
  const finger = await page.touchscreen.touchStart(x, y);
  for (let i = 1; i <= 20; ++i) {
    await finger.move(x + (right * i) / 20, y + (down * i) / 20);
  }
  await finger.end();
}

async function drag(page, x, y, right) {
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + right, y, { steps: 5 });
  await page.mouse.up();
}

// What a page in print is like: pictures beside each other, and no sliders.
function inPrint() {
  const slider = document.querySelector(".slider");
  if (!slider) {
    return null;
  }
  const pictures = [...slider.querySelectorAll(".picture")];
  const places = pictures.map((picture) => picture.getBoundingClientRect());
  return {
    range: slider.querySelector("input").getClientRects().length,
    clips: pictures.map((picture) => getComputedStyle(picture).clipPath),
    seen: pictures.every((of) => getComputedStyle(of).visibility === "visible"),
    beside: places
      .slice(1)
      .every((place, i) => place.left >= places[i].right - 1),
  };
}
