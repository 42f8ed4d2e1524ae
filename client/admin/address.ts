// Where a server answers those who watch it, as --admin of the clients says it. Pure. Used by config.ts.
import { isIP } from 'node:net';
import { LONGEST_PATH, unixPathOf, withPort } from '../../shared/address.ts';
import { wholeNumber, type Kind } from '../../shared/flags/table.ts';

export interface AdminAddress {
  /** As the server's own --admin takes it. */
  readonly shown: string;
  /** As node:http takes it. */
  readonly to: { readonly host: string; readonly port: number } | { readonly socketPath: string };
}

const port = wholeNumber(1, 65_535);

export const adminAddress: Kind<AdminAddress> = {
  hint: 'ADDRESS',
  allowed: `PORT, HOST:PORT, http://HOST:PORT or unix:PATH (of at most ${LONGEST_PATH} bytes)`,
  parse(text) {
    if (text.startsWith('unix:')) {
      const socketPath = unixPathOf(text);
      return socketPath === undefined ? undefined : { shown: text, to: { socketPath } };
    }
    const form = /^(?:http:\/\/)?(?:(\[[^[\]]*\]|[^:/[\]]+):)?(\d+)\/?$/;
    const [, host = '127.0.0.1', digits = ''] = form.exec(text) ?? [];
    const number = port.parse(digits);
    const plain = host.replace(/^\[(.*)\]$/, '$1');
    const isHost = plain === host ? /^[^\s\p{C}-][^\s\p{C}]*$/u.test(host) : isIP(plain) === 6;
    if (number === undefined || !isHost) return undefined;
    return { shown: withPort(plain, number), to: { host: plain, port: number } };
  },
};
