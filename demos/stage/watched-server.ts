// The real server with its admin address: what it says of itself, and how it is told to do something. Used by watch.ts.
import { setTimeout as sleep } from 'node:timers/promises';
import { adminAddress } from '../../client/admin/address.ts';
import { isStatus, parsed } from '../../client/admin/check.ts';
import { ask } from '../../client/admin/requests.ts';
import type { Status } from '../../shared/status/status.ts';
import { startServerProcess } from './server-process.ts';

/** Then what was to happen is given up. */
const DEADLINE_MS = 60_000;
const LOOK_MS = 50;

/** What the server has said of itself, and whether that is what was awaited. */
export interface Seen {
  readonly status: Status;
  readonly isSo: boolean;
}

export interface WatchedServer {
  /** Where its clients connect, on 127.0.0.1. */
  readonly port: number;
  /** Where a browser finds it. */
  readonly page: string;
  status(): Promise<Status>;
  /** Looks at the status until it is as it should be, for a minute at most. */
  see(isAsItShouldBe: (status: Status) => boolean): Promise<Seen>;
  /** Has it do something: `/reload`. @throws It does not. */
  post(path: string): Promise<void>;
  /** Settles with its exit code. */
  stop(): Promise<number | null>;
}

/** @param admin Its --admin; 0: any free port. @throws It does not start. */
export async function startWatchedServer(flags: readonly string[], admin = '0'): Promise<WatchedServer> {
  const server = await startServerProcess(['--admin', admin, '--admin-actions', ...flags]);
  const page = server.log.flatMap(({ message }) => /^admin on (\S+)/.exec(message ?? '')?.[1] ?? [])[0] ?? '';
  const address = adminAddress.parse(page);
  if (address === undefined) throw new Error('the server did not say where its admin address is');
  const status = async (): Promise<Status> => {
    const value = parsed((await ask(address, { method: 'GET', path: '/status' })).body);
    if (!isStatus(value)) throw new Error('what came from /status is no status');
    return value;
  };
  return {
    port: server.port,
    page,
    status,
    async see(isAsItShouldBe) {
      const deadline = performance.now() + DEADLINE_MS;
      for (;;) {
        const now = await status();
        const isSo = isAsItShouldBe(now);
        if (isSo || performance.now() > deadline) return { status: now, isSo };
        await sleep(LOOK_MS);
      }
    },
    async post(path) {
      const { status: code, body } = await ask(address, { method: 'POST', path });
      if (code >= 300) throw new Error(`the server does not do ${path}: ${body.trim()}`);
    },
    stop: () => server.stop(),
  };
}
