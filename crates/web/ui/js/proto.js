// @ts-check
/** Protobuf wire format, as much as pprof and our requests need. Reading never goes past the end: a cut message is an error. */

/** Reads fields one after another out of a part of a buffer. */
export class Reader {
  /**
   * @param {Uint8Array} buffer
   * @param {number} [start]
   * @param {number} [end]
   */
  constructor(buffer, start = 0, end = buffer.length) {
    this.buffer = buffer;
    this.at = start;
    this.end = end;
    /** Number of the field last begun. */
    this.field = 0;
    /** Its wire type. */
    this.wire = 0;
    /** Upper 32 bits of the varint last read; the lower are what `low` returned. */
    this.high = 0;
  }

  /** Begins the next field; false at the end. */
  next() {
    if (this.at >= this.end) return false;
    const key = this.low();
    this.field = key >>> 3;
    this.wire = key & 7;
    return true;
  }

  /** A varint; its lower 32 bits, unsigned. */
  low() {
    // Nearly every number is one or two bytes long.
    const { buffer, at } = this;
    if (at + 1 < this.end) {
      const first = buffer[at] ?? 0;
      if (first < 0x80) {
        this.at = at + 1;
        this.high = 0;
        return first;
      }
      const second = buffer[at + 1] ?? 0;
      if (second < 0x80) {
        this.at = at + 2;
        this.high = 0;
        return (first & 0x7f) | (second << 7);
      }
    }
    return this.#long();
  }

  #long() {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.at >= this.end) throw new Error('the profile ends in the middle of a number');
      const byte = this.buffer[this.at++] ?? 0;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) {
        this.high = high >>> 0;
        return low >>> 0;
      }
    }
    throw new Error('a number in the profile is longer than ten bytes');
  }

  /** A varint as a number; exact to 2^53, negative for a negative int64. */
  number() {
    const low = this.low();
    return (this.high | 0) * 4294967296 + low;
  }

  /** Length of a length-delimited field; the cursor then stands at its first byte. */
  length() {
    const length = this.low();
    if (this.high !== 0 || length > this.end - this.at) throw new Error('the profile ends in the middle of a field');
    return length;
  }

  /** Steps over the value of the field just begun. */
  skip() {
    if (this.wire === 0) this.low();
    else if (this.wire === 2) {
      const length = this.length();
      this.at += length;
    } else if (this.wire === 1) this.at += 8;
    else if (this.wire === 5) this.at += 4;
    else throw new Error(`the profile holds a field of unknown wire type ${this.wire}`);
    if (this.at > this.end) throw new Error('the profile ends in the middle of a field');
  }
}

/** Writes a small message. */
export class Writer {
  /** @type {number[]} */
  #bytes = [];

  /** @param {number} value not negative */
  #varint(value) {
    while (value >= 0x80) {
      this.#bytes.push((value % 0x80) | 0x80);
      value = Math.floor(value / 0x80);
    }
    this.#bytes.push(value);
  }

  /**
   * @param {number} field
   * @param {string} value
   */
  text(field, value) {
    const encoded = new TextEncoder().encode(value);
    this.#varint(field * 8 + 2);
    this.#varint(encoded.length);
    for (const byte of encoded) this.#bytes.push(byte);
    return this;
  }

  /**
   * @param {number} field
   * @param {number} value a whole number, not negative
   */
  int(field, value) {
    this.#varint(field * 8);
    this.#varint(Math.max(0, Math.round(value)));
    return this;
  }

  bytes() {
    return new Uint8Array(this.#bytes);
  }
}
