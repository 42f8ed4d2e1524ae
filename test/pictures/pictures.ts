// All pictures of the documentation: how each is made, and what from. Used by main.ts and by the test that says which
// are old.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from '../helpers/paths.ts';
import { chartSvg, worksOf } from './chart-svg.ts';
import { demoPicture } from './demo.ts';
import { takePagePictures } from './page.ts';

/** Says of each picture what it was made from. */
const STAMPS = 'docs/pictures/made-from.json';
const SPEED = 'docs/speed.md';

export interface Picture {
  readonly name: string;
  /** Its files, from the folder of package.json. */
  readonly files: readonly string[];
  /** What it shows and is drawn by: when that is another text, it is old. */
  madeFrom(): string;
  /** Makes its files below `folder`. */
  make(folder: string): Promise<void>;
}

export const pictures: readonly Picture[] = [
  ofDemo('tickets', '--workers', '3'),
  ofDemo('semaphore'),
  {
    name: 'speed', files: ['docs/pictures/speed.svg'],
    madeFrom: chart,
    make: async (folder) => write(folder, 'docs/pictures/speed.svg', chart()),
  },
  {
    name: 'page', files: ['docs/page-light.png', 'docs/page-dark.png'],
    madeFrom: () => textOf('test/pictures/page.ts', ...readdirSync(join(ROOT, 'server/admin/page'))
      .filter((name) => /\.(?:js|css|html)$/.test(name)).sort().map((name) => `server/admin/page/${name}`)),
    make: async (folder) => await takePagePictures((scheme) => join(folder, `docs/page-${scheme}.png`)),
  },
];

/** Makes it below `folder`, and notes there what from. */
export async function makePicture(picture: Picture, folder: string): Promise<void> {
  for (const file of [...picture.files, STAMPS]) mkdirSync(dirname(join(folder, file)), { recursive: true });
  await picture.make(folder);
  const stamps = { ...stampsIn(folder), [picture.name]: stampOf(picture) };
  const sorted = Object.fromEntries(Object.entries(stamps).sort(([a], [b]) => (a < b ? -1 : 1)));
  write(folder, STAMPS, `${JSON.stringify(sorted, null, 2)}\n`);
}

/** Whether what it was made from has changed since. @param folder Where it is. */
export function isOld(picture: Picture, folder: string): boolean {
  return stampsIn(folder)[picture.name] !== stampOf(picture);
}

function stampsIn(folder: string): Record<string, string> {
  try {
    return JSON.parse(readFileSync(join(folder, STAMPS), 'utf8')) as Record<string, string>;
  } catch {
    return {};
  }
}

function stampOf(picture: Picture): string {
  return createHash('sha256').update(picture.madeFrom()).digest('hex').slice(0, 16);
}

function chart(): string {
  return chartSvg(worksOf(read(SPEED)));
}

function textOf(...paths: string[]): string {
  return paths.map((path) => `${path}\n${read(path)}`).join('');
}

function ofDemo(name: string, ...flags: string[]): Picture {
  const file = `docs/pictures/${name}.svg`;
  return {
    name, files: [file],
    madeFrom: () => textOf(...importsOf(`demos/${name}.ts`), ...['demo', 'terminal-svg', 'svg'].map((part) => (
      `test/pictures/${part}.ts`))),
    make: async (folder) => write(folder, file, await demoPicture([name, ...flags])),
  };
}

/** The demo's file, and what it imports that is a demo's: the toolkit may change without a change of the picture. */
function importsOf(path: string, found = new Set<string>()): string[] {
  found.add(path);
  for (const [, imported] of read(path).matchAll(/^(?:import|export) [^']*'(\.[^']+)';/gm)) {
    const target = join(dirname(path), imported!);
    if (target.startsWith('demos/') && !found.has(target)) importsOf(target, found);
  }
  return [...found].sort();
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

function write(folder: string, path: string, text: string): void {
  writeFileSync(join(folder, path), text);
}
