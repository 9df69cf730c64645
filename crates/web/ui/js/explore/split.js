// @ts-check
/** Graph and table side by side with a handle between; where there is no room, two tabs. */

import { h } from '../dom.js';

const KEY = 'pyrope.split';

export class Split {
  /** Width of the graph, percent. */
  part = 66;

  /**
   * @param {HTMLElement} graph
   * @param {HTMLElement} table
   * @param {(tab: string) => void} tabbed
   */
  constructor(graph, table, tabbed) {
    this.handle = h('div', {
      class: 'handle', role: 'separator', tabindex: '0', 'aria-orientation': 'vertical', 'aria-label': 'Width of graph and table',
      'aria-valuemin': '20', 'aria-valuemax': '90',
    });
    const tab = (/** @type {string} */ id, /** @type {string} */ name) => h('button', {
      type: 'button', role: 'tab', class: 'tab', text: name, dataset: { tab: id }, on: { click: () => tabbed(id) },
    });
    this.tabs = h('div', { class: 'tabs', role: 'tablist', 'aria-label': 'Graph or table' }, tab('graph', 'Flame graph'), tab('table', 'Table'));
    this.panes = h('div', { class: 'split' }, graph, this.handle, table);
    this.element = h('div', { class: 'split-frame' }, this.tabs, this.panes);
    this.#set(Number(localStorage.getItem(KEY)) || 66);
    this.#listen();
  }

  /** @param {string} tab */
  show(tab) {
    this.panes.dataset.tab = tab;
    for (const button of this.tabs.querySelectorAll('button')) button.setAttribute('aria-selected', String(button.dataset.tab === tab));
  }

  #listen() {
    this.handle.addEventListener('pointerdown', (event) => {
      event.preventDefault();
      this.handle.setPointerCapture(event.pointerId);
    });
    this.handle.addEventListener('pointermove', (event) => {
      if (!this.handle.hasPointerCapture(event.pointerId)) return;
      const place = this.panes.getBoundingClientRect();
      this.#set(((event.clientX - place.left) / place.width) * 100);
    });
    this.handle.addEventListener('keydown', (event) => {
      const step = event.key === 'ArrowLeft' ? -2 : event.key === 'ArrowRight' ? 2 : 0;
      if (step === 0) return;
      event.preventDefault();
      event.stopPropagation();
      this.#set(this.part + step);
    });
    this.handle.addEventListener('dblclick', () => this.#set(66));
  }

  /** @param {number} percent of the width for the graph */
  #set(percent) {
    this.part = Math.min(90, Math.max(20, percent));
    this.panes.style.setProperty('--graph', `${this.part}fr`);
    this.panes.style.setProperty('--table', `${100 - this.part}fr`);
    this.handle.setAttribute('aria-valuenow', String(Math.round(this.part)));
    localStorage.setItem(KEY, this.part.toFixed(1));
  }
}
