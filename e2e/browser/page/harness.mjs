/** What every test of the page needs: a mock, a page of the browser, and the rules that hold on every page. */

import assert from 'node:assert/strict';

import { launch } from '../chromium.mjs';
import { startMock } from '../mock.mjs';

let browser;

/** One browser for a test file. */
export async function closeBrowser() {
  await browser?.close();
  browser = undefined;
}

/**
 * Opens the page on a mock of its own, runs the test, and checks that nothing was logged as an error and nobody else was asked.
 * @param {object} options those of `startMock`, and `hash`, `viewport`, `colorScheme`, `errors` (expected console errors)
 * @param {(page: import('playwright-core').Page, mock: object) => Promise<void>} act
 */
export async function onPage(options, act) {
  const { hash = '#/explore?live=off', viewport = { width: 1280, height: 800 }, colorScheme = 'light', errors: expected = null, url = null, ...mocked } = options;
  browser ??= await launch();
  const mock = url ? { url, close: async () => {} } : await startMock(mocked);
  const context = await browser.newContext({ viewport, colorScheme });
  const page = await context.newPage();
  const errors = [];
  const foreign = [];
  page.on('console', (message) => { if (message.type() === 'error' || message.type() === 'warning') errors.push(message.text()); });
  page.on('pageerror', (error) => errors.push(String(error.stack)));
  page.on('request', (request) => { if (!request.url().startsWith(new URL(mock.url).origin)) foreign.push(request.url()); });
  page.setDefaultTimeout(20_000);
  try {
    await page.goto(mock.url + hash);
    await act(page, mock);
  } finally {
    await context.close();
    await mock.close();
  }
  assert.deepEqual(errors.filter((text) => !expected?.test(text)), [], 'errors in the console');
  assert.deepEqual(foreign, [], 'requests to other hosts');
}

/** The parts of the page, by role. */
export const parts = (page) => ({
  graph: page.getByRole('tree', { name: 'Flame graph' }),
  callers: page.getByRole('tree', { name: 'Callers' }),
  chosen: page.getByRole('tree', { name: 'Flame graph' }).getByRole('treeitem', { selected: true }),
  root: page.getByRole('tree', { name: 'Flame graph' }).getByRole('treeitem').first(),
  table: page.getByRole('table', { name: 'Functions' }),
  rows: page.getByRole('table', { name: 'Functions' }).getByRole('rowheader'),
  search: page.getByRole('searchbox', { name: 'Search functions' }),
  found: page.locator('output'),
  crumbs: page.getByRole('navigation', { name: 'Zoomed path' }),
  foot: page.getByRole('status', { name: 'Frame' }),
  timeline: page.getByRole('application', { name: /Timeline/ }),
});

/** Waits until a check holds. */
export async function until(check, what) {
  const end = Date.now() + 20_000;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) assert.fail(`waited in vain for: ${what}`);
    await new Promise((done) => setTimeout(done, 30));
  }
}
