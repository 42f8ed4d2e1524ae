// The demos' command line: `npm run demo` lists them, `npm run demo -- NAME` runs one. Signals and exit codes are here.
import { writeSync } from 'node:fs';
import { constants } from 'node:os';
import { callOf, complainsAs } from '../shared/called.ts';
import { messageOf, UsageError } from '../shared/errors.ts';
import { activeChildren, cpuCount } from '../shared/multiprocessing/index.ts';
import { parseArguments } from './stage/arguments.ts';
import { demos } from './catalog.ts';
import { helpFor, listText } from './stage/help.ts';
import { Screen } from './stage/screen.ts';

const CALL = callOf('npm run demo');
const EXIT_NOT_SHOWN = 1;
const EXIT_USAGE = 2;
/** What shells add to a signal's number. */
const EXIT_SIGNALLED = 128;

let isInterrupted = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void interrupted(signal));

const screen = new Screen();
const exitCode = await main();
if (!isInterrupted) {
  await screen.close();
  process.exit(exitCode);
}

async function main(): Promise<number> {
  try {
    const invocation = parseArguments(process.argv.slice(2), demos, cpuCount());
    switch (invocation.kind) {
      case 'list':
        await screen.say(listText(demos, CALL));
        return 0;
      case 'help':
        await screen.say(helpFor(invocation.demo, cpuCount(), CALL));
        return 0;
      case 'run': {
        await screen.say(`${invocation.demo.happens}\nLook: ${invocation.demo.look}`);
        const isShown = await invocation.demo.run(screen, invocation.options);
        if (!isShown) complain(`${invocation.demo.name} did not show what it should`);
        return isShown ? 0 : EXIT_NOT_SHOWN;
      }
    }
  } catch (error) {
    if (!isInterrupted) complain(messageOf(error));
    return error instanceof UsageError ? EXIT_USAGE : EXIT_NOT_SHOWN;
  }
}

/** Ends the children first, so that none of them writes a file into a folder that is just being removed. */
async function interrupted(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): Promise<void> {
  if (isInterrupted) return;
  isInterrupted = true;
  const children = activeChildren();
  for (const child of children) child.kill();
  for (const child of children) await child.join();
  process.exit(EXIT_SIGNALLED + constants.signals[signal]);
}

/** One line on standard error. Not through process.stderr: that would change the descriptor for all who share it. */
function complain(message: string): void {
  try {
    writeSync(2, `${complainsAs('demo')}: ${message}\n`);
  } catch {
    // There is nowhere left to say it; the exit code does.
  }
}
