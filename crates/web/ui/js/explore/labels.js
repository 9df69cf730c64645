// @ts-check
/** The labels line: the service first, then a chip a matcher, each with completion from what the range holds. */

import { labelNames, labelValues, profileTypes, selectSeries } from '../api.js';
import { fill, h } from '../dom.js';
import { openCompletion, openMenu } from '../popup.js';
import { matcherText, parseMatcher, selectorText } from '../selector.js';
import { resolve, serverNow } from '../time.js';
import { measureOf } from '../units.js';

/** @typedef {import('../popup.js').Offer} Offer */
/** @typedef {import('../selector.js').Matcher} Matcher */
/** @typedef {import('../state.js').Store} Store */

const SERVICE = 'service_name';
/** Labels worth offering before the rest. */
const FIRST = [SERVICE, 'container_id', 'systemd_unit', 'user', 'cgroup'];

export class LabelsLine {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    /** @type {string[]} */
    this.types = [];
    this.element = h('div', { class: 'labels', role: 'group', 'aria-label': 'Labels' });
    this.show();
  }

  show() {
    const { matchers, store } = this.store.state;
    const service = matchers.find(isService);
    const rest = matchers.filter((m) => m !== service);
    const pick = h('button', { type: 'button', class: 'chip chip-service', 'aria-haspopup': 'dialog', 'aria-label': `Service: ${service?.value ?? 'all'}` },
      h('span', { class: 'chip-name', text: 'service' }), h('span', { class: 'chip-value', text: service?.value ?? 'all' }), h('span', { class: 'caret', 'aria-hidden': 'true' }));
    pick.addEventListener('click', () => this.pickService(pick));
    const add = h('button', { type: 'button', class: 'chip chip-add', 'aria-haspopup': 'dialog', text: '+ label' });
    add.addEventListener('click', () => this.#edit(add, null));
    fill(this.element, store === '' ? null : this.#asked(store), this.#types(), pick, service ? this.#remove(service) : null, ...rest.map((m) => this.#chip(m)), add);
  }

  /**
   * Looks which profile types there are; where there is more than one, they are offered.
   * @param {import('../time.js').Range} range
   * @param {AbortSignal} signal
   */
  async offerTypes(range, signal) {
    const found = await profileTypes({ store: this.store.state.store, start: Math.floor(range.start), end: Math.ceil(range.end) }, signal).catch(() => this.types);
    if (found.join() === this.types.join()) return;
    this.types = found;
    this.show();
  }

  #types() {
    const { type } = this.store.state;
    const all = this.types.includes(type) ? this.types : [type, ...this.types];
    if (all.length < 2) return null;
    const button = h('button', { type: 'button', class: 'chip', 'aria-haspopup': 'menu', 'aria-label': `Profile type: ${typeName(type)}` },
      h('span', { class: 'chip-name', text: 'type' }), h('span', { class: 'chip-value', text: typeName(type) }), h('span', { class: 'caret', 'aria-hidden': 'true' }));
    button.addEventListener('click', () => openMenu('Profile type', all.map((id) => ({ text: typeName(id), checked: id === type, act: () => this.store.set({ type: id, zoom: '' }) })), { anchor: button }));
    return button;
  }

  /** @param {string} name of the store, which only the URL can choose */
  #asked(name) {
    const first = h('button', { type: 'button', class: 'chip-remove', 'aria-label': `Remove store=${name}`, text: '×', on: { click: () => this.store.set({ store: '', zoom: '' }) } });
    return h('span', { class: 'chip' }, h('span', { class: 'chip-name', text: 'store' }), h('span', { class: 'chip-value', text: name }), first);
  }

  /** @param {Element} [anchor] */
  pickService(anchor) {
    const at = anchor ?? this.element.querySelector('.chip-service') ?? this.element;
    openCompletion('Service', { anchor: at }, {
      text: '', hint: 'Find a service',
      offers: async (text) => {
        const others = this.store.state.matchers.filter((m) => !isService(m));
        const values = await this.#values(SERVICE, others);
        const all = { text: 'all services', value: null };
        const found = values.filter((v) => v.text.toLowerCase().includes(text.toLowerCase()));
        return text === '' ? [all, ...found] : found;
      },
      chosen: (offer) => {
        if (!offer) return;
        const others = this.store.state.matchers.filter((m) => !isService(m));
        const matchers = offer.value === null ? others : [/** @type {Matcher} */ ({ name: SERVICE, op: '=', value: offer.value }), ...others];
        this.store.set({ matchers, zoom: '' });
      },
    });
  }

  /** @param {Matcher} matcher */
  #chip(matcher) {
    const text = h('button', { type: 'button', class: 'chip-text', 'aria-haspopup': 'dialog' },
      h('span', { class: 'chip-name', text: matcher.name }), h('span', { class: 'chip-op', text: matcher.op }), h('span', { class: 'chip-value', text: matcher.value }));
    text.addEventListener('click', () => this.#edit(text, matcher));
    return h('span', { class: 'chip' }, text, this.#remove(matcher));
  }

  /** @param {Matcher} matcher */
  #remove(matcher) {
    return h('button', {
      type: 'button', class: 'chip-remove', 'aria-label': `Remove ${matcherText(matcher)}`, text: '×',
      on: { click: () => this.store.set({ matchers: this.store.state.matchers.filter((m) => m !== matcher), zoom: '' }) },
    });
  }

  /**
   * @param {Element} anchor
   * @param {Matcher | null} old
   */
  #edit(anchor, old) {
    const others = this.store.state.matchers.filter((m) => m !== old);
    openCompletion('Label', { anchor }, {
      text: old ? matcherText(old) : '', hint: 'label=value   also != =~ !~',
      offers: (text) => this.#offers(text, others),
      chosen: (offer, text) => {
        const matcher = offer?.value ?? parseMatcher(text);
        if (!matcher) return;
        const same = matcherText(matcher);
        this.store.set({ matchers: [...others.filter((m) => matcherText(m) !== same), matcher], zoom: '' });
      },
    });
  }

  /**
   * Names until an operator is typed, then values.
   * @param {string} text
   * @param {Matcher[]} others
   * @returns {Promise<Offer[]>}
   */
  async #offers(text, others) {
    const typed = parseMatcher(text);
    if (!typed) {
      const range = this.#range();
      const names = (await labelNames({ ...range, selector: selectorText(others) })).filter((n) => !n.startsWith('__'));
      const rank = (/** @type {string} */ n) => (FIRST.includes(n) ? FIRST.indexOf(n) : FIRST.length);
      names.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
      return names.filter((n) => n.toLowerCase().includes(text.trim().toLowerCase())).map((n) => ({ text: n, detail: '=', next: `${n}=` }));
    }
    const values = await this.#values(typed.name, others);
    if (typed.op === '=~' || typed.op === '!~') {
      // A pattern is taken as typed; the values below only show what there is.
      const whole = { text: `${typed.name}${typed.op}${typed.value}`, detail: 'pattern', value: typed };
      return typed.value === '' ? values.map((v) => ({ ...v, next: `${typed.name}${typed.op}${v.text}` })) : [whole];
    }
    return values.filter((v) => v.text.toLowerCase().includes(typed.value.toLowerCase())).map((v) => ({ ...v, value: { ...typed, value: v.text } }));
  }

  #range() {
    const { from, to, store } = this.store.state;
    const { start, end } = resolve(from, to, serverNow());
    return { store, start: Math.floor(start), end: Math.ceil(end) };
  }

  /**
   * The values of a label, those that use the most first.
   * @param {string} name
   * @param {Matcher[]} others
   * @returns {Promise<Offer[]>}
   */
  async #values(name, others) {
    const { store, start, end } = this.#range();
    const { type } = this.store.state;
    const measure = measureOf(type);
    const selector = selectorText(others);
    const span = (end - start) / 1000;
    const [values, series] = await Promise.all([
      labelValues({ store, name, start, end, selector }),
      selectSeries({ store, type, selector, start: end, end, step: span, groupBy: [name] }),
    ]);
    const used = new Map(series.map((s) => [s.labels[name] ?? '', s.points.reduce((sum, p) => sum + p.value, 0)]));
    const most = Math.max(1, ...used.values());
    const offer = (/** @type {string} */ value) => ({
      text: value, value, weight: (used.get(value) ?? 0) / most, detail: used.has(value) ? `${measure.rate(used.get(value) ?? 0, span)} ${measure.rateUnit}` : '',
    });
    return [...new Set([...values, ...used.keys()])].filter((v) => v !== '').sort((a, b) => (used.get(b) ?? 0) - (used.get(a) ?? 0) || (a < b ? -1 : 1)).map(offer);
  }
}

/** `process_cpu:cpu:nanoseconds:cpu:nanoseconds` is process_cpu, cpu. @param {string} id */
function typeName(id) {
  const [name = id, sample = ''] = id.split(':');
  return sample === '' ? name : `${name}, ${sample}`;
}

/** @param {Matcher} matcher */
function isService(matcher) {
  return matcher.name === SERVICE && matcher.op === '=';
}
