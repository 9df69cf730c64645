// @ts-check
/** The view Agent: what pyrope costs, what became of every sample, what the stores hold; honest when it is bad. */

import { agentStatus } from '../api.js';
import { fill, h } from '../dom.js';
import { button, noStore, panel } from '../explore/notices.js';
import { DEFAULTS, format } from '../state.js';
import { clock, serverNow } from '../time.js';
import { bytes, count, duration, figure, seconds, share } from '../units.js';
import { explain } from './reasons.js';

/** @typedef {Record<string, any>} Json */

const PERIOD = 2000;

export class Agent {
  #timer = 0;
  #shown = false;
  #last = '';
  #running = new AbortController();

  /** @param {import('../state.js').Store} store */
  constructor(store) {
    this.store = store;
    this.strip = h('div', { class: 'strip', role: 'status', hidden: true });
    this.body = h('div', { class: 'agent-body' });
    this.element = h('main', { class: 'agent', 'aria-label': 'Agent' }, this.strip, this.body);
    document.addEventListener('visibilitychange', () => { if (this.#shown && !document.hidden) void this.load(); });
  }

  enter() {
    this.#shown = true;
    void this.load();
  }

  leave() {
    this.#shown = false;
    clearTimeout(this.#timer);
    this.#running.abort();
  }

  async load() {
    clearTimeout(this.#timer);
    this.#running.abort();
    this.#running = new AbortController();
    try {
      const status = await agentStatus(this.store.state.store, this.#running.signal);
      this.strip.hidden = true;
      this.#show(status);
    } catch (error) {
      if (error instanceof DOMException && error.name === 'AbortError') return;
      const message = error instanceof Error ? error.message : String(error);
      const retry = () => button('Retry', () => void this.load(), true);
      if (this.#last === '') fill(this.body, panel('The agent’s status could not be loaded', [message], [retry()]));
      else {
        fill(this.strip, h('span', { class: 'strip-bad', text: `Not up to date: ${message}` }), retry());
        this.strip.hidden = false;
      }
    }
    if (this.#shown && !document.hidden) this.#timer = setTimeout(() => void this.load(), PERIOD);
  }

  /** @param {Json} status */
  #show(status) {
    const now = serverNow();
    // Only what changed is written anew: a selection of text survives the refresh of the rest.
    const key = JSON.stringify(status);
    if (key === this.#last) return;
    this.#last = key;
    const parts = [
      ['notices', notices(status)], ['cost', cost(status, now)],
      ...(status.profilers ?? []).map((/** @type {Json} */ p, /** @type {number} */ i) => [`profiler-${i}`, profiler(p)]),
      ['no-store', status.store === null ? noStore() : null],
      ...storesOf(status).map((s, _, all) => [`store-${s.name}`, store(s, now, all.length > 1)]), ['endpoints', endpoints(status.endpoints ?? [])], ['components', components(status.components ?? [], now)],
    ];
    const kept = new Map([...this.body.children].map((e) => [e instanceof HTMLElement ? e.dataset.part : '', e]));
    const next = parts.filter(([, element]) => element).map(([name, element]) => {
      const made = /** @type {HTMLElement} */ (element);
      const part = /** @type {string} */ (name);
      made.dataset.part = part;
      const old = kept.get(part);
      return old && old.isEqualNode(made) ? old : made;
    });
    if (next.length !== this.body.children.length || next.some((element, i) => this.body.children[i] !== element)) {
      const top = this.element.scrollTop;
      fill(this.body, ...next);
      this.element.scrollTop = top;
    }
  }
}

/**
 * @param {string} title
 * @param {(Node | null)[]} body
 * @param {Node | null} [beside]
 */
function section(title, body, beside = null) {
  return h('section', { class: 'card', 'aria-label': title }, h('header', { class: 'card-head' }, h('h2', { text: title }), beside), ...body);
}

/**
 * @param {string} name
 * @param {string} value
 * @param {string} [beside]
 * @param {boolean} [bad]
 */
function fact(name, value, beside = '', bad = false) {
  return h('div', { class: bad ? 'fact bad' : 'fact' }, h('dt', { text: name }), h('dd', {}, h('b', { text: value }), beside === '' ? null : h('span', { text: beside })));
}

/** @param {(Node | null)[]} all */
function facts(...all) {
  return h('dl', { class: 'facts' }, ...all);
}

/** @param {Json | undefined} health */
function healthMark(health) {
  const state = String(health?.state ?? 'unknown');
  return h('span', { class: `health health-${state}` }, h('i', { 'aria-hidden': 'true' }), state);
}

/** @param {Json | undefined} health */
function healthSays(health) {
  if (!health?.message || health.state === 'healthy') return null;
  return h('p', { class: 'says bad', text: String(health.message) });
}

/** @param {Json} status */
function notices(status) {
  const all = status.notices ?? [];
  if (all.length === 0) return null;
  return h('section', { class: 'card notices', 'aria-label': 'Notices' }, ...all.map((/** @type {Json} */ n) => h('p', { class: `says level-${n.level ?? 'info'}`, text: String(n.text ?? '') })));
}

/**
 * @param {Json} status
 * @param {number} now
 */
function cost(status, now) {
  const memory = status.memory ?? {};
  const over = memory.budget_bytes > 0 && memory.rss_bytes > memory.budget_bytes;
  const up = Number(status.uptime_s ?? 0);
  const average = up > 0 ? Number(status.cpu_seconds ?? 0) / up : 0;
  const gauge = memory.budget_bytes > 0 ? meter(memory.rss_bytes ?? 0, memory.budget_bytes, 'Memory against its budget') : null;
  const kernel = status.kernel ?? {};
  const inKernel = Number(kernel.sampling_seconds ?? 0);
  return section('What pyrope costs', [facts(
    fact('CPU, last minute', `${figure(Number(status.cpu_cores_60s ?? 0))} cores`, `${figure(average)} cores on average since it started`),
    fact('CPU in total', seconds(Number(status.cpu_seconds ?? 0)), `in ${duration(up)}`),
    fact('Memory', bytes(memory.rss_bytes ?? 0), memory.budget_bytes > 0 ? `${over ? `${figure((memory.rss_bytes / memory.budget_bytes) * 100)} %` : share(memory.rss_bytes, memory.budget_bytes)} of its budget of ${bytes(memory.budget_bytes)}` : '', over),
    memory.bpf_maps_bytes > 0 ? fact('BPF maps', bytes(memory.bpf_maps_bytes), 'kernel memory') : null,
    kernel.samples > 0 ? fact('Samples', count(kernel.samples), `${seconds(inKernel)} of CPU in the kernel, ${figure((inKernel * 1e6) / kernel.samples)} µs each`) : null,
  ), gauge, kernel.throttled > 0 ? h('p', { class: 'says bad', text: `The kernel stopped the samples of a CPU ${count(kernel.throttled)} times, until its next timer tick: samples are missing. Raise the sysctl kernel.perf_event_max_sample_rate, or lower sample_rate.` }) : null], h('span', { class: 'card-note', text: `pyrope ${status.version ?? ''}${status.started_at_ms ? ` · running since ${clock(status.started_at_ms, now)}` : ''}` }));
}

/**
 * @param {number} value
 * @param {number} most
 * @param {string} name
 */
function meter(value, most, name) {
  const bar = h('i');
  bar.style.width = `${Math.min(100, (value / most) * 100)}%`;
  return h('div', { class: value > most ? 'meter bad' : 'meter', role: 'meter', 'aria-label': name, 'aria-valuemin': '0', 'aria-valuemax': most, 'aria-valuenow': value }, bar);
}

/** @param {Json | undefined} reasons */
function sum(reasons) {
  return Object.values(reasons ?? {}).reduce((/** @type {number} */ total, n) => total + Number(n), 0);
}

/** @param {Json} p */
function profiler(p) {
  const taken = Number(p.taken ?? 0);
  const delivered = Number(p.delivered ?? 0);
  const open = Number(p.open ?? 0);
  const lost = sum(p.lost);
  const filtered = sum(p.filtered);
  const gap = taken - delivered - open - lost - filtered;
  const flow = h('div', { class: 'flow', 'aria-hidden': 'true' }, ...[['delivered', delivered], ['open', open], ['filtered', filtered], ['lost', lost]].map(([name, n]) => {
    const part = h('i', { class: `flow-${name}`, title: `${name}: ${count(Number(n))}` });
    part.style.flexGrow = String(taken > 0 ? Number(n) / taken : 0);
    return part;
  }));
  return section(String(p.id ?? 'profiler'), [
    healthSays(p.health),
    facts(
      fact('Taken', count(taken), `at ${p.sample_rate ?? '?'} samples a second and CPU${p.targets === undefined ? '' : `, ${count(p.targets)} ${p.targets === 1 ? 'target' : 'targets'}`}`),
      fact('Delivered', count(delivered), share(delivered, taken)),
      fact('Open', count(open), 'in the interval in progress'),
      fact('Filtered', count(filtered), filtered > 0 ? share(filtered, taken) : 'on purpose'),
      fact('Lost', count(lost), lost > 0 ? share(lost, taken) : 'none', lost > 0),
    ),
    flow,
    gap !== 0 ? h('p', { class: 'says bad', text: `${count(Math.abs(gap))} samples are ${gap > 0 ? 'unaccounted for' : 'counted twice'}. This is a fault of pyrope: please report it.` }) : null,
    reasonList('Lost', p.lost, taken, true), reasonList('Filtered', p.filtered, taken, false), reasonList('Stacks that ended early', p.ended_early, taken, false),
  ], healthMark(p.health));
}

/**
 * @param {string} title
 * @param {Json | undefined} reasons
 * @param {number} taken
 * @param {boolean} bad
 */
function reasonList(title, reasons, taken, bad) {
  const rows = Object.entries(reasons ?? {}).filter(([, n]) => Number(n) > 0).sort((a, b) => Number(b[1]) - Number(a[1]));
  if (rows.length === 0) return null;
  return h('div', { class: 'reasons' }, h('h3', { text: title }), h('table', {}, h('tbody', {}, ...rows.map(([reason, n]) => {
    const { what, remedy } = explain(reason);
    return h('tr', { class: bad ? 'bad' : '' }, h('td', { class: 'num', text: count(Number(n)) }), h('td', { class: 'num dim', text: taken > 0 ? share(Number(n), taken) : '' }),
      h('td', {}, h('span', { text: what }), remedy === '' ? null : h('span', { class: 'dim', text: ` ${remedy}` }), h('code', { text: reason })));
  }))));
}

/**
 * All stores; first the one that was asked for, if there is none of that name.
 * @param {Json} status
 * @returns {Json[]}
 */
function storesOf(status) {
  /** @type {Json[]} */
  const all = status.stores ?? [];
  return status.store && !all.some((s) => s.name === status.store.name) ? [status.store, ...all] : all;
}

/**
 * @param {Json} s
 * @param {number} now
 * @param {boolean} linked whether to lead to its profiles
 */
function store(s, now, linked) {
  const span = s.oldest_ms ? (Number(s.newest_ms ?? now) - Number(s.oldest_ms)) / 1000 : 0;
  return section(`Store ${s.name ?? ''}`.trim(), [
    s.message ? h('p', { class: 'says bad', text: String(s.message) }) : null,
    s.bytes === undefined ? null : facts(
      fact('Size', bytes(s.bytes ?? 0), s.max_bytes > 0 ? `${share(s.bytes, s.max_bytes)} of at most ${bytes(s.max_bytes)}` : ''),
      fact('Holds', span > 0 ? duration(span) : 'nothing yet', s.oldest_ms ? `since ${clock(Number(s.oldest_ms), now)}` : ''),
      fact('Keeps', s.max_age_s > 0 ? duration(s.max_age_s) : 'as long as there is room', 'then the oldest goes first'),
      fact('Failed writes', count(s.failed_windows ?? 0), s.failed_windows > 0 ? 'intervals that are missing from the store' : 'none', s.failed_windows > 0),
    ),
    s.max_bytes > 0 ? meter(s.bytes ?? 0, s.max_bytes, 'Store against its limit') : null,
  ], h('span', { class: 'card-note' }, String(s.path ?? ''), linked && s.path ? ' · ' : null, linked ? h('a', { href: format({ ...DEFAULTS, store: String(s.name ?? '') }), text: 'Its profiles' }) : null));
}

/** @param {Json[]} all */
function endpoints(all) {
  if (all.length === 0) return null;
  return section('Endpoints', all.map((e) => {
    const dropped = sum(e.dropped);
    return h('div', { class: 'endpoint' },
      h('h3', {}, h('span', { text: String(e.url ?? '') }), h('span', { class: 'dim', text: ` ${e.component ?? ''}` })),
      e.last_error ? h('p', { class: 'says bad', text: String(e.last_error) }) : null,
      facts(
        fact('Sent', `${count(e.sent_profiles ?? 0)} profiles`, bytes(e.sent_bytes ?? 0)), fact('Waiting', count(e.queue ?? 0)),
        fact('Repeated', count(e.retries ?? 0), 'attempts'), fact('Dropped', count(dropped), dropped > 0 ? 'profiles' : 'none', dropped > 0),
      ), reasonList('Dropped', e.dropped, 0, true));
  }));
}

/**
 * @param {Json[]} all
 * @param {number} now
 */
function components(all, now) {
  if (all.length === 0) return null;
  return section('Components', [h('div', { class: 'reasons' }, h('table', {}, h('tbody', {}, ...all.map((c) => h('tr', {},
    h('td', {}, h('code', { class: 'component-id', text: String(c.id ?? '') })), h('td', {}, healthMark(c.health)),
    h('td', { class: c.health?.state === 'healthy' ? 'dim' : 'bad', text: String(c.health?.message ?? '') }),
    h('td', { class: 'dim num', text: c.health?.updated_ms ? clock(Number(c.health.updated_ms), now, true) : '' }))))))]);
}
