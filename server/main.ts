#!/usr/bin/env node
// The server's command line: flags, signals and the exit code. `npm start`, or `echopool` once built.
import { readFileSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { complainsAs } from '../shared/called.ts';
import { messageOf, UsageError } from '../shared/errors.ts';
import { counted, countedFrom } from '../shared/log/log-format.ts';
import { Log, useColor } from '../shared/log/log.ts';
import { cpuCount } from '../shared/multiprocessing/process/current.ts';
import { Lock } from '../shared/multiprocessing/lock/lock.ts';
import { activeChildren } from '../shared/multiprocessing/process/process.ts';
import { Terminal } from '../shared/terminal/terminal.ts';
import type { DroppedLine } from '../shared/terminal/terminal.ts';
import type { Belonging } from './signals/belonging.ts';
import { parseConfig } from './config.ts';
import type { Config, Invocation, Origins } from './config.ts';
import { ListenError } from './connections/listener.ts';
import { isRunByNpm } from './signals/job.ts';
import type { Operation } from './operation.ts';
import { startServer } from './server.ts';
import type { Server } from './server-parts.ts';
import { obeySignals, obeySignalsNoMore } from './signals/signals.ts';

/** Who has not read the last lines after so long, in milliseconds in which this process runs, is given up. */
const LAST_LINES_MS = 3000;
/** The same after a second signal. */
const LAST_LINES_AT_ONCE_MS = 300;
/** An end may take a second more than --grace: so long for the last lines, */
const LONGER_THAN_GRACE_MS = 300;
/** and so long to say on standard error how many of them are lost. A mere answer has no such limits. */
const LAST_WORDS_MS = 550;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
/** What shells report for a program that SIGINT ended. */
const EXIT_INTERRUPTED = 130;

const terminalLock = new Lock();
let droppedLine: DroppedLine = (count, least) => `${countedFrom(least, count, 'line')} dropped`;
const terminal = new Terminal({ lock: terminalLock, droppedLine: (count, least) => droppedLine(count, least) });

/** How long the last lines may take to be printed. Without a server there is no limit. */
let lastLinesMs = (): number | undefined => undefined;
/** Whether it serves: what it prints is a log then, else the answer to --help or --version. */
let isServer = false;
/** Whether the host's address is still being looked for. */
let isResolving = (): boolean => false;

let isEnding = false;
const exitCode = await main();
isEnding = true;
await terminal.close(lastLinesMs());
if (terminal.untold > 0 && exitCode !== EXIT_INTERRUPTED) {
  const { tryToSay } = await import('../shared/terminal/last-words.ts');
  await tryToSay(2, complaintOf(linesLost(terminal)), isServer ? LAST_WORDS_MS : undefined);
}
const isUnanswered = !isServer && terminal.untold > 0 && terminal.trouble !== 'EPIPE';
leave(isUnanswered ? EXIT_FAILED : exitCode);

async function main(): Promise<number> {
  let invocation: Invocation;
  try {
    const inherited = process.env['LISTEN_FDS'] === undefined
      ? 0 : (await import('./activation.ts')).takeInherited(process.env, process.pid);
    invocation = parseConfig(process.argv.slice(2), process.env, cpuCount(), inherited);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    complain(error.message);
    return EXIT_USAGE;
  }
  switch (invocation.kind) {
    case 'help':
      terminal.print((await import('./help.ts')).helpText());
      return 0;
    case 'version':
      terminal.print(version());
      return 0;
    case 'run':
      return await serve(invocation.config, invocation.origins);
  }
}

async function serve(config: Config, origins: Origins): Promise<number> {
  isServer = true;
  const color = useColor(process.env, isatty(1));
  const notices = config.admin === undefined ? undefined : new (await import('./status/notices.ts')).Notices();
  const log = new Log({
    noticed: notices && ((...notice) => notices.add(...notice)),
    print: (block) => terminal.print(block), format: config.logFormat, level: config.log, color, who: 'master',
  });
  droppedLine = (count, least) => log.droppedLine(count, least);
  for (const note of config.notes) log.warn('config', note);
  const stop = new AbortController();
  const stopNow = new AbortController();
  let endsBy = Infinity;
  stopNow.signal.addEventListener('abort', () => { if (isEnding) leave(EXIT_INTERRUPTED); });
  lastLinesMs = () => {
    if (stopNow.signal.aborted) return LAST_LINES_AT_ONCE_MS;
    return Math.max(LAST_LINES_AT_ONCE_MS, Math.min(LAST_LINES_MS, endsBy - performance.now()));
  };
  const print = (text: string, lines: number): void => void terminal.print(text, lines);
  const operate = async (server: Server): Promise<Operation> => {
    const { Operation } = await import('./operation.ts');
    return new Operation(server, log, {
      version: version(), terminalLock, notices: () => notices?.last ?? [], linesDropped: () => terminal.dropped,
    });
  };
  let operation: Operation | undefined;
  const { admin } = config;
  const starting = startServer(config, {
    log, print, color, terminalLock, cpus: cpuCount(), stop: stop.signal, stopNow: stopNow.signal,
    opened: admin && (async (server) => {
      operation = await operate(server);
      await operation.open(admin);
    }),
    stopping: () => { endsBy = performance.now() + config.graceMs + LONGER_THAN_GRACE_MS; },
  });
  let belonging: Belonging | undefined;
  obeySignals({
    stop: () => stop.abort(),
    stopNow: () => stopNow.abort(),
    hangUp: () => {
      if (belonging?.isHangUp() === true) belonging.look();
      else void starting.then((server) => server.reload(), () => {});
    },
    resize: (by) => void starting.then((server) => server.resize(by), () => {}),
    status: () => void starting.then(async (server) => await (operation ??= await operate(server)).tell())
      .catch((error: unknown) => log.warn('status', `the status cannot be told: ${messageOf(error)}`)),
  });
  void import('./signals/belonging.ts').then(({ Belonging }) => {
    belonging = new Belonging(isRunByNpm(process.env, process.argv[1]), (why) => {
      log.warn('orphaned', why);
      stop.abort();
    });
  }).catch((error: unknown) => log.warn('orphaned', `what it belongs to is not watched: ${messageOf(error)}`));
  try {
    const server = await starting;
    isResolving = () => server.isResolving;
    const { ready, size } = server.parts.pool;
    const workers = `${ready < size ? `${ready} of ` : ''}${counted(size, 'worker')}`;
    for (const { address, fields, proxy } of stop.signal.aborted ? [] : server.bound) {
      log.info('listening', `listening on ${address} with ${workers} (pid ${process.pid})`, {
        ...fields, ...proxy ? { proxy } : {}, pid: process.pid, workers: ready,
      });
    }
    const reason = await server.ended;
    if (reason === undefined) return 0;
    if (stopNow.signal.aborted) return EXIT_INTERRUPTED;
    complain(reason);
  } catch (error) {
    if (stopNow.signal.aborted) return EXIT_INTERRUPTED;
    const why = error instanceof ListenError
      ? (await import('./why-not-listening.ts')).whyNotListening(error, config, origins) : messageOf(error);
    complain(why);
  } finally {
    belonging?.end();
    operation?.close();
  }
  return EXIT_FAILED;
}

function linesLost({ untold, leastUntold, trouble }: Terminal): string {
  const lines = countedFrom(leastUntold, untold, 'line');
  return `${lines} could not be printed: ${trouble ?? 'nobody reads the standard output'}`;
}

function version(): string {
  const file = new URL(import.meta.url.endsWith('.ts') ? '../package.json' : '../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function complaintOf(message: string): string {
  return `${complainsAs('echopool-server')}: ${message}\n`;
}

/** One line on standard error. */
function complain(message: string): void {
  // Whoever does not read it, or a terminal that stops its background, must not make this process deaf.
  obeySignalsNoMore();
  // Not through process.stderr: that would make a descriptor that others share non-blocking.
  try {
    writeSync(2, complaintOf(message));
  } catch {
    // There is nowhere left to say it; the exit code does.
  }
}

/** Ends the process, its children first. Whatever hangs, it ends. */
function leave(exitCode: number): void {
  for (const child of activeChildren()) child.kill();
  // process.exit() waits for threads that are in a system call, such as a question of DNS.
  if (!isResolving()) process.exit(exitCode);
  const signal = exitCode === EXIT_INTERRUPTED ? 'SIGINT' : 'SIGTERM';
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  // The first process of a container does not end by a signal of its own.
  if (process.pid === 1) process.abort();
}
