// @ts-check
/** The flame graph (two in a sandwich), its foot, and the table: what a built profile becomes on the screen. */

import { h } from '../dom.js';
import { FlameGraph } from '../flame/graph.js';
import { idOf, nextMatch, nodeOf } from '../flame/walk.js';
import { matchedValue, totalsOf } from '../profile/table.js';
import { FunctionTable } from '../table/table.js';
import { onTheme } from '../theme.js';
import { share } from '../units.js';
import { Crumbs } from './crumbs.js';
import { Foot, sourceOf } from './foot.js';
import { openFrameMenu } from './menu.js';

/** @typedef {import('../profile/client.js').Built & { frames: import('../profile/frames.js').Frames }} Built */
/** @typedef {import('../profile/tree.js').Tree} Tree */
/** @typedef {import('../state.js').Store} Store */
/** @typedef {import('./foot.js').Scale} Scale */

export class Panes {
  /** @type {Built | null} */
  #built = null;
  /** @type {Scale | null} */
  #scale = null;
  #rootName = '';
  /** @type {Uint8Array | null} */
  #matches = null;

  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    this.graph = new FlameGraph('Flame graph', false, this.#told(() => this.graph, () => this.#built?.tree ?? null));
    this.callers = new FlameGraph('Callers', true, this.#told(() => this.callers, () => this.#built?.callers ?? null));
    this.callersPart = h('div', { class: 'callers', hidden: true }, h('div', { class: 'half-name', text: 'Callers' }), this.callers.element);
    this.calleesName = h('div', { class: 'half-name', text: 'Callees', hidden: true });
    this.crumbs = new Crumbs(store, (node) => this.#zoom(node));
    this.foot = new Foot();
    this.table = new FunctionTable({
      selected: (frame) => this.#selectFrame(frame),
      sorted: (sort) => store.set({ sort }, { replace: true }),
      menu: (frame, x, y) => this.#menu(frame, -1, x, y),
      opened: (frame) => {
        this.#selectFrame(frame);
        const node = this.graph.selected;
        if (node >= 0) this.#zoom(node);
      },
    });
    this.graphPane = h('div', { class: 'graph-pane', id: 'graph-pane' }, this.callersPart, this.calleesName, this.graph.element, this.foot.element);
    onTheme(() => {
      this.graph.recolour();
      this.callers.recolour();
    });
  }

  get empty() {
    return this.#built === null;
  }

  /**
   * @param {Built} built
   * @param {Scale} scale
   * @param {string} rootName
   */
  show(built, scale, rootName) {
    this.#built = built;
    this.#scale = scale;
    this.#rootName = rootName;
    const { frames, tree, callers } = built;
    const { state } = this.store;
    this.callersPart.hidden = !callers;
    this.calleesName.hidden = !callers;
    this.graph.show(frames, tree, rootName, nodeOf(tree, state.zoom));
    if (callers) this.callers.show(frames, callers, rootName, -1);
    this.#crumbs();
    this.#rest();
  }

  /**
   * Marks what matches in graph and table.
   * @param {Uint8Array | null} matches
   */
  mark(matches) {
    this.#matches = matches;
    this.graph.mark(matches);
    this.callers.mark(matches);
    this.tabulate();
  }

  /** What the search found, said: "12 frames, 8.31 %". */
  matched() {
    if (!this.#built || !this.#matches) return '';
    const { tree } = this.#built;
    const { value, nodes } = matchedValue(tree, this.#matches, this.graph.zoomed);
    return `${share(value, tree.total[this.graph.zoomed] ?? 0)} in ${nodes.toLocaleString('en-US')} ${nodes === 1 ? 'frame' : 'frames'}`;
  }

  /**
   * Selects the next match, or the one before.
   * @param {1 | -1} direction
   */
  walk(direction) {
    if (!this.#built || !this.#matches) return;
    const node = nextMatch(this.#built.tree, this.#matches, this.graph.zoomed, this.graph.selected, direction);
    if (node < 0) return;
    this.graph.select(node);
    this.#rest();
    this.table.select(this.#built.tree.frame[node] ?? -1, true);
  }

  /** Fills the table with what the graph shows. */
  tabulate() {
    if (!this.#built || !this.#scale) return;
    const { frames, tree } = this.#built;
    const { measure, seconds, whole } = this.#scale;
    this.table.show({
      frames, totals: totalsOf(tree, frames.count, this.graph.zoomed), matches: this.#matches, sort: this.store.state.sort, whole,
      perRate: measure.perUnit * seconds, unit: measure.rateUnit,
    });
  }

  /** After the zoom in the state changed. */
  rezoom() {
    if (!this.#built) return;
    const node = Math.max(0, nodeOf(this.#built.tree, this.store.state.zoom));
    if (node !== this.graph.zoomed) this.graph.zoomTo(node, true);
    this.#crumbs();
    this.tabulate();
  }

  /** Zooms out, as far as it goes; false when it was out already. */
  out() {
    if (this.graph.whole) return false;
    if (this.graph.zoomed === 0) this.graph.zoomTo(0, true);
    else this.#zoom(0);
    return true;
  }

  /** Name of the chosen function, '' for none. */
  chosenName() {
    const { frames, tree } = this.#built ?? {};
    return frames && tree ? (frames.name[tree.frame[this.graph.selected] ?? -1] ?? '') : '';
  }

  #crumbs() {
    if (this.#built) this.crumbs.show(this.#built.frames, this.#built.tree, this.graph.zoomed, this.#rootName);
  }

  /** @param {number} node */
  #zoom(node) {
    if (this.#built) this.store.set({ zoom: idOf(this.#built.tree, node) });
  }

  /** @param {number} frame */
  #selectFrame(frame) {
    if (!this.#built || frame < 0) return;
    const { tree } = this.#built;
    let best = -1;
    const end = tree.end[this.graph.zoomed] ?? 0;
    for (let i = this.graph.zoomed; i < end; i += 1) if (tree.frame[i] === frame && (best < 0 || (tree.total[i] ?? 0) > (tree.total[best] ?? 0))) best = i;
    this.graph.select(best);
    this.#rest();
  }

  /** The foot when the pointer is elsewhere. */
  #rest() {
    const built = this.#built;
    if (!built || !this.#scale) return;
    if (this.graph.selected < 0) this.foot.hint();
    else this.foot.show(built.frames, built.tree, this.graph.selected, 0, this.#rootName, this.#scale);
  }

  /**
   * @param {number} frame
   * @param {number} node -1 when the menu is of a table row
   * @param {number} x
   * @param {number} y
   */
  #menu(frame, node, x, y) {
    const built = this.#built;
    if (!built) return;
    const name = built.frames.name[frame] ?? '';
    const at = node < 0 ? built.tree.frame.indexOf(frame) : node;
    openFrameMenu(this.store, { name, source: at < 0 ? '' : sourceOf(built.frames, built.tree, at), zoom: node > 0 ? () => this.#zoom(node) : null }, x, y);
  }

  /**
   * @param {() => FlameGraph} graph
   * @param {() => Tree | null} treeOf
   * @returns {import('../flame/graph.js').Told}
   */
  #told(graph, treeOf) {
    const main = () => graph() === this.graph;
    return {
      hovered: (node, small) => {
        const tree = treeOf();
        if (node < 0 || !tree || !this.#built || !this.#scale) this.#rest();
        else this.foot.show(this.#built.frames, tree, node, small, this.#rootName, this.#scale);
      },
      selected: (node) => {
        const tree = treeOf();
        if (!tree || !this.#built || !this.#scale) return;
        this.table.select(tree.frame[node] ?? -1, true);
        this.foot.show(this.#built.frames, tree, node, 0, this.#rootName, this.#scale);
      },
      zoomed: (node) => (main() ? this.#zoom(node) : graph().zoomTo(node, true)),
      focused: (node) => {
        const name = this.#built?.frames.name[treeOf()?.frame[node] ?? -1];
        if (name) this.store.set({ focus: name, sandwich: '', zoom: '' });
      },
      menu: (node, x, y) => {
        const frame = treeOf()?.frame[node] ?? -1;
        if (frame >= 0) this.#menu(frame, main() ? node : -1, x, y);
      },
      describe: (node) => {
        const tree = treeOf();
        if (!tree || !this.#built || !this.#scale) return '';
        const { measure, seconds, whole } = this.#scale;
        const frame = tree.frame[node] ?? -1;
        const total = tree.total[node] ?? 0;
        return `${frame < 0 ? this.#rootName : (this.#built.frames.name[frame] ?? '')}, ${share(total, whole)}, ${measure.rate(total, seconds)} ${measure.rateUnit}`;
      },
    };
  }
}
