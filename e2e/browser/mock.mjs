/**
 * The server the page talks to, made up: the page's own files, the query API over an invented host, and a status.
 *
 *     node mock.mjs [port]        then open the address it prints; ?mode=… is chosen by MOCK_MODE
 */

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

import { readFields, writeProfile } from './pprof.mjs';
import { NAMES, SERIES, coresAt, makeProfile } from './workload.mjs';

const UI = fileURLToPath(new URL('../../crates/web/ui/', import.meta.url));
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml' };
const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

/**
 * @param {object} [options]
 * @param {'full' | 'empty' | 'late' | 'fail' | 'nostore' | 'few'} [options.mode] `late`: cart began ten minutes ago
 * @param {number} [options.stacks] distinct stacks of the whole host
 * @param {number} [options.delay] ms before each answer of the query API
 * @param {(request: object) => void} [options.seen] told of every request
 * @param {number} [options.port]
 */
export async function startMock(options = {}) {
  const settings = { mode: 'full', stacks: 1500, delay: 0, began: Date.now() - 6 * 3_600_000, seed: 1, cache: new Map(), requests: [], ...options };
  const server = createServer((request, response) => {
    answer(settings, request, response).catch((error) => {
      response.writeHead(500).end(String(error.stack));
    });
  });
  await new Promise((done) => server.listen(options.port ?? 0, '127.0.0.1', done));
  const { port } = server.address();
  return { url: `http://127.0.0.1:${port}/`, settings, close: () => new Promise((done) => { server.closeAllConnections(); server.close(done); }) };
}

async function answer(settings, request, response) {
  const url = new URL(request.url, 'http://mock');
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  settings.requests.push(url.pathname);
  const send = (status, type, data) => {
    const bytes = packed(data);
    response.writeHead(status, {
      'Content-Type': type, 'Content-Encoding': 'gzip', 'Content-Length': bytes.length, 'Content-Security-Policy': "default-src 'self'", 'X-Content-Type-Options': 'nosniff', 'Cache-Control': 'no-cache',
    });
    response.end(bytes);
  };
  const json = (value, status = 200) => send(status, 'application/json', JSON.stringify(value));
  if (url.pathname === '/api/v0/agent/status') return json(statusOf(settings));
  const method = /^\/querier\.v1\.QuerierService\/(\w+)$/.exec(url.pathname)?.[1];
  if (method) {
    if (settings.delay > 0) await new Promise((done) => setTimeout(done, settings.delay));
    if (settings.mode === 'fail') return json({ code: 'internal', message: 'the store could not be read: database disk image is malformed' }, 500);
    if (settings.mode === 'nostore') return json({ code: 'failed_precondition', message: 'this configuration has no pyrope.store' }, 400);
    if (method === 'SelectMergeProfile') {
      const fields = readFields(body);
      if (fields[1] !== TYPE || !fields[3] || !fields[4] || fields[3] > fields[4] || !fields[2]) return json({ code: 'invalid_argument', message: 'bad request' }, 400);
      return send(200, 'application/proto', profileFor(settings, fields[2], fields[3], fields[4]));
    }
    return json(query(settings, method, JSON.parse(body.toString())));
  }
  const path = normalize(url.pathname === '/' ? '/index.html' : url.pathname);
  try {
    send(200, TYPES[extname(path)] ?? 'application/octet-stream', await readFile(join(UI, path)));
  } catch {
    send(404, 'text/plain', 'not found');
  }
}

const zipped = new Map();

/** Compressed as the real server does: files once, answers lightly. */
function packed(data) {
  if (typeof data === 'string' || data.length > 500_000) return gzipSync(data, { level: 1 });
  const key = data.toString('latin1');
  if (!zipped.has(key)) zipped.set(key, gzipSync(data, { level: 9 }));
  return zipped.get(key);
}

/** Services a selector picks. */
function picked(selector) {
  const matchers = [...selector.matchAll(/([\w.]+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"/g)].map(([, name, op, value]) => ({ name, op, value }));
  return NAMES.filter((_, i) => matchers.every(({ name, op, value }) => {
    const have = SERIES[i][name] ?? '';
    if (op === '=') return have === value;
    if (op === '!=') return have !== value;
    return new RegExp(`^(?:${value})$`).test(have) === (op === '=~');
  }));
}

/** Nanoseconds of a service in (from, to], ms. */
function used(settings, name, from, to) {
  if (settings.mode === 'empty') return 0;
  const began = settings.mode === 'late' && name === 'cart' ? Date.now() - 10 * 60_000 : settings.mode === 'young' ? Date.now() - 4 * 60_000 : settings.began;
  const start = Math.max(from, began);
  const end = Math.min(to, Date.now());
  if (end <= start) return 0;
  if (settings.mode === 'few') return 1e9 / 97 * 2;
  let sum = 0;
  const step = Math.max(15_000, (end - start) / 200);
  for (let at = start; at < end; at += step) sum += coresAt(name, at) * (Math.min(step, end - at) / 1000) * 1e9;
  return sum;
}

function profileFor(settings, selector, start, end) {
  const services = picked(selector).filter((name) => used(settings, name, start, end) > 0);
  const total = services.reduce((sum, name) => sum + used(settings, name, start, end), 0);
  const stacks = settings.mode === 'few' ? 6 : settings.stacks;
  const turn = settings.changing ? Math.floor(Date.now() / 1000) : 0;
  const key = `${services}|${Math.round(total / 1e8)}|${turn}`;
  if (!settings.cache.has(key)) {
    settings.cache.clear();
    settings.cache.set(key, writeProfile(services.length > 0 ? makeProfile(services, stacks, total, settings.seed + (turn % 7)) : { mappings: [], functions: [], locations: [], samples: [] }));
  }
  return settings.cache.get(key);
}

function query(settings, method, message) {
  const values = (name, selector) => [...new Set(SERIES.filter((s) => picked(selector).includes(s.service_name)).map((s) => s[name]).filter(Boolean))].sort();
  const selector = message.matchers?.[0] ?? '{}';
  if (method === 'ProfileTypes') return settings.mode === 'empty' ? {} : { profileTypes: [{ ID: TYPE, name: 'process_cpu', sampleType: 'cpu', sampleUnit: 'nanoseconds', periodType: 'cpu', periodUnit: 'nanoseconds' }] };
  if (method === 'LabelNames') return { names: ['__profile_type__', 'cgroup', 'container_id', 'service_name', 'systemd_unit', 'user'] };
  if (method === 'LabelValues') return { names: values(message.name, selector) };
  if (method !== 'SelectSeries') return {};
  const { start, end, step, labelSelector, groupBy = [] } = message;
  const groups = new Map();
  for (const name of picked(labelSelector)) {
    const labels = groupBy.map((g) => ({ name: g, value: SERIES[NAMES.indexOf(name)][g] ?? '' }));
    const key = JSON.stringify(labels);
    groups.set(key, { labels, names: [...(groups.get(key)?.names ?? []), name] });
  }
  return {
    series: [...groups.values()].map(({ labels, names }) => {
      const points = [];
      for (let at = start; at <= end; at += step * 1000) {
        const value = names.reduce((sum, name) => sum + used(settings, name, at - step * 1000, at), 0);
        if (value > 0) points.push({ value, timestamp: String(at) });
      }
      return { labels, points };
    }),
  };
}

function statusOf(settings) {
  const now = Date.now();
  const healthy = (message) => ({ state: 'healthy', message, updated_ms: now - 4000 });
  const bad = settings.mode === 'bad';
  return {
    version: '0.1.0', started_at_ms: settings.began, uptime_s: Math.round((now - settings.began) / 1000), cpu_seconds: 38.4, cpu_cores_60s: 0.0021,
    kernel: { sampling_seconds: 2.31, samples: 1_290_000, throttled: bad ? 12 : 0 },
    memory: { rss_bytes: 41_200_000, budget_bytes: 60_000_000, bpf_maps_bytes: 18_900_000 },
    store: settings.mode === 'nostore' ? null : {
      name: 'default', path: '/var/lib/pyrope/pyrope.store.default', bytes: 412_000_000, max_bytes: 2_147_483_648, max_age_s: 604_800, oldest_ms: settings.began, newest_ms: now,
      failed_windows: bad ? 3 : 0, message: bad ? 'the disk is full: 3 intervals could not be written; the oldest partition was dropped to make room' : '',
    },
    profilers: [{
      id: 'pyroscope.ebpf.default', health: bad ? { state: 'unhealthy', message: 'the kernel refused perf_event_open on CPU 3: permission denied. Grant CAP_PERFMON.', updated_ms: now } : healthy('sampling 8 CPUs'), sample_rate: 97, targets: 143, taken: 1_284_310,
      delivered: bad ? 1_180_000 : 1_281_902, open: 1_406, filtered: { thinned: 1_000 }, lost: bad ? { ring_full: 101_904 } : { naming_behind: 2 }, ended_early: { not_code: 20_112, full: 14 },
    }],
    endpoints: bad ? [{ component: 'pyroscope.write.cloud', url: 'https://profiles.example.net', sent_profiles: 8120, sent_bytes: 92_000_000, retries: 44, dropped: { queue_full: 12 }, queue: 100, last_error: '429 too many requests: ingestion rate limit (2 MiB/s) exceeded' }] : [],
    components: [{ id: 'discovery.process.default', health: healthy('143 processes') }, { id: 'pyroscope.ebpf.default', health: healthy('sampling 8 CPUs') }, { id: 'pyrope.store.default', health: healthy('writing') }],
    notices: bad ? [{ level: 'warn', text: 'kernel.kptr_restrict hides kernel symbols: kernel frames have no names. Grant CAP_SYSLOG.' }] : [],
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const mock = await startMock({ port: Number(process.argv[2] ?? 0), mode: process.env.MOCK_MODE ?? 'full', stacks: Number(process.env.MOCK_STACKS ?? 3000) });
  process.stdout.write(`${mock.url}\n`);
}
