// @ts-check
/** Copying text, also where the page was not reached over a secure connection. */

import { h } from './dom.js';

/**
 * @param {string} text
 * @returns {Promise<boolean>} whether it worked
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Browsers give no clipboard to pages over plain HTTP from another host; the old command still works there.
    const field = h('textarea', { class: 'sr', text, 'aria-hidden': 'true' });
    document.body.append(field);
    field.select();
    const done = document.execCommand('copy');
    field.remove();
    return done;
  }
}
