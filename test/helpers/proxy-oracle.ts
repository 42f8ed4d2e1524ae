// The PROXY protocol once more, as simple as can be: of a whole buffer, in patterns and big numbers. What the reader
// says is compared with it. And headers of version 2, built byte by byte.

/** What a header says; the client as {@link clientOf} has it. */
export interface Read {
  client: string | undefined;
  isLocal: boolean;
  length: number;
}

type Bytes = string | readonly number[] | Uint8Array;

/** Longer than any header is, so that whatever begins one can be told. */
export const PAYLOAD = Buffer.from('the first bytes of the client\n'.repeat(160));

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]\\d|\\d)';
const IPV4 = `${OCTET}(?:\\.${OCTET}){3}`;
const QUAD_AT_END = new RegExp(`(?:^|:)(${IPV4})$`);
const IPV6 = '[\\da-fA-F.]*:[\\da-fA-F.:]+';
const PORT = '(?:0|[1-9]\\d{0,4})';
const TCP4 = new RegExp(`^PROXY TCP4 (${IPV4}) (${IPV4}) (${PORT}) (${PORT})\r\n`);
const TCP6 = new RegExp(`^PROXY TCP6 (${IPV6}) (${IPV6}) (${PORT}) (${PORT})\r\n`);
const ENDS: Record<number, number> = {
  0x00: 0, 0x01: 0, 0x10: 12, 0x11: 12, 0x20: 36, 0x21: 36, 0x30: 216, 0x31: 216,
};
const UNKNOWN = /^PROXY UNKNOWN(?: [^]*?)?\r\n/;

/** What the bytes begin with, or `undefined` when the connection has to be closed. They are longer than any header. */
export function oracle(bytes: Buffer): Read | undefined {
  return bytes.subarray(0, 12).equals(SIGNATURE) ? binary(bytes) : text(bytes.toString('latin1', 0, 107));
}

function text(line: string): Read | undefined {
  const unknown = UNKNOWN.exec(line);
  if (unknown !== null) return { client: undefined, isLocal: false, length: unknown[0].length };
  const [all, source, destination, ...ports] = TCP4.exec(line) ?? TCP6.exec(line) ?? [];
  if (all === undefined || ports.some((port) => Number(port) > 65_535)) return undefined;
  const [from, to] = [numberOf(source!), numberOf(destination!)];
  if (from === undefined || to === undefined) return undefined;
  return { client: `${from} ${Number(ports[0])}`, isLocal: false, length: all.length };
}

function binary(bytes: Buffer): Read | undefined {
  const first = bytes[12]!;
  const second = bytes[13]!;
  const size = bytes.readUInt16BE(14);
  const nothing = { client: undefined, isLocal: first === 0x20, length: 16 + size };
  if (size > 4096) return undefined;
  if (first === 0x20) return nothing;
  if (first !== 0x21) return undefined;
  const ends = ENDS[second];
  if (ends === undefined || size < ends) return undefined;
  if (second < 0x10) return nothing;
  const header = Buffer.from(bytes.subarray(0, 16 + size));
  const tlvs = tlvsIn(header.subarray(16 + ends));
  if (tlvs === undefined) return undefined;
  const sums = tlvs.filter(({ type }) => type === 3).map(({ value }) => value);
  if (sums.length > 1) return undefined;
  for (const sum of sums) {
    if (sum.length !== 4) return undefined;
    const said = sum.readUInt32BE();
    sum.fill(0);
    if (crc32c(header) !== said) return undefined;
  }
  const number = (hex: string): bigint => BigInt(`0x${hex}`);
  if (second === 0x11) {
    return { ...nothing, client: `${number(`ffff${header.toString('hex', 16, 20)}`)} ${header.readUInt16BE(24)}` };
  }
  if (second === 0x21) {
    return { ...nothing, client: `${number(header.toString('hex', 16, 32))} ${header.readUInt16BE(48)}` };
  }
  if (second !== 0x31) return nothing;
  const path = header.toString('latin1', 16, 16 + 108).replace(/^\0(?=[^]*[^\0])/, '@').split('\0')[0]!;
  return { ...nothing, client: `unix:${path}` };
}

/** Parts of the block itself. */
function tlvsIn(block: Buffer): { type: number; value: Buffer }[] | undefined {
  if (block.length === 0) return [];
  if (block.length < 3 || block.length < 3 + block.readUInt16BE(1)) return undefined;
  const end = 3 + block.readUInt16BE(1);
  const others = tlvsIn(block.subarray(end));
  return others && [{ type: block[0]!, value: block.subarray(3, end) }, ...others];
}

/** Bit by bit. */
export function crc32c(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit++) {
      const isOdd = ((sum ^ (byte >> bit)) & 1) === 1;
      sum = (sum >>> 1) ^ (isOdd ? 0x82f63b78 : 0);
    }
  }
  return (sum ^ 0xffffffff) >>> 0;
}

/** An IP address as a number of 128 bits, an IPv4 one as IPv6 has it; `undefined` for what is none. */
export function numberOf(address: string): bigint | undefined {
  const quad = QUAD_AT_END.exec(address)?.[1];
  if (quad === address) return 0xffff_0000_0000n + BigInt(`0x${hexOf(quad)}`);
  const all = quad === undefined
    ? address
    : `${address.slice(0, -quad.length)}${hexOf(quad).slice(0, 4)}:${hexOf(quad).slice(4)}`;
  const [left, right, ...more] = all.split('::').map((part) => (part === '' ? [] : part.split(':')));
  const missing = 8 - left!.length - (right ?? []).length;
  if (more.length > 0 || (right === undefined ? missing !== 0 : missing < 1)) return undefined;
  const groups = [...left!, ...new Array<string>(missing).fill('0'), ...right ?? []];
  if (!groups.every((group) => /^[\da-f]{1,4}$/i.test(group))) return undefined;
  return groups.reduce((sum, group) => (sum << 16n) + BigInt(`0x${group}`), 0n);
}

function hexOf(quad: string): string {
  return Buffer.from(quad.split('.').map(Number)).toString('hex');
}

/** What the reader calls the source, in the oracle's words. */
export function clientOf(source: string | undefined): string | undefined {
  if (source === undefined) return undefined;
  if (source.startsWith('unix:')) {
    return source.replace(/\\x(..)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  }
  const [, bracketed, plain, port] = /^(?:\[(.*)\]|([^[\]:]*)):(\d+)$/.exec(source) ?? [];
  return `${numberOf((bracketed ?? plain)!)} ${port}`;
}

/** A header of version 2. */
export function binaryHeader(first: number, second: number, ...block: Bytes[]): Buffer {
  const bytes = Buffer.concat(block.map((part) => Buffer.from(part as string)));
  return Buffer.concat([SIGNATURE, Buffer.from([first, second, bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

export function tlv(type: number, value: Bytes = []): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([Buffer.from([type, bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

/** The same header with the checksum that its first TLV of zeros, a CRC32C, is to have. */
export function withChecksum(header: Buffer): Buffer {
  const at = header.indexOf(tlv(3, [0, 0, 0, 0]), 16) + 3;
  const whole = Buffer.from(header);
  whole.writeUInt32BE(crc32c(header), at);
  return whole;
}
