// @ts-check
/** Frames, interned: what a stack is made of, each name, file and module once, with its kind, its shade and an id that outlives the profile. */

import { hashText } from './hash.js';
import { KERNEL_HIGH_WORD, KINDS, SHADES, kindOf, packageOf } from './kinds.js';

/**
 * @typedef {object} Frames one entry per distinct frame, columns side by side
 * @property {number} count
 * @property {string[]} name
 * @property {string[]} file source file, '' when unknown
 * @property {string[]} module file of the mapping, '' when unknown
 * @property {string[]} buildId
 * @property {Uint8Array} kind index into KINDS
 * @property {Uint8Array} shade which of the kind's shades
 * @property {Uint32Array} idLow stable over profiles: a hash of name, file and module
 * @property {Uint32Array} idHigh
 */

/** @typedef {{ startLow: number, startHigh: number, offset: bigint, file: string, buildId: string }} Mapping */

/**
 * 64 bits from two halves.
 * @param {number} low
 * @param {number} high
 */
export function join(low, high) {
  return (BigInt(high) << 32n) | BigInt(low);
}

/** Interns frames: equal name, file and module are one. */
export class FrameTable {
  /** @type {Map<string, number>} */
  #byText = new Map();
  /** @type {Map<number, number>} mapping and function → frame */
  #byPair = new Map();
  /** @type {string[]} */
  #name = [];
  /** @type {string[]} */
  #file = [];
  /** @type {string[]} */
  #module = [];
  /** @type {string[]} */
  #buildId = [];
  /** @type {number[]} */
  #kind = [];

  /**
   * @param {(index: number) => string} text
   * @param {Map<number, Mapping>} mappings
   * @param {Map<number, [name: number, file: number]>} functions
   */
  constructor(text, mappings, functions) {
    this.text = text;
    this.mappings = mappings;
    this.functions = functions;
  }

  get length() {
    return this.#name.length;
  }

  /**
   * @param {number} mappingId
   * @param {number} functionId
   * @param {number} low
   * @param {number} high
   */
  named(mappingId, functionId, low, high) {
    const pair = functionId * 65_536 + mappingId;
    const have = mappingId < 65_536 ? this.#byPair.get(pair) : undefined;
    if (have !== undefined) return have;
    const [name, file] = this.functions.get(functionId) ?? [0, 0];
    if (name === 0) return this.unnamed(mappingId, low, high);
    const made = this.#intern(this.text(name), this.text(file), this.mappings.get(mappingId), true);
    this.#byPair.set(pair, made);
    return made;
  }

  /**
   * @param {number} mappingId
   * @param {number} low
   * @param {number} high
   */
  unnamed(mappingId, low, high) {
    const mapping = this.mappings.get(mappingId);
    const address = join(low, high);
    if (!mapping) return this.#intern(`0x${address.toString(16)}`, '', undefined, false);
    const start = join(mapping.startLow, mapping.startHigh);
    // A kernel address means the same everywhere on the host; in a file only the offset does.
    if (mapping.startHigh >= KERNEL_HIGH_WORD) return this.#intern(`${mapping.file} 0x${address.toString(16)}`.trim(), '', mapping, false);
    const offset = address >= start ? address - start + mapping.offset : address;
    const file = mapping.file.slice(mapping.file.lastIndexOf('/') + 1) || '[anonymous]';
    return this.#intern(`${file}+0x${offset.toString(16)}`, '', mapping, false);
  }

  /**
   * @param {string} name
   * @param {string} file
   * @param {Mapping | undefined} mapping
   * @param {boolean} named
   */
  #intern(name, file, mapping, named) {
    const module = mapping?.file ?? '';
    const key = `${name}\0${file}\0${module}`;
    const have = this.#byText.get(key);
    if (have !== undefined) return have;
    const made = this.#name.length;
    this.#byText.set(key, made);
    this.#name.push(name);
    this.#file.push(file);
    this.#module.push(module);
    this.#buildId.push(mapping?.buildId ?? '');
    this.#kind.push(kindOf(name, file, module, mapping?.startHigh ?? 0, named));
    return made;
  }

  /** @returns {Frames} */
  finish() {
    const count = this.#name.length;
    const frames = {
      count, name: this.#name, file: this.#file, module: this.#module, buildId: this.#buildId, kind: Uint8Array.from(this.#kind),
      shade: new Uint8Array(count), idLow: new Uint32Array(count), idHigh: new Uint32Array(count),
    };
    for (let i = 0; i < count; i += 1) {
      const name = this.#name[i] ?? '';
      const file = this.#file[i] ?? '';
      const module = this.#module[i] ?? '';
      const kind = this.#kind[i] ?? 0;
      frames.shade[i] = KINDS[kind]?.spread === 0 ? 0 : hashText(packageOf(name, file, module, kind)).low % SHADES;
      const id = hashText(`${name}\0${file}\0${module}`);
      frames.idLow[i] = id.low;
      frames.idHigh[i] = id.high;
    }
    return frames;
  }
}
