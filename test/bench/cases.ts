// The kinds of load that servers are compared under. Data only; figures/ has what is no such load.

export interface ServerCase {
  /** For people. */
  readonly title: string;
  /** The load generator's flags. */
  readonly flags: readonly string[];
  /** What counts: messages (with `--churn` connections) a second, or megabytes. */
  readonly unit: 'messages/s' | 'MB/s' | 'connections/s';
  /** Servers that cannot answer it. */
  readonly without?: readonly string[];
}

export const SERVER_CASES: Readonly<Record<string, ServerCase>> = {
  ping: {
    title: '64 connections, 64 bytes, 1 in flight', unit: 'messages/s', flags: ['--connections', '64', '--size', '64'],
  },
  pipe: {
    title: '64 connections, 64 bytes, 16 in flight', unit: 'messages/s',
    flags: ['--connections', '64', '--size', '64', '--depth', '16'],
  },
  bulk: { title: '8 connections, 64 KiB of ASCII', unit: 'MB/s', flags: ['--connections', '8', '--size', '65536'] },
  utf8: {
    title: '8 connections, 64 KiB of many scripts', unit: 'MB/s',
    flags: ['--connections', '8', '--size', '65536', '--text', 'utf8'], without: ['c'],
  },
  churn: {
    title: '64 at a time: connect, 64 bytes, reset', unit: 'connections/s',
    flags: ['--connections', '64', '--size', '64', '--churn'],
  },
};
