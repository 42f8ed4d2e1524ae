#!/usr/bin/env node
// The load generator's command line (npm run load): flags, progress, signals and the exit code.

import { callOf, complainsAs } from '../../shared/called.ts';
import { messageOf, UsageError } from '../../shared/errors.ts';
import { watchWait } from '../../shared/multiprocessing/base/time-limit.ts';
import { addressOf, openSocket, type Endpoint } from '../echo-client.ts';
import { digits, grouped } from '../../shared/terminal/bars.ts';
import { loadHelp, parseLoadCommand, type LoadCommand, type LoadOptions } from './config.ts';
import { Load } from './processes.ts';
import { reportOf, reportText } from './report.ts';
import { print } from '../interactive/output.ts';

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

stdout.on('error', () => {}); // Each says it where it writes.
stderr.on('error', () => {}); // Nobody is left to be told.
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
  if (command.kind === 'help') return await printed(loadHelp(callOf('npm run load'))) ? 0 : EXIT_FAILED;
  for (const note of command.notes) complain(note);
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
  const isMeasured = report.messages > 0 || report.histogramUs.length > 0;
  const text = json ? JSON.stringify(report) : isMeasured ? reportText(report) : undefined;
  const isPrinted = text === undefined || await printed(`${text}\n`);
  for (const problem of report.problems) complain(problem);
  if (!isPrinted) return EXIT_FAILED;
  if (interrupt.signal.aborted) return EXIT_INTERRUPTED;
  return report.problems.length > 0 ? EXIT_FAILED : 0;
}

/** Prints on standard output. @returns Whether that went well; if not it is said. */
async function printed(text: string): Promise<boolean> {
  const problem = await print(stdout, text);
  if (problem !== undefined) complain(problem);
  return problem === undefined;
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
async function addressOfServer(endpoint: Endpoint, interrupt: AbortSignal): Promise<string> {
  const patience = new AbortController();
  const endWatch = watchWait({ timeoutMs: CONNECT_LIMIT_MS }, () => patience.abort(), () => {});
  try {
    const socket = await openSocket({ ...endpoint, signal: AbortSignal.any([interrupt, patience.signal]) });
    socket.on('error', () => {});
    const address = socket.remoteAddress ?? endpoint.host;
    socket.destroy();
    return address;
  } catch (error) {
    if (!patience.signal.aborted) throw error;
    throw new Error(`No answer from ${addressOf(endpoint)} for ${CONNECT_LIMIT_MS / 1000} s.`);
  } finally {
    endWatch();
  }
}

/** A line that is written over again and again. @returns What ends it. */
function showProgress(load: Load, { durationMs, churn, messages: wanted, rate: due }: LoadOptions): () => void {
  const begun = performance.now();
  const what = churn ? 'connections' : 'messages';
  let last = { at: begun, messages: 0 };
  const timer = setInterval(() => {
    const at = performance.now();
    const { messages } = load;
    const rate = (messages - last.messages) / (at - last.at) * 1000;
    last = { at, messages };
    const far = wanted === undefined
      ? `${((at - begun) / 1000).toFixed(1)} of ${durationMs / 1000} s`
      : `${grouped(messages)} of ${grouped(wanted)} ${what}`;
    const of = due === undefined ? '' : ` of ${digits(due)}`;
    stderr.write(`\r\x1b[K${far}  ${grouped(rate)}${of} ${what}/s`);
  }, PROGRESS_MS);
  return () => {
    clearInterval(timer);
    stderr.write('\r\x1b[K');
  };
}

function complain(sentence: string): void {
  stderr.write(`${complainsAs('load')}: ${sentence}\n`);
}
