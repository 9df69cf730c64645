// @ts-check
/**
 * Stacks → a call tree laid out for drawing.
 *
 * Nodes stand in preorder, siblings by name, so a subtree is a run of indices (`i` to `end[i]`), a parent comes before its children, and
 * nothing changes place between refreshes but by what changed in it. Node 0 is the root of all.
 */

import { extend } from './hash.js';

/** @typedef {import('./frames.js').Frames} Frames */
/** @typedef {import('./pprof.js').Stacks} Stacks */

/**
 * @typedef {object} Tree
 * @property {number} count
 * @property {Int32Array} frame index into the frames, -1 for the root
 * @property {Int32Array} parent -1 for the root
 * @property {Int32Array} end one past the last node of the subtree
 * @property {Uint16Array} depth 0 for the root
 * @property {Float64Array} x where the node begins, in units of value
 * @property {Float64Array} total
 * @property {Float64Array} self
 * @property {Int32Array} lineMin first source line seen, 0 when none
 * @property {Int32Array} lineMax last source line seen
 * @property {Uint32Array} idLow id of the path from the root
 * @property {Uint32Array} idHigh
 * @property {number} maxDepth
 */

/**
 * How stacks are changed before they are merged.
 * @typedef {object} Shape
 * @property {Uint8Array} skip per frame: 1 leaves it out, its value goes to its caller
 * @property {Uint8Array[]} needs each stack must hold a frame of each set
 * @property {Uint8Array | null} from begin at the outermost frame of this set; stacks without one are left out
 * @property {boolean} callers with `from`: what led to that frame, nearest caller first, instead of what it did
 * @property {boolean} collapse a frame that calls itself is one node
 */

/** @returns {Shape} */
export function plainShape() {
  return { skip: new Uint8Array(0), needs: [], from: null, callers: false, collapse: false };
}

const DEEPEST = 65_534;

/**
 * @param {Frames} frames
 * @param {Stacks} stacks
 * @param {Shape} shape
 * @returns {Tree}
 */
export function buildTree(frames, stacks, shape) {
  const growing = new Growing(Math.max(1024, stacks.count * 4));
  /** @type {Int32Array} */
  let path = new Int32Array(1024);
  /** @type {Int32Array} */
  let lines = new Int32Array(1024);
  for (let s = 0; s < stacks.count; s += 1) {
    const start = stacks.start[s] ?? 0;
    const end = stacks.start[s + 1] ?? start;
    if (!meets(stacks, start, end, shape.needs)) continue;
    let from = start;
    if (shape.from) {
      while (from < end && shape.from[stacks.frame[from] ?? 0] !== 1) from += 1;
      if (from === end) continue;
    }
    const length = shape.callers ? from - start + 1 : end - from;
    if (length > path.length) {
      path = new Int32Array(length * 2);
      lines = new Int32Array(length * 2);
    }
    let used = 0;
    for (let k = 0; k < length; k += 1) {
      const at = shape.callers ? from - k : from + k;
      const frame = stacks.frame[at] ?? 0;
      if (shape.skip[frame] === 1 && !(shape.from && at === from)) continue;
      path[used] = frame;
      lines[used] = stacks.line[at] ?? 0;
      used += 1;
    }
    growing.add(path, lines, Math.min(used, DEEPEST), stacks.value[s] ?? 0, shape.collapse);
  }
  return growing.finish(frames);
}

/**
 * @param {Stacks} stacks
 * @param {number} start
 * @param {number} end
 * @param {Uint8Array[]} needs
 */
function meets(stacks, start, end, needs) {
  for (const set of needs) {
    let at = start;
    while (at < end && set[stacks.frame[at] ?? 0] !== 1) at += 1;
    if (at === end) return false;
  }
  return true;
}

/** A tree that takes stacks one by one; children are found in one open hash table over (parent, frame). */
class Growing {
  /** @param {number} room */
  constructor(room) {
    this.count = 1;
    this.frame = new Int32Array(room);
    this.parent = new Int32Array(room);
    this.self = new Float64Array(room);
    this.lineMin = new Int32Array(room);
    this.lineMax = new Int32Array(room);
    this.frame[0] = -1;
    this.parent[0] = -1;
    this.slots = new Int32Array(2 ** Math.ceil(Math.log2(room * 2)));
    /** Nodes of the stack added last: the next one often begins alike. */
    this.lastNodes = new Int32Array(1024);
    this.lastLength = 0;
  }

  /**
   * @param {Int32Array} path
   * @param {Int32Array} lines
   * @param {number} length
   * @param {number} value
   * @param {boolean} collapse
   */
  add(path, lines, length, value, collapse) {
    if (length > this.lastNodes.length) this.lastNodes = new Int32Array(length * 2);
    let node = 0;
    let alike = !collapse;
    for (let i = 0; i < length; i += 1) {
      const frame = path[i] ?? 0;
      alike &&= i < this.lastLength && this.frame[this.lastNodes[i] ?? 0] === frame;
      if (alike) node = this.lastNodes[i] ?? 0;
      else if (!(collapse && this.frame[node] === frame)) node = this.#child(node, frame);
      this.lastNodes[i] = node;
      const line = lines[i] ?? 0;
      if (line > 0) {
        const min = this.lineMin[node] ?? 0;
        if (min === 0 || line < min) this.lineMin[node] = line;
        if (line > (this.lineMax[node] ?? 0)) this.lineMax[node] = line;
      }
    }
    this.lastLength = length;
    this.self[node] = (this.self[node] ?? 0) + value;
  }

  /**
   * @param {number} parent
   * @param {number} frame
   */
  #child(parent, frame) {
    const mask = this.slots.length - 1;
    let slot = (Math.imul(parent, 0x9e3779b1) ^ Math.imul(frame + 1, 0x85ebca6b)) >>> 0;
    slot = (slot ^ (slot >>> 15)) & mask;
    for (;;) {
      const node = this.slots[slot] ?? 0;
      if (node === 0) break;
      if (this.parent[node] === parent && this.frame[node] === frame) return node;
      slot = (slot + 1) & mask;
    }
    if (this.count === this.frame.length) this.#grow();
    const made = this.count;
    this.count += 1;
    this.frame[made] = frame;
    this.parent[made] = parent;
    this.slots[slot] = made;
    if (this.count * 2 > this.slots.length) this.#rehash();
    return made;
  }

  #grow() {
    for (const name of /** @type {const} */ (['frame', 'parent', 'lineMin', 'lineMax'])) {
      const larger = new Int32Array(this.frame.length * (name === 'frame' ? 2 : 1));
      larger.set(this[name]);
      this[name] = larger;
    }
    const self = new Float64Array(this.frame.length);
    self.set(this.self);
    this.self = self;
  }

  #rehash() {
    const slots = new Int32Array(this.slots.length * 2);
    const mask = slots.length - 1;
    for (let node = 1; node < this.count; node += 1) {
      let slot = (Math.imul(this.parent[node] ?? 0, 0x9e3779b1) ^ Math.imul((this.frame[node] ?? 0) + 1, 0x85ebca6b)) >>> 0;
      slot = (slot ^ (slot >>> 15)) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = node;
    }
    this.slots = slots;
  }

  /**
   * Sorts siblings by name and numbers the nodes anew in preorder.
   * @param {Frames} frames
   * @returns {Tree}
   */
  finish(frames) {
    const n = this.count;
    const total = this.self.slice(0, n);
    for (let i = n - 1; i > 0; i -= 1) total[this.parent[i] ?? 0] = (total[this.parent[i] ?? 0] ?? 0) + (total[i] ?? 0);
    const { first, sibling } = this.#siblings(frames);

    const tree = blankTree(n);
    const renamed = new Int32Array(n);
    const stack = [0];
    let next = 0;
    while (stack.length > 0) {
      const old = stack.pop() ?? 0;
      if (old < 0) {
        tree.end[~old] = next;
        continue;
      }
      const made = next;
      next += 1;
      renamed[old] = made;
      const oldParent = this.parent[old] ?? -1;
      const parent = oldParent < 0 ? -1 : (renamed[oldParent] ?? 0);
      const frame = this.frame[old] ?? -1;
      tree.frame[made] = frame;
      tree.parent[made] = parent;
      tree.self[made] = this.self[old] ?? 0;
      tree.total[made] = total[old] ?? 0;
      tree.lineMin[made] = this.lineMin[old] ?? 0;
      tree.lineMax[made] = this.lineMax[old] ?? 0;
      if (parent >= 0) {
        const depth = (tree.depth[parent] ?? 0) + 1;
        tree.depth[made] = depth;
        if (depth > tree.maxDepth) tree.maxDepth = depth;
        tree.idLow[made] = extend(tree.idLow[parent] ?? 0, frames.idLow[frame] ?? 0);
        tree.idHigh[made] = extend(tree.idHigh[parent] ?? 0, frames.idHigh[frame] ?? 0);
      }
      stack.push(~made);
      // Children lie in falling order of name, so that the first to be popped is the first by name.
      for (let child = first[old] ?? 0; child !== 0; child = sibling[child] ?? 0) stack.push(child);
    }
    place(tree);
    return tree;
  }

  /**
   * For each node its children as a list in falling order of name.
   * @param {Frames} frames
   */
  #siblings(frames) {
    const order = Array.from({ length: frames.count }, (_, i) => i);
    const name = frames.name;
    order.sort((a, b) => ((name[a] ?? '') < (name[b] ?? '') ? -1 : (name[a] ?? '') > (name[b] ?? '') ? 1 : a - b));
    const byFrame = new Int32Array(frames.count);
    const next = new Int32Array(this.count);
    for (let node = 1; node < this.count; node += 1) {
      const frame = this.frame[node] ?? 0;
      next[node] = byFrame[frame] ?? 0;
      byFrame[frame] = node;
    }
    const first = new Int32Array(this.count);
    const sibling = new Int32Array(this.count);
    for (const frame of order) {
      for (let node = byFrame[frame] ?? 0; node !== 0; node = next[node] ?? 0) {
        const parent = this.parent[node] ?? 0;
        sibling[node] = first[parent] ?? 0;
        first[parent] = node;
      }
    }
    return { first, sibling };
  }
}

/**
 * @param {number} n
 * @returns {Tree}
 */
function blankTree(n) {
  return {
    count: n, frame: new Int32Array(n), parent: new Int32Array(n), end: new Int32Array(n), depth: new Uint16Array(n), x: new Float64Array(n),
    total: new Float64Array(n), self: new Float64Array(n), lineMin: new Int32Array(n), lineMax: new Int32Array(n), idLow: new Uint32Array(n),
    idHigh: new Uint32Array(n), maxDepth: 0,
  };
}

/**
 * Gives every node its place: children follow one another from where their parent begins; what is left is the parent's own.
 * @param {Tree} tree
 */
function place(tree) {
  const cursor = new Float64Array(tree.count);
  for (let i = 1; i < tree.count; i += 1) {
    const parent = tree.parent[i] ?? 0;
    const x = (tree.x[parent] ?? 0) + (cursor[parent] ?? 0);
    tree.x[i] = x;
    cursor[parent] = (cursor[parent] ?? 0) + (tree.total[i] ?? 0);
  }
}

/** The columns of a tree, to hand them over between threads without a copy. @param {Tree} tree */
export function columns(tree) {
  const { frame, parent, end, depth, x, total, self, lineMin, lineMax, idLow, idHigh } = tree;
  return [frame, parent, end, depth, x, total, self, lineMin, lineMax, idLow, idHigh].map((column) => column.buffer);
}
