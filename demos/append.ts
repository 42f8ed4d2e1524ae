// Teaches what processes share without being told: the file system. Many append to one file, and no line is lost or
// torn, because the system itself moves each write to the end of a file that was opened for appending (O_APPEND).
// After the second Python tutorial's first program on communication: 100 processes, each with a line for the same file.
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Barrier, Pool } from '../shared/multiprocessing/index.ts';
import { oneForEachCpu } from './stage/demo.ts';
import type { Demo, Options } from './stage/demo.ts';
import type { Screen } from './stage/screen.ts';
import { inTemporaryFolder } from './stage/temporary-folder.ts';

const TASKS = 100;
/** A number of two digits and a space, or of three. */
const COLUMNS_A_TASK = 3;

export const append: Demo = {
  name: 'append',
  summary: `${TASKS} tasks append to one file: every line is there`,
  happens: 'Many processes write a line for each of 100 tasks into one file.',
  look: 'how many of the tasks are in the file in the end?',
  lookAt: `Part 1: each process looks where the file ends and writes on from there. All
of them look before the first one writes, so they write over each other's
lines.
Part 2: the same with the file opened for appending ('a'): look at the order
of the tasks in the file, and that none is missing.
${TASKS} tasks are done by a few processes, as a process for each would take far
longer to start than to work.`,
  workersAre: 'processes',
  fewest: 2,
  usual: oneForEachCpu(2),
  steps: [],
  run,
};

const module = import.meta.url;

/** The only difference between the two parts: `r+` writes where it is told to; `a`, on Linux, always at the end. */
type Flag = 'r+' | 'a';

const parts = [
  { flag: 'r+', title: 'each writes at the end that it knows of', summary: 'at their own ends' },
  { flag: 'a', title: 'opened for appending', summary: 'appending' },
] as const;

/** All lines are equally long, so that one that is written over another covers it. */
function lineOf(task: number): string {
  return `task ${String(task).padStart(3)}\n`;
}

/** Does some of the tasks: a line for each. */
export async function work(path: string, flag: Flag, tasks: number[], everybody: Barrier): Promise<void> {
  const file = await open(path, flag);
  let end = (await file.stat()).size;
  await everybody.wait();
  for (const task of tasks) {
    const { bytesWritten } = await file.write(lineOf(task), end);
    end += bytesWritten;
    await sleep(Math.random() * 3);
  }
  await file.close();
}

async function run(screen: Screen, { workers }: Options): Promise<boolean> {
  const pool = new Pool(workers);
  const results: { text: string; found: number }[] = [];
  for (const { flag, title, summary } of parts) {
    await screen.title(`${results.length + 1}. open(file, '${flag}'): ${title}`);
    const lines = await inTemporaryFolder(async (folder) => {
      const path = join(folder, 'words.txt');
      await (await open(path, 'w')).close();
      const everybody = new Barrier(workers);
      await Promise.all(Array.from({ length: workers }, (_, worker) => {
        const tasks = Array.from({ length: TASKS }, (_, task) => task).filter((task) => task % workers === worker);
        return pool.apply({ module, target: work }, [path, flag, tasks, everybody]);
      }));
      return (await readFile(path, 'utf8')).split(/(?<=\n)/);
    });
    const found = await report(screen, lines, workers);
    const lost = screen.wrong(`${TASKS - found} lost`, found < TASKS);
    results.push({ text: `${TASKS} tasks, ${workers} processes, ${summary}: ${found} in the file, ${lost}`, found });
  }
  pool.close();
  await pool.join();
  await screen.say(`\n${results.map(({ text }) => text).join('\n')}`);
  return results[0]!.found < TASKS && results[1]!.found === TASKS;
}

/** @returns How many tasks have one whole line in the file, and no more than one. */
async function report(screen: Screen, lines: string[], workers: number): Promise<number> {
  const found = lines.map((line) => Number(/^task +(\d+)\n$/.exec(line)?.[1] ?? NaN));
  const once = found.filter((task) => Number.isInteger(task) && found.indexOf(task) === found.lastIndexOf(task));
  const shown = found.map((task) => screen.ofWorker(task % workers + 1, String(task).padStart(3)));
  const rows: string[] = [];
  const perRow = Math.min(25, Math.floor((screen.columns - 3) / COLUMNS_A_TASK));
  for (let at = 0; at < shown.length; at += perRow) rows.push(shown.slice(at, at + perRow).join(''));
  const outOfOrder = found.filter((task, i) => i > 0 && task < found[i - 1]!).length;
  await screen.say(`${rows.map((row) => `  ${row}`).join('\n')}
  each number is the line of that task, in the order of the file; a colour for each process
  ${once.length} tasks with a whole line; ${outOfOrder} lines come right behind one of a later task`);
  return once.length;
}
