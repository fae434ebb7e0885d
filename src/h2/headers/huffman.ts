/** HPACK's Huffman code (RFC 7541, section 5.2 and appendix B). */

/**
 * Length in bits → the symbols that have a code so long, as ranges. The code is canonical: codes are counted up
 * by length and then by symbol, so lengths are all there is to know. 256 ends the text.
 */
const symbolsByLength: Readonly<Record<number, string>> = {
  5: '48-50 97 99 101 105 111 115-116',
  6: '32 37 45-47 51-57 61 65 95 98 100 102-104 108-110 112 114 117',
  7: '58 66-87 89 106-107 113 118-122',
  8: '38 42 44 59 88 90',
  10: '33-34 40-41 63',
  11: '39 43 124',
  12: '35 62',
  13: '0 36 64 91 93 126',
  14: '94 125',
  15: '60 96 123',
  19: '92 195 208',
  20: '128 130-131 162 184 194 224 226',
  21: '153 161 167 172 176-177 179 209 216-217 227 229-230',
  22: '129 132-134 136 146 154 156 160 163-164 169-170 173 178 181 185-187 189-190 196 198 228 232-233',
  23: '1 135 137-141 143 147 149-152 155 157-158 165-166 168 174-175 180 182-183 188 191 197 231 239',
  24: '9 142 144-145 148 159 171 206 215 225 236-237',
  25: '199 207 234-235',
  26: '192-193 200-202 205 210 213 218-219 238 240 242-243 255',
  27: '203-204 211-212 214 221-223 241 244-248 250-254',
  28: '2-8 11-12 14-21 23-31 127 220 249',
  30: '10 13 22 256',
};

/** The shortest code has five bits, so a text is no longer than this many times its code. */
export const expansionMax = 8 / 5;

const end = 256;

/**
 * Tables of 256, by the next eight bits. An entry is, where a code ends within them, the symbol and in the bits
 * above `lengthShift` how many of the eight it takes; else the table to go on in, negative.
 */
const tables: Int32Array[] = [new Int32Array(256)];
const lengthShift = 16;

/**
 * Decodes `bytes[at, until)` into `target` and returns how much was written, or -1 where it is no code. `target`
 * must hold {@link expansionMax} times as much.
 */
export function decodeHuffman(bytes: Buffer, at: number, until: number, target: Buffer): number {
  let written = 0;
  let bits = 0;
  let bitCount = 0;
  let table = tables[0] as Int32Array;
  /** Bits since the last symbol: what is left in the end may only be padding. */
  let pending = 0;
  for (let next = at; next < until; ) {
    bits = ((bits << 8) | (bytes[next++] as number)) & 0xffff;
    bitCount += 8;
    pending += 8;
    while (bitCount >= 8) {
      const entry = table[(bits >> (bitCount - 8)) & 0xff] as number;
      if (entry < 0) {
        table = tables[-entry] as Int32Array;
        bitCount -= 8;
        continue;
      }
      const symbol = entry & 0xffff;
      if (entry === 0 || symbol === end) return -1;
      target[written++] = symbol;
      bitCount -= entry >> lengthShift;
      pending = bitCount;
      table = tables[0] as Int32Array;
    }
  }
  while (bitCount > 0) {
    const entry = table[(bits << (8 - bitCount)) & 0xff] as number;
    const length = entry >> lengthShift;
    if (entry <= 0 || length > bitCount) break;
    const symbol = entry & 0xffff;
    if (symbol === end) return -1;
    target[written++] = symbol;
    bitCount -= length;
    pending = bitCount;
    table = tables[0] as Int32Array;
  }
  // Padding is shorter than a byte, and the first bits of the code that ends a text: ones.
  const mask = (1 << bitCount) - 1;
  return pending < 8 && (bits & mask) === mask ? written : -1;
}

function build(): void {
  let code = 0;
  let previous = 0;
  for (const [length, ranges] of Object.entries(symbolsByLength)) {
    code <<= Number(length) - previous;
    previous = Number(length);
    for (const range of ranges.split(' ')) {
      const [first = 0, last = first] = range.split('-').map(Number);
      for (let symbol = first; symbol <= last; symbol++) add(symbol, code++, previous);
    }
  }
}

function add(symbol: number, code: number, length: number): void {
  let table = tables[0] as Int32Array;
  let left = length;
  for (; left > 8; left -= 8) {
    const index = (code >> (left - 8)) & 0xff;
    if (table[index] === 0) table[index] = -(tables.push(new Int32Array(256)) - 1);
    table = tables[-(table[index] as number)] as Int32Array;
  }
  const first = (code << (8 - left)) & 0xff;
  table.fill((left << lengthShift) | symbol, first, first + (1 << (8 - left)));
}

build();
