// @ts-check
/**
 * Figures as the reader sees them: CPU as cores over a range and seconds in a total, never raw nanoseconds.
 *
 * A {@link Measure} belongs to one profile type; everything that prints a value asks it.
 */

/**
 * @typedef {object} Measure
 * @property {string} rateUnit what a rate is called: "cores"
 * @property {(value: number, seconds: number) => string} rate the figure alone: "1.73"
 * @property {(value: number) => string} total with its unit: "1,557 s"
 * @property {number} perUnit how much of `value` is one unit: 1e9 for nanoseconds
 * @property {boolean} cpu whether values are CPU time
 */

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/**
 * The measure of a profile type id such as `process_cpu:cpu:nanoseconds:cpu:nanoseconds`.
 * @param {string} type
 * @returns {Measure}
 */
export function measureOf(type) {
  const [, sample = '', unit = ''] = type.split(':');
  if (unit === 'nanoseconds') {
    const cpu = sample === 'cpu';
    return { rateUnit: cpu ? 'cores' : 's/s', rate: (v, s) => rate(v / 1e9, s), total: (v) => seconds(v / 1e9), perUnit: 1e9, cpu };
  }
  if (unit === 'bytes') {
    return { rateUnit: 'MiB/s', rate: (v, s) => rate(v / 1048576, s), total: bytes, perUnit: 1048576, cpu: false };
  }
  return { rateUnit: `${sample}/s`, rate, total: (v) => `${count(v)} ${sample}`, perUnit: 1, cpu: false };
}

/**
 * @param {number} amount
 * @param {number} over seconds
 */
function rate(amount, over) {
  return figure(over > 0 ? amount / over : 0);
}

/**
 * Three figures that matter, no exponent: 124, 12.4, 1.73, 0.042, 0.0004; what is less is said to be so.
 * @param {number} value
 */
export function figure(value) {
  const size = Math.abs(value);
  if (size >= 100) return whole.format(value);
  if (size >= 10) return value.toFixed(1);
  if (size >= 1) return value.toFixed(2);
  if (size >= 0.0095) return value.toFixed(3);
  if (size >= 0.00005) return value.toFixed(4);
  return size > 0 ? '< 0.0001' : '0';
}

/**
 * Seconds of CPU: 0.042 s, 4.21 s, 42.1 s, 1,557 s.
 * @param {number} value
 */
export function seconds(value) {
  return `${figure(value)} s`;
}

/**
 * A share: "43.2 %", "0.04 %", "< 0.01 %". Without a whole there is no share.
 * @param {number} part
 * @param {number} total
 */
export function share(part, total) {
  if (!(total > 0)) return '–';
  const percent = (part / total) * 100;
  if (percent >= 99.95) return '100 %';
  if (percent >= 10) return `${percent.toFixed(1)} %`;
  if (percent >= 0.01) return `${percent.toFixed(2)} %`;
  return percent > 0 ? '< 0.01 %' : '0 %';
}

/** @param {number} value */
export function count(value) {
  return whole.format(Math.round(value));
}

/** @param {number} value */
export function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let step = 0;
  while (Math.abs(value) >= 1024 && step < units.length - 1) {
    value /= 1024;
    step += 1;
  }
  return `${step === 0 ? whole.format(value) : figure(value)} ${units[step]}`;
}

/**
 * A length of time in at most two parts: "15 min", "1 h 20 min", "3 d 4 h", "42 s".
 * @param {number} value seconds
 */
export function duration(value) {
  const parts = /** @type {[number, string][]} */ ([[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']]);
  let rest = Math.max(0, Math.round(value));
  const said = [];
  for (const [size, name] of parts) {
    const n = Math.floor(rest / size);
    if (n > 0) said.push(`${n} ${name}`);
    else if (said.length > 0) break;
    rest -= n * size;
    if (said.length === 2) break;
  }
  return said.length > 0 ? said.join(' ') : '0 s';
}
