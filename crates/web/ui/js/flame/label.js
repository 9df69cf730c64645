// @ts-check
/** Fitting a function's name into a frame: the path gives way from its start, the function stays. */

import { cutsOf } from '../profile/kinds.js';

/** @typedef {import('../profile/frames.js').Frames} Frames */

const ELLIPSIS = '…';

/** Widths of single characters; kerning is not worth a measurement a frame. */
export class Ruler {
  /** @type {Map<string, number>} */
  #rare = new Map();
  #ascii = new Float32Array(128);

  /** @param {(text: string) => number} measure width of a text in px */
  constructor(measure) {
    this.measure = measure;
    for (let i = 32; i < 127; i += 1) this.#ascii[i] = measure(String.fromCharCode(i));
    this.ellipsis = measure(ELLIPSIS);
  }

  /**
   * @param {string} text
   * @param {number} i
   */
  at(text, i) {
    const code = text.charCodeAt(i);
    if (code < 128) return this.#ascii[code] ?? 0;
    const c = text[i] ?? '';
    let width = this.#rare.get(c);
    if (width === undefined) {
      width = this.measure(c);
      this.#rare.set(c, width);
    }
    return width;
  }
}

/**
 * The longest form of a name that fits; '' when not even the start of the function does.
 * @param {string} name
 * @param {number[]} cuts from `cutsOf`
 * @param {number} width px
 * @param {Ruler} ruler
 */
export function fit(name, cuts, width, ruler) {
  let used = 0;
  let from = name.length;
  while (from > 0) {
    used += ruler.at(name, from - 1);
    if (used > width) break;
    from -= 1;
  }
  if (from === 0) return name;
  // From here on something is cut, and the ellipsis takes room as well.
  const room = width - ruler.ellipsis;
  while (from < name.length && used > room) {
    used -= ruler.at(name, from);
    from += 1;
  }
  for (const cut of cuts) if (cut >= from) return ELLIPSIS + name.slice(cut);
  const start = cuts.length > 0 ? (cuts[cuts.length - 1] ?? 0) : 0;
  // The bare function, if that is what just fits; else as much of its start as leaves room for the ellipsis.
  let end = start;
  let whole = start;
  for (let taken = ruler.at(name, whole); whole < name.length && taken <= width; taken += ruler.at(name, whole)) {
    if (taken <= room) end = whole + 1;
    whole += 1;
    if (whole === name.length) return name.slice(start);
  }
  return end - start >= 3 ? name.slice(start, end) + ELLIPSIS : '';
}

/** Cuts of each frame, found when first drawn. */
export class Cuts {
  /** @type {(number[] | undefined)[]} */
  #known = [];

  /** @param {Frames} frames */
  constructor(frames) {
    this.frames = frames;
  }

  /** @param {number} frame */
  of(frame) {
    const have = this.#known[frame];
    if (have) return have;
    const made = cutsOf(this.frames.name[frame] ?? '', this.frames.kind[frame] ?? 0);
    this.#known[frame] = made;
    return made;
  }
}
