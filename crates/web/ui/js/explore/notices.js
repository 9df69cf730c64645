// @ts-check
/** What Explore says when there is no picture to show: nothing yet, nothing here, no store, or a failure. */

import { copyText } from '../clipboard.js';
import { h } from '../dom.js';

/**
 * @param {string} title
 * @param {(Node | string)[]} body
 * @param {(Node | null)[]} [buttons]
 */
export function panel(title, body, buttons = []) {
  return h('section', { class: 'notice', role: 'status' }, h('h2', { text: title }),
    ...body.map((part) => (typeof part === 'string' ? h('p', { text: part }) : part)),
    h('div', { class: 'notice-buttons' }, ...buttons));
}

/**
 * @param {string} text
 * @param {() => void} act
 * @param {boolean} [main]
 */
export function button(text, act, main = false) {
  return h('button', { type: 'button', class: main ? 'button button-main' : 'button', text, on: { click: act } });
}

/** The configuration that adds a store, with the button that copies it. */
export function noStore() {
  const lines = 'pyrope.store "local" { }\n\npyroscope.ebpf "host" {\n  forward_to = [pyrope.store.local.receiver]\n}';
  const code = h('pre', { class: 'code', text: lines });
  const copy = h('button', {
    type: 'button', class: 'button', text: 'Copy',
    on: { click: async () => { copy.textContent = (await copyText(lines)) ? 'Copied' : 'Select the lines and copy them'; } },
  });
  return panel('This configuration keeps no profiles here', [
    'Profiles go where forward_to sends them, and no pyrope.store is among its receivers. Add one to see them on this page:', code,
    'Keep the receivers you have: forward_to takes several. Then reload the configuration (SIGHUP, or POST /-/reload).',
  ], [copy]);
}
