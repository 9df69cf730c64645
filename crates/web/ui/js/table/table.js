// @ts-check
/** The table of functions: only the rows that are seen exist, so 100,000 scroll like 100. */

import { fill, h } from '../dom.js';
import { cutsOf } from '../profile/kinds.js';
import { figure, share } from '../units.js';

/** @typedef {import('../profile/frames.js').Frames} Frames */
/** @typedef {import('../profile/table.js').Totals} Totals */

/**
 * @typedef {object} Shown
 * @property {Frames} frames
 * @property {Totals} totals
 * @property {Uint8Array | null} matches rows are those that match, null for all
 * @property {string} sort `self-`, `self+`, `total-`, `total+`, `name-`, `name+`
 * @property {number} whole the value that is 100 %
 * @property {number} perRate value of one unit of rate over the range: nanoseconds × seconds for cores
 * @property {string} unit 'cores'
 */

/**
 * @typedef {object} Told
 * @property {(frame: number) => void} selected
 * @property {(sort: string) => void} sorted
 * @property {(frame: number, x: number, y: number) => void} menu
 * @property {(frame: number) => void} opened Enter or double click
 */

export const ROW = 22;

const COLUMNS = /** @type {const} */ ([['name', 'Function'], ['self', 'Self'], ['total', 'Total']]);

export class FunctionTable {
  /** @type {Shown | null} */
  #shown = null;
  #rows = new Int32Array(0);
  #selected = -1;
  #asked = 0;
  #most = { self: 1, total: 1 };

  /** @param {Told} told */
  constructor(told) {
    this.told = told;
    this.heads = COLUMNS.map(([id, name]) => h('div', { class: `th th-${id}`, role: 'columnheader' },
      h('button', { type: 'button', on: { click: () => this.#resort(id) } }, name, id === 'name' ? null : h('span', { class: 'unit' }))));
    this.head = h('div', { class: 'thead', role: 'row' }, ...this.heads);
    this.body = h('div', { class: 'tbody', role: 'rowgroup' });
    this.spacer = h('div', { class: 'tspace', role: 'presentation' }, this.body);
    this.scroll = h('div', { class: 'tscroll', tabindex: '0', role: 'rowgroup', 'aria-label': 'Functions, by rows' }, this.spacer);
    this.foot = h('div', { class: 'tfoot' });
    this.element = h('div', { class: 'table', role: 'table', 'aria-label': 'Functions' }, this.head, this.scroll, this.foot);
    this.scroll.addEventListener('scroll', () => this.#later(), { passive: true });
    this.scroll.addEventListener('keydown', (event) => this.#key(event));
    this.body.addEventListener('click', (event) => this.#pick(event, (row) => this.#choose(row)));
    this.body.addEventListener('dblclick', (event) => this.#pick(event, (row) => told.opened(this.#rows[row] ?? -1)));
    this.body.addEventListener('contextmenu', (event) => this.#pick(event, (row) => {
      event.preventDefault();
      this.#choose(row);
      told.menu(this.#rows[row] ?? -1, event.clientX, event.clientY);
    }));
    new ResizeObserver(() => this.#draw()).observe(this.scroll);
  }

  /** @param {Shown} shown */
  show(shown) {
    const before = this.#shown;
    const chosen = before && this.#selected >= 0 ? before.frames.name[this.#selected] : undefined;
    this.#shown = shown;
    if (before && before.frames !== shown.frames) this.#selected = chosen === undefined ? -1 : shown.frames.name.indexOf(chosen);
    this.#order();
    this.#draw();
  }

  /**
   * Selects a frame's row without telling; `reveal` scrolls to it.
   * @param {number} frame
   * @param {boolean} reveal
   */
  select(frame, reveal) {
    this.#selected = frame;
    const row = reveal ? this.#rows.indexOf(frame) : -1;
    if (row >= 0) this.#reveal(row);
    this.#later();
  }

  #order() {
    if (!this.#shown) return;
    const { frames, totals, matches, sort } = this.#shown;
    const rows = matches ? totals.frame.filter((frame) => matches[frame] === 1) : totals.frame.slice();
    const sign = sort.endsWith('+') ? 1 : -1;
    const name = (/** @type {number} */ a, /** @type {number} */ b) => ((frames.name[a] ?? '') < (frames.name[b] ?? '') ? -1 : 1);
    const by = sort.slice(0, -1);
    if (by === 'name') rows.sort((a, b) => -sign * name(b, a) || 0);
    else {
      const column = by === 'total' ? totals.total : totals.self;
      rows.sort((a, b) => sign * ((column[a] ?? 0) - (column[b] ?? 0)) || name(a, b));
    }
    this.#rows = rows;
    this.#most = { self: 1, total: 1 };
    for (const frame of totals.frame) {
      this.#most.self = Math.max(this.#most.self, totals.self[frame] ?? 0);
      this.#most.total = Math.max(this.#most.total, totals.total[frame] ?? 0);
    }
    for (const unit of this.head.querySelectorAll('.unit')) unit.textContent = ` ${this.#shown.unit}`;
    this.spacer.style.height = `${rows.length * ROW}px`;
    this.element.setAttribute('aria-rowcount', String(rows.length + 1));
    COLUMNS.forEach(([id], i) => {
      const head = this.heads[i];
      if (id === by) head?.setAttribute('aria-sort', sign === 1 ? 'ascending' : 'descending');
      else head?.removeAttribute('aria-sort');
    });
    const all = totals.frame.length;
    this.foot.textContent = matches ? `${rows.length.toLocaleString('en-US')} of ${all.toLocaleString('en-US')} functions` : `${all.toLocaleString('en-US')} functions`;
  }

  #later() {
    if (this.#asked === 0) this.#asked = requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#asked = 0;
    if (!this.#shown) return;
    const first = Math.max(0, Math.floor(this.scroll.scrollTop / ROW) - 4);
    const last = Math.min(this.#rows.length, Math.ceil((this.scroll.scrollTop + this.scroll.clientHeight) / ROW) + 4);
    while (this.body.childElementCount > Math.max(0, last - first)) this.body.lastElementChild?.remove();
    while (this.body.childElementCount < last - first) this.body.append(blankRow());
    let element = /** @type {HTMLElement | null} */ (this.body.firstElementChild);
    for (let row = first; row < last && element; row += 1) {
      this.#fillRow(element, row);
      element = /** @type {HTMLElement | null} */ (element.nextElementSibling);
    }
    if (this.#rows.length === 0) fill(this.body, h('div', { class: 'tnone', text: this.#shown.matches ? 'No function matches the search.' : 'Nothing here.' }));
    this.body.style.transform = `translateY(${first * ROW}px)`;
  }

  /**
   * @param {HTMLElement} element
   * @param {number} row
   */
  #fillRow(element, row) {
    const shown = this.#shown;
    const cells = element.children;
    if (!shown || cells.length < 3) {
      element.replaceWith(blankRow());
      return;
    }
    const frame = this.#rows[row] ?? 0;
    const { frames, totals } = shown;
    element.dataset.row = String(row);
    element.setAttribute('aria-rowindex', String(row + 2));
    element.classList.toggle('chosen', frame === this.#selected);
    const name = frames.name[frame] ?? '';
    const cell = /** @type {HTMLElement} */ (cells[0]);
    if (cell.dataset.name !== name) {
      // As in the graph, the path gives way before the function does.
      const cut = cutsOf(name, frames.kind[frame] ?? 0).at(-1) ?? 0;
      const [path, own] = cell.children;
      if (path && own) [path.textContent, own.textContent] = [name.slice(0, cut), name.slice(cut)];
      cell.dataset.name = name;
    }
    const module = frames.module[frame] ?? '';
    cell.title = module ? `${name}\n${module}` : name;
    number(cells[1], totals.self[frame] ?? 0, this.#most.self, shown);
    number(cells[2], totals.total[frame] ?? 0, this.#most.total, shown);
  }

  /** @param {string} id */
  #resort(id) {
    const now = this.#shown?.sort ?? 'self-';
    const first = id === 'name' ? '+' : '-';
    this.told.sorted(now === id + first ? id + (first === '-' ? '+' : '-') : id + first);
  }

  /**
   * @param {Event} event
   * @param {(row: number) => void} then
   */
  #pick(event, then) {
    const row = event.target instanceof Element ? event.target.closest('.tr') : null;
    if (row instanceof HTMLElement && row.dataset.row !== undefined) then(Number(row.dataset.row));
  }

  /** @param {number} row */
  #choose(row) {
    const frame = this.#rows[row] ?? -1;
    this.#selected = frame;
    this.#reveal(row);
    this.#later();
    this.told.selected(frame);
  }

  /** @param {number} row */
  #reveal(row) {
    const { scrollTop, clientHeight } = this.scroll;
    if (row * ROW < scrollTop) this.scroll.scrollTop = row * ROW;
    else if ((row + 1) * ROW > scrollTop + clientHeight) this.scroll.scrollTop = (row + 1) * ROW - clientHeight;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || this.#rows.length === 0) return;
    const at = this.#rows.indexOf(this.#selected);
    const page = Math.max(1, Math.floor(this.scroll.clientHeight / ROW) - 1);
    const steps = /** @type {Record<string, number>} */ ({ ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity });
    const step = steps[event.key];
    if (step !== undefined) this.#choose(Math.max(0, Math.min(this.#rows.length - 1, at < 0 ? 0 : at + step)));
    else if (event.key === 'Enter' && at >= 0) this.told.opened(this.#selected);
    else if (event.key === 'm' && at >= 0) {
      const place = this.scroll.getBoundingClientRect();
      this.told.menu(this.#selected, place.left + 40, place.top + (at + 1) * ROW - this.scroll.scrollTop);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

function blankRow() {
  const cell = () => h('div', { class: 'td num', role: 'cell' }, h('i', { class: 'bar' }), h('b'), h('span'));
  return h('div', { class: 'tr', role: 'row' }, h('div', { class: 'td fn', role: 'rowheader' }, h('span'), h('b')), cell(), cell());
}

/**
 * @param {Element | undefined} cell
 * @param {number} value
 * @param {number} most
 * @param {Shown} shown
 */
function number(cell, value, most, shown) {
  const [bar, rate, part] = /** @type {HTMLElement[]} */ ([...(cell?.children ?? [])]);
  if (!bar || !rate || !part) return;
  bar.style.width = `${Math.max(0, (value / most) * 100)}%`;
  rate.textContent = value > 0 ? figure(value / shown.perRate) : '–';
  part.textContent = value > 0 ? share(value, shown.whole) : '';
}
