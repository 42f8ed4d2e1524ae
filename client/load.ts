#!/usr/bin/env node
// The load generator's command line (npm run load): flags, progress, signals and the exit code.

import { messageOf, UsageError } from '../shared/errors.ts';
import { resetConnection } from '../shared/reset.ts';
import { openSocket } from './echo-client.ts';
import { grouped } from './load/bars.ts';
import { loadHelp, parseLoadCommand, type LoadCommand, type LoadOptions } from './load/config.ts';
import { Load } from './load/processes.ts';
import { reportOf, reportText } from './load/report.ts';

const { stdout, stderr } = process;
const PROGRESS_MS = 250;
/** How long connecting may take before the server counts as not there, in milliseconds. */
const CONNECT_LIMIT_MS = 10_000;
/** Under npm a Ctrl-C comes twice, from the terminal and from npm: two so close together, in milliseconds, are one. */
const SAME_WISH_MS = 100;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
/** What shells report for a program that SIGINT ended. */
const EXIT_INTERRUPTED = 130;

stdout.on('error', () => {}); // Nobody is left to be told.
stderr.on('error', () => {});
process.exitCode = await main();

async function main(): Promise<number> {
  let command: LoadCommand;
  try {
    command = parseLoadCommand(process.argv.slice(2), process.env);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    complain(error.message);
    return EXIT_USAGE;
  }
  if (command.kind === 'help') {
    stdout.write(loadHelp());
    return 0;
  }
  return await run(command.options, command.json);
}

async function run(options: LoadOptions, json: boolean): Promise<number> {
  const interrupt = onInterrupt();
  let address: string;
  try {
    address = await addressOfServer(options, interrupt.signal);
  } catch (error) {
    complain(messageOf(error));
    return interrupt.signal.aborted ? EXIT_INTERRUPTED : EXIT_FAILED;
  }
  const load = new Load({ ...options, host: address });
  interrupt.signal.addEventListener('abort', () => load.stop());
  const endProgress = stderr.isTTY ? showProgress(load, options) : () => {};
  const report = reportOf(options, await load.run());
  endProgress();
  if (json) stdout.write(`${JSON.stringify(report)}\n`);
  else if (report.messages > 0) stdout.write(`${reportText(report)}\n`);
  for (const problem of report.problems) complain(problem);
  if (interrupt.signal.aborted) return EXIT_INTERRUPTED;
  return report.problems.length > 0 ? EXIT_FAILED : 0;
}

/** The first SIGINT or SIGTERM ends the load, and what was measured is printed; another one ends the program. */
function onInterrupt(): AbortController {
  const interrupt = new AbortController();
  let interruptedAt = 0;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (interrupt.signal.aborted && performance.now() - interruptedAt > SAME_WISH_MS) process.exit(EXIT_INTERRUPTED);
      interruptedAt = performance.now();
      interrupt.abort();
    });
  }
  return interrupt;
}

/** The address behind the host's name at which the server answers: one connection tells. @throws EchoClientError */
async function addressOfServer({ host, port }: LoadOptions, interrupt: AbortSignal): Promise<string> {
  const signal = AbortSignal.any([interrupt, AbortSignal.timeout(CONNECT_LIMIT_MS)]);
  const socket = await openSocket({ host, port, signal });
  socket.on('error', () => {});
  const address = socket.remoteAddress ?? host;
  resetConnection(socket);
  return address;
}

/** A line that is written over again and again. @returns What ends it. */
function showProgress(load: Load, { durationMs, churn }: LoadOptions): () => void {
  const begun = performance.now();
  let last = { at: begun, messages: 0 };
  const timer = setInterval(() => {
    const at = performance.now();
    const { messages } = load;
    const rate = (messages - last.messages) / (at - last.at) * 1000;
    last = { at, messages };
    const time = `${((at - begun) / 1000).toFixed(1)} of ${durationMs / 1000} s`;
    stderr.write(`\r\x1b[K${time}  ${grouped(rate)} ${churn ? 'connections' : 'messages'}/s`);
  }, PROGRESS_MS);
  return () => {
    clearInterval(timer);
    stderr.write('\r\x1b[K');
  };
}

function complain(sentence: string): void {
  stderr.write(`load: ${sentence}\n`);
}
