// Who may ask: a program on its own account may, and so may this server's own page. Another site's page, which a
// browser shows to somebody who can reach this address, may not. Pure. Used by admin.ts.
//
// A browser lets any page send requests anywhere; what it does not let it do is lie in the Host, Origin and
// Sec-Fetch-Site that go with them. Host is the name in the page's own address: with DNS rebinding that is a name which
// the attacker has made point here, and so it is checked (https://en.wikipedia.org/wiki/DNS_rebinding).
import { isIP } from 'node:net';
import { sentence } from './answer.ts';
import type { Answer } from './answer.ts';

/** Of a request, in Node's form: each header with its values. */
export interface Asked {
  readonly method: string | undefined;
  readonly headers: NodeJS.Dict<string[]>;
}

export class RequestGuard {
  /** Undefined: Host is not checked. */
  readonly #names: ReadonlySet<string> | undefined;

  /**
   * @param names By which this server may be called beside IP addresses and localhost. Undefined: by any, as no
   * browser comes to a Unix socket.
   */
  constructor(names: readonly string[] | undefined) {
    this.#names = names && new Set(names.map((name) => name.toLowerCase()));
  }

  /** What the answer is when this must not be served; undefined: it may. */
  refusal({ method, headers }: Asked): Answer | undefined {
    const { host: hosts = [], origin: origins = [], 'sec-fetch-site': sites = [] } = headers;
    if (hosts.length > 1) return sentence(400, 'A request has one Host.');
    const [host] = hosts;
    // Without any it is HTTP/1.0, as a balancer's check has it, and no browser.
    if (host !== undefined && !this.#mayBeCalled(host)) {
      return sentence(421, 'This address answers to IP addresses, localhost, the name of its machine and the host '
        + 'given with --admin: set Host to one of them.');
    }
    const own = `http://${host ?? ''}`.toLowerCase();
    if (origins.some((origin) => origin.toLowerCase() !== own)) {
      return sentence(403, 'Pages of other sites may not use this address.');
    }
    // `none`: the user typed it.
    if (method === 'POST' && sites.some((site) => site !== 'same-origin' && site !== 'none')) {
      return sentence(403, 'Pages of other sites may not change anything here.');
    }
    return undefined;
  }

  #mayBeCalled(host: string): boolean {
    if (this.#names === undefined) return true;
    const [, inBrackets, plain] = /^(?:\[([^[\]]+)\]|([^:[\]]+))(?::\d{1,5})?$/.exec(host) ?? [];
    if (inBrackets !== undefined) return isIP(inBrackets) === 6;
    if (plain === undefined) return false;
    const name = plain.toLowerCase().replace(/\.$/, '');
    return isIP(name) === 4 || name === 'localhost' || name.endsWith('.localhost') || this.#names.has(name);
  }
}
