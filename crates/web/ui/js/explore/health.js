// @ts-check
/** What the agent says that a reader of profiles should know: what is not being profiled, and how long the store keeps. */

import { agentStatus } from '../api.js';
import { learnLongest } from './query.js';

const PERIOD = 15_000;

export class Health {
  /** Sentences, none when all is well. */
  said = /** @type {string[]} */ ([]);
  #timer = 0;

  /**
   * @param {import('../state.js').Store} store
   * @param {() => void} changed
   */
  constructor(store, changed) {
    this.store = store;
    this.changed = changed;
  }

  start() {
    void this.#look();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = -1;
  }

  async #look() {
    this.#timer = 0;
    const status = await agentStatus(this.store.state.store).catch(() => null);
    if (status) {
      learnLongest(status.store?.max_age_s);
      const said = problems(status);
      if (said.join() !== this.said.join()) {
        this.said = said;
        this.changed();
      }
    }
    if (this.#timer === 0) this.#timer = setTimeout(() => void this.#look(), PERIOD);
  }
}

/**
 * @param {Record<string, any>} status
 * @returns {string[]}
 */
export function problems(status) {
  const ill = (status.profilers ?? []).filter((/** @type {any} */ p) => p.health && p.health.state !== 'healthy' && p.health.message);
  const loud = (status.notices ?? []).filter((/** @type {any} */ n) => n.level === 'warn' || n.level === 'warning' || n.level === 'error');
  return [
    ...ill.map((/** @type {any} */ p) => `${p.id}: ${p.health.message}`), ...loud.map((/** @type {any} */ n) => String(n.text ?? '')),
    ...(status.store?.message ? [`Store: ${status.store.message}`] : []),
  ];
}
