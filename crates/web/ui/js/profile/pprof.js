// @ts-check
/**
 * pprof bytes → frames and stacks.
 *
 * In: an uncompressed `perftools.profiles.Profile`. Out: {@link Decoded}: one entry per distinct frame (name, file and module), and the
 * stacks as one run of frame indices, root first, inlined functions spelled out. Malformed bytes throw with a message fit to be shown.
 */

import { Reader } from '../proto.js';
import { FrameTable, join } from './frames.js';

/** @typedef {import('./frames.js').Frames} Frames */
/** @typedef {import('./frames.js').Mapping} Mapping */

/**
 * @typedef {object} Stacks
 * @property {number} count
 * @property {Uint32Array} start where stack i begins in `frame`; one more entry than stacks
 * @property {Int32Array} frame root first
 * @property {Int32Array} line source line, 0 when unknown
 * @property {Float64Array} value
 */

/** @typedef {{ frames: Frames, stacks: Stacks, period: number, unit: string }} Decoded */

/**
 * @param {Uint8Array} buffer
 * @returns {Decoded}
 */
export function decode(buffer) {
  const parts = outline(buffer);
  const text = strings(buffer, parts.strings);
  const mappings = readMappings(buffer, parts.mappings, text);
  const functions = readFunctions(buffer, parts.functions);
  const frames = new FrameTable(text, mappings, functions);
  const locations = readLocations(buffer, parts.locations, frames);
  const stacks = readSamples(buffer, parts.samples, locations, frames.length);
  const unit = parts.unit ? text(parts.unit) : '';
  return { frames: frames.finish(), stacks, period: parts.period, unit };
}

/**
 * Where each message of the profile lies.
 * @param {Uint8Array} buffer
 */
function outline(buffer) {
  const parts = {
    samples: /** @type {number[]} */ ([]), mappings: /** @type {number[]} */ ([]), locations: /** @type {number[]} */ ([]),
    functions: /** @type {number[]} */ ([]), strings: /** @type {number[]} */ ([]), period: 0, unit: 0,
  };
  const kept = /** @type {Record<number, number[]>} */ ({ 2: parts.samples, 3: parts.mappings, 4: parts.locations, 5: parts.functions, 6: parts.strings });
  const reader = new Reader(buffer);
  while (reader.next()) {
    const list = kept[reader.field];
    if (list && reader.wire === 2) {
      const length = reader.length();
      list.push(reader.at, reader.at + length);
      reader.at += length;
    } else if (reader.field === 1 && reader.wire === 2) {
      const length = reader.length();
      const inner = new Reader(buffer, reader.at, reader.at + length);
      while (inner.next()) {
        if (inner.field === 2 && inner.wire === 0) parts.unit = inner.low();
        else inner.skip();
      }
      reader.at += length;
    } else if (reader.field === 12 && reader.wire === 0) parts.period = reader.number();
    else reader.skip();
  }
  return parts;
}

/**
 * The string table, each string decoded when first asked for.
 * @param {Uint8Array} buffer
 * @param {number[]} spans
 * @returns {(index: number) => string}
 */
function strings(buffer, spans) {
  const decoder = new TextDecoder();
  /** @type {(string | undefined)[]} */
  const known = new Array(spans.length / 2);
  return (index) => {
    const have = known[index];
    if (have !== undefined) return have;
    const start = spans[2 * index];
    const made = start === undefined ? '' : decoder.decode(buffer.subarray(start, spans[2 * index + 1]));
    known[index] = made;
    return made;
  };
}

/**
 * @param {Uint8Array} buffer
 * @param {number[]} spans
 * @param {(index: number) => string} text
 * @returns {Map<number, Mapping>}
 */
function readMappings(buffer, spans, text) {
  const found = new Map();
  for (let i = 0; i < spans.length; i += 2) {
    const reader = new Reader(buffer, spans[i], spans[i + 1]);
    const mapping = { startLow: 0, startHigh: 0, offset: 0n, file: '', buildId: '' };
    let id = 0;
    while (reader.next()) {
      if (reader.wire !== 0) {
        reader.skip();
        continue;
      }
      const low = reader.low();
      if (reader.field === 1) id = low;
      else if (reader.field === 2) [mapping.startLow, mapping.startHigh] = [low, reader.high];
      else if (reader.field === 4) mapping.offset = join(low, reader.high);
      else if (reader.field === 5) mapping.file = text(low);
      else if (reader.field === 6) mapping.buildId = text(low);
    }
    found.set(id, mapping);
  }
  return found;
}

/**
 * @param {Uint8Array} buffer
 * @param {number[]} spans
 * @returns {Map<number, [name: number, file: number]>}
 */
function readFunctions(buffer, spans) {
  const found = new Map();
  for (let i = 0; i < spans.length; i += 2) {
    const reader = new Reader(buffer, spans[i], spans[i + 1]);
    let id = 0;
    let name = 0;
    let system = 0;
    let file = 0;
    while (reader.next()) {
      if (reader.wire !== 0) {
        reader.skip();
        continue;
      }
      const value = reader.low();
      if (reader.field === 1) id = value;
      else if (reader.field === 2) name = value;
      else if (reader.field === 3) system = value;
      else if (reader.field === 4) file = value;
    }
    found.set(id, [name || system, file]);
  }
  return found;
}

/** Locations spelled out: location id → its frames, root first. */
class Locations {
  /** @type {Map<number, number>} id → index, where ids are not simply counted up */
  #sparse = new Map();
  /** @type {number[]} id → index + 1 */
  #dense = [];
  /** @type {number[]} where location i begins in `frame` */
  start = [0];
  /** @type {number[]} */
  frame = [];
  /** @type {number[]} */
  line = [];

  /**
   * @param {number} id
   * @param {number} index
   */
  set(id, index) {
    if (id <= this.#dense.length + 1) this.#dense[id] = index + 1;
    else this.#sparse.set(id, index);
  }

  /**
   * Index of an id, -1 when nothing has it.
   * @param {number} id
   */
  at(id) {
    const found = this.#dense[id];
    return found ? found - 1 : (this.#sparse.get(id) ?? -1);
  }
}

/**
 * @param {Uint8Array} buffer
 * @param {number[]} spans
 * @param {FrameTable} frames
 */
function readLocations(buffer, spans, frames) {
  const locations = new Locations();
  /** @type {number[]} */
  const lines = [];
  for (let i = 0; i < spans.length; i += 2) {
    const reader = new Reader(buffer, spans[i], spans[i + 1]);
    let id = 0;
    let mapping = 0;
    let low = 0;
    let high = 0;
    lines.length = 0;
    while (reader.next()) {
      if (reader.field === 4 && reader.wire === 2) {
        const length = reader.length();
        const inner = new Reader(buffer, reader.at, reader.at + length);
        let fn = 0;
        let line = 0;
        while (inner.next()) {
          if (inner.wire === 0 && inner.field === 1) fn = inner.low();
          else if (inner.wire === 0 && inner.field === 2) line = inner.low();
          else inner.skip();
        }
        lines.push(fn, line);
        reader.at += length;
      } else if (reader.wire === 0) {
        const value = reader.low();
        if (reader.field === 1) id = value;
        else if (reader.field === 2) mapping = value;
        else if (reader.field === 3) [low, high] = [value, reader.high];
      } else reader.skip();
    }
    locations.set(id, locations.start.length - 1);
    for (let l = lines.length - 2; l >= 0; l -= 2) {
      locations.frame.push(frames.named(mapping, lines[l] ?? 0, low, high));
      locations.line.push(lines[l + 1] ?? 0);
    }
    if (lines.length === 0) {
      locations.frame.push(frames.unnamed(mapping, low, high));
      locations.line.push(0);
    }
    locations.start.push(locations.frame.length);
  }
  return locations;
}

/**
 * @param {Uint8Array} buffer
 * @param {number[]} spans
 * @param {Locations} locations
 * @param {number} frameCount
 * @returns {Stacks}
 */
function readSamples(buffer, spans, locations, frameCount) {
  const count = spans.length / 2;
  const start = new Uint32Array(count + 1);
  const value = new Float64Array(count);
  let frame = new Int32Array(Math.max(1024, frameCount * 8));
  let line = new Int32Array(frame.length);
  let used = 0;
  /** @type {number[]} */
  const ids = [];
  for (let i = 0; i < count; i += 1) {
    const reader = new Reader(buffer, spans[2 * i], spans[2 * i + 1]);
    ids.length = 0;
    let seen = 0;
    while (reader.next()) {
      if (reader.field !== 1 && reader.field !== 2) {
        reader.skip();
        continue;
      }
      const end = reader.wire === 2 ? reader.length() + reader.at : -1;
      do {
        if (reader.field === 1) ids.push(reader.low());
        else {
          const number = reader.number();
          if (seen === 0) value[i] = number;
          seen += 1;
        }
      } while (reader.at < end);
    }
    for (let k = ids.length - 1; k >= 0; k -= 1) {
      const location = locations.at(ids[k] ?? 0);
      if (location < 0) continue;
      const from = locations.start[location] ?? 0;
      const to = locations.start[location + 1] ?? from;
      if (used + to - from > frame.length) {
        frame = grown(frame, used + to - from);
        line = grown(line, used + to - from);
      }
      for (let f = from; f < to; f += 1) {
        frame[used] = locations.frame[f] ?? 0;
        line[used] = locations.line[f] ?? 0;
        used += 1;
      }
    }
    start[i + 1] = used;
  }
  return { count, start, frame: frame.slice(0, used), line: line.slice(0, used), value };
}

/**
 * @param {Int32Array} array
 * @param {number} needed
 */
function grown(array, needed) {
  const larger = new Int32Array(Math.max(needed, array.length * 2));
  larger.set(array);
  return larger;
}
