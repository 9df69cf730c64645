/** The view Agent. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { closeBrowser, onPage, parts } from './harness.mjs';

after(closeBrowser);

const region = (page, name) => page.getByRole('region', { name, exact: true });

test('says what pyrope costs, where every sample went, and what the store holds', () => onPage({ hash: '#/agent' }, async (page) => {
  assert.match(await region(page, 'What pyrope costs').textContent(), /0\.0021 cores.*38\.4 s.*39\.3 MiB68\.7 % of its budget of 57\.2 MiB.*18\.0 MiB.*1,290,000.*2\.31 s of CPU in the kernel, 1\.79 µs each/);
  const profiler = await region(page, 'pyroscope.ebpf.default').textContent();
  assert.match(profiler, /Taken1,284,310.*Delivered1,281,902.*Open1,406.*Filtered1,000.*Lost2/);
  assert.match(profiler, /Finding names for earlier intervals took too long\. Give pyrope more CPU/);
  assert.match(await region(page, 'Store default').textContent(), /393 MiB19\.2 % of at most 2\.00 GiB.*6 h.*7 d/);
}));

test('is honest when it is bad', () => onPage({ hash: '#/agent', mode: 'bad' }, async (page) => {
  const profiler = await region(page, 'pyroscope.ebpf.default').textContent();
  assert.match(profiler, /unhealthy.*Grant CAP_PERFMON/);
  assert.match(profiler, /Lost101,9047\.93 %/);
  assert.match(profiler, /The kernel’s sample buffer was full.*Give pyrope more CPU/);
  assert.match(await region(page, 'What pyrope costs').textContent(), /stopped the samples of a CPU 12 times.*perf_event_max_sample_rate/);
  assert.match(await region(page, 'Store default').textContent(), /the disk is full/);
  assert.match(await region(page, 'Endpoints').textContent(), /429 too many requests/);
  assert.match(await region(page, 'Notices').textContent(), /CAP_SYSLOG/);
}));

test('a sum that does not hold is called a fault', () => onPage({ hash: '#/agent' }, async (page) => {
  await page.route('**/api/v0/agent/status', (route) => route.fulfill({ json: { profilers: [{ id: 'p', taken: 100, delivered: 60, open: 0, lost: { mystery_reason: 10 } }] } }));
  await page.getByText('30 samples are unaccounted for.').waitFor();
  assert.match(await region(page, 'p').textContent(), /Mystery reason\./, 'a reason nobody explained is still shown');
}));

test('without a store it shows the lines that add one', () => onPage({ hash: '#/agent', mode: 'nostore' }, async (page) => {
  await page.getByText('forward_to = [pyrope.store.local.receiver]').waitFor();
}));

test('a status of next to nothing is shown as far as it goes', () => onPage({ hash: '#/agent' }, async (page) => {
  await page.route('**/api/v0/agent/status', (route) => route.fulfill({ json: { version: '9', something_new: { a: 1 } } }));
  await page.getByText('pyrope 9').waitFor();
}));

test('memory beyond the budget is said to be', () => onPage({ hash: '#/agent' }, async (page) => {
  await page.route('**/api/v0/agent/status', (route) => route.fulfill({ json: { version: '9', memory: { rss_bytes: 64_000_000, budget_bytes: 60_000_000 } } }));
  await page.getByText('107 % of its budget of 57.2 MiB').waitFor();
}));

test('what there is no figure of is left out', () => onPage({ hash: '#/agent' }, async (page) => {
  await page.route('**/api/v0/agent/status', (route) => route.fulfill({ json: { version: '9', memory: { rss_bytes: 1_048_576, bpf_maps_bytes: null } } }));
  await page.getByText('pyrope 9').waitFor();
  const cost = await region(page, 'What pyrope costs').textContent();
  assert.match(cost, /Memory1\.00 MiB/);
  assert.doesNotMatch(cost, /budget|BPF maps/);
}));

test('every store is told of, and one that is not there is said', () => onPage({ hash: '#/agent?store=c' }, async (page) => {
  const stores = ['a', 'b'].map((name) => ({ name, path: `/data/${name}`, bytes: 1024, max_bytes: 2048, max_age_s: 3600, failed_windows: 0 }));
  const store = { name: 'c', message: 'there is no store of this name' };
  await page.route('**/api/v0/agent/status?store=c', (route) => route.fulfill({ json: { store, stores } }));
  assert.match(await region(page, 'Store b').textContent(), /\/data\/b.*1\.00 KiB50\.0 %/);
  assert.match(await region(page, 'Store c').textContent(), /there is no store of this name$/);
  await page.route('**/api/v0/agent/status?store=b', (route) => route.fulfill({ json: { store: stores[1], stores } }));
  await region(page, 'Store b').getByRole('link', { name: 'Its profiles' }).click();
  await parts(page).rows.first().waitFor();
  assert.match(page.url(), /#\/explore\?store=b$/);
}));

test('an agent that stopped answering is said to have, over the last figures', () => onPage({ hash: '#/agent', errors: /ERR_FAILED/ }, async (page) => {
  await region(page, 'What pyrope costs').waitFor();
  await page.route('**/api/v0/agent/status', (route) => route.abort());
  await page.getByText('Not up to date: pyrope does not answer. Is it still running?').waitFor();
  assert.ok(await region(page, 'What pyrope costs').isVisible());
}));
