// `echopool/server`: a real echo server for other people's programs, above all for their tests. It runs in processes of
// its own, and ends with its caller. docs/testing.md shows it.
import { fork } from 'node:child_process';
import { ownFile } from '../../shared/multiprocessing/base/own-file.ts';
import { environmentFor, flagsForChildren } from '../../shared/multiprocessing/process/fork.ts';
import { EchoServerError, ServerProcess } from './echo-server.ts';
import { planOf } from './options.ts';
import type { EchoServerOptions, LogEvent } from './options.ts';

export { EchoServerError } from './echo-server.ts';
export type { EchoServerOptions, FlagOptions, LogEvent } from './options.ts';

/** A server that runs. */
export interface EchoServer extends AsyncDisposable {
  /** Where clients connect: the address, or `unix:PATH`. Of several places it is the first. */
  readonly host: string;
  /** 0 for a Unix socket. */
  readonly port: number;
  /** Both as people read it: `127.0.0.1:53122`, `[::1]:53122`, `unix:/tmp/echo.sock`. */
  readonly address: string;
  /** All places where it listens, `bind` before `bindProxy`. */
  readonly addresses: readonly string[];
  /** Where it answers those who watch it, if it was asked to: `http://127.0.0.1:9090/`. */
  readonly admin: string | undefined;
  /** The process id of its master. To a signal it answers as the server of the command line does. */
  readonly pid: number;
  /**
   * Stops it in order: clients may finish, `grace` seconds at most. Resolves when it has ended and all of its log is
   * told; again, it is the same promise.
   * @throws EchoServerError (by rejecting) when it did not stop in the grace and five seconds more, and was killed.
   */
  close(): Promise<void>;
  /**
   * Resolves, never rejects, when it has ended: with undefined after a clean stop, whoever asked for it, else with an
   * error that says why. Until then it keeps the caller running; a server alone does not.
   */
  whenEnded(): Promise<EchoServerError | undefined>;
  /** The same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What would tell the server what to do, or that it belongs to others: the caller's own. */
const NOT_FOR_SERVERS = /^(?:ECHOPOOL_.*|PORT|LISTEN_(?:PID|FDS|FDNAMES)|npm_.*|NODE_TEST_CONTEXT)$/;

/**
 * Starts an echo server in processes of its own, and resolves when it listens: by default on a free port of 127.0.0.1,
 * with one worker.
 *
 * It ends with its caller, also when that is killed, and does not keep it running. The environment does not configure
 * it: ECHOPOOL_… and PORT are not handed on.
 * @param options The server's flags by their names in camelCase, times in seconds; `log` for its log.
 * @throws EchoServerError (by rejecting) when it could not be started, with the server's own line.
 * @throws {TypeError} (by rejecting) for an option that there is not.
 */
export async function startEchoServer(options: EchoServerOptions = {}): Promise<EchoServer> {
  const { args, places, stopLimitMs } = planOf(options);
  const { log, signal } = options;
  signal?.throwIfAborted();
  const entry = ownFile(import.meta.url, 'server/embed/index', './entry');
  const child = fork(entry, args, {
    // In a group of its own: a Ctrl-C that the caller hears is no wish to stop the server before its time.
    detached: true, serialization: 'json', stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env: environment(),
    // Built, it needs none; as it is written, it needs what the caller needs to be read, such as tsx.
    execArgv: entry.pathname.endsWith('.ts') ? flagsForChildren(process.execArgv) : [],
  });
  const listening: LogEvent[] = [];
  let admin: string | undefined;
  let server!: ServerProcess;
  const isListening = new Promise<true>((resolve) => {
    server = new ServerProcess({ child, log, stopLimitMs }, (event) => {
      if (event.event === 'admin') admin = String(event['address']);
      if (event.event === 'listening' && listening.push(event) === places) resolve(true);
    });
  });
  await startOf(server, isListening, signal);
  const pid = child.pid!;
  const { host, port, path } = listening[0]!;
  const addresses = listening.map((event) => addressIn(event));
  return {
    host: host === undefined ? `unix:${String(path)}` : String(host), port: Number(port ?? 0),
    address: addresses[0]!, addresses, admin, pid,
    close: () => server.close(),
    whenEnded: async () => {
      const why = await server.whenEnded();
      return why === undefined ? undefined : new EchoServerError('ERR_ECHOPOOL_SERVER_DIED', `${why} (pid ${pid})`);
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}

/** Settles when it listens. @throws What the signal gives, or EchoServerError. */
async function startOf(server: ServerProcess, isListening: Promise<true>, signal?: AbortSignal): Promise<void> {
  const { promise: aborted, stop } = whenAborted(signal);
  const failed = server.ended.then((why) => why ?? 'it ended before it listened');
  const why = await Promise.race([isListening, failed, aborted]);
  stop();
  server.rest();
  if (why === true) return;
  // In order, as it may have bound a Unix socket. If it is killed in the end, that is no news for who gave it up.
  await server.close().catch(() => {});
  signal?.throwIfAborted();
  throw new EchoServerError('ERR_ECHOPOOL_SERVER_START', String(why));
}

function whenAborted(signal: AbortSignal | undefined): { promise: Promise<void>; stop: () => void } {
  let stop = (): void => {};
  const promise = new Promise<void>((resolve) => {
    const abort = (): void => resolve();
    signal?.addEventListener('abort', abort);
    stop = () => signal?.removeEventListener('abort', abort);
  });
  return { promise, stop };
}

function environment(): NodeJS.ProcessEnv {
  const all = environmentFor(process.env);
  return Object.fromEntries(Object.entries(all).filter(([name]) => !NOT_FOR_SERVERS.test(name)));
}

/** In `listening on 127.0.0.1:53122 with 1 worker (pid 4711)`. */
function addressIn({ message = '' }: LogEvent): string {
  return /^listening on (.*) with (?:\d+ of )?\d+ workers? \(pid \d+\)$/.exec(message)?.[1] ?? message;
}
