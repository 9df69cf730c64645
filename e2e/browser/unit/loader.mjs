/** Lets node read the page's modules, which end in .js and belong to no package. Used by `node --import`. */

import { register } from 'node:module';

register(`data:text/javascript,${encodeURIComponent(`
export async function load(url, context, next) {
  return next(url, url.includes('/crates/web/ui/js/') ? { ...context, format: 'module' } : context);
}`)}`);
