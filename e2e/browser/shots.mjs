/** Pictures of the page in its states, to be looked at: node shots.mjs [name…] writes shots/*.png. */

import { mkdir } from 'node:fs/promises';

import { launch } from './chromium.mjs';
import { startMock } from './mock.mjs';

const SHOTS = {
  light: { size: [1600, 900] },
  dark: { size: [1600, 900], dark: true },
  laptop: { size: [1280, 720], hash: '#/explore?label=service_name%3Dcart' },
  phone: { size: [360, 740] },
  'phone-table': { size: [360, 740], hash: '#/explore?tab=table', dark: true },
  zoomed: { size: [1600, 900], hash: '#/explore?label=service_name%3Dpostgres&search=hash', act: async (page) => {
    await page.getByRole('searchbox').press('Enter');
    await page.getByRole('tree', { name: 'Flame graph' }).focus();
    await page.keyboard.press('Enter');
    await page.waitForTimeout(250);
  } },
  'search-dark': { size: [1440, 800], dark: true, hash: '#/explore?search=json', act: (page) => page.mouse.move(620, 300) },
  sandwich: { size: [1600, 900], hash: '#/explore?sandwich=runtime.mallocgc' },
  services: { size: [1280, 720], act: (page) => page.getByRole('button', { name: 'Service: all' }).click() },
  range: { size: [1280, 720], dark: true, act: (page) => page.getByRole('button', { name: /Time range/ }).click() },
  menu: { size: [1280, 720], act: (page) => page.mouse.click(300, 320, { button: 'right' }) },
  keys: { size: [1280, 720], act: (page) => page.keyboard.press('?') },
  empty: { size: [1280, 720], mode: 'empty' },
  late: { size: [1280, 720], mode: 'late', hash: `#/explore?label=service_name%3Dcart&from=${Date.now() - 3_600_000}&to=${Date.now() - 2_700_000}` },
  failed: { size: [1280, 720], mode: 'fail' },
  nostore: { size: [1280, 720], mode: 'nostore', dark: true },
  few: { size: [1280, 720], mode: 'few' },
  young: { size: [1280, 720], mode: 'young' },
  tablet: { size: [800, 600], ratio: 2, hash: '#/explore?live=off&label=service_name%3Drecommender&focus=recommend&search=libcodec', act: async (page) => {
    await page.getByRole('searchbox').press('Enter');
    await page.getByRole('tree', { name: 'Flame graph' }).focus();
    for (let i = 0; i < 3; i += 1) await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    await page.getByRole('searchbox').fill('');
    await page.waitForTimeout(250);
  }, stacks: 300 },
  big: { size: [2560, 1440], stacks: 20000 },
  agent: { size: [1280, 900], hash: '#/agent' },
  'agent-dark': { size: [1280, 1100], hash: '#/agent', mode: 'bad', dark: true },
  'agent-phone': { size: [360, 740], hash: '#/agent', mode: 'bad' },
};

const wanted = process.argv.slice(2);
await mkdir(new URL('shots/', import.meta.url), { recursive: true });
const browser = await launch();
for (const [name, { size, dark = false, hash = '', mode = 'full', stacks = 1500, ratio = 1, act }] of Object.entries(SHOTS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const mock = await startMock({ mode, stacks });
  const page = await browser.newPage({ viewport: { width: size[0], height: size[1] }, colorScheme: dark ? 'dark' : 'light', deviceScaleFactor: ratio });
  page.on('console', (m) => { if (m.type() === 'error') process.stdout.write(`${name}: ${m.text()}\n`); });
  page.on('pageerror', (e) => process.stdout.write(`${name}: ${e.stack}\n`));
  await page.goto(mock.url + hash);
  await page.waitForTimeout(900);
  await act?.(page);
  await page.waitForTimeout(200);
  await page.screenshot({ path: new URL(`shots/${name}.png`, import.meta.url).pathname });
  await page.close();
  await mock.close();
}
await browser.close();
