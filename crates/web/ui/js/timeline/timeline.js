// @ts-check
/**
 * The timeline: cores over the range, the selection before the host. Brush to select, wheel to zoom, double click to widen; with the
 * keyboard arrows move the range by a quarter, + and − narrow and widen it.
 */

import { h } from '../dom.js';
import { focusRing } from '../flame/draw.js';
import { paint } from '../theme.js';
import { clock, serverNow, span } from '../time.js';
import { figure } from '../units.js';

/** @typedef {import('./buckets.js').Buckets} Buckets */

/**
 * @typedef {object} Shown
 * @property {Buckets} part the selection
 * @property {Buckets | null} host everything, when the selection is less
 * @property {number} start ms
 * @property {number} end ms
 * @property {number} now ms
 * @property {string} unit 'cores'
 * @property {number} perUnit value of one unit a second
 */

const LEFT = 44;
const FOOT = 16;
/** The bucket in progress is drawn once it has run this long, ms. */
const SETTLED = 3000;

export class Timeline {
  /** @type {Shown | null} */
  #shown = null;
  /** @type {{ start: number, end: number } | null} the range that was chosen, until its values are there */
  #chosen = null;
  #asked = 0;
  #pointer = -1;
  /** @type {{ from: number, to: number } | null} */
  #brush = null;
  #wheel = 0;

  /** @param {(start: number, end: number) => void} ranged the reader chose a range, ms */
  constructor(ranged) {
    this.ranged = ranged;
    this.canvas = h('canvas', { 'aria-hidden': 'true' });
    this.element = h('div', {
      class: 'timeline', tabindex: '0', role: 'application', 'aria-roledescription': 'timeline',
      'aria-label': 'Timeline. Arrows move the range, plus and minus narrow and widen it.',
    }, this.canvas);
    const cx = this.canvas.getContext('2d', { alpha: false });
    if (!cx) throw new Error('this browser cannot draw on a canvas');
    this.cx = cx;
    new ResizeObserver(() => this.#draw()).observe(this.element);
    this.#listen();
  }

  /** @param {Shown} shown */
  show(shown) {
    this.#shown = shown;
    this.#chosen = null;
    this.repaint();
  }

  repaint() {
    if (this.#asked === 0) this.#asked = requestAnimationFrame(() => this.#draw());
  }

  #width() {
    return Math.max(1, this.element.clientWidth - LEFT - 8);
  }

  /** @param {number} x px */
  #timeAt(x) {
    if (!this.#shown) return 0;
    const part = Math.min(1, Math.max(0, (x - LEFT) / this.#width()));
    return this.#shown.start + part * (this.#shown.end - this.#shown.start);
  }

  /** @param {number} at ms */
  #xOf(at) {
    if (!this.#shown) return 0;
    return LEFT + ((at - this.#shown.start) / (this.#shown.end - this.#shown.start)) * this.#width();
  }

  #listen() {
    const { element } = this;
    element.addEventListener('focus', () => this.repaint());
    element.addEventListener('blur', () => this.repaint());
    const local = (/** @type {MouseEvent} */ event) => event.clientX - element.getBoundingClientRect().left;
    element.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      element.setPointerCapture(event.pointerId);
      this.#brush = { from: local(event), to: local(event) };
    });
    element.addEventListener('pointermove', (event) => {
      this.#pointer = local(event);
      if (this.#brush) this.#brush.to = this.#pointer;
      this.repaint();
    });
    element.addEventListener('pointerup', () => {
      const brush = this.#brush;
      this.#brush = null;
      this.repaint();
      if (!brush || Math.abs(brush.to - brush.from) < 5) return;
      this.#choose(this.#timeAt(Math.min(brush.from, brush.to)), this.#timeAt(Math.max(brush.from, brush.to)));
    });
    element.addEventListener('pointercancel', () => { this.#brush = null; });
    element.addEventListener('pointerleave', () => {
      this.#pointer = -1;
      this.repaint();
    });
    element.addEventListener('dblclick', () => this.#scale(2, 0.5));
    element.addEventListener('wheel', (event) => {
      event.preventDefault();
      // A touchpad sends many small steps: they are gathered into one.
      this.#wheel += event.deltaY;
      if (Math.abs(this.#wheel) < 60) return;
      const part = (local(event) - LEFT) / this.#width();
      this.#scale(this.#wheel > 0 ? 1.5 : 1 / 1.5, Math.min(1, Math.max(0, part)));
      this.#wheel = 0;
    }, { passive: false });
    element.addEventListener('keydown', (event) => {
      const range = this.#chosen ?? this.#shown;
      if (event.ctrlKey || event.metaKey || event.altKey || !range) return;
      const size = range.end - range.start;
      if (event.key === 'ArrowLeft') this.#choose(range.start - size / 4, range.end - size / 4);
      else if (event.key === 'ArrowRight') this.#choose(range.start + size / 4, range.end + size / 4);
      else if (event.key === '+' || event.key === '=') this.#scale(0.5, 0.5);
      else if (event.key === '-') this.#scale(2, 0.5);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  /**
   * @param {number} factor
   * @param {number} pivot 0 to 1
   */
  #scale(factor, pivot) {
    const range = this.#chosen ?? this.#shown;
    if (!range) return;
    const { start, end } = range;
    const at = start + (end - start) * pivot;
    this.#choose(at - (at - start) * factor, at + (end - at) * factor);
  }

  /**
   * @param {number} start
   * @param {number} end
   */
  #choose(start, end) {
    const least = 15_000;
    if (end - start < least) [start, end] = [(start + end - least) / 2, (start + end + least) / 2];
    const late = Math.max(0, end - serverNow());
    this.#chosen = { start: Math.round(start - late), end: Math.round(end - late) };
    this.ranged(this.#chosen.start, this.#chosen.end);
  }

  #draw() {
    this.#asked = 0;
    const { clientWidth: width, clientHeight: height } = this.element;
    if (width === 0 || height === 0) return;
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    const { cx } = this;
    const ink = paint();
    cx.setTransform(ratio, 0, 0, ratio, 0, 0);
    cx.font = '11px -apple-system, "Segoe UI", Roboto, Cantarell, Ubuntu, "Noto Sans", "Liberation Sans", system-ui, sans-serif';
    cx.fillStyle = ink.ground;
    cx.fillRect(0, 0, width, height);
    if (!this.#shown) return;
    const { part, host, unit } = this.#shown;
    const top = scaleTop(Math.max(most(this.#shown, part), host ? most(this.#shown, host) : 0));
    const base = height - FOOT;
    const y = (/** @type {number} */ v) => base - (v / top) * (base - 6);
    this.#axes(ink, top, y, base, width, unit);
    if (host) this.#area(host, y, base, ink.host, null);
    this.#area(part, y, base, ink.area, ink.mark);
    this.#overlay(ink, base, y, width);
    focusRing(cx, this.element, ink.mark, width, height);
  }

  /**
   * @param {import('../palette.js').Paint} ink
   * @param {number} top
   * @param {(v: number) => number} y
   * @param {number} base
   * @param {number} width
   * @param {string} unit
   */
  #axes(ink, top, y, base, width, unit) {
    const { cx } = this;
    const shown = this.#shown;
    if (!shown) return;
    cx.textBaseline = 'middle';
    cx.textAlign = 'right';
    for (const value of [0, top / 2, top]) {
      cx.fillStyle = ink.axis;
      cx.fillRect(LEFT, Math.round(y(value)), width - LEFT - 8, 1);
      cx.fillStyle = ink.faint;
      if (value > 0) cx.fillText(trim(value), LEFT - 6, Math.max(7, y(value)));
    }
    cx.textAlign = 'left';
    cx.fillText(unit, 6, base);
    cx.textAlign = 'center';
    cx.textBaseline = 'alphabetic';
    const size = tickSize((shown.end - shown.start) / Math.max(2, this.#width() / 110));
    const zone = new Date(shown.start).getTimezoneOffset() * 60_000;
    for (let at = Math.ceil((shown.start - zone) / size) * size + zone; at <= shown.end; at += size) {
      const x = this.#xOf(at);
      if (x < LEFT + 20 || x > width - 24) continue;
      cx.fillStyle = ink.axis;
      cx.fillRect(Math.round(x), base, 1, 3);
      cx.fillStyle = ink.faint;
      cx.fillText(clock(at, shown.now, size < 60_000), x, base + 13);
    }
  }

  /**
   * @param {Buckets} buckets
   * @param {(v: number) => number} y
   * @param {number} base
   * @param {string} fill
   * @param {string | null} line
   */
  #area(buckets, y, base, fill, line) {
    const { cx } = this;
    const shown = this.#shown;
    if (!shown) return;
    const { grid, values } = buckets;
    const right = LEFT + this.#width();
    cx.save();
    cx.beginPath();
    cx.rect(LEFT, 0, right - LEFT, base);
    cx.clip();
    for (let i = 0; i < values.length; i += 1) {
      if (!drawable(shown, buckets, i)) continue;
      const from = grid.start + i * grid.step * 1000;
      const x0 = this.#xOf(from);
      const x1 = this.#xOf(Math.min(from + grid.step * 1000, Math.max(shown.now, from + 1000)));
      const top = y(rateOf(shown, buckets, i));
      cx.fillStyle = fill;
      cx.fillRect(x0, top, x1 - x0 + 0.5, base - top);
      if (line) {
        cx.fillStyle = line;
        cx.fillRect(x0, top - 1, x1 - x0 + 0.5, 1.5);
        const before = i > 0 && drawable(shown, buckets, i - 1) ? y(rateOf(shown, buckets, i - 1)) : base;
        cx.fillRect(x0 - 0.5, Math.min(top, before) - 1, 1, Math.abs(top - before) + 1.5);
      }
    }
    cx.restore();
  }

  /**
   * @param {import('../palette.js').Paint} ink
   * @param {number} base
   * @param {(v: number) => number} y
   * @param {number} width
   */
  #overlay(ink, base, y, width) {
    const { cx } = this;
    const shown = this.#shown;
    if (!shown) return;
    if (this.#brush && Math.abs(this.#brush.to - this.#brush.from) >= 2) {
      const [a, b] = [Math.max(LEFT, Math.min(this.#brush.from, this.#brush.to)), Math.max(this.#brush.from, this.#brush.to)];
      cx.globalAlpha = 0.18;
      cx.fillStyle = ink.mark;
      cx.fillRect(a, 0, b - a, base);
      cx.globalAlpha = 1;
      this.#note(ink, span(this.#timeAt(a), this.#timeAt(b), shown.now), (a + b) / 2, width);
    } else if (this.#pointer >= LEFT) {
      const at = this.#timeAt(this.#pointer);
      cx.fillStyle = ink.faint;
      cx.fillRect(Math.round(this.#pointer), 0, 1, base);
      const i = Math.floor((at - shown.part.grid.start) / (shown.part.grid.step * 1000));
      const said = !drawable(shown, shown.part, i) ? 'no samples' : `${figure(rateOf(shown, shown.part, i))} ${shown.unit}`;
      const all = shown.host && drawable(shown, shown.host, i) ? ` of ${figure(rateOf(shown, shown.host, i))}` : '';
      this.#note(ink, `${clock(at, shown.now, true)}   ${said}${all}`, this.#pointer, width);
    }
  }

  /**
   * @param {import('../palette.js').Paint} ink
   * @param {string} text
   * @param {number} x
   * @param {number} width
   */
  #note(ink, text, x, width) {
    const { cx } = this;
    const w = cx.measureText(text).width + 12;
    const left = Math.min(Math.max(LEFT, x - w / 2), width - w - 8);
    cx.fillStyle = ink.ground;
    cx.globalAlpha = 0.92;
    cx.fillRect(left, 2, w, 17);
    cx.globalAlpha = 1;
    cx.fillStyle = ink.text;
    cx.textAlign = 'left';
    cx.textBaseline = 'middle';
    cx.fillText(text, left + 6, 11);
  }
}

/**
 * Whether a bucket has a figure: it holds data, and has run long enough for a rate to mean anything.
 * @param {Shown} shown
 * @param {Buckets} buckets
 * @param {number} i
 */
function drawable(shown, { grid, values }, i) {
  return !Number.isNaN(values[i] ?? Number.NaN) && shown.now - (grid.start + i * grid.step * 1000) >= SETTLED;
}

/**
 * Units a second in a bucket; the one in progress is held against the time it has had.
 * @param {Shown} shown
 * @param {Buckets} buckets
 * @param {number} i
 */
function rateOf(shown, { grid, values }, i) {
  const from = grid.start + i * grid.step * 1000;
  const had = Math.min(grid.step, Math.max(1, (shown.now - from) / 1000));
  return (values[i] ?? 0) / shown.perUnit / had;
}

/**
 * @param {Shown} shown
 * @param {Buckets} buckets
 */
function most(shown, buckets) {
  let top = 0;
  for (let i = 0; i < buckets.values.length; i += 1) if (drawable(shown, buckets, i)) top = Math.max(top, rateOf(shown, buckets, i));
  return top;
}

/**
 * A round number at or above the highest value.
 * @param {number} value
 */
function scaleTop(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  for (const lead of [1, 1.5, 2, 3, 4, 5, 6, 8, 10]) if (value <= lead * power * 1.0001) return lead * power;
  return 10 * power;
}

/** @param {number} value */
function trim(value) {
  return String(Number(value.toPrecision(3)));
}

/** @param {number} least ms */
function tickSize(least) {
  const sizes = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800].map((s) => s * 1000);
  return sizes.find((s) => s >= least) ?? 604_800_000;
}
