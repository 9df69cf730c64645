// @ts-check
/** The view Explore: asks for what the state names, and shows it; keeps the old picture until the new one is there. */

import { Failure, agentStatus, profileTypes } from '../api.js';
import { fill, h } from '../dom.js';
import { ProfileClient } from '../profile/client.js';
import { MERGED } from '../profile/kinds.js';
import { Progress } from '../progress.js';
import { matchFrames, parseSearch } from '../search.js';
import { selectionName } from '../selector.js';
import { format } from '../state.js';
import { onTheme } from '../theme.js';
import { clock, rangeName, span } from '../time.js';
import { Timeline } from '../timeline/timeline.js';
import { duration, measureOf, share } from '../units.js';
import { LabelsLine } from './labels.js';
import { Health } from './health.js';
import { Legend } from './legend.js';
import { Live } from './live.js';
import { button, noStore, panel } from './notices.js';
import { Panes } from './panes.js';
import { askProfile, askTimeline, nearest, rangeOf } from './query.js';
import { Split } from './split.js';

/** @typedef {import('../state.js').State} State */
/** @typedef {import('../state.js').Store} Store */
/** @typedef {import('./query.js').Answer} Answer */

/** Below this many samples a share is a guess, and is called one. */
const FEW = 20;

export class Explore {
  #client = new ProfileClient();
  #running = new AbortController();
  /** @type {Answer | null} */
  #answer = null;
  /** @type {import('./panes.js').Built | null} */
  #built = null;
  /** What the server says is missing from the picture. */
  #missing = '';
  #shown = false;
  #turn = 0;
  /** What is on its way: nothing, a refresh nobody asked for, or what the reader asked for. @type {'nothing' | 'refresh' | 'asked'} */
  #loading = 'nothing';

  /**
   * @param {Store} store
   * @param {(how: 'on' | 'held' | 'off') => void} liveChanged
   */
  constructor(store, liveChanged) {
    this.store = store;
    this.progress = new Progress();
    this.timeline = new Timeline((start, end) => store.set({ from: String(start), to: String(end) }));
    this.labels = new LabelsLine(store);
    this.summary = h('div', { class: 'summary', 'aria-live': 'off' });
    this.search = h('input', {
      type: 'search', class: 'field search', placeholder: 'Search functions', 'aria-label': 'Search functions', autocomplete: 'off', spellcheck: 'false',
      title: 'Part of a name, or /regular expression/', on: { input: () => store.set({ search: this.search.value }, { replace: true }) },
    });
    this.found = h('output', { class: 'found', 'aria-live': 'polite' });
    this.legend = new Legend(store);
    this.panes = new Panes(store);
    this.split = new Split(this.panes.graphPane, this.panes.table.element, (tab) => store.set({ tab }, { replace: true }));
    this.strip = h('div', { class: 'strip', role: 'status', hidden: true });
    this.notice = h('div', { class: 'notice-place', hidden: true });
    this.health = new Health(store, () => this.#strip());
    this.live = new Live(() => { if (this.#loading !== 'asked') void this.load(true); }, liveChanged);
    this.element = h('main', { class: 'explore', 'aria-label': 'Explore' },
      this.progress.element, this.timeline.element,
      h('div', { class: 'line' }, this.labels.element, this.summary),
      h('div', { class: 'line tools' }, h('div', { class: 'search-box' }, this.search, this.found), this.panes.crumbs.element, this.legend.element),
      this.strip, this.split.element, this.notice);
    this.search.addEventListener('keydown', (event) => this.#searchKey(event));
    for (const part of [this.split.panes, this.timeline.element]) {
      part.addEventListener('pointerenter', (event) => { if (event.pointerType === 'mouse') this.#rest(); });
      part.addEventListener('pointerleave', () => this.live.hold(false));
    }
    onTheme(() => this.timeline.repaint());
    this.split.show(store.state.tab);
  }

  /** Called when the view comes on screen. */
  enter() {
    this.#shown = true;
    this.search.value = this.store.state.search;
    this.#pace();
    this.health.start();
    void this.load(false);
  }

  /** Called when it leaves it. */
  leave() {
    this.#shown = false;
    this.live.set(false);
    this.health.stop();
    this.#running.abort();
    this.progress.end();
  }

  /**
   * @param {State} now
   * @param {State} before
   */
  changed(now, before) {
    if (!this.#shown) return;
    const differs = (/** @type {(keyof State)[]} */ ...names) => names.some((n) => JSON.stringify(now[n]) !== JSON.stringify(before[n]));
    if (this.search.value !== now.search) this.search.value = now.search;
    if (differs('matchers', 'store')) this.labels.show();
    if (differs('store')) {
      this.health.stop();
      this.health.start();
    }
    if (differs('tab')) this.split.show(now.tab);
    this.#pace();
    if (differs('from', 'to', 'store', 'type', 'matchers')) void this.load(false);
    else if (differs('focus', 'sandwich', 'only', 'hide', 'off', 'collapse')) void this.#reshape();
    else if (differs('zoom')) {
      this.panes.rezoom();
      this.#find();
    }
    if (differs('search')) this.#find();
    if (differs('sort')) this.panes.tabulate();
  }

  /** @param {KeyboardEvent} event a key nobody nearer wanted; true when it was taken */
  key(event) {
    const { state } = this.store;
    switch (event.key) {
      case '/': this.search.focus(); this.search.select(); return true;
      case 'n': this.panes.walk(1); return true;
      case 'N': this.panes.walk(-1); return true;
      case 't': {
        const toTable = !this.panes.table.element.contains(document.activeElement);
        this.store.set({ tab: toTable ? 'table' : 'graph' }, { replace: true });
        (toTable ? this.panes.table.scroll : this.panes.graph.element).focus();
        return true;
      }
      case 's': {
        const name = this.panes.chosenName();
        if (state.sandwich) this.store.set({ sandwich: '', zoom: '' });
        else if (name) this.store.set({ sandwich: name, focus: '', zoom: '' });
        return true;
      }
      case 'Escape': return this.#escape();
      default: return false;
    }
  }

  /**
   * Asks anew. A refresh nobody asked for shows no bar, and its failure leaves the picture as it is.
   * @param {boolean} quiet
   */
  async load(quiet) {
    const turn = ++this.#turn;
    const { state } = this.store;
    const began = performance.now();
    this.#running.abort();
    this.#running = new AbortController();
    this.#loading = quiet ? 'refresh' : 'asked';
    const { signal } = this.#running;
    if (!quiet) this.progress.begin(() => this.#running.abort());
    try {
      const range = rangeOf(state);
      const [answer, built] = await Promise.all([
        askTimeline(state, range, signal), askProfile(state, range, signal).then(async ({ bytes, missing }) => ({ ...(await this.#client.build(bytes, wishOf(this.store.state))), missing })),
      ]);
      if (turn !== this.#turn || signal.aborted) return;
      this.#answer = answer;
      this.#built = built;
      this.#missing = built.missing;
      this.#show();
      if (!quiet) void this.labels.offerTypes(range, signal);
      if (built.stacks === 0) await this.#explainEmpty(signal);
    } catch (error) {
      if (turn === this.#turn) this.#failed(error, quiet);
    } finally {
      if (turn === this.#turn) {
        this.#loading = 'nothing';
        this.progress.end();
        this.live.done(performance.now() - began);
      }
    }
  }

  async #reshape() {
    if (this.panes.empty) return;
    const turn = this.#turn;
    try {
      const built = await this.#client.build(null, wishOf(this.store.state));
      if (turn !== this.#turn) return;
      this.#built = built;
      this.#show();
    } catch (error) {
      this.#failed(error, false);
    }
  }

  /** Nothing moves under the pointer: not by the next refresh, nor by the one on its way. */
  #rest() {
    this.live.hold(true);
    if (this.#loading === 'refresh') this.#running.abort();
  }

  #pace() {
    this.live.set(this.#shown && this.store.state.live && this.store.state.to === 'now');
  }

  #show() {
    const answer = this.#answer;
    const built = this.#built;
    if (!answer || !built) return;
    const { state } = this.store;
    const measure = measureOf(state.type);
    const name = selectionName(state.matchers);
    this.timeline.show({ part: answer.part, host: answer.host, start: answer.range.start, end: answer.range.end, now: answer.now, unit: measure.rateUnit, perUnit: measure.perUnit });
    this.#summarize(answer, built, measure);
    const empty = built.stacks === 0;
    this.notice.hidden = !empty;
    this.split.element.hidden = empty;
    if (empty) {
      this.strip.hidden = true;
      return;
    }
    this.legend.show(built.frames);
    const hostWhole = answer.host && answer.partValue > 0 ? built.value * (answer.hostValue / answer.partValue) : built.value;
    this.panes.show(built, { measure, seconds: answer.seconds, whole: built.value, host: hostWhole, period: built.period }, state.sandwich || state.focus ? 'all calls' : name);
    this.#find();
    this.#strip();
  }

  /**
   * @param {Answer} answer
   * @param {import('./panes.js').Built} built
   * @param {import('../units.js').Measure} measure
   */
  #summarize(answer, built, measure) {
    const samples = built.period > 0 ? built.value / built.period : 0;
    const few = samples > 0 && samples < FEW;
    fill(this.summary,
      h('b', { class: 'summary-figure', text: measure.rate(built.value, answer.seconds) }), h('span', { class: 'summary-unit', text: measure.rateUnit }),
      answer.host ? h('span', { text: `${share(answer.partValue, answer.hostValue)} of the host` }) : h('span', { text: 'whole host' }),
      h('span', {
        text: `${measure.total(built.value)} in ${duration(answer.seconds)}`,
        title: samples > 0 ? `${Math.round(samples).toLocaleString('en-US')} samples, ${(samples / answer.seconds).toFixed(1)} a second; ${built.stacks.toLocaleString('en-US')} distinct stacks` : '',
      }),
      few ? h('span', { class: 'summary-guess', text: `${Math.round(samples)} samples: a guess` }) : null);
  }

  /** What is missing from the picture, and what the agent complains of. */
  #strip() {
    const answer = this.#answer;
    const built = this.#built;
    if (!answer || !built || built.stacks === 0) return;
    /** @type {(string | HTMLElement)[]} */
    const said = [...this.health.said];
    if (said.length > 0) said.push(h('a', { href: format({ ...this.store.state, view: 'agent' }), text: 'What the agent says' }));
    if (this.#missing) said.push(`Not everything could be read: ${this.#missing}`);
    const slack = Math.max(30_000, (answer.range.end - answer.range.start) * 0.02);
    if (answer.held && answer.held.start - answer.range.start > slack) said.push(`Data begins at ${clock(answer.held.start, answer.now)}; figures are over the ${duration(answer.seconds)} since.`);
    let merged = 0;
    const { frames, tree } = built;
    for (let i = 0; i < tree.count; i += 1) if (frames.kind[tree.frame[i] ?? -1] === MERGED) merged += tree.total[i] ?? 0;
    if (merged > 0) said.push(`The smallest stacks are merged as “other” (${share(merged, built.value)}). Narrow the selection to see them.`);
    fill(this.strip, ...said.map((part) => (typeof part === 'string' ? h('span', { text: part }) : part)));
    this.strip.hidden = said.length === 0;
  }

  #find() {
    const test = parseSearch(this.store.state.search);
    const broken = typeof test === 'string';
    this.search.classList.toggle('broken', broken);
    this.search.setAttribute('aria-invalid', String(broken));
    this.panes.mark(this.#built && typeof test === 'function' ? matchFrames(this.#built.frames, test) : null);
    this.found.textContent = broken ? 'not a regular expression' : this.panes.matched();
    this.found.title = broken ? test : '';
  }

  /** @param {KeyboardEvent} event */
  #searchKey(event) {
    if (event.key === 'Enter') {
      event.preventDefault();
      this.panes.walk(event.shiftKey ? -1 : 1);
    } else if (event.key === 'Escape') {
      event.preventDefault();
      event.stopPropagation();
      if (this.store.state.search === '') this.panes.graph.element.focus();
      else this.store.set({ search: '' });
    }
  }

  #escape() {
    const { state } = this.store;
    if (this.panes.out()) return true;
    if (state.sandwich || state.focus) this.store.set({ sandwich: '', focus: '', zoom: '' });
    else if (state.search) this.store.set({ search: '' });
    else return false;
    return true;
  }

  /** @param {AbortSignal} signal */
  async #explainEmpty(signal) {
    const answer = this.#answer;
    if (!answer) return;
    const { state } = this.store;
    const name = selectionName(state.matchers);
    const where = answer.range.relative ? `in the ${rangeName(state.from, state.to, answer.now).replace('Last', 'last')}` : `between ${span(answer.range.start, answer.range.end, answer.now).replace(' – ', ' and ')}`;
    const title = `No samples from ${name} ${where}.`;
    const [near, status, types] = await Promise.all([
      nearest(state, answer.range, signal).catch(() => null), agentStatus(state.store, signal).catch(() => null),
      profileTypes({ store: state.store, start: Math.floor(answer.range.start), end: Math.ceil(answer.range.end) }, signal).catch(() => /** @type {string[]} */ ([])),
    ]);
    if (signal.aborted) return;
    if (status && status.store === null) {
      fill(this.notice, noStore());
      return;
    }
    const other = types.find((t) => t !== state.type);
    if (near) {
      const at = clock(near.before ? near.end : near.start, answer.now);
      const said = near.before ? `It was last seen at ${at}.` : near.again ? `It was seen again at ${at}.` : `It started at ${at}.`;
      const size = answer.range.end - answer.range.start;
      const [s, e] = near.before ? [near.end - size, near.end] : [near.start, near.start + size];
      fill(this.notice, panel(title, [said], [button(`Show ${span(s, e, answer.now)}`, () => this.store.set({ from: String(s), to: String(e) }), true)]));
    } else if (other && !types.includes(state.type)) {
      fill(this.notice, panel(title, [`There are profiles of another type: ${other}.`], [button('Show them', () => this.store.set({ type: other }), true)]));
    } else if (state.matchers.length > 0) {
      fill(this.notice, panel(title, ['Nothing in the last week has these labels.'], [button('Show the whole host', () => this.store.set({ matchers: [], zoom: '' }), true)]));
    } else {
      const ill = (status?.profilers ?? []).find((/** @type {any} */ p) => p.health && p.health.state !== 'healthy');
      fill(this.notice, panel('No samples yet.', [
        ill ? `${ill.id}: ${ill.health.message}` : 'pyrope shows the first ones about a second after it starts; this page looks again by itself.',
      ], [button('What the agent says', () => this.store.set({ view: 'agent' }), true), button('Look again', () => void this.load(false))]));
    }
  }

  #cancelled() {
    const again = button('Load again', () => void this.load(false), true);
    if (this.panes.empty) {
      this.notice.hidden = false;
      this.split.element.hidden = true;
      fill(this.notice, panel('Cancelled', ['A shorter range, or fewer services, loads faster.'], [again]));
    } else {
      fill(this.strip, h('span', { text: 'Cancelled: the picture is the one before.' }), again);
      this.strip.hidden = false;
    }
  }

  /**
   * @param {unknown} error
   * @param {boolean} quiet
   */
  #failed(error, quiet) {
    if (error instanceof DOMException && error.name === 'AbortError') {
      if (!quiet && this.#shown) this.#cancelled();
      return;
    }
    const message = (error instanceof Error ? error.message : String(error)).replace(/^./, (c) => c.toUpperCase());
    const retry = button('Retry', () => void this.load(false), true);
    if (error instanceof Failure && error.code === 'failed_precondition') {
      this.notice.hidden = false;
      this.split.element.hidden = true;
      fill(this.notice, noStore());
    } else if (this.panes.empty) {
      this.notice.hidden = false;
      this.split.element.hidden = true;
      fill(this.notice, panel('The profile could not be loaded', [message], [retry]));
    } else {
      const what = quiet ? 'Not up to date: ' : 'This could not be loaded, the picture is the one before: ';
      fill(this.strip, h('span', { class: 'strip-bad', text: what + message }), retry);
      this.strip.hidden = false;
    }
  }
}

/**
 * @param {State} state
 * @returns {import('../profile/client.js').Wish}
 */
function wishOf({ focus, sandwich, only, hide, off, collapse }) {
  return { focus, sandwich, only, hide, off, collapse };
}
