// The texts of `echopool demo` and of `echopool demo NAME --help`. Pure. Called by main.ts.
import { flagLines } from '../../shared/flags/help.ts';
import { flagsOf } from './arguments.ts';
import type { Demo } from './demo.ts';

/** The list of all demos, with a line each. @param call What stands before the name: `echopool demo`. */
export function listText(demos: readonly Demo[], call: string): string {
  const width = Math.max(...demos.map(({ name }) => name.length));
  return `Programs about processes: what goes wrong, and the same program put right.

  ${call} NAME [--workers N] [flags]
  ${`${call} NAME --help`.padEnd(45)}what to look at

${demos.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join('\n')}
`;
}

/** What one demo shows, what to look at, and its flags. @param call What stands before the name: `echopool demo`. */
export function helpFor(demo: Demo, cpus: number, call: string): string {
  const column = Math.max('workers N'.length, ...demo.steps.map(({ flag }) => flag.length)) + 6;
  const alone = demo.steps.length === 0 ? '' : ` [${demo.steps.map(({ flag }) => `--${flag}`).join(' | ')}]`;
  const usage = alone + (demo.switches ?? []).map(({ flag }) => ` [--${flag}]`).join('');
  return `${demo.name}: ${demo.summary}

${demo.lookAt}

  ${call} ${demo.name}${usage} [--workers N]

${flagLines(flagsOf(demo, cpus), column)}

Exit codes: 0 it showed what it should, 1 it did not, 2 wrong name or flag
The program: demos/${demo.name}.ts
`;
}
