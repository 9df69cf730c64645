/**
 * The page on a running pyrope.
 *
 *     PYROPE_URL=http://127.0.0.1:12345/ PYROPE_EXPECT=hot_function [PYROPE_SERVICE=name] node --test page/real.test.mjs
 *
 * PYROPE_EXPECT is a function that the host is busy with. Without PYROPE_URL nothing is tested, and it says so.
 */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { closeBrowser, onPage, parts, until } from './harness.mjs';

after(closeBrowser);

const { PYROPE_URL, PYROPE_EXPECT, PYROPE_SERVICE, PYROPE_SHOT } = process.env;
const skip = PYROPE_URL ? false : 'PYROPE_URL is not set';
const label = PYROPE_SERVICE ? `&label=${encodeURIComponent(`service_name=${PYROPE_SERVICE}`)}` : '';
const real = { url: PYROPE_URL ? new URL('/', PYROPE_URL).href : null, viewport: { width: 1600, height: 900 } };

/** Waits longer than for a mock: the first samples take a moment. */
const shown = (page) => parts(page).rows.first().waitFor({ timeout: 30_000 });

test('opens, and shows the workload by name in table and graph', { skip }, () => onPage({ ...real, hash: `#/explore?from=now-5m${label}` }, async (page) => {
  assert.ok(PYROPE_EXPECT, 'PYROPE_EXPECT names the function to find');
  await shown(page);
  const { rows, search, chosen, found } = parts(page);
  await page.getByRole('button', { name: 'Live' }).click();
  await search.fill(PYROPE_EXPECT);
  await until(async () => (await rows.allTextContents()).some((name) => name.includes(PYROPE_EXPECT)), `${PYROPE_EXPECT} in the table`);
  assert.match(await found.textContent(), /^[\d.<]+.*% in [\d,]+ frames?$/);
  await search.press('Enter');
  assert.ok((await chosen.textContent()).includes(PYROPE_EXPECT), 'in the graph');
  await parts(page).graph.focus();
  await page.keyboard.press('Enter');
  await until(() => parts(page).crumbs.isVisible(), 'zoomed in');
  await page.keyboard.press('Escape');
  await until(async () => !/zoom=/.test(page.url()), 'zoomed out');
  if (PYROPE_SHOT) {
    await search.fill('');
    await page.waitForTimeout(500);
    await page.screenshot({ path: PYROPE_SHOT });
  }
}));

test('services are offered with what they use', { skip }, () => onPage({ ...real, hash: '#/explore?live=off&from=now-5m' }, async (page) => {
  await shown(page);
  await page.getByRole('button', { name: 'Service: all' }).click();
  await until(async () => (await page.getByRole('option').allTextContents()).some((text) => / cores$/.test(text)), 'services with their cores');
}));

test('live goes on without errors', { skip }, () => onPage({ ...real, hash: `#/explore?from=now-5m${label}` }, async (page) => {
  await shown(page);
  let refreshed = 0;
  page.on('response', (response) => { if (response.url().endsWith('SelectMergeProfile') && response.ok()) refreshed += 1; });
  await until(() => refreshed >= 3, 'three refreshes');
}));

test('the agent accounts for every sample', { skip }, () => onPage({ ...real, hash: '#/agent' }, async (page) => {
  await page.getByRole('heading', { name: 'What pyrope costs' }).waitFor();
  assert.equal(await page.getByText(/samples are unaccounted for|are counted twice/).count(), 0);
  assert.match(await page.locator('main').textContent(), /Taken[\d,]+/);
}));
