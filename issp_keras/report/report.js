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

class Slider {
  constructor(slider) {
    this.box = slider.querySelector(".box");
    this.stage = slider.querySelector(".stage");
    this.hand = slider.querySelector(".hand");
    this.range = slider.querySelector("input[type=range]");
    this.pictures = [...slider.querySelectorAll(".picture")];
    this.choices = [...slider.querySelectorAll("select")];
    this.buttons = [...slider.querySelectorAll("[data-zoom]")];
    this.listen();
    this.pull(slider.querySelector(".grip"));
  }

  get share() {
    const { value, min, max } = this.range;
    return (value - min) / (max - min);
  }

  get isZoomed() {
    return this.box.classList.contains("zoomed");
  }

  listen() {
    this.range.addEventListener("input", () => this.place());
    this.box.addEventListener("scroll", () => this.place());
    new ResizeObserver(() => this.fit()).observe(this.box);
    for (const choice of this.choices) {
      choice.addEventListener("change", () => this.choose());
    }
    for (const button of this.buttons) {
      button.addEventListener("click", () => this.zoom(button));
    }
  }

  pull(grip) {
    const follow = (event) => this.follow(event);
    // Some browsers move a range by its small thumb alone.
    whilePulled(this.range, () => true, follow);
    whilePulled(grip, () => true, follow);
    // A finger scrolls by itself, and so does the bar of a scroller.
    const mayPan = (event) =>
      this.isZoomed &&
      event.pointerType === "mouse" &&
      event.target !== this.box;
    whilePulled(this.box, mayPan, (event) => {
      this.box.scrollLeft -= event.movementX;
      this.box.scrollTop -= event.movementY;
    });
    this.box.addEventListener("dragstart", (event) => event.preventDefault());
    // A finger that turns out to scroll the page leaves the line alone.
    let before;
    this.range.addEventListener("pointerdown", () => {
      before = this.range.value;
    }, true);
    this.range.addEventListener("pointercancel", () => {
      this.range.value = before;
      this.place();
    });
  }

  // The hand is where the view is, of pictures that may be larger.
  place() {
    const { box, hand, range, stage } = this;
    const x = box.scrollLeft + box.clientWidth * this.share;
    stage.style.setProperty("--x", `${(100 * x) / stage.clientWidth}%`);
    hand.style.setProperty("--at", `${100 * this.share}%`);
    range.setAttribute("aria-valuetext", `${Math.round(100 * this.share)} %`);
  }

  follow(event) {
    const { left, width } = this.hand.getBoundingClientRect();
    const at = Math.min(Math.max((event.clientX - left) / width, 0), 1);
    const { min, max } = this.range;
    this.range.value = Number(min) + Math.round(at * (max - min));
    this.place();
  }

  // Makes the hand as large as the view.
  fit() {
    const { box, hand } = this;
    hand.style.height = this.isZoomed ? `${box.clientHeight}px` : "";
    hand.style.width = this.isZoomed ? `${box.clientWidth}px` : "";
    this.place();
  }

  choose() {
    const [left, right] = this.choices.map((choice) => Number(choice.value));
    this.pictures.forEach((picture, i) => {
      // The same on both sides is one picture.
      const other = i === right ? "right" : "none";
      picture.dataset.side = i === left ? "left" : other;
    });
  }

  zoom(button) {
    for (const other of this.buttons) {
      other.setAttribute("aria-pressed", String(other === button));
    }
    const { box, hand, stage } = this;
    const factor = button.dataset.zoom;
    // What is in the middle of the view stays there.
    const x = (box.scrollLeft + box.clientWidth / 2) / stage.clientWidth;
    const y = (box.scrollTop + box.clientHeight / 2) / stage.clientHeight;
    // Or a hand as wide as before would keep the box wide.
    hand.style.width = hand.style.height = "";
    const isLarger = factor !== "fit";
    box.classList.toggle("zoomed", isLarger);
    // So that arrow keys scroll it.
    box.tabIndex = isLarger ? 0 : -1;
    box.style.setProperty("--zoom", isLarger ? factor : 1);
    box.scrollLeft = x * stage.clientWidth - box.clientWidth / 2;
    box.scrollTop = y * stage.clientHeight - box.clientHeight / 2;
    this.fit();
  }
}

function whilePulled(element, mayBegin, follow) {
  element.addEventListener("pointerdown", (event) => {
    if (mayBegin(event)) {
      event.preventDefault();
      event.stopPropagation();
      element.setPointerCapture(event.pointerId);
      element.focus({ preventScroll: true });
      // A finger may be about to scroll the page.
      if (event.pointerType === "mouse") {
        follow(event);
      }
    }
  });
  for (const type of ["pointermove", "pointerup"]) {
    element.addEventListener(type, (event) => {
      if (element.hasPointerCapture(event.pointerId)) {
        follow(event);
      }
    });
  }
}

for (const slider of document.querySelectorAll(".slider")) {
  new Slider(slider);
}
