// @ts-check
/**
 * Asking the server: the Pyroscope query API over the Connect protocol, and the agent's status.
 *
 * Every failure is a {@link Failure} whose text is fit to be shown.
 */

import { Writer } from './proto.js';
import { heardClock } from './time.js';

/** @typedef {{ labels?: { name: string, value: string }[], points?: { value?: number, timestamp?: string | number }[] }} RawSeries */
/** @typedef {{ labels: Record<string, string>, points: { at: number, value: number }[] }} Series */

const SERVICE = 'querier.v1.QuerierService';

/** Header in which the server says what is missing from an answer, such as a file that could not be read. */
const MISSING = 'pyrope-missing';

/** Nodes the server may send before it merges the smallest as "other". */
export const MAX_NODES = 65_536;

/** What went wrong, in the server's words where it has any. */
export class Failure extends Error {
  /**
   * @param {string} message
   * @param {string} code a Connect code, or 'unreachable'
   * @param {number} status HTTP status, 0 when there was no answer
   */
  constructor(message, code, status) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/**
 * @param {string} path
 * @param {RequestInit} init
 * @returns {Promise<Response>}
 */
async function ask(path, init) {
  let response;
  try {
    response = await fetch(path, { ...init, credentials: 'same-origin', cache: 'no-store' });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new Failure('pyrope does not answer. Is it still running?', 'unreachable', 0);
  }
  heardClock(response.headers.get('date'));
  if (response.ok) return response;
  const body = await response.text();
  let code = 'unknown';
  let message = body.trim().slice(0, 1000);
  try {
    const parsed = JSON.parse(body);
    code = String(parsed.code ?? code);
    message = String(parsed.message ?? message);
  } catch {
    // Not a Connect error: the text itself is the message.
  }
  throw new Failure(message || `The server answered ${response.status}.`, code, response.status);
}

/**
 * A path that asks one store.
 * @param {string} path
 * @param {string} store its name, '' for the first by name
 */
function of(path, store) {
  return store === '' ? path : `${path}?store=${encodeURIComponent(store)}`;
}

/**
 * @param {string} method
 * @param {string} store
 * @param {object} message
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
async function call(method, store, message, signal) {
  const response = await ask(of(`${SERVICE}/${method}`, store), {
    method: 'POST', body: JSON.stringify(message), headers: { 'Content-Type': 'application/json' }, signal: signal ?? null,
  });
  return response.json();
}

/**
 * A series a group: sums of `step` seconds, each point at the end of its bucket.
 * @param {{ store: string, type: string, selector: string, start: number, end: number, step: number, groupBy?: string[] }} query times in ms
 * @param {AbortSignal} [signal]
 * @returns {Promise<Series[]>}
 */
export async function selectSeries(query, signal) {
  const answer = await call('SelectSeries', query.store, {
    profileTypeID: query.type, labelSelector: query.selector, start: query.start, end: query.end, step: query.step, groupBy: query.groupBy ?? [],
  }, signal);
  return (answer.series ?? []).map((/** @type {RawSeries} */ series) => ({
    labels: Object.fromEntries((series.labels ?? []).map((l) => [l.name, l.value])),
    points: (series.points ?? []).map((p) => ({ at: Number(p.timestamp ?? 0), value: Number(p.value ?? 0) })),
  }));
}

/**
 * The merged profile as pprof bytes.
 * @param {{ store: string, type: string, selector: string, start: number, end: number }} query times in ms
 * @param {AbortSignal} [signal]
 * @returns {Promise<{ bytes: ArrayBuffer, missing: string }>} `missing` is '' when nothing is
 */
export async function selectMergeProfile(query, signal) {
  const message = new Writer().text(1, query.type).text(2, query.selector).int(3, query.start).int(4, query.end).int(5, MAX_NODES).bytes();
  const response = await ask(of(`${SERVICE}/SelectMergeProfile`, query.store), {
    method: 'POST', body: message, headers: { 'Content-Type': 'application/proto' }, signal: signal ?? null,
  });
  return { bytes: await response.arrayBuffer(), missing: response.headers.get(MISSING) ?? '' };
}

/**
 * @param {{ store: string, start: number, end: number, selector?: string }} query
 * @param {AbortSignal} [signal]
 * @returns {Promise<string[]>}
 */
export async function labelNames(query, signal) {
  const answer = await call('LabelNames', query.store, { matchers: [query.selector ?? '{}'], start: query.start, end: query.end }, signal);
  return answer.names ?? [];
}

/**
 * @param {{ store: string, name: string, start: number, end: number, selector?: string }} query
 * @param {AbortSignal} [signal]
 * @returns {Promise<string[]>}
 */
export async function labelValues(query, signal) {
  const answer = await call('LabelValues', query.store, { name: query.name, matchers: [query.selector ?? '{}'], start: query.start, end: query.end }, signal);
  return answer.names ?? [];
}

/**
 * Ids of the profile types with data in the range.
 * @param {{ store: string, start: number, end: number }} query
 * @param {AbortSignal} [signal]
 * @returns {Promise<string[]>}
 */
export async function profileTypes(query, signal) {
  const answer = await call('ProfileTypes', query.store, { start: query.start, end: query.end }, signal);
  return (answer.profileTypes ?? []).map((/** @type {{ ID?: string }} */ type) => type.ID ?? '');
}

/**
 * What the agent says of itself and of a store; unknown fields stay, absent ones are absent.
 * @param {string} store
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function agentStatus(store, signal) {
  const response = await ask(of('api/v0/agent/status', store), { signal: signal ?? null });
  return response.json();
}
