// @ts-check
/** The colours of what is drawn on canvas, for light and dark; a test computes the contrast of every fill. */

import { css, oklch } from './color.js';
import { KINDS, SHADES } from './profile/kinds.js';

/** @typedef {import('./color.js').Rgb} Rgb */

/**
 * @typedef {object} Palette
 * @property {Rgb} text on every fill
 * @property {Rgb} ground what lies behind the graph
 * @property {Rgb[][]} fills by kind, then shade
 * @property {Rgb[][]} faded the same while a search is on, for frames that do not match
 * @property {Rgb} match fill of a frame that matches the search
 * @property {Rgb} root
 * @property {Rgb} small frames too small to be drawn one by one
 * @property {Rgb} hatch lines over unknown frames
 * @property {Rgb} mark outline of the selected frame, line of the timeline
 * @property {Rgb} area under the timeline's line
 * @property {Rgb} host the host's line behind it
 * @property {Rgb} axis
 * @property {Rgb} faint ticks and text of axes
 */

/** @type {Readonly<Record<'light' | 'dark', Palette>>} */
export const PALETTES = Object.freeze({ light: make(false), dark: make(true) });

/**
 * @param {boolean} dark
 * @returns {Palette}
 */
function make(dark) {
  const base = dark ? 0.42 : 0.86;
  const step = dark ? 0.045 : 0.045;
  /** @type {(fade: boolean) => Rgb[][]} */
  const family = (fade) => KINDS.map(({ hue, spread, chroma }) => Array.from({ length: SHADES }, (_, shade) => {
    const turn = SHADES > 1 ? shade / (SHADES - 1) - 0.5 : 0;
    // Neighbouring shades differ in lightness as well, so that packages of one kind stay apart.
    const light = spread === 0 ? 0 : step * ((shade * 3) % SHADES / (SHADES - 1) - 0.5);
    if (fade) return oklch(dark ? 0.29 + light / 3 : 0.945 + light / 3, chroma * (dark ? 0.25 : 0.18), hue + spread * turn);
    return oklch(base + light, chroma * (dark ? 1.05 : 1.12), hue + spread * turn);
  }));
  return dark
    ? {
        text: [236, 237, 242], ground: [19, 20, 24], fills: family(false), faded: family(true), match: oklch(0.47, 0.15, 12), root: oklch(0.33, 0.008, 280),
        small: oklch(0.30, 0.006, 280), hatch: oklch(0.47, 0.008, 280), mark: oklch(0.76, 0.14, 12), area: oklch(0.29, 0.05, 12), host: oklch(0.30, 0.008, 280),
        axis: oklch(0.30, 0.006, 280), faint: oklch(0.70, 0.012, 280),
      }
    : {
        text: [24, 25, 30], ground: [255, 255, 255], fills: family(false), faded: family(true), match: oklch(0.82, 0.115, 12), root: oklch(0.90, 0.006, 280),
        small: oklch(0.915, 0.004, 280), hatch: oklch(0.82, 0.008, 280), mark: oklch(0.47, 0.17, 15), area: oklch(0.935, 0.028, 12), host: oklch(0.93, 0.006, 280),
        axis: oklch(0.90, 0.006, 280), faint: oklch(0.50, 0.015, 280),
      };
}

/**
 * The colours of a palette as canvas takes them.
 * @param {Palette} palette
 */
export function painted(palette) {
  const deep = (/** @type {Rgb[][]} */ fills) => fills.map((shades) => shades.map(css));
  return {
    text: css(palette.text), ground: css(palette.ground), fills: deep(palette.fills), faded: deep(palette.faded), match: css(palette.match),
    root: css(palette.root), small: css(palette.small), hatch: css(palette.hatch), mark: css(palette.mark), area: css(palette.area),
    host: css(palette.host), axis: css(palette.axis), faint: css(palette.faint),
  };
}

/** @typedef {ReturnType<typeof painted>} Paint */
