// Two pictures of one size, one behind the other, with a line between them.

const LARGEST = 8; // Or so many times what fits.
const STEP = 1.25;
const NEAR = 28; // Pixels around the line in which it is taken.

export class Viewer {
  #box;
  #stage;
  #before;
  #after;
  #isSplit = false;
  #range;
  #line;
  #width = 1;
  #height = 1;
  #zoom = null; // Of a picture's pixels; null to fit.
  #x = 0; // Where the picture begins in the box.
  #y = 0;
  #pointers = new Map();
  #drag = null;

  constructor(box, onZoom) {
    this.#box = box;
    this.onZoom = onZoom;
    this.#stage = box.querySelector(".stage");
    this.#before = box.querySelector(".before");
    this.#after = box.querySelector(".after");
    this.#range = box.querySelector("input");
    this.#line = box.querySelector(".line");
    this.#range.addEventListener("input", () => this.#draw());
    box.addEventListener("pointerdown", (event) => this.#down(event));
    box.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) {
      box.addEventListener(name, (event) => this.#up(event));
    }
    box.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    new ResizeObserver(() => this.#draw()).observe(box);
  }

  /**
   * Shows pictures of this size from now on. Where one can be seen through,
   * the other is not to be behind it.
   */
  show(width, height, isSplit) {
    this.#isSplit = isSplit;
    this.#width = width;
    this.#height = height;
    this.#box.style.setProperty("--ratio", width / height);
    this.#range.value = 50;
    this.setZoom(null);
  }

  get zoom() {
    return this.#zoom;
  }

  /** Sets pixels of the screen for one of the picture; null to fit. */
  setZoom(zoom, at = this.#middle()) {
    const before = this.#scale();
    this.#zoom = zoom;
    const by = this.#scale() / before;
    this.#x = at.x - by * (at.x - this.#x);
    this.#y = at.y - by * (at.y - this.#y);
    this.#draw();
    this.onZoom(zoom);
  }

  /** Makes it larger, or smaller with a step of -1. */
  step(by, at) {
    const scale = this.#scale() * STEP ** by;
    const fits = scale <= this.#fit();
    this.setZoom(fits ? null : Math.min(scale, this.#most()), at);
  }

  #fit() {
    const { clientWidth, clientHeight } = this.#box;
    return Math.min(clientWidth / this.#width, clientHeight / this.#height);
  }

  #most() {
    return LARGEST * Math.max(1, this.#fit());
  }

  #scale() {
    return this.#zoom ?? this.#fit();
  }

  #middle() {
    return { x: this.#box.clientWidth / 2, y: this.#box.clientHeight / 2 };
  }

  #draw() {
    const { clientWidth, clientHeight } = this.#box;
    const scale = this.#scale();
    const inside = (place, room, length) =>
      length <= room ? (room - length) / 2 : Math.min(0, Math.max(place, room - length));
    this.#x = inside(this.#x, clientWidth, scale * this.#width);
    this.#y = inside(this.#y, clientHeight, scale * this.#height);
    this.#stage.style.width = `${this.#width}px`;
    this.#stage.style.height = `${this.#height}px`;
    this.#stage.style.transform = `translate(${this.#x}px, ${this.#y}px) scale(${scale})`;
    this.#stage.classList.toggle("pixels", scale >= 2);
    this.#box.classList.toggle("pans", this.#zoom !== null);
    const line = (this.#range.value / 100) * clientWidth;
    const hidden = Math.max(0, (line - this.#x) / scale);
    const rest = this.#isSplit ? Math.max(0, this.#width - hidden) : 0;
    this.#after.style.clipPath = `inset(0 0 0 ${hidden}px)`;
    this.#before.style.clipPath = `inset(0 ${rest}px 0 0)`;
    this.#line.style.left = `${line}px`;
  }

  #place(event) {
    const { left, top } = this.#box.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  #down(event) {
    const place = this.#place(event);
    this.#box.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, place);
    const line = (this.#range.value / 100) * this.#box.clientWidth;
    const pans = this.#zoom !== null && Math.abs(place.x - line) > NEAR;
    this.#drag = pans ? "pan" : "line";
    if (!pans) this.#moveLine(place);
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const place = this.#place(event);
    if (this.#pointers.size > 1) {
      this.#pinch(event.pointerId, before, place);
    } else if (this.#drag === "pan") {
      this.#x += place.x - before.x;
      this.#y += place.y - before.y;
      this.#draw();
    } else {
      this.#moveLine(place);
    }
    this.#pointers.set(event.pointerId, place);
  }

  #up(event) {
    this.#pointers.delete(event.pointerId);
    // A finger that stays after a pinch does not take the line with it.
    this.#drag = "pan";
  }

  #moveLine({ x }) {
    this.#range.value = (100 * x) / this.#box.clientWidth;
    this.#draw();
  }

  #pinch(id, before, after) {
    const [, other] = [...this.#pointers].find(([of]) => of !== id);
    const length = (to) => Math.hypot(to.x - other.x, to.y - other.y) || 1;
    const scale = (this.#scale() * length(after)) / length(before);
    const at = { x: (after.x + other.x) / 2, y: (after.y + other.y) / 2 };
    this.setZoom(scale <= this.#fit() ? null : Math.min(scale, this.#most()), at);
  }

  #wheel(event) {
    event.preventDefault();
    this.step(event.deltaY < 0 ? 1 : -1, this.#place(event));
  }
}
