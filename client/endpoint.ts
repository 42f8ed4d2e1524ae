// Where the server is: the flags that say it, of the client and of the load generator. Used by both's config.ts.
import { isIP } from 'node:net';
import { unixPathOf } from '../shared/address.ts';
import { wholeNumber, withVariables, type Flags, type Kind } from '../shared/flags/table.ts';

const hostName: Kind<string> = {
  hint: 'HOST',
  allowed: 'a host name, an IP address or unix:PATH',
  parse(text) {
    if (text.startsWith('unix:')) return unixPathOf(text) === undefined ? undefined : text;
    // `[::1]` as well as `::1`: that is how an address stands before a port, and how the server prints it.
    const bracketed = /^\[(.*)\]$/.exec(text)?.[1];
    if (bracketed !== undefined) return isIP(bracketed) === 6 ? bracketed : undefined;
    // A colon is right in an IPv6 address only; elsewhere it is a port or a URL in the wrong place. Digits alone are a
    // port in the wrong place too: some systems take them for an address.
    const isName = /^[^\s\p{Cc}:/[\]-][^\s\p{Cc}:/[\]]*$/u.test(text) && !/^\d+$/.test(text);
    return isName || isIP(text) !== 0 ? text : undefined;
  },
};

export const endpointFlags = withVariables({
  host: { ...hostName, word: 'HOST', fallback: '127.0.0.1', help: 'a host name, an IP address or unix:PATH' },
  port: { ...wholeNumber(1, 65_535), word: 'PORT', fallback: '8080', variables: ['PORT'], help: '1 to 65535' },
} satisfies Flags);
