// Opens a page in headless Chromium and runs a check on it.
//
//     node driver.mjs MODULES CHROMIUM CHECK PAGE FOLDER
//
// MODULES is a folder in which npm has installed puppeteer-core. CHECK is a
// module whose default export takes the page of puppeteer and FOLDER, where
// screenshots go, and returns what it found. Prints JSON: `found`, `errors`
// of the console and of scripts, and `requests` beside that of the page.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import path from "node:path";

const [modules, chromium, check, file, folder] = process.argv.slice(2);
const require = createRequire(path.join(path.resolve(modules), "any.js"));
const puppeteer = require("puppeteer-core");

const browser = await puppeteer.launch({
  executablePath: chromium,
  // Tests may run as root in a container, where the sandbox cannot start.
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
});
try {
  const page = await browser.newPage();
  const errors = [];
  const requests = [];
  const address = pathToFileURL(path.resolve(file)).href;
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) {
      errors.push(message.text());
    }
  });
  page.on("request", (request) => {
    const url = request.url();
    if (url !== address && !url.startsWith("data:") && !url.startsWith("blob:")) {
      requests.push(url);
    }
  });
  await page.goto(address, { waitUntil: "load" });
  const { default: run } = await import(pathToFileURL(path.resolve(check)).href);
  const found = await run(page, path.resolve(folder));
  console.log(JSON.stringify({ found, errors, requests }));
} finally {
  await browser.close();
}
