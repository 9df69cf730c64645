// @ts-check
/**
 * The tree that screen readers are given: the path to the chosen frame, its neighbours and its children, with level, name and share.
 * Only these exist as elements; they follow the choice.
 */

import { h } from '../dom.js';
import { childrenOf, pathTo } from './walk.js';

/** @typedef {import('../profile/tree.js').Tree} Tree */

const NEIGHBOURS = 40;
let graphs = 0;

export class Outline {
  #prefix = `frame-${graphs++}-`;

  /** @param {(node: number) => string} describe */
  constructor(describe) {
    this.describe = describe;
    this.element = h('div', { class: 'sr', role: 'presentation' });
  }

  /** @param {number} node */
  idOf(node) {
    return this.#prefix + node;
  }

  /**
   * @param {Tree} tree
   * @param {number} chosen
   */
  show(tree, chosen) {
    const path = pathTo(tree, chosen);
    const items = path.slice(0, -1).map((node) => this.#item(tree, node, false));
    const parent = tree.parent[chosen] ?? -1;
    const row = parent < 0 ? [chosen] : near(childrenOf(tree, parent), chosen);
    for (const node of row) {
      items.push(this.#item(tree, node, node === chosen));
      if (node === chosen) for (const child of widest(tree, childrenOf(tree, node))) items.push(this.#item(tree, child, false));
    }
    this.element.replaceChildren(...items);
  }

  /**
   * @param {Tree} tree
   * @param {number} node
   * @param {boolean} chosen
   */
  #item(tree, node, chosen) {
    const inner = (tree.end[node] ?? 0) > node + 1;
    return h('div', {
      role: 'treeitem', id: this.idOf(node), 'aria-level': (tree.depth[node] ?? 0) + 1, 'aria-selected': String(chosen),
      'aria-expanded': inner ? 'true' : null, text: this.describe(node),
    });
  }
}

/**
 * @param {number[]} nodes
 * @param {number} chosen
 */
function near(nodes, chosen) {
  const at = nodes.indexOf(chosen);
  const from = Math.max(0, Math.min(at - NEIGHBOURS / 2, nodes.length - NEIGHBOURS));
  return nodes.slice(from, from + NEIGHBOURS);
}

/**
 * @param {Tree} tree
 * @param {number[]} nodes
 */
function widest(tree, nodes) {
  if (nodes.length <= NEIGHBOURS) return nodes;
  return [...nodes].sort((a, b) => (tree.total[b] ?? 0) - (tree.total[a] ?? 0)).slice(0, NEIGHBOURS).sort((a, b) => a - b);
}
