/**
 * How long from the start of the binary to a flame graph with names on its page: a JSON array of milliseconds.
 *
 *     node start.mjs BINARY FUNCTION [ROUNDS]
 *
 * FUNCTION is one that the host is busy with. The browser runs already, as a user's does.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { launch } from './chromium.mjs';

const [binary, expected, rounds = '5'] = process.argv.slice(2);

/** A port that nobody listens on at this moment. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Opens the page as soon as somebody answers. */
async function open(page, url) {
  for (;;) {
    try {
      return await page.goto(url);
    } catch {
      await page.waitForTimeout(5);
    }
  }
}

async function measure(browser) {
  const [port, folder] = [await freePort(), await mkdtemp(join(tmpdir(), 'pyrope-start-'))];
  const page = await browser.newPage({ viewport: { width: 1600, height: 900 } });
  const started = performance.now();
  const agent = spawn(binary, ['run', `--server.http.listen-addr=127.0.0.1:${port}`, `--storage.path=${folder}`], { stdio: 'ignore' });
  try {
    await open(page, `http://127.0.0.1:${port}/`);
    const rows = page.getByRole('table', { name: 'Functions' }).getByRole('rowheader');
    await rows.filter({ hasText: expected }).first().waitFor({ timeout: 30_000 });
    return performance.now() - started;
  } finally {
    const ended = once(agent, 'exit');
    agent.kill('SIGTERM');
    await ended;
    await page.close();
    await rm(folder, { recursive: true });
  }
}

const browser = await launch();
const times = [];
for (let round = 0; round < Number(rounds); round += 1) times.push(await measure(browser));
await browser.close();
process.stdout.write(`${JSON.stringify(times)}\n`);
