// @ts-check
/** The menu of a frame: what can be done with its function. */

import { copyText } from '../clipboard.js';
import { openMenu } from '../popup.js';

/** @typedef {import('../state.js').Store} Store */

/**
 * @param {Store} store
 * @param {{ name: string, source: string, zoom: (() => void) | null }} frame
 * @param {number} x
 * @param {number} y
 */
export function openFrameMenu(store, { name, source, zoom }, x, y) {
  const { state } = store;
  const copy = (/** @type {string} */ text) => () => void copyText(text);
  openMenu(name, [
    ...(zoom ? [{ text: 'Zoom in', key: '↵', act: zoom }] : []),
    { text: 'Focus: every call of it, merged', key: '⇧ click', act: () => store.set({ focus: name, sandwich: '', zoom: '' }) },
    { text: 'Sandwich: callers and callees', key: 's', act: () => store.set({ sandwich: name, focus: '', zoom: '' }) },
    null,
    { text: 'Only stacks with it', off: state.only.includes(name), act: () => store.set({ only: [...state.only, name], zoom: '' }) },
    { text: 'Leave it out', off: state.hide.includes(name), act: () => store.set({ hide: [...state.hide, name], zoom: '' }) },
    { text: state.collapse ? 'Show recursion in full' : 'Collapse recursion', act: () => store.set({ collapse: !state.collapse, zoom: '' }) },
    { text: 'Search for it', act: () => store.set({ search: name }) },
    null,
    { text: 'Copy name', act: copy(name) },
    { text: source === '' ? 'Copy source place (unknown)' : 'Copy source place', off: source === '', act: copy(source) },
    { text: 'Copy link to this view', act: copy(location.href) },
  ], { x, y });
}
