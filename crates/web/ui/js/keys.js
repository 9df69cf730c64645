// @ts-check
/** The page that lists every key. */

import { h } from './dom.js';
import { close, openAt } from './popup.js';

const KEYS = /** @type {const} */ ([
  ['Flame graph', [['↑ ↓ ← →', 'move among frames'], ['Enter', 'zoom into the chosen frame'], ['Esc', 'out again'], ['m', 'menu of the chosen frame'], ['s', 'sandwich: callers and callees'],
    ['Shift click', 'focus: merge every call of it'], ['Ctrl wheel', 'zoom at the pointer']]],
  ['Search', [['/', 'search; /expression/ for a pattern'], ['Enter', 'next match'], ['n  N', 'next, previous match']]],
  ['Page', [['t', 'table, or back to the graph'], ['l', 'live on or off'], ['f', 'find a service'], ['?', 'this list']]],
  ['Timeline', [['drag', 'select a range'], ['wheel  + −', 'narrow and widen'], ['double click', 'widen'], ['← →', 'earlier, later']]],
]);

export function openKeys() {
  const groups = KEYS.map(([title, keys]) => h('section', {}, h('h3', { text: title }),
    h('dl', {}, ...keys.map(([key, does]) => h('div', {}, h('dt', {}, h('kbd', { text: key })), h('dd', { text: does }))))));
  const done = h('button', { type: 'button', class: 'button', text: 'Close', on: { click: close } });
  const box = h('div', { class: 'keys', role: 'dialog', 'aria-label': 'Keys', 'aria-modal': 'true' }, h('h2', { text: 'Keys' }), h('div', { class: 'keys-groups' }, ...groups), done);
  openAt(box, { x: innerWidth / 2, y: 64 });
  const width = box.getBoundingClientRect().width;
  box.style.left = `${Math.max(8, (innerWidth - width) / 2)}px`;
  done.focus();
}
