"use strict";

document.documentElement.classList.add("js");

// Tables.

const collator = new Intl.Collator(undefined, { numeric: true });

function compare(a, b, isNumber) {
  if (!isNumber) {
    return collator.compare(a.textContent, b.textContent);
  }
  return Number(a.dataset.value) - Number(b.dataset.value);
}

function sort(table, header) {
  const column = header.cellIndex;
  const isNumber = header.dataset.kind === "number";
  const descends = header.getAttribute("aria-sort") === "ascending";
  const body = table.tBodies[0];
  const rows = [...body.rows];
  // A cell without a number stays behind all others in both directions.
  const isMissing = (row) => isNumber && !("value" in row.cells[column].dataset);
  const missing = rows.filter(isMissing);
  const found = rows.filter((row) => !isMissing(row));
  found.sort((a, b) => {
    const order = compare(a.cells[column], b.cells[column], isNumber);
    return descends ? -order : order;
  });
  body.append(...found, ...missing);
  for (const other of header.parentElement.cells) {
    other.removeAttribute("aria-sort");
  }
  header.setAttribute("aria-sort", descends ? "descending" : "ascending");
}

for (const table of document.querySelectorAll("table.sortable")) {
  table.tHead.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) {
      sort(table, button.closest("th"));
    }
  });
}

// Pictures.

function makeSlider(slider) {
  const box = slider.querySelector(".box");
  const stage = slider.querySelector(".stage");
  const hand = slider.querySelector(".hand");
  const range = hand.querySelector("input");
  const grip = hand.querySelector(".grip");
  const pictures = [...stage.querySelectorAll(".picture")];

  const share = () => (range.value - range.min) / (range.max - range.min);

  // The hand is where the view is, of pictures that may be larger.
  function place() {
    const x = box.scrollLeft + box.clientWidth * share();
    stage.style.setProperty("--x", `${(100 * x) / stage.clientWidth}%`);
    hand.style.setProperty("--at", `${100 * share()}%`);
    range.setAttribute("aria-valuetext", `${Math.round(100 * share())} %`);
  }

  function follow(event) {
    const { left, width } = hand.getBoundingClientRect();
    const at = Math.min(Math.max((event.clientX - left) / width, 0), 1);
    const span = range.max - range.min;
    range.value = Number(range.min) + Math.round(at * span);
    place();
  }

  const isZoomed = () => box.classList.contains("zoomed");

  // Some browsers move a range by its small thumb alone.
  whilePulled(range, () => true, follow);
  whilePulled(grip, () => true, follow);
  // A finger scrolls by itself, and so does the bar of a scroller.
  const pulls = (event) =>
    isZoomed() && event.pointerType === "mouse" && event.target !== box;
  whilePulled(box, pulls, (event) => {
    box.scrollLeft -= event.movementX;
    box.scrollTop -= event.movementY;
  });
  box.addEventListener("dragstart", (event) => event.preventDefault());
  range.addEventListener("input", place);
  box.addEventListener("scroll", place);

  // The hand is as large as the view.
  function fit() {
    hand.style.height = isZoomed() ? `${box.clientHeight}px` : "";
    hand.style.width = isZoomed() ? `${box.clientWidth}px` : "";
    place();
  }

  new ResizeObserver(fit).observe(box);

  for (const choice of slider.querySelectorAll("select")) {
    choice.addEventListener("change", () => choose(slider, pictures));
  }

  const buttons = [...slider.querySelectorAll("[data-zoom]")];
  for (const button of buttons) {
    button.addEventListener("click", () => {
      for (const other of buttons) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      // Or a hand as wide as before would keep the box wide.
      hand.style.width = hand.style.height = "";
      zoom(box, stage, button.dataset.zoom);
      fit();
    });
  }
}

function whilePulled(element, mayBegin, follow) {
  element.addEventListener("pointerdown", (event) => {
    if (mayBegin(event)) {
      event.preventDefault();
      event.stopPropagation();
      element.setPointerCapture(event.pointerId);
      element.focus({ preventScroll: true });
      follow(event);
    }
  });
  element.addEventListener("pointermove", (event) => {
    if (element.hasPointerCapture(event.pointerId)) {
      follow(event);
    }
  });
}

function choose(slider, pictures) {
  const chosen = {};
  for (const choice of slider.querySelectorAll("select")) {
    chosen[choice.dataset.side] = Number(choice.value);
  }
  pictures.forEach((picture, i) => {
    const isRight = i === chosen.right && chosen.left !== chosen.right;
    const isLeft = i === chosen.left;
    picture.dataset.side = isRight ? "right" : isLeft ? "left" : "none";
  });
}

function zoom(box, stage, factor) {
  // What is in the middle of the view stays there.
  const x = (box.scrollLeft + box.clientWidth / 2) / stage.clientWidth;
  const y = (box.scrollTop + box.clientHeight / 2) / stage.clientHeight;
  const isLarger = factor !== "fit";
  box.classList.toggle("zoomed", isLarger);
  // So that arrow keys scroll it.
  box.tabIndex = isLarger ? 0 : -1;
  box.style.setProperty("--zoom", isLarger ? factor : 1);
  box.scrollLeft = x * stage.clientWidth - box.clientWidth / 2;
  box.scrollTop = y * stage.clientHeight - box.clientHeight / 2;
}

for (const slider of document.querySelectorAll(".slider")) {
  makeSlider(slider);
}
