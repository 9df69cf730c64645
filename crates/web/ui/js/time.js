// @ts-check
/** Ranges of time: `now-15m` or milliseconds since 1970 in the URL, words and the viewer's own zone on the page. */

import { duration } from './units.js';

/**
 * @typedef {object} Range
 * @property {number} start milliseconds since 1970
 * @property {number} end milliseconds since 1970, after `start`
 * @property {boolean} relative whether the end follows the clock
 */

/** How far the server's clock is ahead of the browser's, ms; less than two seconds is not told apart. */
let ahead = 0;

/** What the server's clock says now, ms since 1970: ranges are of its data. */
export function serverNow() {
  return Date.now() + ahead;
}

/**
 * Learns the server's clock from the `Date` of an answer.
 * @param {string | null} date
 */
export function heardClock(date) {
  const said = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(said)) return;
  // The header has whole seconds: half a second is its middle.
  const difference = said + 500 - Date.now();
  ahead = Math.abs(difference) < 2000 ? 0 : difference;
}

const SIZE = /** @type {Record<string, number>} */ ({ s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 });

/** Ranges the menu offers. */
export const OFFERED = ['now-5m', 'now-15m', 'now-1h', 'now-3h', 'now-6h', 'now-24h', 'now-2d', 'now-7d'];

/**
 * One end of a range; text that is neither form gives null.
 * @param {string} text
 * @param {number} now
 */
export function instant(text, now) {
  if (text === 'now') return now;
  const ago = /^now-(\d+)([smhd])$/.exec(text);
  if (ago) return now - Number(ago[1]) * (SIZE[ago[2] ?? 's'] ?? 1000);
  return /^\d{10,15}$/.test(text) ? Number(text) : null;
}

/**
 * The range two texts name; nonsense falls back to the last 15 minutes.
 * @param {string} from
 * @param {string} to
 * @param {number} now
 * @returns {Range}
 */
export function resolve(from, to, now) {
  const start = instant(from, now);
  const end = instant(to, now);
  if (start === null || end === null || end - start < 1000) return { start: now - 15 * 60_000, end: now, relative: true };
  return { start, end, relative: to === 'now' };
}

/**
 * What the range button says: "Last 15 min" or "10:00 – 10:15".
 * @param {string} from
 * @param {string} to
 * @param {number} now
 */
export function rangeName(from, to, now) {
  const range = resolve(from, to, now);
  if (range.relative) return `Last ${duration((range.end - range.start) / 1000)}`;
  return span(range.start, range.end, now);
}

/**
 * Two times, the date said once and only when it is not today.
 * @param {number} start
 * @param {number} end
 * @param {number} now
 */
export function span(start, end, now) {
  const fine = end - start < 10 * 60_000;
  const sameDay = day(start) === day(end);
  return `${clock(start, now, fine)} – ${sameDay ? hour(end, fine) : clock(end, now, fine)}`;
}

/**
 * A time in the viewer's zone, with the date when it is not today.
 * @param {number} at
 * @param {number} now
 * @param {boolean} [fine] with seconds
 */
export function clock(at, now, fine = false) {
  const time = hour(at, fine);
  if (day(at) === day(now)) return time;
  const date = new Date(at).toLocaleDateString(undefined, { day: 'numeric', month: 'short' });
  return `${date} ${time}`;
}

/**
 * @param {number} at
 * @param {boolean} fine
 */
function hour(at, fine) {
  const date = new Date(at);
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}${fine ? `:${two(date.getSeconds())}` : ''}`;
}

/** @param {number} at */
function day(at) {
  return new Date(at).toDateString();
}
