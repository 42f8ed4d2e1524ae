// Where a file of ours is that a process is started with. Used by whatever starts processes.
import { WrongUse } from './errors.ts';

/**
 * @param from The `import.meta.url` of the file that asks; a bundle for CommonJS has none.
 * @param own The end of that file's path, without its extension: in a bundle it is another.
 * @param path Of the other file from there, without its extension, which is the same.
 * @throws {WrongUse} The package is in a bundle.
 */
export function ownFile(from: string | undefined, own: string, path: string): URL {
  const [, extension] = new RegExp(`/${own}(\\.[jt]s)(?:\\?.*)?$`).exec(from ?? '') ?? [];
  if (extension !== undefined) return new URL(`${path}${extension}`, from);
  throw new WrongUse('no process can be started from a bundle: a new process needs the files of the package echopool, '
    + 'which it finds by their place; keep it out of the bundle, as esbuild does with --external:echopool');
}
