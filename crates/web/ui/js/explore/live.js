// @ts-check
/**
 * When the next refresh comes: a second after the last one ended, later when answers take long, so that watching a host costs it at most
 * a tenth of what one answer takes. Nothing comes while the page is hidden or the pointer rests on what would move.
 */

export class Live {
  #on = false;
  #held = false;
  #timer = 0;
  #wait = 1000;

  /**
   * @param {() => void} refresh
   * @param {(how: 'on' | 'held' | 'off') => void} changed
   */
  constructor(refresh, changed) {
    this.refresh = refresh;
    this.changed = changed;
    document.addEventListener('visibilitychange', () => this.#plan(0));
  }

  /** @param {boolean} on */
  set(on) {
    if (on === this.#on) return;
    this.#on = on;
    this.#tell();
    this.#plan(this.#wait);
  }

  /** @param {boolean} held whether the pointer asks for rest */
  hold(held) {
    if (held === this.#held) return;
    this.#held = held;
    this.#tell();
    this.#plan(0);
  }

  /** @param {number} took ms the refresh took */
  done(took) {
    this.#wait = Math.min(30_000, Math.max(1000, took * 10));
    this.#plan(this.#wait);
  }

  /** @param {number} wait ms */
  #plan(wait) {
    clearTimeout(this.#timer);
    if (!this.#on || this.#held || document.hidden) return;
    this.#timer = setTimeout(() => this.refresh(), wait);
  }

  #tell() {
    this.changed(!this.#on ? 'off' : this.#held ? 'held' : 'on');
  }
}
