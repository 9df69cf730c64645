// @ts-check
/**
 * Where the page begins: the bar, the views, and the keys that work everywhere.
 *
 *     URL ──state.js──▶ a view ──api.js──▶ the server ──pprof──▶ profile/worker.js: decode, merge into a tree
 *      ▲                  │                                            │
 *      └── what the ◀─────┴── flame/, table/, timeline/ draw ◀─────────┘
 *          reader does
 *
 * Invariants: the state is the URL and changes in one place (`Store.set`); what the reader does changes the state, nothing else; text from
 * the server becomes text nodes, never markup; nothing is asked of another host; an old picture stays until the new one is there.
 *
 * In reading order: `state.js` and `explore/explore.js` (what is asked and shown), `profile/` (bytes to trees, in a worker), `flame/`
 * (`scene.js` decides what is seen, `draw.js` draws it, `graph.js` is the pointer and the keys, `outline.js` is for screen readers),
 * `table/`, `timeline/`, `agent/`. Values are said by `units.js`, times by `time.js`, colours come from `palette.js`.
 * A view is a class with an element, `enter` and `leave`. Tested in `e2e/browser`.
 */

import { Agent } from './agent/agent.js';
import { fill, h, icon } from './dom.js';
import { Explore } from './explore/explore.js';
import { openKeys } from './keys.js';
import { isOpen } from './popup.js';
import { RangeControl } from './range.js';
import { Store } from './state.js';
import { choose, chosen } from './theme.js';

const ICONS = {
  light: 'M8 4.75a3.25 3.25 0 1 0 0 6.5 3.25 3.25 0 0 0 0-6.5M8 1v1.8M8 13.2V15M1 8h1.8M13.2 8H15M3.05 3.05l1.27 1.27M11.68 11.68l1.27 1.27M3.05 12.95l1.27-1.27M11.68 4.32l1.27-1.27',
  dark: 'M13.5 9.6A5.8 5.8 0 0 1 6.4 2.5 5.8 5.8 0 1 0 13.5 9.6',
  system: 'M2 3h12v8.5H2zM5.5 14h5M8 11.5V14',
};
const THEMES = /** @type {const} */ (['system', 'light', 'dark']);

const store = new Store();
const liveButton = h('button', { type: 'button', class: 'button live', 'aria-pressed': 'false', on: { click: toggleLive } });
const explore = new Explore(store, showLive);
const agent = new Agent(store);
const views = /** @type {Record<string, Explore | Agent>} */ ({ explore, agent });
const range = new RangeControl(store);
const themeButton = h('button', { type: 'button', class: 'button button-icon', on: { click: nextTheme } });
const keysButton = h('button', { type: 'button', class: 'button button-icon', 'aria-label': 'Keys', title: 'Keys (?)', text: '?', on: { click: openKeys } });
/** @type {Explore | Agent | null} */
let current = null;

function toggleLive() {
  const { state } = store;
  if (state.to !== 'now') store.set({ from: 'now-15m', to: 'now', live: true });
  else store.set({ live: !state.live });
}

/** @param {'on' | 'held' | 'off'} how */
function showLive(how) {
  fill(liveButton, h('i', { class: 'dot', 'aria-hidden': 'true' }), how === 'held' ? 'Paused' : 'Live');
  liveButton.dataset.how = how;
  liveButton.setAttribute('aria-pressed', String(how !== 'off'));
  liveButton.title = how === 'held' ? 'Live, at rest while the pointer is on the picture' : how === 'on' ? 'Refreshed each second (l)' : 'Refresh each second (l)';
}

function nextTheme() {
  choose(THEMES[(THEMES.indexOf(chosen()) + 1) % THEMES.length] ?? 'system');
  showTheme();
}

function showTheme() {
  fill(themeButton, icon(ICONS[chosen()]));
  themeButton.setAttribute('aria-label', `Theme: ${chosen()}`);
  themeButton.title = `Theme: ${chosen()}`;
}

function showView() {
  const { state } = store;
  const next = views[state.view] ?? explore;
  document.title = `${state.view === 'agent' ? 'Agent' : 'Explore'} · pyrope`;
  for (const link of document.querySelectorAll('.views a')) {
    const here = link.getAttribute('href') === `#/${state.view}`;
    if (here) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  controls.hidden = state.view !== 'explore';
  if (next === current) return;
  current?.leave();
  current = next;
  document.querySelector('#view')?.replaceChildren(next.element);
  next.enter();
}

/** @param {KeyboardEvent} event */
function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isOpen()) return;
  if (event.target instanceof HTMLInputElement) return;
  let taken = true;
  if (event.key === '?') openKeys();
  else if (current !== explore) taken = false;
  else if (event.key === 'l') toggleLive();
  else if (event.key === 'f') explore.labels.pickService();
  else taken = explore.key(event);
  if (taken) event.preventDefault();
}

const controls = h('div', { class: 'controls' }, range.element, liveButton);
document.querySelector('#controls')?.replaceChildren(controls, keysButton, themeButton);
showLive('off');
showTheme();
store.listen((now, before) => {
  showView();
  range.show();
  explore.changed(now, before);
});
document.addEventListener('keydown', key);
for (const link of document.querySelectorAll('.views a')) {
  link.addEventListener('click', (event) => {
    if (!(event instanceof MouseEvent) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    store.set({ view: link.getAttribute('href') === '#/agent' ? 'agent' : 'explore' });
  });
}
showView();
