/** Explore, driven as a reader does. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { closeBrowser, onPage, parts, until } from './harness.mjs';

after(closeBrowser);

const CART = '#/explore?live=off&label=service_name%3Dcart';

/** Colour of the flame graph's canvas at a point, for what only the picture shows. */
const colourAt = (page, x, y) => page.evaluate(([px, py]) => {
  const canvas = document.querySelector('[aria-label="Flame graph"] canvas');
  const pixel = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  pixel.drawImage(canvas, -px * devicePixelRatio, -py * devicePixelRatio);
  return [...pixel.getImageData(0, 0, 1, 1).data].join();
}, [x, y]);

test('opens with timeline, graph and table of the whole host', () => onPage({}, async (page) => {
  const { graph, rows, root, timeline } = parts(page);
  await rows.first().waitFor();
  assert.ok(await rows.count() > 15);
  assert.match(await root.textContent(), /^this host, 100 %, \d\.\d+ cores$/);
  assert.equal(await graph.getByRole('treeitem', { level: 2 }).count(), 5, 'the roots of the services');
  assert.ok(await timeline.isVisible());
  assert.match(await page.locator('.summary').textContent(), /\d\.\d+cores.*whole host.* s in 15 min/);
  assert.notEqual(await colourAt(page, 200, 30), await colourAt(page, 200, 5), 'root and first row differ');
}));

test('searching marks, filters the table, and says the share; Enter walks the matches', () => onPage({ hash: CART }, async (page) => {
  const { rows, search, found, chosen, foot } = parts(page);
  await rows.first().waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('mallocgc');
  await until(async () => /^[\d.]+ % in \d+ frames$/.test(await found.textContent()), 'the share found');
  assert.deepEqual(await rows.allTextContents(), ['runtime.mallocgc']);
  await search.press('Enter');
  assert.match(await chosen.textContent(), /^runtime\.mallocgc, /);
  const first = await chosen.getAttribute('id');
  await search.press('Enter');
  assert.notEqual(await chosen.getAttribute('id'), first);
  assert.match(await foot.textContent(), /runtime\.mallocgc.*runtime\/runtime\.go:\d+.*cart.*build 5f3a9c81d2e4/);
  await search.fill('/^runtime\\.(malloc|scan)/');
  await until(async () => (await rows.count()) === 2, 'two rows of the expression');
  await search.fill('/(/');
  assert.equal(await search.getAttribute('aria-invalid'), 'true');
  await search.press('Escape');
  await until(async () => (await rows.count()) > 15, 'all rows again');
}));

test('the keyboard walks the tree, zooms, and comes back', () => onPage({ hash: CART }, async (page) => {
  const { graph, chosen, crumbs, rows } = parts(page);
  await rows.first().waitFor();
  await page.keyboard.press('t');
  await page.keyboard.press('t');
  assert.ok(await graph.evaluate((e) => e === document.activeElement));
  assert.match(await chosen.textContent(), /^cart, /);
  await page.keyboard.press('ArrowDown');
  assert.match(await chosen.textContent(), /^runtime\.goexit, /);
  assert.equal(await chosen.getAttribute('aria-level'), '2');
  await page.keyboard.press('ArrowDown');
  const wide = await chosen.textContent();
  await page.keyboard.press('ArrowRight');
  assert.notEqual(await chosen.textContent(), wide);
  await page.keyboard.press('ArrowLeft');
  assert.equal(await chosen.textContent(), wide);
  assert.equal(await graph.getAttribute('aria-activedescendant'), await chosen.getAttribute('id'));
  await page.keyboard.press('Enter');
  await until(() => crumbs.isVisible(), 'breadcrumbs');
  assert.match(page.url(), /zoom=[0-9a-f]{16}/);
  await page.keyboard.press('ArrowUp');
  assert.match(await chosen.textContent(), /^runtime\.goexit, /);
  await page.keyboard.press('Escape');
  assert.doesNotMatch(page.url(), /zoom=/);
  await page.goBack();
  await until(() => crumbs.isVisible(), 'back undoes');
  await page.reload();
  await until(() => crumbs.isVisible(), 'a link shows the same');
}));

test('the focus is always seen', () => onPage({ hash: CART }, async (page) => {
  const { graph, rows, timeline } = parts(page);
  await rows.first().waitFor();
  const corner = (name) => page.evaluate((q) => {
    const canvas = document.querySelector(`[aria-label^="${q}"] canvas`);
    const pixel = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    pixel.drawImage(canvas, -1, -30);
    return [...pixel.getImageData(0, 0, 1, 1).data].join();
  }, name);
  for (const [name, element] of [['Flame graph', graph], ['Timeline', timeline]]) {
    const before = await corner(name);
    await page.keyboard.press('Tab');
    await element.focus();
    await until(async () => (await corner(name)) !== before, `a ring around ${name}`);
    await page.keyboard.press('Tab');
    await until(async () => (await corner(name)) === before, 'no ring without the focus');
  }
  const bare = [];
  for (let i = 0; i < 25; i += 1) {
    await page.keyboard.press('Tab');
    bare.push(...await page.evaluate(() => {
      const e = document.activeElement;
      if (!e || e === document.body || e.matches('.flame, .timeline, .handle')) return [];
      return getComputedStyle(e).outlineStyle === 'none' ? [e.outerHTML.slice(0, 80)] : [];
    }));
  }
  assert.deepEqual(bare, [], 'elements that show no focus');
}));

test('clicking zooms, a breadcrumb leads back, shift-click focuses', () => onPage({ hash: CART }, async (page) => {
  const { graph, crumbs, rows, chosen } = parts(page);
  await rows.first().waitFor();
  const all = await rows.count();
  await graph.click({ position: { x: 60, y: 20 * 5 + 10 } });
  await until(() => crumbs.isVisible(), 'breadcrumbs');
  assert.match(await chosen.textContent(), /cart\.\(\*Server\)\.ServeHTTP/);
  await crumbs.getByRole('button', { name: 'cart' }).click();
  await until(async () => !(await crumbs.isVisible()), 'no breadcrumbs at the root');
  await graph.click({ position: { x: 60, y: 20 * 5 + 10 }, modifiers: ['Shift'] });
  await until(() => crumbs.getByRole('button', { name: /Remove focus/ }).isVisible(), 'the focus is named');
  const { root } = parts(page);
  await until(async () => /^all calls, /.test(await root.textContent()), 'the root is every call');
  await crumbs.getByRole('button', { name: /Remove focus/ }).click();
  await until(async () => (await rows.count()) >= Math.min(all, 10), 'everything again');
}));

test('hovering tells on the foot line and covers nothing', () => onPage({ hash: CART }, async (page) => {
  const { graph, foot, rows } = parts(page);
  await rows.first().waitFor();
  await graph.hover({ position: { x: 60, y: 30 } });
  await until(async () => /^runtime\.goexit.*self.*cores.*total.*100 %/.test(await foot.textContent()), 'the frame on the foot line');
  const [a, b] = [await graph.boundingBox(), await foot.boundingBox()];
  assert.ok(b.y >= a.y + a.height - 1, 'below the graph');
}));

test('the menu shapes the graph: sandwich, only, leave out', () => onPage({ hash: CART }, async (page) => {
  const { graph, callers, crumbs, rows, root } = parts(page);
  await rows.first().waitFor();
  const at = { x: 60, y: 20 * 3 + 10 };
  await graph.click({ position: at, button: 'right' });
  await page.getByRole('menuitem', { name: /Sandwich/ }).click();
  await callers.waitFor();
  assert.match(await callers.getByRole('treeitem').nth(1).textContent(), /^net\/http\.serverHandler\.ServeHTTP, /);
  await page.keyboard.press('Escape');
  await until(async () => !(await callers.isVisible()), 'Escape leaves the sandwich');
  await graph.click({ position: at, button: 'right' });
  await page.getByRole('menuitem', { name: 'Leave it out' }).click();
  await crumbs.getByRole('button', { name: /Remove without/ }).waitFor();
  await until(async () => !(await rows.allTextContents()).includes('net/http.serverHandler.ServeHTTP'), 'it is gone from the table');
  assert.match(await root.textContent(), /100 %/, 'its time went to its caller');
}));

test('the legend leaves kinds out', () => onPage({}, async (page) => {
  const { rows } = parts(page);
  await rows.first().waitFor();
  const kernel = page.getByRole('group', { name: 'Kinds of frame' }).getByRole('button', { name: 'Kernel' });
  await parts(page).search.fill('vfs_read');
  await until(async () => (await rows.count()) === 1, 'a kernel function');
  await kernel.click();
  await until(async () => (await rows.count()) === 0, 'no kernel function');
  assert.equal(await kernel.getAttribute('aria-pressed'), 'false');
  await kernel.click();
  await until(async () => (await rows.count()) === 1, 'it is back');
}));

test('a service is picked by name, those that use the most first', () => onPage({}, async (page) => {
  const { root } = parts(page);
  await root.waitFor({ state: 'attached' });
  await page.getByRole('button', { name: 'Service: all' }).click();
  const options = page.getByRole('option');
  await until(async () => (await options.count()) === 6, 'all services');
  assert.match((await options.allTextContents())[1], /^(cart|recommender)[\d.]+ cores$/);
  await page.keyboard.type('post');
  await until(async () => (await options.count()) === 1, 'one left');
  await page.keyboard.press('Enter');
  await until(async () => /^postgres, 100 %/.test(await root.textContent()), 'the graph of postgres');
  assert.match(page.url(), /label=service_name%3Dpostgres/);
  assert.match(await page.locator('.summary').textContent(), /[\d.]+ % of the host/);
  await page.goBack();
  await until(async () => /^this host/.test(await root.textContent()), 'back undoes');
}));

test('any label makes a chip, with completion of names and values', () => onPage({}, async (page) => {
  const { root } = parts(page);
  await root.waitFor({ state: 'attached' });
  await page.getByRole('button', { name: '+ label' }).click();
  const options = page.getByRole('option');
  await until(async () => (await options.first().textContent())?.startsWith('service_name'), 'service_name first');
  await page.keyboard.type('us');
  await until(async () => (await options.count()) === 1, 'user');
  await page.keyboard.press('Enter');
  await until(async () => (await options.count()) === 4, 'values of user');
  await page.keyboard.type('www');
  await until(async () => (await options.count()) === 1, 'www-data');
  await page.keyboard.press('Enter');
  await until(async () => /^user=www-data, /.test(await root.textContent()), 'the graph of the user');
  await page.getByRole('button', { name: 'Remove user=www-data' }).click();
  await until(async () => /^this host/.test(await root.textContent()), 'everything again');
  await page.getByRole('button', { name: '+ label' }).click();
  await page.keyboard.type('service_name=~cart|postgres');
  await until(async () => (await options.allTextContents()).join().includes('pattern'), 'offered as a pattern');
  await page.keyboard.press('Enter');
  await until(async () => /^service_name=~cart\|postgres, /.test(await root.textContent()), 'a pattern selects two services');
}));

test('a range is brushed, widened by a double click, and moved by keys', () => onPage({}, async (page) => {
  const { timeline, root } = parts(page);
  await root.waitFor({ state: 'attached' });
  const button = page.getByRole('button', { name: /Time range/ });
  const box = await timeline.boundingBox();
  await page.mouse.move(box.x + 300, box.y + 30);
  await page.mouse.down();
  await page.mouse.move(box.x + 600, box.y + 30, { steps: 4 });
  await page.mouse.up();
  await until(async () => /\d\d:\d\d:\d\d – /.test(await button.textContent()), 'an absolute range');
  const length = () => page.evaluate(() => { const q = new URLSearchParams(location.hash.split('?')[1]); return (Number(q.get('to')) - Number(q.get('from'))) / 1000; });
  const brushed = await length();
  assert.ok(brushed > 200 && brushed < 240, `${brushed} s of 900 s over 1228 px`);
  await timeline.dblclick({ position: { x: 400, y: 30 } });
  await until(async () => Math.abs((await length()) - 2 * brushed) < 2, 'twice as wide');
  await timeline.focus();
  const from = () => page.evaluate(() => Number(new URLSearchParams(location.hash.split('?')[1]).get('from')));
  const before = await from();
  await page.keyboard.press('ArrowLeft');
  await until(async () => Math.abs((before - (await from())) / 1000 - brushed / 2) < 2, 'a quarter earlier');
  await button.click();
  await page.getByRole('button', { name: 'Last 1 h' }).click();
  await until(async () => (await button.textContent()) === 'Last 1 h', 'relative again');
}));

test('the table sorts, and a row shows its widest frame', () => onPage({ hash: CART }, async (page) => {
  const { table, rows, chosen, foot } = parts(page);
  await rows.first().waitFor();
  await table.getByRole('button', { name: /^Total/ }).click();
  await until(async () => (await rows.first().textContent()) === 'runtime.goexit', 'sorted by total');
  assert.equal(await table.getByRole('columnheader', { name: /Total/ }).getAttribute('aria-sort'), 'descending');
  await table.getByRole('button', { name: 'Function' }).click();
  await until(async () => (await rows.allTextContents())[0] < (await rows.allTextContents())[1], 'sorted by name');
  await rows.getByText('deflate').click();
  await until(async () => /^compress\/flate\.\(\*compressor\)\.deflate, /.test(await chosen.textContent()), 'the frame is chosen');
  assert.match(await foot.textContent(), /deflate/);
}));

test('live refreshes and leaves zoom, choice and focus alone; the pointer pauses it', () => onPage({ hash: '#/explore?label=service_name%3Dcart', changing: true, stacks: 400 }, async (page, mock) => {
  const { graph, rows, chosen, crumbs } = parts(page);
  await rows.first().waitFor();
  const asked = () => mock.settings.requests.filter((path) => path.endsWith('SelectMergeProfile')).length;
  await graph.focus();
  for (const key of ['ArrowDown', 'ArrowDown', 'Enter', 'ArrowDown']) await page.keyboard.press(key);
  const url = page.url();
  const name = (await chosen.textContent()).split(',')[0];
  const before = asked();
  await until(() => asked() >= before + 3, 'three refreshes');
  assert.equal((await chosen.textContent()).split(',')[0], name);
  assert.equal(page.url(), url);
  assert.ok(await crumbs.isVisible());
  assert.ok(await graph.evaluate((e) => e === document.activeElement), 'the focus stays');
  await graph.hover({ position: { x: 100, y: 100 } });
  await page.getByRole('button', { name: 'Paused' }).waitFor();
  await page.waitForTimeout(300);
  const held = asked();
  await page.waitForTimeout(2200);
  assert.equal(asked(), held, 'no refresh under the pointer');
  await page.mouse.move(600, 5);
  await until(() => asked() > held, 'it goes on');
  await page.keyboard.press('l');
  await until(() => page.url().includes('live=off'), 'switched off');
}));

test('what the reader asked for is not begun anew when the pointer leaves the picture', () => onPage({ hash: '#/explore?label=service_name%3Dcart', delay: 4000, stacks: 400 }, async (page, mock) => {
  const { rows, timeline } = parts(page);
  const asked = () => mock.settings.requests.filter((path) => path.endsWith('SelectMergeProfile')).length;
  await until(() => asked() === 1, 'the first load');
  await timeline.hover();
  await page.getByRole('button', { name: 'Paused' }).waitFor();
  await page.mouse.move(600, 5);
  await page.getByRole('button', { name: 'Live' }).waitFor();
  await rows.first().waitFor();
  assert.equal(asked(), 1, 'one request for one picture');
}));

test('the store that the URL names is asked, and said', () => onPage({ hash: '#/explore?live=off&store=pyrope.store.b' }, async (page) => {
  const asked = [];
  page.on('request', (request) => {
    const { pathname, search } = new URL(request.url());
    if (/Querier|status/.test(pathname)) asked.push([pathname, search]);
  });
  await page.reload();
  await parts(page).rows.first().waitFor();
  await until(() => asked.some(([path]) => path.endsWith('status')) && asked.some(([path]) => path.endsWith('ProfileTypes')), 'all that is asked at first');
  for (const [path, search] of asked) assert.equal(search, '?store=pyrope.store.b', path);
  asked.length = 0;
  await page.getByRole('button', { name: 'Remove store=pyrope.store.b' }).click();
  await until(() => asked.some(([path]) => path.endsWith('SelectMergeProfile')), 'the first store is asked');
  for (const [path, search] of asked) assert.equal(search, '', path);
  assert.doesNotMatch(page.url(), /store/);
}));

test('an empty range says when the service began, and shows it', () => {
  const now = Date.now();
  return onPage({ mode: 'late', hash: `#/explore?label=service_name%3Dcart&from=${now - 3_600_000}&to=${now - 2_700_000}` }, async (page) => {
    const notice = page.locator('.notice');
    await until(async () => /^No samples from cart between \d\d:\d\d and \d\d:\d\d\./.test((await notice.textContent().catch(() => '')) ?? ''), 'what is empty');
    const said = await notice.textContent();
    const [, hour, minute] = /It started at (\d\d):(\d\d)/.exec(said);
    const began = new Date(now - 600_000);
    assert.ok(Math.abs(Number(hour) * 60 + Number(minute) - began.getHours() * 60 - began.getMinutes()) <= 1, said);
    await notice.getByRole('button', { name: /^Show/ }).click();
    await until(async () => (await parts(page).rows.count()) > 10, 'the profile');
  });
});

test('before the first sample the page says so, and fills by itself', () => onPage({ mode: 'empty', hash: '' }, async (page, mock) => {
  await page.getByRole('heading', { name: 'No samples yet.' }).waitFor();
  mock.settings.mode = 'full';
  await parts(page).rows.first().waitFor();
}));

test('without a store it shows the lines that add one', () => onPage({ mode: 'nostore', errors: /400/ }, async (page) => {
  await page.getByText('pyrope.store "local" { }').waitFor();
  assert.match(await page.locator('pre').textContent(), /forward_to = \[pyrope\.store\.local\.receiver\]/);
}));

test('a failure says what and why; a retry helps; the old picture stays', () => onPage({ mode: 'fail', errors: /500/ }, async (page, mock) => {
  await page.getByText('The store could not be read: database disk image is malformed').waitFor();
  mock.settings.mode = 'full';
  await page.getByRole('button', { name: 'Retry' }).click();
  const { rows } = parts(page);
  await rows.first().waitFor();
  mock.settings.mode = 'fail';
  await page.getByRole('button', { name: /Time range/ }).click();
  await page.getByRole('button', { name: 'Last 1 h' }).click();
  await page.getByText(/the picture is the one before/).waitFor();
  assert.ok(await rows.count() > 10);
}));

test('a slow answer shows a bar, then a cancel button, and can be cancelled', () => onPage({ delay: 15_000 }, async (page) => {
  await page.addInitScript(() => {
    window.seen = {};
    setInterval(() => {
      for (const part of ['bar', 'cancel']) {
        const element = document.querySelector(`.progress-${part}`);
        if (element && !element.hidden) window.seen[part] ??= performance.now();
      }
    }, 20);
  });
  await page.reload();
  await page.getByRole('progressbar').waitFor();
  const cancel = page.getByRole('button', { name: 'Cancel' });
  await cancel.waitFor();
  const apart = await until(() => page.evaluate(() => window.seen.cancel - window.seen.bar), 'both were seen');
  assert.ok(apart > 1500 && apart < 3500, `the button comes ${apart} ms after the bar`);
  await cancel.click();
  await until(async () => !(await page.getByRole('progressbar').isVisible()), 'it stops');
  await page.getByRole('heading', { name: 'Cancelled' }).waitFor();
  assert.ok(await page.getByRole('button', { name: 'Load again' }).isVisible());
}));

test('frames too small to be drawn are one bar that opens', () => onPage({ hash: CART, stacks: 20_000 }, async (page) => {
  const { graph, rows, foot, crumbs } = parts(page);
  await rows.first().waitFor();
  const box = await graph.boundingBox();
  const place = await until(async () => {
    for (let y = 130; y < 300; y += 20) {
      for (let x = 20; x < box.width - 20; x += 23) {
        await graph.hover({ position: { x, y } });
        if (/small frames/.test(await foot.textContent())) return { x, y };
      }
    }
    return null;
  }, 'a bar of small frames');
  const small = Number(/([\d,]+) small frames/.exec(await foot.textContent())[1].replace(',', ''));
  assert.ok(small > 1);
  await graph.click({ position: place });
  await page.waitForTimeout(300);
  await graph.hover({ position: { x: box.width / 2, y: place.y } });
  await until(async () => /self.*cores.*total/.test(await foot.textContent()), 'a single frame where the bar was');
  assert.equal(await crumbs.isVisible(), false);
  await page.keyboard.press('Escape');
  await page.waitForTimeout(300);
  await graph.hover({ position: { x: box.width / 2, y: 5 } });
  await graph.hover({ position: place });
  await until(async () => /small frames/.test(await foot.textContent()), 'Escape leads out again');
}));

test('profile types are offered where there are several', () => onPage({}, async (page) => {
  await page.route('**/ProfileTypes', (route) => route.fulfill({ json: { profileTypes: [{ ID: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds' }, { ID: 'memory:inuse_space:bytes:space:bytes' }] } }));
  await page.reload();
  await page.getByRole('button', { name: 'Profile type: process_cpu, cpu' }).click();
  assert.deepEqual(await page.getByRole('menuitemradio').allTextContents(), ['process_cpu, cpu', 'memory, inuse_space']);
}));

test('ranges follow the server’s clock', () => onPage({ hash: '' }, async (page) => {
  const asked = [];
  await page.route(/querier|status/, async (route) => {
    const response = await route.fetch();
    if (route.request().url().endsWith('SelectSeries')) asked.push(JSON.parse(route.request().postData()).end);
    await route.fulfill({ response, headers: { ...response.headers(), date: new Date(Date.now() + 3_600_000).toUTCString() } });
  });
  await until(() => asked.some((end) => Math.abs(end - Date.now() - 3_600_000) < 60_000), 'a range an hour ahead');
  await page.unrouteAll({ behavior: 'ignoreErrors' });
}));

test('fewer than 20 samples are called a guess', () => onPage({ mode: 'few' }, async (page) => {
  await page.getByText(/^\d+ samples: a guess$/).waitFor();
}));

test('data that begins inside the range is said to', () => onPage({ mode: 'young' }, async (page) => {
  await page.getByText(/^Data begins at \d\d:\d\d; figures are over the 4 min/).waitFor();
}));

test('at 360 px graph and table are two tabs and nothing is wider than the screen', () => onPage({ viewport: { width: 360, height: 740 } }, async (page) => {
  const { graph, table, rows } = parts(page);
  await graph.waitFor();
  assert.equal(await table.isVisible(), false);
  await page.getByRole('tab', { name: 'Table' }).click();
  await rows.first().waitFor();
  assert.equal(await graph.isVisible(), false);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  await page.goto(page.url().replace('explore', 'agent'));
  await page.getByRole('heading', { name: 'What pyrope costs' }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
}));

test('the page itself never scrolls, only its parts', async () => {
  for (const [width, height] of [[1280, 720], [1920, 1080], [360, 740]]) {
    await onPage({ viewport: { width, height } }, async (page) => {
      await page.locator('.tr').first().waitFor({ state: 'attached' });
      const over = await page.evaluate(() => ['html', 'body', '.explore'].filter((q) => { const e = document.querySelector(q); return e.scrollHeight > e.clientHeight || e.scrollWidth > e.clientWidth; }));
      assert.deepEqual(over, [], `${width} × ${height}`);
    });
  }
});

test('the theme follows the system until one is chosen', () => onPage({ colorScheme: 'dark' }, async (page) => {
  await parts(page).rows.first().waitFor();
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await ground();
  const cells = await colourAt(page, 200, 30);
  await page.getByRole('button', { name: 'Theme: system' }).click();
  await page.getByRole('button', { name: 'Theme: light' }).waitFor();
  assert.notEqual(await ground(), dark);
  await until(async () => (await colourAt(page, 200, 30)) !== cells, 'the canvas follows');
  await page.reload();
  await page.getByRole('button', { name: 'Theme: light' }).waitFor();
}));

test('every key is listed', () => onPage({}, async (page) => {
  await parts(page).rows.first().waitFor();
  await page.keyboard.press('?');
  const dialog = page.getByRole('dialog', { name: 'Keys' });
  for (const key of ['Enter', 'Esc', '/', 'n N', 't', 's', 'l', '?']) assert.ok((await dialog.locator('kbd').allTextContents()).map((k) => k.replace(/\s+/g, ' ')).includes(key), key);
  await page.keyboard.press('Escape');
  assert.equal(await dialog.isVisible(), false);
}));

test('what the agent complains of is said above the picture', () => onPage({ mode: 'bad' }, async (page) => {
  await parts(page).rows.first().waitFor();
  await page.getByText('pyroscope.ebpf.default: the kernel refused perf_event_open on CPU 3').waitFor();
  await page.getByRole('link', { name: 'What the agent says' }).click();
  await page.getByRole('heading', { name: 'What pyrope costs' }).waitFor();
}));

test('what the store could not read is said', () => onPage({}, async (page) => {
  await page.route('**/SelectMergeProfile', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, headers: { ...response.headers(), 'pyrope-missing': 'partition 0007 could not be read' } });
  });
  await page.reload();
  await page.getByText('Not everything could be read: partition 0007 could not be read').waitFor();
}));

test('no query is longer than what the store keeps', () => onPage({ hash: '#/explore?live=off&from=now-7d' }, async (page) => {
  const asked = [];
  page.on('request', (request) => {
    if (!request.url().endsWith('SelectSeries')) return;
    const { start, end } = JSON.parse(request.postData());
    asked.push((end - start) / 86_400_000);
  });
  await page.reload();
  await parts(page).rows.first().waitFor();
  assert.ok(asked.length > 0 && asked.every((days) => days <= 7), asked.join());
}));
