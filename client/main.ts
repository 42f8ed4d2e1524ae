#!/usr/bin/env node
// The client program (npm run client): a prompt on a terminal, a filter in a pipe.

import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { callOf, complainsAs } from '../shared/called.ts';
import { UsageError } from '../shared/errors.ts';
import { clientHelp, historyFile, parseClientCommand, type ClientCommand } from './config.ts';
import { converse } from './interactive/conversation.ts';
import { History } from './interactive/history.ts';
import { print } from './interactive/output.ts';
import { relay } from './interactive/relay.ts';

const { stdin, stdout, stderr } = process;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

async function main(): Promise<void> {
  stderr.on('error', () => {}); // Nobody is left to be told.
  stdout.on('error', () => {}); // Each says it where it writes.
  let command: ClientCommand;
  try {
    command = parseClientCommand(process.argv.slice(2), process.env);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    complain(error.message);
    process.exitCode = EXIT_USAGE;
    return;
  }
  switch (command.kind) {
    case 'help': return fail(await print(stdout, clientHelp(callOf('npm run client', 'echopool-client'))));
    case 'version': return fail(await print(stdout, `${version()}\n`));
    case 'talk': return await talk(command);
  }
}

async function talk({ endpoint, history, greeting, notes }: Extract<ClientCommand, { kind: 'talk' }>): Promise<void> {
  for (const note of notes) complain(note);
  // With a prompt in a file nobody would see it, so both ends have to be a terminal.
  if (!stdin.isTTY || !stdout.isTTY) return fail(await relay(endpoint, { stdin, stdout }, greeting));
  const path = history ? historyFile(process.env, home()) : undefined;
  const isWell = await converse(endpoint, { stdin, stdout }, path === undefined ? undefined : new History(path));
  if (!isWell) process.exitCode = EXIT_FAILED;
}

/** One line on standard error. */
function complain(sentence: string): void {
  stderr.write(`${complainsAs('echopool-client')}: ${sentence}\n`);
}

/** The process will exit with 1, and says why; without a reason all went well. */
function fail(why: string | undefined): void {
  if (why === undefined) return;
  complain(why);
  process.exitCode = EXIT_FAILED;
}

/** None for a user whom the system does not know. */
function home(): string | undefined {
  try {
    return homedir();
  } catch {
    return undefined;
  }
}

function version(): string {
  // By the package's own name, as this file lies one directory deeper once it is built.
  const own = createRequire(import.meta.url)('echopool/package.json') as { version: string };
  return own.version;
}

await main();
