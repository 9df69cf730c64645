// @ts-check
/** The range control in the bar: offered lengths, and two fields for any other. */

import { fill, h } from './dom.js';
import { close, openAt } from './popup.js';
import { OFFERED, rangeName, resolve, serverNow } from './time.js';

/** @typedef {import('./state.js').Store} Store */

export class RangeControl {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    this.button = h('button', { type: 'button', class: 'button', 'aria-haspopup': 'dialog', on: { click: () => this.#open() } });
    this.element = h('div', { class: 'range' }, this.button);
    this.show();
  }

  show() {
    const { from, to } = this.store.state;
    const name = rangeName(from, to, serverNow());
    fill(this.button, h('span', { text: name }), h('span', { class: 'caret', 'aria-hidden': 'true' }));
    this.button.setAttribute('aria-label', `Time range: ${name}`);
  }

  #open() {
    const { from, to } = this.store.state;
    const now = serverNow();
    const range = resolve(from, to, now);
    const choose = (/** @type {string} */ f, /** @type {string} */ t) => {
      close();
      this.store.set({ from: f, to: t });
    };
    const offered = OFFERED.map((offer) => h('button', {
      type: 'button', class: 'menu-item', 'aria-pressed': String(offer === from && to === 'now'), text: rangeName(offer, 'now', now), on: { click: () => choose(offer, 'now') },
    }));
    const start = h('input', { type: 'datetime-local', class: 'field', step: '1', 'aria-label': 'From', value: local(range.start) });
    const end = h('input', { type: 'datetime-local', class: 'field', step: '1', 'aria-label': 'To', value: local(range.end) });
    const said = h('p', { class: 'menu-note', role: 'alert' });
    const form = h('form', { class: 'range-form' },
      h('label', {}, h('span', { text: 'From' }), start), h('label', {}, h('span', { text: 'To' }), end),
      h('button', { type: 'submit', class: 'button button-main', text: 'Show' }), said);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const [s, e] = [new Date(start.value).getTime(), new Date(end.value).getTime()];
      if (Number.isNaN(s) || Number.isNaN(e)) said.textContent = 'Both need a date and a time.';
      else if (e - s < 1000) said.textContent = 'The end has to come after the start.';
      else choose(String(s), String(e));
    });
    openAt(h('div', { class: 'menu range-menu', role: 'dialog', 'aria-label': 'Time range' }, h('div', { class: 'range-list' }, ...offered), form), { anchor: this.button });
    (offered.find((b) => b.getAttribute('aria-pressed') === 'true') ?? offered[0])?.focus();
  }
}

/** A time as a datetime-local field wants it. @param {number} at */
function local(at) {
  const date = new Date(at);
  return new Date(at - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
