// The page's files, as they are in server/admin/page/: read when the first one is asked for, and then kept. Used by
// admin.ts.
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Answer } from './answer.ts';

/** From here, and from where this file is once it is compiled: the page itself is not, and stays where it is. */
const FOLDER = new URL(import.meta.url.endsWith('.ts') ? './page/' : '../../../server/admin/page/', import.meta.url);
/** What is of any other kind is not served. */
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
};

export class PageFiles {
  readonly #folder: string;
  #files: Promise<ReadonlyMap<string, Answer>> | undefined;

  constructor(folder: string = fileURLToPath(FOLDER)) {
    this.#folder = folder;
  }

  /**
   * @param name Its path in the folder: `page.css`.
   * @returns undefined: there is no such file.
   * @throws The system's error when they cannot be read; the next call tries again.
   */
  async get(name: string): Promise<Answer | undefined> {
    // Looked up among those that there are: no name leads anywhere else.
    this.#files ??= readAll(this.#folder);
    try {
      return (await this.#files).get(name);
    } catch (error) {
      this.#files = undefined;
      throw error;
    }
  }
}

async function readAll(folder: string): Promise<ReadonlyMap<string, Answer>> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => Object.hasOwn(TYPES, extname(name)));
  return new Map(await Promise.all(names.map(async (name): Promise<[string, Answer]> =>
    [name, { status: 200, type: TYPES[extname(name)]!, body: await readFile(join(folder, name)) }])));
}
