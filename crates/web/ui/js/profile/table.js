// @ts-check
/** A call tree → one row per frame: its own value, and the total of the stacks it is on, recursion counted once. */

/** @typedef {import('./tree.js').Tree} Tree */

/**
 * @typedef {object} Totals
 * @property {Int32Array} frame the frames that occur
 * @property {Float64Array} self by frame
 * @property {Float64Array} total by frame
 */

/**
 * @param {Tree} tree
 * @param {number} frameCount
 * @param {number} from node whose subtree counts
 * @returns {Totals}
 */
export function totalsOf(tree, frameCount, from) {
  const self = new Float64Array(frameCount);
  const total = new Float64Array(frameCount);
  const seen = new Uint8Array(frameCount);
  // The outermost node of a frame on the current path: inside its subtree the frame is not counted again.
  const openUntil = new Int32Array(frameCount);
  const end = tree.end[from] ?? 0;
  let distinct = 0;
  for (let i = from; i < end; i += 1) {
    const frame = tree.frame[i] ?? -1;
    if (frame < 0) continue;
    if (seen[frame] === 0) {
      seen[frame] = 1;
      distinct += 1;
    }
    self[frame] = (self[frame] ?? 0) + (tree.self[i] ?? 0);
    if (i >= (openUntil[frame] ?? 0)) {
      total[frame] = (total[frame] ?? 0) + (tree.total[i] ?? 0);
      openUntil[frame] = tree.end[i] ?? 0;
    }
  }
  const frame = new Int32Array(distinct);
  let at = 0;
  for (let i = 0; i < frameCount; i += 1) if (seen[i] === 1) frame[at++] = i;
  return { frame, self, total };
}

/**
 * Value of all stacks below `from` that pass a matching frame, each counted once, and how many nodes match.
 * @param {Tree} tree
 * @param {Uint8Array} matches by frame
 * @param {number} from
 */
export function matchedValue(tree, matches, from) {
  const end = tree.end[from] ?? 0;
  let value = 0;
  let nodes = 0;
  let coveredUntil = from;
  for (let i = from; i < end; i += 1) {
    if (matches[tree.frame[i] ?? 0] !== 1) continue;
    nodes += 1;
    if (i >= coveredUntil) {
      value += tree.total[i] ?? 0;
      coveredUntil = tree.end[i] ?? 0;
    }
  }
  return { value, nodes };
}
