// @ts-check
/**
 * The thread that decodes profiles and builds call trees, so that the page never stutters.
 *
 * It keeps the last profile, so that another shape of it (focus, sandwich, hidden kinds) needs no new request.
 */

import { KINDS } from './kinds.js';
import { decode } from './pprof.js';
import { buildTree, columns } from './tree.js';

/** @typedef {import('./pprof.js').Decoded} Decoded */
/** @typedef {import('./frames.js').Frames} Frames */
/** @typedef {import('./tree.js').Shape} Shape */
/** @typedef {import('./client.js').Wish} Wish */
/** @typedef {import('./client.js').Built} Built */

/** @type {Decoded | null} */
let held = null;

onmessage = (/** @type {MessageEvent<{ id: number, bytes: ArrayBuffer | null, wish: Wish }>} */ event) => {
  const { id, bytes, wish } = event.data;
  try {
    if (bytes) held = decode(new Uint8Array(bytes));
    const built = build(held, wish, bytes !== null);
    const moved = [...columns(built.tree), ...(built.callers ? columns(built.callers) : [])];
    postMessage({ id, built }, { transfer: moved });
  } catch (error) {
    postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
};

/**
 * @param {Decoded | null} profile
 * @param {Wish} wish
 * @param {boolean} fresh
 * @returns {Built}
 */
function build(profile, wish, fresh) {
  if (!profile) throw new Error('no profile was read yet');
  const { frames, stacks } = profile;
  const root = wish.sandwich || wish.focus;
  /** @type {Shape} */
  const shape = {
    skip: skipped(frames, wish), needs: wish.only.map((name) => named(frames, name)), from: root ? named(frames, root) : null,
    callers: false, collapse: wish.collapse,
  };
  let value = 0;
  for (const v of stacks.value) value += v;
  return {
    frames: fresh ? frames : null, tree: buildTree(frames, stacks, shape), period: profile.period, stacks: stacks.count, value,
    callers: wish.sandwich ? buildTree(frames, stacks, { ...shape, callers: true }) : null,
  };
}

/**
 * @param {Frames} frames
 * @param {string} name
 */
function named(frames, name) {
  const set = new Uint8Array(frames.count);
  for (let i = 0; i < frames.count; i += 1) if (frames.name[i] === name) set[i] = 1;
  return set;
}

/**
 * @param {Frames} frames
 * @param {Wish} wish
 */
function skipped(frames, wish) {
  const set = new Uint8Array(frames.count);
  const hide = new Set(wish.hide);
  const off = KINDS.map((kind) => wish.off.includes(kind.id));
  for (let i = 0; i < frames.count; i += 1) if (off[frames.kind[i] ?? 0] || hide.has(frames.name[i] ?? '')) set[i] = 1;
  return set;
}
