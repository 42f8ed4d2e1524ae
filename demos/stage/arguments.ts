// The demos' command line: arguments in, what to do out. Pure. Called by main.ts.
import { UsageError } from '../../shared/errors.ts';
import { readCommandLine, wordsOf } from '../../shared/flags/read.ts';
import { HELP, usagesOf, wholeNumber, type Flags, type Switch, type Value } from '../../shared/flags/table.ts';
import { didYouMean, quote } from '../../shared/flags/words.ts';
import type { Demo, Options } from './demo.ts';

export type Invocation =
  | { readonly kind: 'list' }
  | { readonly kind: 'help'; readonly demo: Demo }
  | { readonly kind: 'run'; readonly demo: Demo; readonly options: Options };

/** More processes than this teach nothing more. */
const MOST_WORKERS = 64;

/**
 * @param argv The arguments after the program's name.
 * @param cpus How many CPUs there are.
 * @throws {UsageError} One line that names what is wrong and what is allowed.
 */
export function parseArguments(argv: string[], demos: readonly Demo[], cpus: number): Invocation {
  const names = demos.map((demo) => demo.name);
  const [name, second] = wordsOf(argv, flagsOf(demos[0]!, cpus));
  if (name === undefined) {
    const [first = '--'] = argv;
    if (first === '--' || argv.includes('--help') || argv.includes('-h')) return { kind: 'list' };
    throw new UsageError(`${quote(first)} needs a demo before it: ${names.join(', ')}`);
  }
  const demo = demos.find((candidate) => candidate.name === name);
  if (demo === undefined) {
    throw new UsageError(`there is no demo ${quote(name)}${didYouMean(name, names)} (${names.join(', ')})`);
  }
  const flags = flagsOf(demo, cpus);
  const line = readCommandLine(argv, flags, { part: name, keepsWords: true });
  if (line.kind !== 'run') return { kind: 'help', demo };
  if (second !== undefined) {
    const rule = `after ${name} there are only flags (${usagesOf(flags)})`;
    throw new UsageError(`unexpected argument ${quote(second)}: ${rule}`);
  }
  const steps = demo.steps.map(({ flag }) => flag);
  const alone = steps.filter((flag) => line.givenBy.has(flag));
  if (alone.length > 1) {
    const both = alone.length > 2 ? 'all' : 'both';
    const these = alone.map((flag) => `--${flag}`).join(' and ');
    throw new UsageError(`${these} exclude each other: leave ${both} out to run all there is`);
  }
  const { workers = demo.usual(cpus) } = line.values;
  const switches = (demo.switches ?? []).flatMap(({ flag }) => (line.givenBy.has(flag) ? [flag] : []));
  return { kind: 'run', demo, options: { workers, steps: alone.length > 0 ? alone : steps, switches } };
}

/** All flags of a demo, with what its help says of them. */
export function flagsOf(
  { steps, switches = [], fewest, most, usual, workersAre }: Demo, cpus: number,
): Flags & { workers: Value<number> } {
  return {
    workers: {
      ...wholeNumber(fewest, most ?? MOST_WORKERS),
      help: `${workersAre} (here ${usual(cpus)}, at least ${fewest}${most === undefined ? '' : `, at most ${most}`})`,
    },
    ...Object.fromEntries(steps.map(({ flag, only }): [string, Switch] => [flag, { help: `run only ${only}` }])),
    ...Object.fromEntries(switches.map(({ flag, help }): [string, Switch] => [flag, { help }])),
    help: { short: HELP.short },
  };
}
