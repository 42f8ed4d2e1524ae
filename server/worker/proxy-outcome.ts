// What comes of a PROXY protocol header. Used by proxy-header.ts and its two readers.

/**
 * missing: what came is no such header; incomplete: its sender left before the end of it; too-long: nobody reads that
 * much; checksum: it was changed on its way; unsupported: right, but not for a TCP server; malformed: the rest.
 */
export type BadHeaderKind = 'missing' | 'malformed' | 'unsupported' | 'too-long' | 'checksum' | 'incomplete';

/** The connection is to be closed: nobody knows what its bytes are. */
export interface BadHeader {
  readonly type: 'bad';
  /** For counters. */
  readonly kind: BadHeaderKind;
  /** For the log: a clause without any text that the client chose. */
  readonly reason: string;
}

/** Who the client is, as the header says it. */
export interface ProxiedClient {
  /** Its address without a port, as `--connections-per-address` counts it; `unix:PATH` for a Unix socket. */
  readonly host: string | undefined;
  /**
   * The same with its port, as the log shows peers: `192.0.2.1:1234`, `[2001:db8::1]:1234`, `unix:PATH`. `undefined`:
   * the header does not say it, and the real peer counts.
   */
  readonly source: string | undefined;
}

export interface GoodHeader extends ProxiedClient {
  readonly type: 'done';
  /** The proxy speaks for itself, as health checks do: there is no client behind it. */
  readonly isLocal: boolean;
}

export type HeaderOutcome =
  /** The header is not whole. */
  | { readonly type: 'more' }
  /** `rest` is what came behind it: the first bytes to answer. */
  | GoodHeader & { readonly rest: Buffer }
  | BadHeader;

/** What a reader of one version says of all bytes so far; `length` is how many of them the header has. */
export type Progress = { readonly type: 'more' } | GoodHeader & { readonly length: number } | BadHeader;

export const MORE = { type: 'more' } as const;
export const UNKNOWN_CLIENT: ProxiedClient = { host: undefined, source: undefined };

export function bad(kind: BadHeaderKind, reason: string): BadHeader {
  return { type: 'bad', kind, reason };
}
