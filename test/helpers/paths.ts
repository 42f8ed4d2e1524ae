// Where the project's files are, in both ways in which the tests run: compiled, as `npm test` does it, because a
// process then starts in a quarter of the time; and as they are written, through tsx, which is handy for a single file.
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const isCompiled = import.meta.url.endsWith('.js');

/** The folder of package.json. Whatever is no module of ours, such as README.md, is found from here. */
export const ROOT = fileURLToPath(new URL(isCompiled ? '../../..' : '../..', import.meta.url));
/** From there, the folder in which the modules are as they run now: the one that tsconfig.test.json names, or none. */
export const MODULES = relative(ROOT, fileURLToPath(new URL('../..', import.meta.url)));

/**
 * The file of a module as it runs now.
 * @param path Of its source, from the folder of package.json: `server/main.ts`.
 * @param root Instead of the folder of package.json, a copy of it.
 */
export function modulePath(path: string, root = ROOT): string {
  return join(root, MODULES, isCompiled ? path.replace(/\.ts$/, '.js') : path);
}

/** The same for whoever imports it: what `new Process()` takes as its module. */
export function moduleUrl(path: string): URL {
  return pathToFileURL(modulePath(path));
}

/**
 * What node needs to run a module; the program's own arguments follow. The parameters are those of {@link modulePath}.
 */
export function nodeArgs(path: string, root = ROOT): string[] {
  return [...(isCompiled ? [] : ['--import', 'tsx']), modulePath(path, root)];
}

/**
 * What node needs to run a module as it is written, through tsx, whichever way the tests run.
 */
export function tsxArgs(path: string): string[] {
  return ['--import', 'tsx', join(ROOT, path)];
}
