// @ts-check
/** Points of a series → evenly spaced buckets that a timeline can draw. */

/** @typedef {import('../api.js').Series} Series */

/**
 * @typedef {object} Grid how a range is cut
 * @property {number} start ms, a whole number of steps since 1970
 * @property {number} end ms, likewise
 * @property {number} step seconds
 */

/**
 * @typedef {object} Buckets
 * @property {Grid} grid
 * @property {Float64Array} values NaN where there is no data
 */

const STEPS = [15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400];

/**
 * Cuts a range into at most `most` buckets. Profiles are taken every 15 seconds, so nothing finer would hold.
 * @param {number} start ms
 * @param {number} end ms
 * @param {number} most
 * @param {number} [longest] ms that the server lets one ask for; the oldest buckets give way
 * @returns {Grid}
 */
export function gridOf(start, end, most, longest = Infinity) {
  const step = STEPS.find((s) => (end - start) / 1000 / s <= most) ?? 86_400;
  const size = step * 1000;
  const last = Math.ceil(end / size) * size;
  // What is asked for begins a step after the grid does, see `queryOf`.
  const least = last - size - Math.max(longest, size);
  return { start: Math.max(Math.floor(start / size) * size, Math.ceil(least / size) * size), end: last, step };
}

/**
 * What to ask for: the server's buckets are closed on the right, ours on the left, hence the millisecond.
 * @param {Grid} grid
 */
export function queryOf(grid) {
  return { start: grid.start + grid.step * 1000 - 1, end: grid.end - 1, step: grid.step };
}

/**
 * Adds up series on the grid. Where profiles come more rarely than the grid's step, buckets are widened until each holds one.
 * @param {Series[]} series
 * @param {Grid} grid
 * @returns {Buckets}
 */
export function bucketsOf(series, grid) {
  const size = grid.step * 1000;
  const count = Math.max(1, Math.round((grid.end - grid.start) / size));
  const values = new Float64Array(count).fill(Number.NaN);
  for (const { points } of series) {
    for (const { at, value } of points) {
      const i = Math.floor((at - grid.start) / size);
      if (i >= 0 && i < count) values[i] = (Number.isNaN(values[i]) ? 0 : (values[i] ?? 0)) + value;
    }
  }
  return widened({ grid, values });
}

/**
 * @param {Buckets} buckets
 * @returns {Buckets}
 */
function widened({ grid, values }) {
  let gap = Infinity;
  let last = -1;
  values.forEach((value, i) => {
    if (Number.isNaN(value)) return;
    if (last >= 0) gap = Math.min(gap, i - last);
    last = i;
  });
  if (gap < 2 || gap === Infinity) return { grid, values };
  const wide = new Float64Array(Math.ceil(values.length / gap)).fill(Number.NaN);
  values.forEach((value, i) => {
    const to = Math.floor(i / gap);
    if (!Number.isNaN(value)) wide[to] = (Number.isNaN(wide[to]) ? 0 : (wide[to] ?? 0)) + value;
  });
  const step = grid.step * gap;
  return { grid: { start: grid.start, end: grid.start + wide.length * step * 1000, step }, values: wide };
}

/**
 * The part of a range that holds data at all: first bucket with data to last.
 * @param {Buckets} buckets
 * @returns {{ start: number, end: number } | null}
 */
export function covered({ grid, values }) {
  const first = values.findIndex((v) => !Number.isNaN(v));
  if (first < 0) return null;
  const last = values.findLastIndex((v) => !Number.isNaN(v));
  return { start: grid.start + first * grid.step * 1000, end: grid.start + (last + 1) * grid.step * 1000 };
}
