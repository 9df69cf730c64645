// @ts-check
/** The legend: the kinds of frame that occur, each a switch that leaves its frames out. */

import { fill, h } from '../dom.js';
import { KINDS } from '../profile/kinds.js';

/** @typedef {import('../profile/frames.js').Frames} Frames */
/** @typedef {import('../state.js').Store} Store */

export class Legend {
  #key = '';

  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    this.element = h('div', { class: 'legend', role: 'group', 'aria-label': 'Kinds of frame' });
  }

  /** @param {Frames} frames */
  show(frames) {
    const present = KINDS.map((_, kind) => frames.kind.includes(kind));
    const { off } = this.store.state;
    const key = `${present.join()}|${off.join()}`;
    if (key === this.#key) return;
    this.#key = key;
    fill(this.element, ...KINDS.map((kind, i) => {
      if (!present[i] && !off.includes(kind.id)) return null;
      const on = !off.includes(kind.id);
      return h('button', {
        type: 'button', class: 'legend-item', 'aria-pressed': String(on), title: on ? `Leave ${kind.name} frames out; their time goes to their callers` : `Show ${kind.name} frames again`,
        on: { click: () => this.store.set({ off: on ? [...off, kind.id] : off.filter((id) => id !== kind.id) }) },
      }, h('i', { class: 'swatch', dataset: { kind: kind.id } }), kind.name);
    }));
  }
}
