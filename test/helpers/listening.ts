// A listener of the server by itself, and the connections that come to it. For tests of whatever is done with those.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { BindAddress } from '../../server/connections/bind-address.ts';
import type { IncomingConnection } from '../../server/connections/held-connections.ts';
import { listen } from '../../server/connections/listener.ts';
import type { Listener } from '../../server/connections/listener.ts';
import { TrustedProxies } from '../../server/connections/trusted-proxies.ts';

export interface Accepting {
  readonly listener: Listener;
  /** 0: it is a Unix socket. */
  readonly port: number;
  /** Those that have come and are not taken by {@link next}. */
  readonly came: readonly IncomingConnection[];
  next(): Promise<IncomingConnection>;
  /** Who was closed, as no header is taken from there. */
  readonly untrusted: string[];
}

export function tcp(host = '127.0.0.1', port = 0): BindAddress {
  return { kind: 'tcp', host, port, proxy: false };
}

/** Listens there until the test has ended. */
export async function accepting(
  t: TestContext, where: BindAddress = tcp(), proxies = new TrustedProxies([]),
): Promise<Accepting> {
  const came: IncomingConnection[] = [];
  const untrusted: string[] = [];
  const listener = await listen(where, proxies, {
    connection(incoming) {
      t.after(() => void incoming.socket.destroy());
      came.push(incoming);
    },
    untrusted: (host) => untrusted.push(host),
    failed: (error) => assert.fail(error),
  });
  t.after(() => listener.close());
  return {
    listener, untrusted, came,
    port: 'port' in listener.fields ? listener.fields.port : 0,
    async next() {
      while (came.length === 0) await new Promise(setImmediate);
      return came.shift()!;
    },
  };
}
