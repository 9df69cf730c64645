/** Writes pprof, independently of the page's reader, for the tests and the mock server. */

/** A growing run of bytes in protobuf's wire format. */
class Bytes {
  parts = [];

  varint(value) {
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest >= 0x80n) {
      this.parts.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.parts.push(Number(rest));
    return this;
  }

  int(field, value) {
    if (value === 0 || value === 0n) return this;
    return this.varint(field * 8).varint(value);
  }

  sub(field, bytes) {
    this.varint(field * 8 + 2).varint(bytes.length);
    for (const byte of bytes) this.parts.push(byte);
    return this;
  }

  packed(field, values) {
    const inner = new Bytes();
    for (const value of values) inner.varint(value);
    return this.sub(field, inner.parts);
  }
}

/**
 * @param {object} profile
 * @param {number} [profile.period] nanoseconds a sample
 * @param {{ file: string, start?: bigint, offset?: bigint, buildId?: string }[]} profile.mappings
 * @param {{ name: string, file: string, mapping: number }[]} profile.functions `mapping` counts from 0
 * @param {{ id?: number, mapping?: number, address?: bigint, lines: [fn: number, line: number][] }[]} profile.locations lines innermost first
 * @param {{ stack: number[], value: number }[]} profile.samples leaf first
 * @returns {Buffer}
 */
export function writeProfile({ period = 10_309_278, mappings, functions, locations, samples }) {
  const texts = new Map([['', 0]]);
  const text = (value) => {
    if (!texts.has(value)) texts.set(value, texts.size);
    return texts.get(value);
  };
  const chunks = [];
  const put = (field, message) => chunks.push(Buffer.from(new Bytes().varint(field * 8 + 2).varint(message.parts.length).parts), Buffer.from(message.parts));
  put(1, new Bytes().int(1, text('cpu')).int(2, text('nanoseconds')));
  for (const { stack, value } of samples) put(2, new Bytes().packed(1, stack.map((l) => l + 1)).packed(2, [value]));
  mappings.forEach(({ file, start = 0n, offset = 0n, buildId = '' }, i) => {
    put(3, new Bytes().int(1, i + 1).int(2, start).int(3, start + 0x100000n).int(4, offset).int(5, text(file)).int(6, text(buildId)).int(7, 1));
  });
  locations.forEach(({ id, mapping = -1, address = 0n, lines }, i) => {
    const message = new Bytes().int(1, id ?? i + 1).int(2, mapping + 1).int(3, address);
    for (const [fn, line] of lines) message.sub(4, new Bytes().int(1, fn + 1).int(2, line).parts);
    put(4, message);
  });
  functions.forEach(({ name, file }, i) => put(5, new Bytes().int(1, i + 1).int(2, text(name)).int(3, text(name)).int(4, text(file))));
  const tail = new Bytes().sub(11, new Bytes().int(1, text('cpu')).int(2, text('nanoseconds')).parts).int(12, period);
  for (const value of texts.keys()) {
    const bytes = Buffer.from(value);
    chunks.push(Buffer.from(new Bytes().varint(6 * 8 + 2).varint(bytes.length).parts), bytes);
  }
  chunks.push(Buffer.from(tail.parts));
  return Buffer.concat(chunks);
}

/** The fields of a small request: field number → number or text. */
export function readFields(bytes) {
  const fields = {};
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const key = Number(varint());
    if ((key & 7) === 0) fields[key >> 3] = Number(varint());
    else {
      const length = Number(varint());
      fields[key >> 3] = bytes.subarray(at, at + length).toString();
      at += length;
    }
  }
  return fields;
}
