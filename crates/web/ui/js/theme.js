// @ts-check
/** Light or dark: as the system says, unless the reader chose; the choice stays in this browser. */

import { PALETTES, painted } from './palette.js';

const KEY = 'pyrope.theme';
const dark = matchMedia('(prefers-color-scheme: dark)');
/** @type {(() => void)[]} */
const listeners = [];

/** What the reader chose: 'light', 'dark', or 'system'. */
export function chosen() {
  const value = localStorage.getItem(KEY);
  return value === 'light' || value === 'dark' ? value : 'system';
}

/** Which of the two is shown. */
export function shown() {
  const value = chosen();
  if (value !== 'system') return value;
  return dark.matches ? 'dark' : 'light';
}

/** Colours for canvases under the theme shown. */
export function paint() {
  return painted(PALETTES[shown()]);
}

/** @param {() => void} listener called after the theme changed */
export function onTheme(listener) {
  listeners.push(listener);
}

/** @param {'light' | 'dark' | 'system'} value */
export function choose(value) {
  if (value === 'system') localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, value);
  show();
}

function show() {
  document.documentElement.dataset.theme = chosen();
  for (const listener of listeners) listener();
}

dark.addEventListener('change', show);
document.documentElement.dataset.theme = chosen();
