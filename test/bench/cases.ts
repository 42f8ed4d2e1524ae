// The kinds of load that servers are compared under. Data only; figures/ has what is no such load.

/** What the load generator is to do; as the flags of client/load/main.ts. */
export interface Load {
  readonly connections: number;
  readonly size: number;
  readonly depth?: number;
  readonly text?: 'ascii' | 'utf8';
  readonly churn?: boolean;
}

export interface ServerCase {
  /** For people. */
  readonly title: string;
  readonly load: Load;
  /** What counts: messages (with `--churn` connections) a second, or megabytes. */
  readonly unit: 'messages/s' | 'MB/s' | 'connections/s';
  /** Servers that cannot answer it. */
  readonly without?: readonly string[];
}

export const SERVER_CASES: Readonly<Record<string, ServerCase>> = {
  ping: {
    title: '64 connections, 64 bytes, 1 in flight', unit: 'messages/s', load: { connections: 64, size: 64 },
  },
  pipe: {
    title: '64 connections, 64 bytes, 16 in flight', unit: 'messages/s',
    load: { connections: 64, size: 64, depth: 16 },
  },
  bulk: { title: '8 connections, 64 KiB of ASCII', unit: 'MB/s', load: { connections: 8, size: 65_536 } },
  utf8: {
    title: '8 connections, 64 KiB of many scripts', unit: 'MB/s',
    load: { connections: 8, size: 65_536, text: 'utf8' }, without: ['c'],
  },
  churn: {
    title: '64 at a time: connect, 64 bytes, reset', unit: 'connections/s',
    load: { connections: 64, size: 64, churn: true },
  },
};
