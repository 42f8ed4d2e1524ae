#!/usr/bin/env node
// The package's one command, `echopool`: becomes the program that its first word names, in this very process, so that
// signals, job control and the process id are that program's own. Nothing else is loaded: the server starts as quickly.
import { writeSync } from 'node:fs';
import { calledAs } from '../shared/called.ts';

interface Command {
  readonly summary: string;
  /** Runs it: each program begins when it is imported. */
  readonly load: () => Promise<unknown>;
}

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const commands: Readonly<Record<string, Command>> = {
  serve: { summary: 'the echo server; what echopool does without a word', load: () => import('./main.ts') },
  client: { summary: 'talks to a server: a prompt, or a filter in a pipe', load: () => import('../client/main.ts') },
  load: { summary: 'loads a server, and checks every reply', load: () => import('../client/load/main.ts') },
  demo: { summary: 'programs about processes, each with a lesson', load: () => import('../demos/main.ts') },
  status: { summary: 'what a server says of itself, once', load: () => import('../client/admin/status.ts') },
  top: { summary: 'the same, drawn again every second', load: () => import('../client/admin/top.ts') },
};

const [word] = process.argv.slice(2);
if (word === 'help') {
  process.exitCode = await tellHelp();
} else if (word === undefined || word.startsWith('-')) {
  const asksForHelp = process.argv.slice(2).some((argument) => argument === '--help' || argument === '-h');
  if (asksForHelp) process.exitCode = await tellHelp();
  else await become('serve', 'echopool');
} else if (Object.hasOwn(commands, word)) {
  process.argv.splice(2, 1);
  await become(word, `echopool ${word}`);
} else {
  const { didYouMean, quote } = await import('../shared/flags/words.ts');
  const names = Object.keys(commands);
  complain(`there is no command ${quote(word)}${didYouMean(word, names)} (${names.join(', ')})`);
  process.exitCode = EXIT_USAGE;
}

async function become(name: string, words: string): Promise<void> {
  calledAs(words);
  await commands[name]!.load();
}

async function tellHelp(): Promise<number> {
  const { print } = await import('../client/interactive/output.ts');
  process.stdout.on('error', () => {}); // print() tells of it.
  const problem = await print(process.stdout, helpText());
  if (problem !== undefined) complain(problem);
  return problem === undefined ? 0 : EXIT_FAILED;
}

function helpText(): string {
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(8)}${summary}`);
  return `Usage: echopool [serve] [flags]
       echopool COMMAND [arguments]

A TCP echo server of several processes, and what belongs to it:

${lines.join('\n')}

echopool COMMAND --help tells what each takes, echopool --version which version
this is. For programs there are the modules echopool, echopool/server and
echopool/client.

Exit codes: those of the command, and 2 if there is none of that name
`;
}

/** One line on standard error. Not by process.stderr: that would change the descriptor for all who share it. */
function complain(message: string): void {
  try {
    writeSync(2, `echopool: ${message}\n`);
  } catch {
    // There is nowhere left to say it; the exit code does.
  }
}
