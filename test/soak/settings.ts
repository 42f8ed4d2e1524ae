// The flags of the soak. Used by main.ts.
import { parseArgs } from 'node:util';

export const HELP = `Usage: npm run soak -- [flags]

Runs one server under a load that checks every byte, while faults of every kind come in a random order.

  --minutes N   how long, decimals allowed (10)
  --seed N      which order, from 0 to ${2 ** 32 - 1}; a failed soak prints its own (random)
  -h, --help    print this and leave

Exit codes: 0 all held, 1 something did not, 2 wrong use.`;

/** @param args As of the command line. @returns What was asked for, `help`, or what is wrong with it. */
export function readSettings(args: string[]): { minutes: number; seed: number } | string {
  try {
    const { values } = parseArgs({
      args,
      options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    });
    if (values.help) return 'help';
    const minutes = Number(values.minutes);
    const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(values.seed);
    if (!(minutes > 0)) return `--minutes must be a number above 0, not ${JSON.stringify(values.minutes)}`;
    if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
      return `--seed must be a whole number from 0 to ${2 ** 32 - 1}, not ${JSON.stringify(values.seed)}`;
    }
    return { minutes, seed };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
