// @ts-check
/** Moving among the nodes of a tree: by arrows, by matches, and from one profile to the next. */

import { idText } from '../profile/hash.js';

/** @typedef {import('../profile/tree.js').Tree} Tree */

/**
 * @param {Tree} tree
 * @param {number} node
 * @returns {number[]}
 */
export function childrenOf(tree, node) {
  const children = [];
  const end = tree.end[node] ?? 0;
  for (let i = node + 1; i < end; i = tree.end[i] ?? end) children.push(i);
  return children;
}

/**
 * From the root down to the node, both included.
 * @param {Tree} tree
 * @param {number} node
 * @returns {number[]}
 */
export function pathTo(tree, node) {
  const path = [];
  for (let i = node; i >= 0; i = tree.parent[i] ?? -1) path.push(i);
  return path.reverse();
}

/**
 * The widest child, or the node itself when it has none.
 * @param {Tree} tree
 * @param {number} node
 */
export function inward(tree, node) {
  let best = node;
  let most = -1;
  for (const child of childrenOf(tree, node)) {
    const total = tree.total[child] ?? 0;
    if (total > most) [best, most] = [child, total];
  }
  return best;
}

/**
 * The next node on the same row: before or after, also under another parent.
 * @param {Tree} tree
 * @param {number} node
 * @param {1 | -1} direction
 */
export function sideways(tree, node, direction) {
  const depth = tree.depth[node];
  if (direction === 1) {
    for (let i = tree.end[node] ?? 0; i < tree.count; ) {
      const d = tree.depth[i] ?? 0;
      if (d === depth) return i;
      i += 1;
    }
  } else {
    for (let i = node - 1; i >= 0; i -= 1) if (tree.depth[i] === depth) return i;
  }
  return node;
}

/**
 * The next node whose frame matches, walking round the subtree.
 * @param {Tree} tree
 * @param {Uint8Array} matches by frame
 * @param {number} root subtree walked
 * @param {number} node where to begin, -1 for before the first
 * @param {1 | -1} direction
 */
export function nextMatch(tree, matches, root, node, direction) {
  const end = tree.end[root] ?? 0;
  const size = end - root;
  let at = node < root || node >= end ? (direction === 1 ? end - 1 : root) : node;
  for (let step = 0; step < size; step += 1) {
    at += direction;
    if (at >= end) at = root;
    if (at < root) at = end - 1;
    if (matches[tree.frame[at] ?? -1] === 1) return at;
  }
  return -1;
}

/**
 * @param {Tree} tree
 * @param {number} node
 */
export function idOf(tree, node) {
  return node <= 0 ? '' : idText(tree.idLow[node] ?? 0, tree.idHigh[node] ?? 0);
}

/**
 * The node of an id, or -1.
 * @param {Tree} tree
 * @param {string} id
 */
export function nodeOf(tree, id) {
  if (id === '') return 0;
  if (!/^[0-9a-f]{16}$/.test(id)) return -1;
  const high = Number.parseInt(id.slice(0, 8), 16);
  const low = Number.parseInt(id.slice(8), 16);
  for (let i = 1; i < tree.count; i += 1) if (tree.idLow[i] === low && tree.idHigh[i] === high) return i;
  return -1;
}

/**
 * The same path in another tree, or as much of it as is still there.
 * @param {Tree} before
 * @param {number} node
 * @param {Tree} after
 */
export function carried(before, node, after) {
  let at = 0;
  for (const step of pathTo(before, node).slice(1)) {
    const next = childrenOf(after, at).find((c) => after.idLow[c] === before.idLow[step] && after.idHigh[c] === before.idHigh[step]);
    if (next === undefined) break;
    at = next;
  }
  return at;
}
