// Replaces a file as a whole: whoever reads it finds the old content or the new one, never half of it. For tickets.ts.
import { rename, writeFile } from 'node:fs/promises';

let last = 0;

/**
 * Writes the new content beside the old one and gives it its name when it is complete: rename(2) is one step, which no
 * reader sees half done, and neither the death of the writer. A name of its own for each writing, as there may be many.
 */
export async function replaceFile(path: string, content: string): Promise<void> {
  const draft = `${path}.${process.pid}.${++last}`;
  await writeFile(draft, content);
  await rename(draft, path);
}
