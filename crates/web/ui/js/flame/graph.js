// @ts-check
/**
 * The flame graph: a canvas that shows a window of a call tree, and what the pointer and the keys do on it.
 *
 * It knows nodes, not state: what the reader does is told to its owner, who answers by `show`, `zoomTo` or `select`.
 */

import { h } from '../dom.js';
import { paint } from '../theme.js';
import { draw, focusRing, hatching } from './draw.js';
import { Cuts, Ruler } from './label.js';
import { Outline } from './outline.js';
import { Boxes, ROW, boxAt, collect, heightOf, rowTop } from './scene.js';
import { carried, idOf, inward, sideways } from './walk.js';

/** @typedef {import('../profile/frames.js').Frames} Frames */
/** @typedef {import('../profile/tree.js').Tree} Tree */

/**
 * @typedef {object} Told
 * @property {(node: number, small: number) => void} hovered -1 for none; `small` counts merged frames, 0 for a single one
 * @property {(node: number) => void} selected
 * @property {(node: number) => void} zoomed
 * @property {(node: number) => void} focused shift-click
 * @property {(node: number, x: number, y: number) => void} menu
 * @property {(node: number) => string} describe for screen readers
 */

const FONT = '12px -apple-system, "Segoe UI", Roboto, Cantarell, Ubuntu, "Noto Sans", "Liberation Sans", system-ui, sans-serif';
const GLIDE = 140;

export class FlameGraph {
  /** @type {Frames | null} */
  #frames = null;
  /** @type {Tree | null} */
  #tree = null;
  /** @type {Cuts | null} */
  #cuts = null;
  /** @type {Ruler | null} */
  #ruler = null;
  /** @type {Uint8Array | null} */
  #matches = null;
  #boxes = new Boxes();
  #rootName = '';
  #zoomed = 0;
  #selected = -1;
  #hovered = -1;
  /** The window, as parts of the zoomed node's width. */
  #left = 0;
  #right = 1;
  /** @type {{ x0: number, x1: number, since: number } | null} where a glide began */
  #glide = null;
  #asked = 0;
  /** @type {{ paint: import('../palette.js').Paint, ratio: number, hatch: CanvasPattern | null } | null} */
  #ink = null;
  #pressed = { x: 0, y: 0, left: 0, right: 0, top: 0, down: false, moved: false };

  /**
   * @param {string} name what screen readers call it
   * @param {boolean} flip root at the bottom
   * @param {Told} told
   */
  constructor(name, flip, told) {
    this.flip = flip;
    this.told = told;
    this.canvas = h('canvas', { 'aria-hidden': 'true' });
    this.spacer = h('div', { class: 'flame-spacer' });
    this.outline = new Outline((node) => told.describe(node));
    this.element = h('div', { class: 'flame', role: 'tree', tabindex: '0', 'aria-label': name }, this.canvas, this.spacer, this.outline.element);
    const cx = this.canvas.getContext('2d', { alpha: false });
    if (!cx) throw new Error('this browser cannot draw on a canvas');
    this.cx = cx;
    new ResizeObserver(() => this.#resized()).observe(this.element);
    this.#listen();
  }

  get zoomed() {
    return this.#zoomed;
  }

  /** Whether all of the tree is in the window. */
  get whole() {
    return this.#zoomed === 0 && this.#left <= 0 && this.#right >= 1;
  }

  get selected() {
    return this.#selected;
  }

  /**
   * Shows a tree. What was selected and zoomed stays so, by path; `zoom` overrides where the owner knows better.
   * @param {Frames} frames
   * @param {Tree} tree
   * @param {string} rootName
   * @param {number} zoom node, -1 to keep
   */
  show(frames, tree, rootName, zoom) {
    const before = this.#tree;
    const kept = before && zoom < 0 ? carried(before, this.#zoomed, tree) : Math.max(0, zoom);
    this.#selected = before && this.#selected >= 0 ? carried(before, this.#selected, tree) : -1;
    // A window the reader dragged or wheeled to stays while its frame does.
    if (!before || idOf(before, this.#zoomed) !== idOf(tree, kept)) [this.#left, this.#right] = [0, 1];
    if (frames !== this.#frames) this.#cuts = new Cuts(frames);
    const firstFlip = this.flip && (!before || before.maxDepth !== tree.maxDepth);
    this.#frames = frames;
    this.#tree = tree;
    this.#rootName = rootName;
    this.#zoomed = kept;
    this.#hovered = -1;
    this.#glide = null;
    this.#size();
    if (firstFlip) this.element.scrollTop = this.element.scrollHeight;
    this.outline.show(tree, this.#selected < 0 ? kept : this.#selected);
    this.repaint();
  }

  /** @param {Uint8Array | null} matches by frame */
  mark(matches) {
    this.#matches = matches;
    this.repaint();
  }

  /**
   * @param {number} node
   * @param {boolean} glide whether the eye is led there
   */
  zoomTo(node, glide) {
    if (!this.#tree) return;
    const { x0, x1 } = this.#range();
    this.#zoomed = node;
    [this.#left, this.#right] = [0, 1];
    const still = !glide || matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.#glide = still ? null : { x0, x1, since: performance.now() };
    this.repaint();
  }

  /**
   * Selects a node and brings it into view; -1 selects none.
   * @param {number} node
   */
  select(node) {
    this.#selected = node;
    if (node >= 0 && this.#tree) {
      const top = this.#rowTopOf(node) + this.element.scrollTop;
      const { clientHeight, scrollTop } = this.element;
      if (top < scrollTop) this.element.scrollTop = top;
      else if (top + ROW > scrollTop + clientHeight) this.element.scrollTop = top + ROW - clientHeight;
      this.outline.show(this.#tree, node);
      this.element.setAttribute('aria-activedescendant', this.outline.idOf(node));
    }
    this.repaint();
  }

  /** After the theme changed. */
  recolour() {
    this.#ink = null;
    this.repaint();
  }

  /** Draws before the next picture of the screen, once. */
  repaint() {
    if (this.#asked === 0) this.#asked = requestAnimationFrame(() => this.#draw());
  }

  #resized() {
    this.#size();
    this.#draw();
  }

  #size() {
    if (this.#tree) this.spacer.style.height = `${heightOf(this.#tree)}px`;
  }

  /** Values at the left and right edge. */
  #range() {
    const tree = this.#tree;
    if (!tree) return { x0: 0, x1: 1 };
    const x = tree.x[this.#zoomed] ?? 0;
    const width = tree.total[this.#zoomed] ?? 1;
    return { x0: x + width * this.#left, x1: x + width * this.#right };
  }

  /** @returns {import('./scene.js').Window} */
  #window() {
    let { x0, x1 } = this.#range();
    if (this.#glide) {
      const t = Math.min(1, (performance.now() - this.#glide.since) / GLIDE);
      const eased = 1 - (1 - t) ** 3;
      x0 = this.#glide.x0 + (x0 - this.#glide.x0) * eased;
      x1 = this.#glide.x1 + (x1 - this.#glide.x1) * eased;
      if (t >= 1) this.#glide = null;
    }
    return { x0, x1, width: this.element.clientWidth, top: this.element.scrollTop, height: this.element.clientHeight, flip: this.flip };
  }

  /** @param {number} node */
  #rowTopOf(node) {
    return this.#tree ? rowTop(this.#tree.depth[node] ?? 0, this.#tree, this.#window()) : 0;
  }

  #draw() {
    this.#asked = 0;
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!this.#tree || !this.#frames || !this.#cuts || width === 0 || height === 0) return;
    const ratio = devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
    }
    this.cx.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.cx.font = FONT;
    this.#ruler ??= new Ruler((text) => this.cx.measureText(text).width);
    if (this.#ink?.ratio !== ratio) {
      const colours = paint();
      this.#ink = { paint: colours, ratio, hatch: hatching(this.cx, colours.hatch, ratio) };
    }
    const view = this.#window();
    collect(this.#tree, view, this.#boxes);
    draw(this.cx, {
      frames: this.#frames, tree: this.#tree, boxes: this.#boxes, matches: this.#matches, selected: this.#selected, hovered: this.#hovered,
      zoomed: this.#zoomed, rootName: this.#rootName, ruler: this.#ruler, cuts: this.#cuts,
    }, this.#ink.paint, this.#ink.hatch, width, height);
    focusRing(this.cx, this.element, this.#ink.paint.mark, width, height);
    if (this.#glide) this.repaint();
  }

  #listen() {
    const { element } = this;
    element.addEventListener('scroll', () => this.repaint(), { passive: true });
    element.addEventListener('pointermove', (event) => this.#moved(event));
    element.addEventListener('pointerleave', () => this.#hover(-1));
    element.addEventListener('pointerdown', (event) => {
      if (event.button !== 0 || event.pointerType === 'touch') return;
      this.#pressed = { x: event.clientX, y: event.clientY, left: this.#left, right: this.#right, top: element.scrollTop, down: true, moved: false };
    });
    addEventListener('pointerup', () => { this.#pressed.down = false; });
    element.addEventListener('click', (event) => this.#clicked(event));
    element.addEventListener('contextmenu', (event) => {
      const b = this.#under(event);
      const node = event.button === 2 || event.detail > 0 || b >= 0 ? (this.#boxes.node[b] ?? -1) : this.#selected;
      if (node < 0) return;
      event.preventDefault();
      this.#choose(node);
      this.told.menu(node, event.clientX, event.clientY);
    });
    element.addEventListener('wheel', (event) => this.#wheeled(event), { passive: false });
    element.addEventListener('keydown', (event) => this.#key(event));
    element.addEventListener('blur', () => this.repaint());
    element.addEventListener('focus', () => {
      this.repaint();
      if (this.#selected < 0 && this.#tree && element.matches(':focus-visible')) this.#choose(this.#zoomed);
    });
  }

  /** @param {MouseEvent} event */
  #under(event) {
    const place = this.element.getBoundingClientRect();
    return boxAt(this.#boxes, event.clientX - place.left - this.element.clientLeft, event.clientY - place.top - this.element.clientTop);
  }

  /** @param {PointerEvent} event */
  #moved(event) {
    const press = this.#pressed;
    if (press.down && (press.moved || Math.hypot(event.clientX - press.x, event.clientY - press.y) > 5)) {
      press.moved = true;
      const part = ((event.clientX - press.x) / Math.max(1, this.element.clientWidth)) * (press.right - press.left);
      this.#setWindow(press.left - part, press.right - part);
      this.element.scrollTop = press.top - (event.clientY - press.y);
      return;
    }
    this.#hover(this.#under(event));
  }

  /** @param {number} b */
  #hover(b) {
    const node = b < 0 ? -1 : (this.#boxes.node[b] ?? -1);
    const count = b < 0 ? 0 : (this.#boxes.count[b] ?? 1);
    this.canvas.style.cursor = node >= 0 ? 'pointer' : 'default';
    if (node === this.#hovered) return;
    this.#hovered = node;
    this.told.hovered(node, count > 1 ? count : 0);
    this.repaint();
  }

  /** @param {MouseEvent} event */
  #clicked(event) {
    if (this.#pressed.moved) {
      this.#pressed.moved = false;
      return;
    }
    const b = this.#under(event);
    const tree = this.#tree;
    if (b < 0 || !tree) return;
    const node = this.#boxes.node[b] ?? 0;
    const count = this.#boxes.count[b] ?? 1;
    if (count > 1) {
      // Open what was too small to be drawn: the window becomes its width.
      let right = 0;
      for (let i = node; i < node + count; i = tree.end[i] ?? tree.count) right = (tree.x[i] ?? 0) + (tree.total[i] ?? 0);
      this.#showRange(tree.x[node] ?? 0, right);
      return;
    }
    this.#choose(node);
    if (event.shiftKey) this.told.focused(node);
    else this.told.zoomed(node);
  }

  /**
   * @param {number} x0
   * @param {number} x1
   */
  #showRange(x0, x1) {
    const before = this.#range();
    const x = this.#tree?.x[this.#zoomed] ?? 0;
    const width = this.#tree?.total[this.#zoomed] || 1;
    this.#setWindow((x0 - x) / width, (x1 - x) / width);
    this.#glide = { ...before, since: performance.now() };
  }

  /** @param {number} node */
  #choose(node) {
    this.select(node);
    this.told.selected(node);
  }

  /** @param {WheelEvent} event */
  #wheeled(event) {
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      const at = (event.clientX - this.element.getBoundingClientRect().left) / Math.max(1, this.element.clientWidth);
      const factor = Math.exp(Math.max(-60, Math.min(60, event.deltaY)) / 120);
      const pivot = this.#left + (this.#right - this.#left) * at;
      this.#setWindow(pivot - (pivot - this.#left) * factor, pivot + (this.#right - pivot) * factor);
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      const part = ((event.deltaX || event.deltaY) / Math.max(1, this.element.clientWidth)) * (this.#right - this.#left);
      this.#setWindow(this.#left + part, this.#right + part);
    }
  }

  /**
   * Moves the window, kept within the whole graph.
   * @param {number} left
   * @param {number} right
   */
  #setWindow(left, right) {
    const tree = this.#tree;
    const width = tree?.total[this.#zoomed] ?? 0;
    if (!tree || width <= 0) return;
    const x = tree.x[this.#zoomed] ?? 0;
    const [min, max] = [-x / width, ((tree.total[0] ?? 0) - x) / width];
    const size = Math.min(max - min, Math.max(1e-9, right - left));
    this.#left = Math.min(Math.max(min, left), max - size);
    this.#right = this.#left + size;
    this.#glide = null;
    this.repaint();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const tree = this.#tree;
    if (!tree || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this.#selected < 0 ? this.#zoomed : this.#selected;
    const [down, up] = this.flip ? ['ArrowUp', 'ArrowDown'] : ['ArrowDown', 'ArrowUp'];
    let to = at;
    if (event.key === down) to = inward(tree, at);
    else if (event.key === up) to = Math.max(0, tree.parent[at] ?? 0);
    else if (event.key === 'ArrowLeft') to = sideways(tree, at, -1);
    else if (event.key === 'ArrowRight') to = sideways(tree, at, 1);
    else if (event.key === 'Home') to = 0;
    else if (event.key === 'Enter') this.told.zoomed(at);
    else if (event.key === 'm' || event.key === 'ContextMenu') {
      const place = this.element.getBoundingClientRect();
      this.told.menu(at, place.left + 40, place.top + Math.max(0, this.#rowTopOf(at)) + ROW);
    } else return;
    event.preventDefault();
    event.stopPropagation();
    if (to !== at || this.#selected < 0) this.#choose(to);
  }
}
