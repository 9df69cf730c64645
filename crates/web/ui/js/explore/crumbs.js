// @ts-check
/** Where the reader is: the zoomed path, and what shapes the graph, each of which leads back. */

import { fill, h } from '../dom.js';
import { pathTo } from '../flame/walk.js';
import { cutsOf } from '../profile/kinds.js';

/** @typedef {import('../profile/frames.js').Frames} Frames */
/** @typedef {import('../profile/tree.js').Tree} Tree */
/** @typedef {import('../state.js').Store} Store */

/** Steps of the path that are named; those between stand behind an ellipsis. */
const NAMED = 4;

export class Crumbs {
  /**
   * @param {Store} store
   * @param {(node: number) => void} zoom
   */
  constructor(store, zoom) {
    this.store = store;
    this.zoom = zoom;
    this.element = h('nav', { class: 'crumbs', 'aria-label': 'Zoomed path' });
  }

  /**
   * @param {Frames} frames
   * @param {Tree} tree
   * @param {number} node
   * @param {string} rootName
   */
  show(frames, tree, node, rootName) {
    const { state } = this.store;
    const shapes = [
      ...(state.sandwich ? [this.#shape('sandwich', state.sandwich, { sandwich: '' })] : []),
      ...(state.focus ? [this.#shape('focus', state.focus, { focus: '' })] : []),
      ...state.only.map((name) => this.#shape('only', name, { only: state.only.filter((n) => n !== name) })),
      ...state.hide.map((name) => this.#shape('without', name, { hide: state.hide.filter((n) => n !== name) })),
      ...(state.collapse ? [this.#shape('recursion', 'collapsed', { collapse: false })] : []),
    ];
    const path = pathTo(tree, node);
    /** @type {(Node | null)[]} */
    const steps = [];
    if (path.length > 1) {
      const rest = path.slice(1);
      steps.push(this.#step(0, rootName));
      if (rest.length > NAMED) steps.push(sign(), h('span', { class: 'crumb-gap', text: `… ${rest.length - NAMED} …` }));
      for (const at of rest.slice(-NAMED)) {
        const frame = tree.frame[at] ?? -1;
        const name = frames.name[frame] ?? '';
        const cut = cutsOf(name, frames.kind[frame] ?? 0).at(-1) ?? 0;
        steps.push(sign(), at === node ? h('b', { class: 'crumb-here', text: name.slice(cut), title: name }) : this.#step(at, name.slice(cut)));
      }
    }
    fill(this.element, ...shapes, ...steps);
    this.element.hidden = shapes.length + steps.length === 0;
    // Where there is no room for all, the end is what one wants to see.
    this.element.scrollLeft = this.element.scrollWidth;
  }

  /**
   * @param {number} node
   * @param {string} name
   */
  #step(node, name) {
    return h('button', { type: 'button', class: 'crumb', text: name, on: { click: () => this.zoom(node) } });
  }

  /**
   * @param {string} what
   * @param {string} name
   * @param {Partial<import('../state.js').State>} without
   */
  #shape(what, name, without) {
    return h('span', { class: 'chip' }, h('span', { class: 'chip-text' }, h('span', { class: 'chip-name', text: what }), h('span', { class: 'chip-value', text: name })),
      h('button', { type: 'button', class: 'chip-remove', 'aria-label': `Remove ${what} ${name}`, text: '×', on: { click: () => this.store.set({ ...without, zoom: '' }) } }));
  }
}

function sign() {
  return h('span', { class: 'crumb-sign', 'aria-hidden': 'true', text: '›' });
}
