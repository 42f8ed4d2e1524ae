// Reads a PROXY protocol header of version 1, one line of text:
//
//    PROXY TCP4 192.0.2.1 192.0.2.2 51000 8080\r\n      the client's address, the proxy's, and their ports
//    PROXY UNKNOWN and whatever comes here\r\n
//
// A line that can come to nothing is refused before its end has arrived. Used by proxy-header.ts.
import { isIPv4, isIPv6 } from 'node:net';
import { plainIPv6, withPort } from '../../shared/address.ts';
import { bad, MORE, UNKNOWN_CLIENT, type Progress } from './proxy-outcome.ts';

export const BEGIN_TEXT: Readonly<Buffer> = Buffer.from('PROXY ');
/** With its CRLF, in bytes. */
const LONGEST_LINE = 107;
const CRLF = '\r\n';
const PROTOCOLS = ['TCP4', 'TCP6', 'UNKNOWN'] as const;
const MOST_PORT = 65_535;
/** The beginning of an address is one if some of these make an address of it. */
const ENDINGS = ['', '0', ':', '::', '.0', '.0.0', '.0.0.0', '0.0', '0.0.0', '0.0.0.0'];

/** A word of the line. */
interface Field {
  readonly name: string;
  /** @param isWhole Whether all of it has arrived. */
  isRight(word: string, isWhole: boolean): boolean;
}

const FIELDS = { TCP4: fieldsOf('IPv4', isIPv4), TCP6: fieldsOf('IPv6', isIPv6Text) };

/** @param bytes All that has arrived; they begin with BEGIN_TEXT. */
export function readText(bytes: Buffer): Progress {
  const text = bytes.toString('latin1', BEGIN_TEXT.length, LONGEST_LINE);
  const end = text.indexOf(CRLF);
  const line = end >= 0 ? text.slice(0, end) : text.replace(/\r$/, '');
  const isWhole = line.length < text.length;
  const [protocol, ...words] = line.split(' ') as [string, ...string[]];
  const isProtocolWhole = isWhole || words.length > 0;
  const named = PROTOCOLS.find((name) => (isProtocolWhole ? name === protocol : name.startsWith(protocol)));
  if (named === undefined) return bad('malformed', 'its protocol is none of TCP4, TCP6 and UNKNOWN');
  if (isProtocolWhole && named !== 'UNKNOWN') {
    const fields = FIELDS[named];
    const last = words.length - 1;
    const wrong = fields.find(({ isRight }, i) => i <= last && !isRight(words[i]!, isWhole || i < last));
    if (wrong !== undefined) return bad('malformed', `its ${wrong.name}`);
    if (words.length > fields.length) return bad('malformed', 'there is more behind its last port');
    if (isWhole && words.length < fields.length) return bad('malformed', 'it ends before its last port');
  }
  if (end < 0) {
    const missing = isWhole ? 1 : CRLF.length;
    if (bytes.length + missing <= LONGEST_LINE) return MORE;
    return bad('too-long', `no CRLF in its first ${LONGEST_LINE} bytes`);
  }
  const length = BEGIN_TEXT.length + end + CRLF.length;
  if (named === 'UNKNOWN') return { type: 'done', ...UNKNOWN_CLIENT, isLocal: false, length };
  const host = named === 'TCP4' ? words[0]! : plainIPv6(words[0]!);
  return { type: 'done', host, source: withPort(host, Number(words[2])), isLocal: false, length };
}

function fieldsOf(family: string, isAddress: (text: string) => boolean): Field[] {
  const address = (whose: string): Field => ({
    name: `${whose} address is no ${family} address`,
    isRight: (word, isWhole) => (isWhole ? isAddress(word) : ENDINGS.some((ending) => isAddress(word + ending))),
  });
  const port = (whose: string): Field => ({
    name: `${whose} port is no number from 0 to ${MOST_PORT}`,
    isRight: (word, isWhole) => (
      word === '' ? !isWhole : /^(?:0|[1-9]\d{0,4})$/.test(word) && Number(word) <= MOST_PORT),
  });
  return [address('source'), address('destination'), port('source'), port('destination')];
}

/** To Node an address may have the name of an interface behind it, `fe80::1%eth0`. The protocol knows no such names. */
function isIPv6Text(text: string): boolean {
  return isIPv6(text) && !text.includes('%');
}
