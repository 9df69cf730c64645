// @ts-check
/** Kinds of frame, and how the kind, the package and the function are told from what a profile says. */

/** @typedef {{ id: string, name: string, hue: number, spread: number, chroma: number }} Kind */

/**
 * Every kind, by index. Hues are of OKLCH; a kind's shades spread around its hue.
 * @type {Kind[]}
 */
export const KINDS = [
  { id: 'native', name: 'Native', hue: 255, spread: 34, chroma: 0.062 },
  { id: 'kernel', name: 'Kernel', hue: 62, spread: 30, chroma: 0.068 },
  { id: 'go', name: 'Go', hue: 200, spread: 28, chroma: 0.058 },
  { id: 'python', name: 'Python', hue: 145, spread: 30, chroma: 0.066 },
  { id: 'jvm', name: 'JVM', hue: 22, spread: 22, chroma: 0.062 },
  { id: 'javascript', name: 'JavaScript', hue: 102, spread: 16, chroma: 0.072 },
  { id: 'ruby', name: 'Ruby', hue: 350, spread: 16, chroma: 0.062 },
  { id: 'php', name: 'PHP', hue: 295, spread: 18, chroma: 0.062 },
  { id: 'unknown', name: 'Unknown', hue: 280, spread: 0, chroma: 0.008 },
  { id: 'merged', name: 'Merged', hue: 280, spread: 0, chroma: 0.004 },
];

/** Shades a kind has; a package takes one by its hash. */
export const SHADES = 8;

export const NATIVE = 0;
export const KERNEL = 1;
export const GO = 2;
export const UNKNOWN = 8;
export const MERGED = 9;

const BY_EXTENSION = /** @type {Record<string, number>} */ ({
  go: 2, py: 3, pyx: 3, java: 4, kt: 4, scala: 4, groovy: 4, clj: 4, js: 5, mjs: 5, cjs: 5, ts: 5, tsx: 5, jsx: 5, rb: 6, php: 7,
});

/** How runtimes name what they compile while running, in perf maps: Python's trampolines, V8, perf-map-agent. */
const BY_NAME = /** @type {[RegExp, number][]} */ ([[/^py::/, 3], [/^(LazyCompile|Function|Eval|Script|JS|RegExp):/, 5], [/^L[\w/$]+;::/, 4]]);

/** Address from which a mapping is the kernel's: the upper half of the address space. */
export const KERNEL_HIGH_WORD = 0xffff8000;

/**
 * @param {string} name function name
 * @param {string} file source file
 * @param {string} module file of the mapping
 * @param {number} startHigh upper 32 bits of the mapping's start
 * @param {boolean} named whether the profile names a function
 */
export function kindOf(name, file, module, startHigh, named) {
  if (startHigh >= KERNEL_HIGH_WORD || module.startsWith('[kernel')) return KERNEL;
  if (!named || name === '[unknown]') return UNKNOWN;
  if (name === 'other' && file === '' && module === '') return MERGED;
  if (file === '') {
    const compiled = BY_NAME.find(([form]) => form.test(name));
    if (compiled) return compiled[1];
  }
  const extension = /\.([a-z]+)$/.exec(file)?.[1] ?? '';
  return BY_EXTENSION[extension] ?? NATIVE;
}

/**
 * What a frame's colour follows: frames of one package share it.
 * @param {string} name
 * @param {string} file
 * @param {string} module
 * @param {number} kind
 */
export function packageOf(name, file, module, kind) {
  if (kind === GO) {
    const slash = name.lastIndexOf('/');
    const dot = name.indexOf('.', slash + 1);
    return dot < 0 ? name : name.slice(0, dot);
  }
  if (kind === KERNEL) {
    if (module !== '' && module !== 'vmlinux' && !module.startsWith('[kernel')) return module;
    return /^_*[a-z0-9]+/.exec(name)?.[0]?.replace(/^_+/, '') ?? name;
  }
  if (kind === NATIVE) {
    const scopes = /^[\w$<>~{}&* ]+?::/.exec(name)?.[0];
    return scopes ?? module;
  }
  return file === '' ? module : file.slice(0, file.lastIndexOf('/') + 1) || file;
}

/**
 * Where a name may be cut when space is short: each index starts a shorter form, the last one starts the function, which is never cut from.
 * `github.com/a/b.(*T).Run` gives cuts before `a/b…`, `b…`, and `(*T).Run`.
 * @param {string} name
 * @param {number} kind
 * @returns {number[]}
 */
export function cutsOf(name, kind) {
  const cuts = [];
  if (kind === GO) {
    const slash = name.lastIndexOf('/');
    for (let i = name.indexOf('/'); i >= 0 && i <= slash; i = name.indexOf('/', i + 1)) cuts.push(i + 1);
    const dot = name.indexOf('.', slash + 1);
    if (dot >= 0 && dot + 1 < name.length) cuts.push(dot + 1);
    return cuts;
  }
  let depth = 0;
  for (let i = 0; i < name.length; i += 1) {
    const c = name[i];
    if (c === '(' && depth === 0 && i > 0 && !name.startsWith('(anonymous', i)) break;
    if (c === '<' || c === '(' || c === '[' || c === '{') depth += 1;
    else if (c === '>' || c === ')' || c === ']' || c === '}') depth = Math.max(0, depth - 1);
    else if (depth === 0 && i > 0 && i + 1 < name.length) {
      if (c === ':' && name[i - 1] === ':') cuts.push(i + 1);
      else if (c === '/' || (c === '.' && kind !== NATIVE && kind !== KERNEL && kind !== UNKNOWN)) cuts.push(i + 1);
    }
  }
  return cuts;
}
