// The flags of the soak. Used by main.ts.
import { UsageError } from '../../shared/errors.ts';
import { flagLines } from '../../shared/flags/help.ts';
import { readCommandLine } from '../../shared/flags/read.ts';
import { decimal, HELP, wholeNumber, type Flags } from '../../shared/flags/table.ts';

const MOST_SEED = 2 ** 32 - 1;

const flags = {
  minutes: {
    ...decimal(Number.MIN_VALUE, Infinity), allowed: 'a number above 0', fallback: '10',
    help: 'how long, decimals allowed',
  },
  seed: {
    ...wholeNumber(0, MOST_SEED), help: `which order, from 0 to ${MOST_SEED}; a failed soak prints its own (random)`,
  },
  help: HELP,
} satisfies Flags;

export const SOAK_HELP = `Usage: npm run soak -- [flags]

Runs one server under a load that checks every byte, while faults of every kind come in a random order.

${flagLines(flags, 16)}

Exit codes: 0 all held, 1 something did not, 2 wrong use.`;

/** @param args As of the command line. @returns What was asked for, `help`, or what is wrong with it. */
export function readSettings(args: string[]): { minutes: number; seed: number } | string {
  try {
    const line = readCommandLine(args, flags);
    if (line.kind !== 'run') return line.kind;
    const { minutes, seed = Math.floor(Math.random() * (MOST_SEED + 1)) } = line.values;
    return { minutes, seed };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return error.message;
  }
}
