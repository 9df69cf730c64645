/**
 * Writes the list of modules that index.html asks for at once, so that no module waits for another to name it.
 *
 *     node preload.mjs          rewrite the list
 */

import { readFile, readdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const UI = new URL('../../crates/web/ui/', import.meta.url);

/** The page with its list as it should be: every module but those only the worker loads. */
export async function withPreloads() {
  const page = await readFile(new URL('index.html', UI), 'utf8');
  const modules = new Set();
  const visit = async (path) => {
    if (modules.has(path)) return;
    modules.add(path);
    const source = await readFile(new URL(path, UI), 'utf8');
    for (const [, target] of source.matchAll(/^import (?:[^']*? from )?'(\.[^']+)'/gm)) await visit(new URL(target, new URL(path, 'http://x/')).pathname.slice(1));
  };
  await visit('js/main.js');
  modules.delete('js/main.js');
  const lines = [...modules].sort().map((path) => `<link rel="modulepreload" href="${path}">`).join('\n');
  return page.replace(/<!-- modules -->[\s\S]*?<!-- \/modules -->/, `<!-- modules -->\n${lines}\n<!-- /modules -->`);
}

/** Every module there is. */
export async function allModules() {
  const entries = await readdir(new URL('js/', UI), { recursive: true });
  return entries.filter((name) => name.endsWith('.js')).map((name) => `js/${name}`).sort();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeFile(new URL('index.html', UI), await withPreloads());
