// @ts-check
/** Hashes that name frames and paths alike in every profile, so that a selection survives a refresh and fits in a link. */

/**
 * 64 bits of a text (two independent multiplicative hashes; not for secrets).
 * @param {string} text
 * @returns {{ low: number, high: number }}
 */
export function hashText(text) {
  let low = 0x811c9dc5;
  let high = 0x9747b28c;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    low = Math.imul(low ^ c, 0x01000193);
    high = Math.imul(high ^ c, 0x5bd1e995) ^ (high >>> 15);
  }
  return { low: mix(low), high: mix(high) };
}

/**
 * Half of a path's id from its parent's half and its frame's.
 * @param {number} parent
 * @param {number} frame
 */
export function extend(parent, frame) {
  return mix(Math.imul(parent ^ 0x9e3779b9, 0x85ebca6b) + frame);
}

/** @param {number} x */
function mix(x) {
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/**
 * @param {number} low
 * @param {number} high
 */
export function idText(low, high) {
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}
