// Where the server is, from flags, words and environment, the same for the client and for the load generator. Pure.
// Used by config.ts and load/config.ts.

import { isIP } from 'node:net';
import type { Endpoint } from './echo-client.ts';
import { checked, type Environment, type Given, type ValueFlag } from './flags.ts';

/** `[::1]` as well as `::1`: that is how an address stands before a port, and how the server prints it. */
const BRACKETED = /^\[(.*)\]$/;

export const endpointFlags = {
  host: {
    allowed: 'a host name or an IP address',
    isAllowed: isHost,
  },
  port: {
    allowed: 'a whole number from 1 to 65535',
    isAllowed: (text) => /^[0-9]{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535,
  },
} satisfies Record<string, ValueFlag>;

const FALLBACKS = { host: '127.0.0.1', port: '8080' } as const;
type Name = keyof typeof endpointFlags;
/** Where a value may stand in the environment, the first one first. */
const VARIABLES: Readonly<Record<Name, readonly string[]>> = {
  host: ['ECHOPOOL_HOST'],
  port: ['ECHOPOOL_PORT', 'PORT'],
};
/** What Kubernetes puts into ECHOPOOL_PORT for a Service of that name. Nobody has typed it. */
const SERVICE_LINK = /^(?:tcp|udp|sctp):\/\//;

export interface FoundEndpoint {
  readonly endpoint: Endpoint;
  /** What was passed over, in sentences. */
  readonly notes: readonly string[];
}

/**
 * The server that is meant: by flags, else by words without a flag, else by the environment, else 127.0.0.1:8080.
 * @throws UsageError naming where a value came from, the value and what is allowed.
 */
export function endpointOf(
  values: ReadonlyMap<string, Given>, positionals: readonly string[], env: Environment,
): FoundEndpoint {
  const notes: string[] = [];
  const find = (name: Name, position: number): string => {
    const word = positionals[position];
    const given = values.get(name)
      ?? (word === undefined ? undefined : { source: name.toUpperCase(), text: word })
      ?? fromEnvironment(VARIABLES[name], env, notes)
      ?? { source: '', text: FALLBACKS[name] };
    return checked(given, endpointFlags[name]);
  };
  const host = find('host', 0).replace(BRACKETED, '$1');
  return { endpoint: { host, port: Number(find('port', 1)) }, notes };
}

function fromEnvironment(variables: readonly string[], env: Environment, notes: string[]): Given | undefined {
  for (const variable of variables) {
    const text = env[variable];
    if (text === undefined || text === '') continue;
    if (!SERVICE_LINK.test(text)) return { source: `environment variable ${variable}`, text };
    const words = JSON.stringify(text);
    notes.push(`Environment variable ${variable} is passed over: ${words} is what Kubernetes sets for a Service.`);
  }
  return undefined;
}

function isHost(text: string): boolean {
  const bracketed = BRACKETED.exec(text)?.[1];
  if (bracketed !== undefined) return isIP(bracketed) === 6;
  if (isIP(text) !== 0) return true;
  // A colon is right in an IPv6 address only; elsewhere it is a port or a URL in the wrong place. Digits alone are a
  // port in the wrong place too: some systems take them for an address.
  return /^[^\s\p{Cc}:/[\]-][^\s\p{Cc}:/[\]]*$/u.test(text) && !/^\d+$/.test(text);
}
