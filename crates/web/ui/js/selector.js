// @ts-check
/** Label matchers: as chips on the page, as `{name="value"}` to the server, as `name=value` in the URL. */

/**
 * @typedef {object} Matcher
 * @property {string} name
 * @property {'=' | '!=' | '=~' | '!~'} op
 * @property {string} value
 */

const FORM = /^\s*([^=!~\s{}",]+)\s*(=~|!~|!=|=)\s*([\s\S]*?)\s*$/;

/**
 * Reads what was typed: `service_name=cart`, `user != "root"`, `pod=~"web-.*"`. Null when it is no matcher.
 * @param {string} text
 * @returns {Matcher | null}
 */
export function parseMatcher(text) {
  const found = FORM.exec(text);
  if (!found) return null;
  const [, name = '', op = '=', raw = ''] = found;
  const quoted = /^"([\s\S]*)"$/.exec(raw);
  const value = quoted ? (quoted[1] ?? '').replace(/\\(["\\])/g, '$1') : raw;
  return { name, op: /** @type {Matcher['op']} */ (op), value };
}

/**
 * As it stands in the URL and on a chip.
 * @param {Matcher} matcher
 */
export function matcherText(matcher) {
  return `${matcher.name}${matcher.op}${matcher.value}`;
}

/**
 * The whole selector as the query API takes it; no matcher selects everything.
 * @param {Matcher[]} matchers
 */
export function selectorText(matchers) {
  const parts = matchers.map(({ name, op, value }) => {
    const plain = /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name);
    return `${plain ? name : quote(name)}${op}${quote(value)}`;
  });
  return `{${parts.join(',')}}`;
}

/** @param {string} text */
function quote(text) {
  const escaped = text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
  return `"${escaped}"`;
}

/**
 * The name a reader would give the selection: its service, else its first label, else the whole host.
 * @param {Matcher[]} matchers
 */
export function selectionName(matchers) {
  const service = matchers.find((m) => m.name === 'service_name' && m.op === '=');
  if (service) return service.value;
  const first = matchers[0];
  return first ? matcherText(first) : 'this host';
}
