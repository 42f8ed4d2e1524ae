// Who may send a PROXY protocol header: `--proxy-from`. Pure. Asked when a connection is accepted, before anybody reads
// from it.
import { BlockList, isIP } from 'node:net';

/** All Unix sockets; or the addresses that have so many of their first bits in common with this one. */
export type ProxyRange = 'unix' | {
  readonly address: string;
  readonly bits: number;
  readonly family: 'ipv4' | 'ipv6';
};

/** An element of the list, as it is given. */
export const proxyRange = {
  hint: 'LIST',
  allowed: 'a list of IP addresses, of ranges such as 10.0.0.0/8, and of unix for Unix sockets',
  parse: parseProxyRange,
} as const;
/** This machine. */
export const DEFAULT_PROXIES = '127.0.0.0/8,::1,unix';

export class TrustedProxies {
  readonly #addresses = new BlockList();
  readonly #hasUnix: boolean;

  constructor(ranges: readonly ProxyRange[]) {
    this.#hasUnix = ranges.includes('unix');
    for (const range of ranges) {
      if (range !== 'unix') this.#addresses.addSubnet(range.address, range.bits, range.family);
    }
  }

  /**
   * To a BlockList an IPv4 address and its IPv6 form, `::ffff:192.0.2.1`, are the same, in ranges too; and it ignores
   * the name of an interface, as a link-local address has it behind it: `fe80::1%eth0`.
   * @param host The address of a connection's peer, without a port; `undefined` where it has none: on a Unix socket.
   */
  trusts(host: string | undefined): boolean {
    if (host === undefined) return this.#hasUnix;
    const version = isIP(host);
    return version !== 0 && this.#addresses.check(host, version === 4 ? 'ipv4' : 'ipv6');
  }
}

/** `undefined` for what is none. */
function parseProxyRange(text: string): ProxyRange | undefined {
  const word = text.trim();
  if (word === 'unix') return word;
  const [, address = '', digits] = /^([\da-f:.]+)(?:\/(\d{1,3}))?$/i.exec(word) ?? [];
  const version = isIP(address);
  const most = version === 4 ? 32 : 128;
  const bits = Number(digits ?? most);
  if (version === 0 || bits > most) return undefined;
  return { address, bits, family: version === 4 ? 'ipv4' : 'ipv6' };
}
