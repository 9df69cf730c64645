// @ts-check
/** What the search field means: a part of a name in any case, or a regular expression between slashes. */

/** @typedef {import('./profile/frames.js').Frames} Frames */

/**
 * A test for names; null when nothing is searched, an error text when the expression cannot be read.
 * @param {string} text
 * @returns {((name: string) => boolean) | string | null}
 */
export function parseSearch(text) {
  if (text === '' || text === '/') return null;
  if (text.startsWith('/')) {
    const closed = /^\/(.+?)\/?$/.exec(text);
    try {
      const regex = new RegExp(closed?.[1] ?? '', 'i');
      return (name) => regex.test(name);
    } catch (error) {
      return error instanceof Error ? error.message : 'not a regular expression';
    }
  }
  const wanted = text.toLowerCase();
  return (name) => name.toLowerCase().includes(wanted);
}

/**
 * Which frames match, by frame.
 * @param {Frames} frames
 * @param {(name: string) => boolean} test
 */
export function matchFrames(frames, test) {
  const matches = new Uint8Array(frames.count);
  for (let i = 0; i < frames.count; i += 1) if (test(frames.name[i] ?? '')) matches[i] = 1;
  return matches;
}
