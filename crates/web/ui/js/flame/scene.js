// @ts-check
/**
 * Which frames are seen, and where: shared by drawing and by finding what lies under the pointer.
 *
 * A subtree narrower than a pixel is not entered, so the work follows the pixels, not the profile.
 */

/** @typedef {import('../profile/tree.js').Tree} Tree */

/** Height of a row, px. */
export const ROW = 20;

/**
 * @typedef {object} Window what part of the tree is shown, where
 * @property {number} x0 value at the left edge
 * @property {number} x1 value at the right edge
 * @property {number} width px
 * @property {number} top first px of the graph that is seen
 * @property {number} height px
 * @property {boolean} flip root at the bottom
 */

/**
 * Boxes of a scene, column by column, reused from one drawing to the next. A box stands for a node, or for `count` frames too small to
 * be drawn, of which `node` is the first.
 */
export class Boxes {
  length = 0;
  node = new Int32Array(4096);
  /** 1 for a single frame, more for merged ones */
  count = new Int32Array(4096);
  left = new Float32Array(4096);
  width = new Float32Array(4096);
  top = new Float32Array(4096);

  /**
   * @param {number} node
   * @param {number} count
   * @param {number} left
   * @param {number} width
   * @param {number} top
   */
  add(node, count, left, width, top) {
    const at = this.length;
    if (at === this.node.length) this.#grow();
    this.node[at] = node;
    this.count[at] = count;
    this.left[at] = left;
    this.width[at] = width;
    this.top[at] = top;
    this.length += 1;
  }

  #grow() {
    const size = this.node.length * 2;
    for (const name of /** @type {const} */ (['node', 'count'])) {
      const larger = new Int32Array(size);
      larger.set(this[name]);
      this[name] = larger;
    }
    for (const name of /** @type {const} */ (['left', 'width', 'top'])) {
      const larger = new Float32Array(size);
      larger.set(this[name]);
      this[name] = larger;
    }
  }
}

/**
 * Height of the whole graph, px.
 * @param {Tree} tree
 */
export function heightOf(tree) {
  return (tree.maxDepth + 1) * ROW;
}

/**
 * Where a depth's row begins, in px from the top of what is seen.
 * @param {number} depth
 * @param {Tree} tree
 * @param {Window} view
 */
export function rowTop(depth, tree, view) {
  const row = view.flip ? Math.max(tree.maxDepth + 1, Math.floor(view.height / ROW)) - 1 - depth : depth;
  return row * ROW - view.top;
}

/**
 * @param {Tree} tree
 * @param {Window} view
 * @param {Boxes} boxes filled anew
 */
export function collect(tree, view, boxes) {
  boxes.length = 0;
  const scale = view.width / (view.x1 - view.x0);
  if (!Number.isFinite(scale)) return;
  let i = 0;
  // Small frames side by side under one parent gather in one box.
  let runNode = -1;
  let runParent = -1;
  let runCount = 0;
  let runLeft = 0;
  let runRight = 0;
  let runTop = 0;
  const flush = () => {
    if (runNode >= 0) boxes.add(runNode, runCount, runLeft, Math.max(1, runRight - runLeft), runTop);
    runNode = -1;
  };
  while (i < tree.count) {
    const x = tree.x[i] ?? 0;
    const total = tree.total[i] ?? 0;
    const end = tree.end[i] ?? i + 1;
    if (x + total <= view.x0 || x >= view.x1) {
      i = end;
      continue;
    }
    const top = rowTop(tree.depth[i] ?? 0, tree, view);
    // Below what is seen there is nothing to draw (above, when flipped); deeper rows lie further out still.
    if (view.flip ? top + ROW <= 0 : top >= view.height) {
      i = end;
      continue;
    }
    const left = Math.max(0, (x - view.x0) * scale);
    const right = Math.min(view.width, (x + total - view.x0) * scale);
    if (right - left < 1) {
      const parent = tree.parent[i] ?? -1;
      if (runNode >= 0 && parent === runParent && left - runRight < 1) {
        runCount += end - i;
        runRight = right;
      } else {
        flush();
        runNode = i;
        runParent = parent;
        runCount = end - i;
        runLeft = left;
        runRight = right;
        runTop = top;
      }
      i = end;
      continue;
    }
    flush();
    if (view.flip ? top < view.height : top + ROW > 0) boxes.add(i, 1, left, right - left, top);
    i += 1;
  }
  flush();
}

/**
 * The box under a point, or -1.
 * @param {Boxes} boxes
 * @param {number} x px
 * @param {number} y px
 */
export function boxAt(boxes, x, y) {
  for (let b = 0; b < boxes.length; b += 1) {
    const top = boxes.top[b] ?? 0;
    if (y < top || y >= top + ROW) continue;
    const left = boxes.left[b] ?? 0;
    if (x >= left && x < left + Math.max(2, boxes.width[b] ?? 0)) return b;
  }
  return -1;
}
