// @ts-check
/**
 * What the page shows, kept in the URL after the `#`, so that back undoes and a link shows a colleague the same thing.
 *
 * What the reader does is pushed on the history; what the clock does replaces.
 */

import { matcherText, parseMatcher } from './selector.js';

/** @typedef {import('./selector.js').Matcher} Matcher */

/**
 * @typedef {object} State
 * @property {string} view 'explore' or 'agent'
 * @property {string} from start of the range: `now-15m` or milliseconds since 1970
 * @property {string} to end of the range: `now` or milliseconds since 1970
 * @property {string} store name of the store that is asked, '' for the first by name
 * @property {string} type profile type id
 * @property {Matcher[]} matchers label matchers, all of which hold
 * @property {boolean} live refresh each second while the range ends now
 * @property {string} search what the search field holds
 * @property {string} zoom id of the frame that fills the graph, '' for the root
 * @property {string} focus function the graph is re-rooted on, '' for none
 * @property {string} sandwich function whose callers and callees are shown, '' for none
 * @property {string[]} only functions every shown stack passes through
 * @property {string[]} hide functions left out of the stacks
 * @property {string[]} off kinds of frame left out of the stacks
 * @property {boolean} collapse whether direct recursion is one frame
 * @property {string} sort table column and direction: `self-`, `name+`
 * @property {string} tab 'graph' or 'table', where only one fits
 */

/** @type {Readonly<State>} */
export const DEFAULTS = Object.freeze({
  view: 'explore', from: 'now-15m', to: 'now', store: '', type: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds', matchers: [], live: true,
  search: '', zoom: '', focus: '', sandwich: '', only: [], hide: [], off: [], collapse: false, sort: 'self-', tab: 'graph',
});

const TEXTS = /** @type {const} */ (['from', 'to', 'store', 'type', 'search', 'zoom', 'focus', 'sandwich', 'sort', 'tab']);
const LISTS = /** @type {const} */ (['only', 'hide', 'off']);

/**
 * Reads `#/explore?from=now-1h&label=service_name%3Dcart`; what is missing or unknown takes its default.
 * @param {string} hash
 * @returns {State}
 */
export function parse(hash) {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  const found = new URLSearchParams(query);
  /** @type {State} */
  const state = { ...DEFAULTS, view: path === 'agent' ? 'agent' : 'explore' };
  for (const name of TEXTS) state[name] = found.get(name) ?? DEFAULTS[name];
  for (const name of LISTS) state[name] = found.getAll(name);
  state.matchers = found.getAll('label').map(parseMatcher).filter((m) => m !== null);
  state.live = found.get('live') !== 'off';
  state.collapse = found.get('collapse') === 'on';
  return state;
}

/**
 * The inverse of {@link parse}; what equals its default is left out.
 * @param {State} state
 */
export function format(state) {
  const query = new URLSearchParams();
  for (const name of TEXTS) if (state[name] !== DEFAULTS[name]) query.set(name, state[name]);
  for (const matcher of state.matchers) query.append('label', matcherText(matcher));
  for (const name of LISTS) for (const value of state[name]) query.append(name, value);
  if (!state.live) query.set('live', 'off');
  if (state.collapse) query.set('collapse', 'on');
  const text = query.toString();
  return `#/${state.view}${text ? `?${text}` : ''}`;
}

/** The one place where the state lives; listeners hear of each change with what was before. */
export class Store {
  /** @type {State} */
  #state = parse(location.hash);
  /** @type {((now: State, before: State) => void)[]} */
  #listeners = [];

  constructor() {
    addEventListener('popstate', () => this.#become(parse(location.hash)));
  }

  get state() {
    return this.#state;
  }

  /** @param {(now: State, before: State) => void} listener */
  listen(listener) {
    this.#listeners.push(listener);
  }

  /**
   * @param {Partial<State>} change
   * @param {{ replace?: boolean }} [how] `replace` for what the reader did not do, or does letter by letter
   */
  set(change, how = {}) {
    const next = { ...this.#state, ...change };
    const url = format(next);
    if (url === format(this.#state)) return;
    if (how.replace) history.replaceState(null, '', url);
    else history.pushState(null, '', url);
    this.#become(next);
  }

  /** @param {State} next */
  #become(next) {
    const before = this.#state;
    this.#state = next;
    for (const listener of this.#listeners) listener(next, before);
  }
}
