/** The small parts: texts, figures, times, colours, and what the page is made of. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { allModules, withPreloads } from '../preload.mjs';

const ui = '../../../crates/web/ui/';
const { agentStatus, labelNames, labelValues, profileTypes } = await import(`${ui}js/api.js`);
const { contrast } = await import(`${ui}js/color.js`);
const { askProfile, askTimeline, nearest } = await import(`${ui}js/explore/query.js`);
const { PALETTES } = await import(`${ui}js/palette.js`);
const { fit, Ruler } = await import(`${ui}js/flame/label.js`);
const { cutsOf, GO, NATIVE } = await import(`${ui}js/profile/kinds.js`);
const { parseSearch } = await import(`${ui}js/search.js`);
const { parseMatcher, selectionName, selectorText } = await import(`${ui}js/selector.js`);
const { DEFAULTS, format, parse } = await import(`${ui}js/state.js`);
const { resolve, rangeName, span } = await import(`${ui}js/time.js`);
const { bucketsOf, covered, gridOf, queryOf } = await import(`${ui}js/timeline/buckets.js`);
const { bytes, duration, figure, measureOf, share } = await import(`${ui}js/units.js`);

const NOON = new Date(2026, 4, 20, 12, 0, 0).getTime();

test('text on every fill has a contrast of 4.5 at least', () => {
  for (const [theme, palette] of Object.entries(PALETTES)) {
    const fills = [...palette.fills.flat(), ...palette.faded.flat(), palette.match, palette.root, palette.small, palette.hatch, palette.ground, palette.area, palette.host];
    for (const fill of fills) assert.ok(contrast(palette.text, fill) >= 4.5, `${theme}: ${fill} has ${contrast(palette.text, fill).toFixed(2)}`);
    assert.ok(contrast(palette.faint, palette.ground) >= 4.5, `${theme}: axis text`);
    assert.ok(contrast(palette.mark, palette.ground) >= 3, `${theme}: the line of the timeline`);
  }
});

test('contrast is counted as WCAG does', () => {
  assert.equal(contrast([0, 0, 0], [255, 255, 255]), 21);
  assert.equal(contrast([119, 119, 119], [255, 255, 255]).toFixed(2), '4.48');
});

test('text colours of the style sheet have a contrast of 4.5 on their grounds', async () => {
  const sheet = await readFile(new URL(`${ui}style.css`, import.meta.url), 'utf8');
  const rgb = (hex) => [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16));
  const value = (name, dark) => rgb(new RegExp(`--${name}: light-dark\\((#\\w{6}), (#\\w{6})\\)`).exec(sheet)[dark ? 2 : 1]);
  for (const dark of [false, true]) {
    for (const ground of ['bg', 'panel', 'raised', 'hover', 'tint', 'bar']) {
      for (const ink of ['text', 'dim']) assert.ok(contrast(value(ink, dark), value(ground, dark)) >= 4.5, `${ink} on ${ground}, dark ${dark}: ${contrast(value(ink, dark), value(ground, dark)).toFixed(2)}`);
    }
    for (const ground of ['bg', 'panel', 'raised']) for (const ink of ['accent', 'bad']) assert.ok(contrast(value(ink, dark), value(ground, dark)) >= 4.5, `${ink} on ${ground}, dark ${dark}`);
    assert.ok(contrast(value('warn', dark), value('warn-bg', dark)) >= 4.5);
    assert.ok(contrast([255, 255, 255], value('accent-fill', dark)) >= 4.5);
  }
});

test('a name gives way from the start of its path', () => {
  const ruler = new Ruler((text) => text.length * 10);
  const check = (name, kind, width, expected) => assert.equal(fit(name, cutsOf(name, kind), width, ruler), expected);
  const go = 'github.com/acme/cart.(*Server).Run';
  check(go, GO, 340, go);
  check(go, GO, 330, '…acme/cart.(*Server).Run');
  check(go, GO, 200, '…cart.(*Server).Run');
  check(go, GO, 150, '…(*Server).Run');
  check(go, GO, 130, '(*Server).Run');
  check(go, GO, 80, '(*Serve…');
  check(go, GO, 30, '');
  check('memcpy', NATIVE, 60, 'memcpy');
  check('memcpy', NATIVE, 50, 'memc…');
});

test('figures keep three digits that matter', () => {
  assert.deepEqual([1234.5, 124.2, 12.44, 1.734, 0.0421, 0.0042, 0.00042, 0.00001, 0].map(figure), ['1,235', '124', '12.4', '1.73', '0.042', '0.0042', '0.0004', '< 0.0001', '0']);
  assert.deepEqual([share(1, 2), share(1, 1), share(1, 1e6), share(3, 10000), share(1, 0)], ['50.0 %', '100 %', '< 0.01 %', '0.03 %', '–']);
  assert.deepEqual([bytes(900), bytes(1536), bytes(2 ** 31)], ['900 B', '1.50 KiB', '2.00 GiB']);
  assert.deepEqual([900, 4800, 0.4, 93_600, 250].map(duration), ['15 min', '1 h 20 min', '0 s', '1 d 2 h', '4 min 10 s']);
});

test('CPU is cores over a range and seconds in total', () => {
  const cpu = measureOf('process_cpu:cpu:nanoseconds:cpu:nanoseconds');
  assert.deepEqual([cpu.rate(1.73e9 * 60, 60), cpu.rateUnit, cpu.total(1557e9)], ['1.73', 'cores', '1,557 s']);
  assert.equal(measureOf('memory:inuse_space:bytes:space:bytes').total(1048576), '1.00 MiB');
});

test('ranges are relative, absolute, or the last 15 minutes when they make no sense', () => {
  const check = (from, to, expected) => {
    const { start, end } = resolve(from, to, NOON);
    assert.deepEqual([(NOON - start) / 60_000, (NOON - end) / 60_000], expected);
  };
  check('now-1h', 'now', [60, 0]);
  check(String(NOON - 600_000), String(NOON - 300_000), [10, 5]);
  check('yesterday', 'now', [15, 0]);
  check(String(NOON), String(NOON - 1), [15, 0]);
  assert.equal(rangeName('now-15m', 'now', NOON), 'Last 15 min');
  assert.equal(span(NOON - 7_200_000, NOON - 3_600_000, NOON), '10:00 – 11:00');
  assert.match(span(NOON - 30 * 3_600_000, NOON, NOON), /19.* 06:00 – 12:00$/);
});

test('matchers are read as typed and written as the query API takes them', () => {
  const check = (text, expected) => assert.deepEqual(parseMatcher(text), expected);
  check('service_name=cart', { name: 'service_name', op: '=', value: 'cart' });
  check(' pod =~ "web-.*" ', { name: 'pod', op: '=~', value: 'web-.*' });
  check('user!=root', { name: 'user', op: '!=', value: 'root' });
  check('user!~r=t', { name: 'user', op: '!~', value: 'r=t' });
  check('user=', { name: 'user', op: '=', value: '' });
  check('user', null);
  assert.equal(selectorText([{ name: 'a', op: '=', value: 'x"y\\' }, { name: 'otel.scope', op: '!~', value: 'z' }]), '{a="x\\"y\\\\","otel.scope"!~"z"}');
  assert.equal(selectorText([]), '{}');
  assert.deepEqual([selectionName([]), selectionName([{ name: 'user', op: '=', value: 'bo' }])], ['this host', 'user=bo']);
});

test('the state goes into the URL and comes back', () => {
  assert.equal(format({ ...DEFAULTS }), '#/explore');
  const state = {
    ...DEFAULTS, from: 'now-1h', matchers: [{ name: 'service_name', op: '=', value: 'a&b=c' }, { name: 'user', op: '!~', value: 'x|y' }], search: '/^std::/', zoom: '00ff00ff00ff00ff',
    hide: ['f<a, b>()', 'g'], off: ['kernel'], live: false, collapse: true, sort: 'name+', sandwich: 'operator new', tab: 'table', store: 'pyrope.store.b',
  };
  assert.deepEqual(parse(format(state)), state);
  assert.deepEqual(parse('#/nowhere?nonsense=1&label=broken'), { ...DEFAULTS });
});

test('every request names the store of the state', async (t) => {
  const asked = [];
  t.mock.method(globalThis, 'fetch', async (path) => {
    asked.push(path);
    return new Response('{}');
  });
  const all = async (store) => {
    const range = { start: NOON - 60_000, end: NOON, relative: false };
    const state = { ...DEFAULTS, store, matchers: [{ name: 'user', op: '=', value: 'bo' }] };
    const query = { store, name: 'user', start: range.start, end: range.end };
    await Promise.all([askTimeline(state, range), askProfile(state, range), nearest(state, range), labelNames(query), labelValues(query), profileTypes(query), agentStatus(store)]);
    return asked.splice(0);
  };
  const named = await all('pyrope.store.b & more');
  assert.equal(named.length, 8);
  for (const path of named) assert.match(path, /^(querier\.v1\.QuerierService\/\w+|api\/v0\/agent\/status)\?store=pyrope\.store\.b%20%26%20more$/);
  for (const path of await all('')) assert.doesNotMatch(path, /\?/);
});

test('a search is a part of a name in any case, or an expression', () => {
  const check = (text, name, expected) => assert.equal(parseSearch(text)(name), expected);
  check('MALLOC', 'runtime.mallocgc', true);
  check('a.c', 'abc', false);
  check('/^run.*gc$/', 'runtime.mallocgc', true);
  check('/^alloc', 'mallocgc', false);
  assert.equal(typeof parseSearch('/(/'), 'string');
  assert.equal(parseSearch(''), null);
});

test('points fall into buckets closed on the left', () => {
  const grid = gridOf(NOON, NOON + 60_000, 400);
  assert.deepEqual([grid.step, queryOf(grid).start - NOON, queryOf(grid).end - NOON], [15, 14_999, 59_999]);
  const { values } = bucketsOf([{ labels: {}, points: [{ at: NOON + 14_999, value: 3 }, { at: NOON + 44_999, value: 4 }, { at: NOON + 59_999, value: 5 }] }], grid);
  assert.deepEqual([...values], [3, NaN, 4, 5]);
});

test('profiles rarer than the grid widen its buckets', () => {
  const grid = gridOf(NOON, NOON + 120_000, 400);
  const points = [0, 60].map((s) => ({ at: NOON + s * 1000 + 14_999, value: 60e9 }));
  const wide = bucketsOf([{ labels: {}, points }], grid);
  assert.deepEqual([wide.grid.step, ...wide.values], [60, 60e9, 60e9]);
  assert.deepEqual(covered(wide), { start: NOON, end: NOON + 120_000 });
});

test('every reason of the engine and of the kernel side has its sentence', async () => {
  const { EXPLAINED, explain } = await import(`${ui}js/agent/reasons.js`);
  const read = (path) => readFile(new URL(`../../../${path}`, import.meta.url), 'utf8');
  const account = [...(await read('crates/engine/src/account.rs')).matchAll(/^ +\w+ = "(\w+)", "/gm)].map(([, name]) => name);
  const ends = [...(await read('bpf/include/ends.def')).matchAll(/^END\((\w+),/gm)].map(([, name]) => name);
  const drops = [...(await read('crates/components/src/write/status.rs')).matchAll(/^ +Self::\w+ => "(\w+)",/gm)].map(([, name]) => name);
  assert.ok(account.includes('ring_full') && ends.includes('fault') && drops.includes('queue_full'), 'the lists are where they were');
  for (const reason of [...account, ...ends, ...drops]) assert.ok(EXPLAINED.includes(reason), `${reason} has no sentence in agent/reasons.js`);
  assert.deepEqual(explain('some_new_one'), { what: 'Some new one.', remedy: '' });
});

test('index.html asks for every module at once', async () => {
  const page = await readFile(new URL(`${ui}index.html`, import.meta.url), 'utf8');
  assert.equal(page, await withPreloads(), 'run: node preload.mjs');
  const worker = ['js/profile/frames.js', 'js/profile/pprof.js', 'js/profile/tree.js', 'js/profile/worker.js'];
  for (const path of await allModules()) assert.ok(page.includes(`"${path}"`) || worker.includes(path), `${path} is used by nobody`);
});

test('nothing names another host, and nothing runs or styles inline', async () => {
  for (const path of ['index.html', 'style.css', ...(await allModules())]) {
    const source = (await readFile(new URL(ui + path, import.meta.url), 'utf8')).replaceAll('http://www.w3.org/2000/svg', '');
    assert.doesNotMatch(source, /(https?:)?\/\/[a-z0-9-]+\.[a-z]{2,}/i, path);
    assert.doesNotMatch(source, /\sstyle="|\son[a-z]+="|innerHTML|\beval\(|new Function\(|<script(?![^>]*src=)/, path);
  }
});
