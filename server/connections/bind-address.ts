// Where the server listens, as it is told: `--bind` and `--bind-proxy`. Pure. Read by config.ts, bound by listener.ts.
import { LONGEST_PATH, unixPathOf } from '../../shared/address.ts';
import { wholeNumber } from '../../shared/flags/table.ts';
import type { Kind } from '../../shared/flags/table.ts';

/** A place to listen. */
export type Place =
  /** Port 0: any free one. */
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }
  /** A socket that another program has bound, and has left to this process as this descriptor. */
  | { readonly kind: 'fd'; readonly fd: number };

export type BindAddress = Place & {
  /** Each client there begins with a PROXY protocol header. */
  readonly proxy: boolean;
  /** By what it was given, as errors name it: `--bind`, `LISTEN_FDS`. None: by --host and --port. */
  readonly givenBy?: string;
};

/** The first that is not standard input, output or error. */
export const FIRST_FD = 3;
const MOST_FD = 2 ** 31 - 1;
const port = wholeNumber(0, 65_535);
const descriptor = wholeNumber(FIRST_FD, MOST_FD);

export const hostName: Kind<string> = {
  hint: 'HOST',
  allowed: 'a host name or an IP address, without a port',
  parse(text) {
    const host = /^\[([^[\]]*:[^[\]]*)\]$/.exec(text)?.[1] ?? text;
    // An IPv6 address has two colons or more: one colon means that somebody added a port.
    return /^[^\s\p{C}[\]-][^\s\p{C}[\]]*$/u.test(host) && host.split(':').length !== 2 ? host : undefined;
  },
};

/** Where the server answers those who watch it: nowhere but on this machine, unless a host is given. */
export const adminPlace: Kind<Exclude<Place, { kind: 'fd' }>> = {
  hint: 'ADDRESS',
  allowed: 'PORT, HOST:PORT, [IPv6]:PORT or unix:PATH',
  parse(text) {
    const local = port.parse(text);
    if (local !== undefined) return { kind: 'tcp', host: '127.0.0.1', port: local };
    const parsed = place.parse(text);
    return parsed?.kind === 'fd' ? undefined : parsed;
  },
};

/** An element of the list, which is cut at its commas before: so no path has one. */
export const place: Kind<Place> = {
  hint: 'ADDRESS',
  allowed: `HOST:PORT, [IPv6]:PORT, unix:PATH (of at most ${LONGEST_PATH} bytes, without a comma) or fd:N (from 3 on)`,
  parse(text) {
    if (text.startsWith('unix:')) {
      const path = unixPathOf(text);
      return path === undefined ? undefined : { kind: 'unix', path };
    }
    if (text.startsWith('fd:')) {
      const fd = descriptor.parse(text.slice('fd:'.length));
      return fd === undefined ? undefined : { kind: 'fd', fd };
    }
    // Before the port a colon is right in brackets only: `::1:80` may be an address without a port.
    const [, host, digits] = /^(\[[^[\]]*\]|[^:[\]]+):(\d+)$/.exec(text) ?? [];
    const [parsedHost, parsedPort] = [hostName.parse(host ?? ''), port.parse(digits ?? '')];
    return parsedHost === undefined || parsedPort === undefined
      ? undefined : { kind: 'tcp', host: parsedHost, port: parsedPort };
  },
};
