#!/usr/bin/env node
// The server's command line: flags, signals and the exit code. `npm start`, or `echopool-server` once built.
import { readFileSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { messageOf, UsageError } from '../shared/errors.ts';
import { Log, useColor } from '../shared/log.ts';
import { cpuCount } from '../shared/multiprocessing/current.ts';
import { Lock } from '../shared/multiprocessing/lock.ts';
import { Terminal } from '../shared/terminal.ts';
import { helpText, parseConfig } from './config.ts';
import type { Config, Invocation } from './config.ts';
import { startServer } from './server.ts';

/**
 * How long the last lines may take to reach a terminal that does not read, in milliseconds; and with it, what is told of them
 * on standard error then. Together less than the second that an end may take.
 */
const LAST_LINES_MS = 450;
const LAST_WORDS_MS = 850;
/**
 * Signals to stop that come so shortly one after the other are one wish, in milliseconds: a Ctrl-C under `npm start`
 * comes from the terminal and from npm, which passes it on.
 */
const SAME_WISH_MS = 100;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
/** What shells report for a program that SIGINT ended. */
const EXIT_INTERRUPTED = 130;

const terminalLock = new Lock();
let droppedLine = (count: number): string => `${count} lines dropped`;
const terminal = new Terminal({ lock: terminalLock, droppedLine: (count) => droppedLine(count) });

process.exitCode = await main();
const ending = performance.now();
await terminal.close(LAST_LINES_MS);
if (terminal.untold > 0) {
  const { tryToSay } = await import('../shared/last-words.ts');
  await tryToSay(2, `echopool-server: ${linesLost(terminal)}\n`, ending + LAST_WORDS_MS - performance.now());
}
process.exit();

async function main(): Promise<number> {
  let invocation: Invocation;
  try {
    invocation = parseConfig(process.argv.slice(2), process.env, cpuCount());
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    complain(error.message);
    return EXIT_USAGE;
  }
  switch (invocation.kind) {
    case 'help':
      terminal.print(helpText());
      return 0;
    case 'version':
      terminal.print(version());
      return 0;
    case 'run':
      return await serve(invocation.config);
  }
}

async function serve(config: Config): Promise<number> {
  const color = useColor(process.env, isatty(1));
  const log = new Log({
    print: (block) => terminal.print(block), format: config.logFormat, level: config.log, color, who: 'master',
  });
  droppedLine = (count) => log.droppedLine(count);
  for (const note of config.notes) log.warn('config', note);
  let stops = 0;
  let lastStop = -Infinity;
  let started = false;
  const stopping = new AbortController();
  const print = (text: string, lines: number): void => void terminal.print(text, lines);
  const starting = startServer(config, { log, print, color, terminalLock, cpus: cpuCount(), stop: stopping.signal });
  const onStop = (): void => {
    const sameWish = performance.now() - lastStop < SAME_WISH_MS;
    lastStop = performance.now();
    if (sameWish) return;
    stops++;
    if (stops === 1) stopping.abort();
    else if (started) void starting.then((server) => server.stopNow(), () => {});
    else process.exit(EXIT_INTERRUPTED);
  };
  process.on('SIGINT', onStop);
  process.on('SIGTERM', onStop);
  process.on('SIGHUP', () => void starting.then((server) => server.reload(), () => {}));
  process.on('SIGTTIN', () => void starting.then((server) => server.resize(1), () => {}));
  process.on('SIGTTOU', () => void starting.then((server) => server.resize(-1), () => {}));
  try {
    const server = await starting;
    started = true;
    const workers = config.workers === 1 ? '1 worker' : `${config.workers} workers`;
    if (stops === 0) log.info('listening', `listening on ${server.address} with ${workers} (pid ${process.pid})`);
    const reason = await server.ended;
    if (reason === undefined) return 0;
    if (stops > 1) return EXIT_INTERRUPTED;
    complain(reason);
  } catch (error) {
    complain(whyNotStarted(error, config));
  }
  return EXIT_FAILED;
}

function whyNotStarted(error: unknown, { host, port }: Config): string {
  const where = `${host}:${port}`;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'EADDRINUSE':
      return `cannot listen on ${where}: another program does already; choose another --port, or 0 for any free one`;
    case 'EACCES':
      return `cannot listen on ${where}: that needs special rights; choose a --port from 1024 to 65535`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `cannot listen on ${where}: --host ${JSON.stringify(host)} is no address of this machine`;
    default:
      return messageOf(error);
  }
}

function linesLost({ untold, trouble }: Terminal): string {
  return `${untold === 1 ? '1 line' : `${untold} lines`} could not be printed: ${trouble ?? 'nobody reads the standard output'}`;
}

function version(): string {
  const file = new URL(import.meta.url.endsWith('.ts') ? '../package.json' : '../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** One line on standard error. */
function complain(message: string): void {
  // Not through process.stderr: that would make a descriptor that others share non-blocking.
  try {
    writeSync(2, `echopool-server: ${message}\n`);
  } catch {
    // There is nowhere left to say it; the exit code does.
  }
}
