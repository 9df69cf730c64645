// @ts-check
/** What Explore asks for one picture: the timeline, the host beside it, and the profile. */

import { selectMergeProfile, selectSeries } from '../api.js';
import { selectorText } from '../selector.js';
import { resolve, serverNow } from '../time.js';
import { bucketsOf, covered, gridOf, queryOf } from '../timeline/buckets.js';

/** @typedef {import('../state.js').State} State */
/** @typedef {import('../timeline/buckets.js').Buckets} Buckets */

/**
 * @typedef {object} Answer
 * @property {import('../time.js').Range} range
 * @property {number} now ms, when it was asked
 * @property {Buckets} part
 * @property {Buckets | null} host null when the selection is the host
 * @property {number} hostValue sum over the host in the range
 * @property {number} partValue sum over the selection in the range
 * @property {{ start: number, end: number } | null} held the part of the range that holds data of the host
 * @property {number} seconds length of the range, less what lies before the first data and after the last
 */

/** Buckets a timeline holds at most. */
const MOST = 400;

/** How far back the store keeps, ms; no range may be longer. */
let longest = 7 * 86_400_000;

/** @param {number | undefined} seconds what the agent says the store keeps */
export function learnLongest(seconds) {
  if (seconds !== undefined && seconds > 0) longest = seconds * 1000;
}

/**
 * The range a state names, by the server's clock.
 * @param {State} state
 */
export function rangeOf(state) {
  const range = resolve(state.from, state.to, serverNow());
  return { ...range, start: Math.max(range.start, Math.ceil(range.end - longest)) };
}

/**
 * The merged profile, as pprof bytes.
 * @param {State} state
 * @param {import('../time.js').Range} range
 * @param {AbortSignal} signal
 */
export function askProfile(state, range, signal) {
  return selectMergeProfile({ store: state.store, type: state.type, selector: selectorText(state.matchers), start: Math.floor(range.start), end: Math.ceil(range.end) }, signal);
}

/**
 * The timelines of the selection and of the host.
 * @param {State} state
 * @param {import('../time.js').Range} range
 * @param {AbortSignal} signal
 * @returns {Promise<Answer>}
 */
export async function askTimeline(state, range, signal) {
  const now = serverNow();
  const grid = gridOf(range.start, range.end, MOST, longest);
  const selector = selectorText(state.matchers);
  const base = { store: state.store, type: state.type, ...queryOf(grid) };
  const [part, host] = await Promise.all([
    selectSeries({ ...base, selector }, signal), selector === '{}' ? null : selectSeries({ ...base, selector: '{}' }, signal),
  ]);
  const partBuckets = bucketsOf(part, grid);
  const hostBuckets = host ? bucketsOf(host, grid) : null;
  const held = covered(hostBuckets ?? partBuckets);
  const from = Math.max(range.start, held?.start ?? range.start);
  const to = Math.min(range.end, now, held?.end ?? range.end);
  return {
    range, now, part: partBuckets, host: hostBuckets, held, partValue: sum(partBuckets), hostValue: sum(hostBuckets ?? partBuckets),
    seconds: Math.max(1, (to - from) / 1000),
  };
}

/** @param {Buckets} buckets */
function sum(buckets) {
  let total = 0;
  for (const value of buckets.values) if (!Number.isNaN(value)) total += value;
  return total;
}

/**
 * @typedef {object} Near where data lies nearest to an empty range
 * @property {number} start ms
 * @property {number} end ms
 * @property {boolean} before whether it lies before the range
 * @property {boolean} again whether there is data on both sides of it
 */

/**
 * Where the selection has data nearest to an empty range, as far back as the store keeps: roughly first, then to the step of the data.
 * @param {State} state
 * @param {import('../time.js').Range} range
 * @param {AbortSignal} signal
 * @returns {Promise<Near | null>} null when there is none
 */
export async function nearest(state, range, signal) {
  const now = serverNow();
  const found = async (/** @type {number} */ start, /** @type {number} */ end) => {
    const grid = gridOf(start, end, 700, longest);
    return spans(bucketsOf(await selectSeries({ store: state.store, type: state.type, selector: selectorText(state.matchers), ...queryOf(grid) }, signal), grid));
  };
  const distance = (/** @type {{ start: number, end: number }} */ s) => Math.max(0, s.start - range.end, range.start - s.end);
  const closest = (/** @type {{ start: number, end: number }[]} */ all) => all.reduce((a, b) => (distance(b) < distance(a) ? b : a));
  const rough = await found(now - longest, now);
  if (rough.length === 0) return null;
  const coarse = closest(rough);
  const fine = await found(coarse.start, coarse.end);
  const near = fine.length > 0 ? closest(fine) : coarse;
  const before = near.end <= range.start;
  return { ...near, before, again: !before && rough.some((s) => s.end <= range.start) };
}

/**
 * The buckets that hold data.
 * @param {Buckets} buckets
 */
function spans({ grid, values }) {
  const size = grid.step * 1000;
  return [...values].flatMap((value, i) => (Number.isNaN(value) ? [] : [{ start: grid.start + i * size, end: grid.start + (i + 1) * size }]));
}
