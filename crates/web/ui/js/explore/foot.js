// @ts-check
/** The fixed line at the foot of the graph: everything known of the frame under the pointer, or of the chosen one. */

import { fill, h } from '../dom.js';
import { KINDS } from '../profile/kinds.js';
import { count, share } from '../units.js';

/** @typedef {import('../profile/frames.js').Frames} Frames */
/** @typedef {import('../profile/tree.js').Tree} Tree */
/** @typedef {import('../units.js').Measure} Measure */

/**
 * @typedef {object} Scale how values are said
 * @property {Measure} measure
 * @property {number} seconds
 * @property {number} whole value that is 100 %
 * @property {number} host value of the host, 0 when unknown
 * @property {number} period value of a sample, 0 when unknown
 */

/** Source file and line of a node: "proc.go:271", "proc.go:271–283". @param {Frames} frames @param {Tree} tree @param {number} node */
export function sourceOf(frames, tree, node) {
  const file = frames.file[tree.frame[node] ?? -1] ?? '';
  const [min, max] = [tree.lineMin[node] ?? 0, tree.lineMax[node] ?? 0];
  if (file === '' || min === 0) return file;
  return `${file}:${min}${max > min ? `–${max}` : ''}`;
}

/**
 * The last parts of a path, or of a build id its first letters.
 * @param {string} text
 * @param {number} parts
 */
function ending(text, parts) {
  if (parts === 0) return text.slice(0, 18);
  return text.split('/').slice(-parts).join('/');
}

export class Foot {
  constructor() {
    this.element = h('div', { class: 'foot', role: 'status', 'aria-live': 'off', 'aria-label': 'Frame' });
    this.hint();
  }

  hint() {
    fill(this.element, h('span', { class: 'foot-hint', text: matchMedia('(pointer: coarse)').matches ? 'Tap zooms · hold for more' : 'Click zooms · Shift-click focuses · Right click for more · / searches · ? shows every key' }));
  }

  /**
   * @param {Frames} frames
   * @param {Tree} tree
   * @param {number} node
   * @param {number} small merged frames, 0 for a single one
   * @param {string} rootName
   * @param {Scale} scale
   */
  show(frames, tree, node, small, rootName, scale) {
    const frame = tree.frame[node] ?? -1;
    if (small > 0) {
      fill(this.element, h('span', { class: 'foot-name', text: `${count(small)} small frames` }), h('span', { class: 'foot-hint', text: 'click opens them' }));
      return;
    }
    const total = tree.total[node] ?? 0;
    const self = tree.self[node] ?? 0;
    const { measure, seconds, whole, host, period } = scale;
    const figures = [
      pair('self', `${measure.rate(self, seconds)} ${measure.rateUnit}`, share(self, whole)),
      pair('total', `${measure.rate(total, seconds)} ${measure.rateUnit}`, `${measure.total(total)}`),
      pair('', share(total, whole), host > 0 && host > whole * 1.0001 ? `${share(total, host)} of host` : ''),
    ];
    const samples = period > 0 ? `about ${count(total / period)} samples, ${count(self / period)} of them its own` : '';
    const kind = KINDS[frames.kind[frame] ?? 0];
    const module = frames.module[frame] ?? '';
    const build = frames.buildId[frame] ?? '';
    fill(this.element,
      frame < 0 ? null : h('i', { class: 'swatch', dataset: { kind: kind?.id ?? '' }, title: kind?.name ?? '' }),
      h('span', { class: 'foot-name', text: frame < 0 ? rootName : (frames.name[frame] ?? '') }),
      ...[[sourceOf(frames, tree, node), 2], [module, 1], [build === '' ? '' : `build ${build}`, 0]]
        .map(([text, parts]) => [String(text), Number(parts)]).filter(([text]) => text !== '' && frame >= 0)
        .map(([text, parts]) => h('span', { class: 'foot-part', text: ending(String(text), Number(parts)), title: text })),
      h('span', { class: 'foot-gap' }), h('span', { class: 'foot-figures', title: samples }, ...figures));
  }
}

/**
 * @param {string} name
 * @param {string} figure
 * @param {string} beside
 */
function pair(name, figure, beside) {
  if (figure === '') return null;
  return h('span', { class: 'foot-figure' }, name === '' ? null : h('span', { text: name }), h('b', { text: figure }), beside === '' ? null : h('span', { class: 'foot-beside', text: beside }));
}
