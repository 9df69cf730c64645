// @ts-check
/** The thin bar while something is awaited: shown after 150 ms, with a cancel button after 2 s. */

import { h } from './dom.js';

export class Progress {
  #timers = /** @type {number[]} */ ([]);

  constructor() {
    this.cancel = h('button', { type: 'button', class: 'button progress-cancel', text: 'Cancel', hidden: true });
    this.bar = h('div', { class: 'progress-bar', role: 'progressbar', 'aria-label': 'Loading', hidden: true });
    this.element = h('div', { class: 'progress' }, this.bar, this.cancel);
  }

  /** @param {() => void} stop called when the reader cancels */
  begin(stop) {
    this.end();
    this.cancel.onclick = stop;
    this.#timers = [
      setTimeout(() => { this.bar.hidden = false; }, 150),
      setTimeout(() => { this.cancel.hidden = false; }, 2000),
    ];
  }

  end() {
    this.#timers.forEach(clearTimeout);
    this.#timers = [];
    this.bar.hidden = true;
    this.cancel.hidden = true;
  }
}
