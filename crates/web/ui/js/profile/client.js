// @ts-check
/** The page's side of the decoding thread. */

/** @typedef {import('./frames.js').Frames} Frames */
/** @typedef {import('./tree.js').Tree} Tree */

/**
 * How the reader wants the stacks merged; functions by name.
 * @typedef {object} Wish
 * @property {string} focus
 * @property {string} sandwich
 * @property {string[]} only
 * @property {string[]} hide
 * @property {string[]} off
 * @property {boolean} collapse
 */

/**
 * @typedef {object} Built
 * @property {Frames | null} frames null when the profile is the one asked about before
 * @property {Tree} tree
 * @property {Tree | null} callers for a sandwich: callers, nearest first
 * @property {number} period value of one sample, 0 when unknown
 * @property {number} stacks distinct stacks
 * @property {number} value sum over all stacks, whatever the shape leaves out
 */

/** Owns the thread; answers come back as promises, in any order. */
export class ProfileClient {
  #worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'profile' });
  #next = 1;
  /** @type {Map<number, { done: (built: Built) => void, failed: (error: Error) => void }>} */
  #waiting = new Map();
  /** @type {Frames | null} */
  #frames = null;

  constructor() {
    this.#worker.onmessage = (event) => {
      const { id, built, error } = event.data;
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (!waiting) return;
      if (error !== undefined) waiting.failed(new Error(`The profile could not be read: ${error}.`));
      else waiting.done(built);
    };
    this.#worker.onerror = (event) => {
      for (const { failed } of this.#waiting.values()) failed(new Error(`The decoder stopped: ${event.message || 'it could not be loaded'}.`));
      this.#waiting.clear();
    };
  }

  /**
   * Reads a profile (its bytes move to the thread), or with null shapes the last one anew.
   * @param {ArrayBuffer | null} bytes
   * @param {Wish} wish
   * @returns {Promise<Built & { frames: Frames }>}
   */
  async build(bytes, wish) {
    const id = this.#next++;
    /** @type {Built} */
    const built = await new Promise((done, failed) => {
      this.#waiting.set(id, { done, failed });
      this.#worker.postMessage({ id, bytes, wish }, bytes ? [bytes] : []);
    });
    if (built.frames) this.#frames = built.frames;
    if (!this.#frames) throw new Error('no profile was read yet');
    return { ...built, frames: this.#frames };
  }
}
