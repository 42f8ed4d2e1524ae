// The last part of tickets.ts: a writer that is killed in the middle leaves half a file, unless it writes beside it.
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Barrier, Process } from '../shared/multiprocessing/index.ts';
import type { Result } from './stage/demo.ts';
import { replaceFile } from './stage/replace-file.ts';
import type { Screen } from './stage/screen.ts';
import { inTemporaryFolder } from './stage/temporary-folder.ts';

const OLD = JSON.stringify({ count: 1 });
const NEW = JSON.stringify({ count: 0 });

/** Comes to the middle of writing, says so, and never gets any further. */
export async function writeHalf(path: string, inTheMiddle: Barrier): Promise<void> {
  const file = await open(path, 'w');
  await file.write(NEW.slice(0, NEW.length / 2));
  await inTheMiddle.wait();
  await new Promise(() => setInterval(() => {}, 1000));
}

/** Shows that writing in place leaves half a file, and writing beside it leaves the old one whole. */
export async function showHalfWritten(screen: Screen): Promise<Result> {
  await screen.title('a writer is killed in the middle of writing');
  return await inTemporaryFolder(async (folder) => {
    const contents: string[] = [];
    for (const [file, draft, how] of [
      ['in-place.json', 'in-place.json', 'writing in place'],
      ['renamed.json', 'renamed.json.draft', 'writing beside it, to rename at the end'],
    ] as const) {
      await replaceFile(join(folder, file), OLD);
      const inTheMiddle = new Barrier(2);
      const args: [string, Barrier] = [join(folder, draft), inTheMiddle];
      const writer = new Process({ module: import.meta.url, target: writeHalf, args });
      writer.start();
      await inTheMiddle.wait();
      writer.kill();
      await writer.join();
      const content = await readFile(join(folder, file), 'utf8');
      const verdict = isJson(content) ? 'whole, as before' : screen.wrong('no JSON any more');
      await screen.say(`  ${how.padEnd(40)}  ${content.padEnd(11)}  ${verdict}`);
      contents.push(content);
    }
    const isShown = !isJson(contents[0]!) && contents[1] === OLD;
    const what = isShown ? 'half a file in place, a whole one with rename' : 'not shown';
    return { text: `a writer killed in the middle: ${what}`, isShown };
  });
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
