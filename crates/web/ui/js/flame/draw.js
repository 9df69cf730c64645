// @ts-check
/** Drawing a scene of boxes on a canvas. */

import { MERGED, UNKNOWN } from '../profile/kinds.js';
import { fit } from './label.js';
import { ROW } from './scene.js';

/** @typedef {import('../palette.js').Paint} Paint */
/** @typedef {import('../profile/frames.js').Frames} Frames */
/** @typedef {import('../profile/tree.js').Tree} Tree */
/** @typedef {import('./scene.js').Boxes} Boxes */

/**
 * @typedef {object} Picture
 * @property {Frames} frames
 * @property {Tree} tree
 * @property {Boxes} boxes
 * @property {Uint8Array | null} matches by frame, null while nothing is searched
 * @property {number} selected node, -1 for none
 * @property {number} hovered node, -1 for none
 * @property {number} zoomed node that fills the width
 * @property {string} rootName
 * @property {import('./label.js').Ruler} ruler
 * @property {import('./label.js').Cuts} cuts
 */

const PAD = 4;

/**
 * @param {CanvasRenderingContext2D} cx scaled to CSS pixels
 * @param {Picture} picture
 * @param {Paint} paint
 * @param {CanvasPattern | null} hatch
 * @param {number} width px
 * @param {number} height px
 */
export function draw(cx, picture, paint, hatch, width, height) {
  const { boxes } = picture;
  cx.fillStyle = paint.ground;
  cx.fillRect(0, 0, width, height);
  fills(cx, picture, paint, hatch);
  cx.fillStyle = paint.text;
  cx.textBaseline = 'middle';
  for (let b = 0; b < boxes.length; b += 1) {
    const w = boxes.width[b] ?? 0;
    if (w < 24) continue;
    const text = label(picture, b, w - 2 * PAD);
    if (text !== '') cx.fillText(text, (boxes.left[b] ?? 0) + PAD, (boxes.top[b] ?? 0) + ROW / 2 - 0.5);
  }
  outline(cx, picture, picture.hovered, paint.text, 1);
  outline(cx, picture, picture.selected, paint.mark, 2);
}

/**
 * @param {CanvasRenderingContext2D} cx
 * @param {Picture} picture
 * @param {Paint} paint
 * @param {CanvasPattern | null} hatch
 */
function fills(cx, { boxes, tree, frames, matches }, paint, hatch) {
  for (let b = 0; b < boxes.length; b += 1) {
    const node = boxes.node[b] ?? 0;
    const frame = tree.frame[node] ?? -1;
    const left = boxes.left[b] ?? 0;
    const top = boxes.top[b] ?? 0;
    const w = boxes.width[b] ?? 0;
    const kind = frames.kind[frame] ?? 0;
    const single = boxes.count[b] === 1 && w >= 1;
    const match = matches !== null && anyMatch(tree, matches, node, boxes.count[b] ?? 1);
    if (frame < 0) cx.fillStyle = paint.root;
    else if (match) cx.fillStyle = paint.match;
    else if (!single) cx.fillStyle = paint.small;
    else {
      const shades = (matches === null ? paint.fills : paint.faded)[kind];
      cx.fillStyle = shades?.[frames.shade[frame] ?? 0] ?? paint.root;
    }
    // A gap of a pixel between frames, but for those that have none to spare.
    const inner = w > 3 ? w - 1 : Math.max(w > 1.5 ? w - 0.5 : w, 0.6);
    cx.fillRect(left, top, inner, ROW - 1);
    if (single && hatch && (kind === UNKNOWN || kind === MERGED) && !match && w > 6) {
      cx.fillStyle = hatch;
      cx.fillRect(left, top, inner, ROW - 1);
    }
  }
}

/**
 * Whether one of the frames a box stands for matches; merged frames are a run of nodes.
 * @param {Tree} tree
 * @param {Uint8Array} matches
 * @param {number} node
 * @param {number} count
 */
function anyMatch(tree, matches, node, count) {
  for (let i = node; i < node + count; i += 1) if (matches[tree.frame[i] ?? -1] === 1) return true;
  return false;
}

/**
 * @param {Picture} picture
 * @param {number} b
 * @param {number} width px
 */
function label({ boxes, tree, frames, rootName, ruler, cuts }, b, width) {
  const frame = tree.frame[boxes.node[b] ?? 0] ?? -1;
  if ((boxes.count[b] ?? 1) > 1) return fit(`${boxes.count[b]} small frames`, [], width, ruler);
  if (frame < 0) return fit(rootName, [], width, ruler);
  return fit(frames.name[frame] ?? '', cuts.of(frame), width, ruler);
}

/**
 * @param {CanvasRenderingContext2D} cx
 * @param {Picture} picture
 * @param {number} node
 * @param {string} colour
 * @param {number} thick
 */
function outline(cx, { boxes }, node, colour, thick) {
  if (node < 0) return;
  for (let b = 0; b < boxes.length; b += 1) {
    if (boxes.node[b] !== node) continue;
    cx.strokeStyle = colour;
    cx.lineWidth = thick;
    const inset = thick / 2;
    cx.strokeRect((boxes.left[b] ?? 0) + inset, (boxes.top[b] ?? 0) + inset, Math.max(2, (boxes.width[b] ?? 0) - 1 - thick), ROW - 1 - thick);
    return;
  }
}

/**
 * The ring of an element that has the focus: a canvas covers the outline of the element it is in.
 * @param {CanvasRenderingContext2D} cx
 * @param {Element} element
 * @param {string} colour
 * @param {number} width px
 * @param {number} height px
 */
export function focusRing(cx, element, colour, width, height) {
  if (!element.matches(':focus-visible')) return;
  cx.strokeStyle = colour;
  cx.lineWidth = 2;
  cx.strokeRect(1, 1, width - 2, height - 2);
}

/**
 * The hatching over frames without a name.
 * @param {CanvasRenderingContext2D} cx
 * @param {string} colour
 * @param {number} ratio device pixels a CSS pixel
 */
export function hatching(cx, colour, ratio) {
  const size = Math.round(6 * ratio);
  const tile = new OffscreenCanvas(size, size);
  const on = tile.getContext('2d');
  if (!on) return null;
  on.strokeStyle = colour;
  on.lineWidth = ratio;
  for (const shift of [-size, 0, size]) {
    on.beginPath();
    on.moveTo(shift - 1, size + 1);
    on.lineTo(shift + size + 1, -1);
    on.stroke();
  }
  const pattern = cx.createPattern(tile, 'repeat');
  pattern?.setTransform(new DOMMatrix().scale(1 / ratio));
  return pattern;
}
