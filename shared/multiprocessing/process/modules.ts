// Where a target is: how every process finds the module that exports it, and the export in it. Used by process.ts and
// pool.ts in the process that names a target, and by child.ts and pool-worker.ts in the one that calls it.
import { realpathSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { isAbsolute } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { messageOf, WrongUse } from '../base/errors.ts';

/** A function that other processes can call: an exported one, by the name under which its module exports it. */
export interface Target<Args extends readonly unknown[], Result = unknown> {
  /**
   * The module that exports `target`: `import.meta.url` when it is your own; else another URL, an absolute path, or the
   * name of a package, which is found from the program that was started, as its own `require.resolve` would find it.
   */
  readonly module: string | URL;
  readonly target: (...args: Args) => Result;
}

/** The same as others are told of it. */
export interface Located {
  /** A URL, or what `import` finds from the toolkit's own folder. */
  readonly module: string;
  readonly target: string;
  /** Its source text, where its name may be none: then it must be that of the export. */
  readonly text?: string;
}

/** The module of a program that has no file: given on the command line, or on standard input. */
const NO_FILE = /(?:^|\/)\[(?:eval\d*|stdin)\]$/;

/** What to do about a program that would start others without end. */
export const GUARD = 'What only the program itself is to do goes behind `if (isMain(import.meta)) { … }`';
/**
 * So many processes may descend from one another that were all started for the same function. A module that starts one
 * only after it was imported (a test, a main function that awaits something first) cannot be told from its own
 * function. It mostly starts several: with four each, they are 340 in all.
 */
const MOST_DESCENDANTS = 4;

let lineage: readonly string[] = [];
let program: { readonly file: string | undefined } | undefined;
let importing: string | undefined;

/** The file of the program that was started, as the root of all its processes knows it; undefined when it has none. */
export function programFile(): string | undefined {
  program ??= { file: mainFile() };
  return program.file;
}

/** For child.ts: packages are found from where the root finds them. */
export function setProgramFile(file: string | undefined): void {
  program = { file };
}

/** For child.ts: what this process and those above it were started for. */
export function setLineage(value: readonly string[]): void {
  lineage = value;
}

/**
 * What a new child of this process and those above it are started for.
 * @param most So many of them may be started for the same. @throws {WrongUse} They are more.
 */
export function lineageOf({ module, target }: Located, name: string, most = MOST_DESCENDANTS): readonly string[] {
  const purpose = `${module}#${target}`;
  if (lineage.filter((other) => other === purpose).length >= most) {
    throw new WrongUse(`${name} cannot be started: ${most} processes that were started for ${target} of ${module} `
      + `descend from one another already, and no more may, as a program that starts itself would never end. ${GUARD}`);
  }
  return [...lineage, purpose];
}

/** What is being imported for a target right now, if anything is. */
export function importingNow(): string | undefined {
  return importing;
}

/**
 * Checks what is to be called elsewhere.
 * @param who Who is to call it: `a Process`.
 * @throws {WrongUse} The target is no function with a name; the module cannot be the same one in every process.
 */
export function locate({ module, target }: Target<never[]>, who: string): Located {
  if (typeof target !== 'function' || target.name === '') {
    throw new WrongUse(`the target of ${who} must be an exported function with a name, not ${inspect(target)}`);
  }
  const located = { module: locateModule(module, who), target: target.name };
  // So JavaScript names a function that is written in place, `{ module, target: () => … }`.
  return target.name === 'target' ? { ...located, text: String(target) } : located;
}

function locateModule(module: unknown, who: string): string {
  if (module instanceof URL) return locateModule(module.href, who);
  const refuse = (why: string): never => {
    const allowed = 'import.meta.url, another URL, an absolute path or a package';
    throw new WrongUse(`the module of ${who} must be ${allowed}: ${why}`);
  };
  if (typeof module !== 'string' || module === '') return refuse(`${inspect(module)} is none`);
  if (NO_FILE.test(module)) return refuse('the program has no file that another process could import');
  if (isAbsolute(module)) return pathToFileURL(module).href;
  // A relative path means another place in each process.
  if (/^\.\.?(?:\/|$)|^file:(?!\/)/.test(module)) return refuse(`'${module}' is relative`);
  if (URL.canParse(module) || isBuiltin(module)) return module;
  const from = programFile() ?? `${process.cwd()}/`;
  try {
    const found = createRequire(from).resolve(module);
    return isAbsolute(found) ? pathToFileURL(found).href : found;
  } catch (error) {
    // It is there for `import` alone, and that looks nowhere but from the toolkit's own folder.
    if ((error as NodeJS.ErrnoException).code === 'ERR_PACKAGE_PATH_NOT_EXPORTED') return module;
    return refuse(`'${module}' is not found from ${from}`);
  }
}

/** Imports the module of a target. Meanwhile this process starts no others. */
export async function importModule(module: string): Promise<Record<string, unknown>> {
  importing = module;
  try {
    return await import(module) as Record<string, unknown>;
  } catch (error) {
    throw new Error(`${module} cannot be imported: ${messageOf(error)}`, { cause: error });
  } finally {
    importing = undefined;
  }
}

export type Callee = (...args: unknown[]) => unknown;

/**
 * The function that a module exports by that name, or has under it in its default export: of CommonJS `import` does not
 * see all names. @throws {TypeError} It exports none, or another one; says what it does export.
 */
export function exportOf(exports: Record<string, unknown>, { module, target, text }: Located): Callee {
  const inDefault = Object(exports['default']) as Record<string, unknown>;
  const found = exports[target] ?? (Object.hasOwn(inDefault, target) ? inDefault[target] : undefined);
  if (typeof found === 'function' && (text === undefined || text === String(found))) return found as Callee;
  const isIt = (value: unknown): boolean => typeof value === 'function' && value.name === target && text === undefined;
  const other = Object.entries(exports).find(([, value]) => isIt(value));
  const hint = other === undefined ? Object.keys(exports).join(', ') || 'nothing'
    : `it by the name '${other[0]}', which is not the function's own`;
  const what = text === undefined ? `a function '${target}'` : 'the function that was given in place as the target';
  throw new TypeError(`${module} does not export ${what}; it exports ${hint}. `
    + 'Only an exported function can be called in another process');
}

/**
 * Whether the module is the program that was started, and not imported: `if (isMain(import.meta)) await main();`.
 * In a forked child it is never true, as with Python's `if __name__ == '__main__'`.
 */
export function isMain(meta: { readonly url: string; readonly main?: boolean }): boolean {
  // Node says so itself from version 24.2 on.
  if (typeof meta.main === 'boolean') return meta.main;
  if (NO_FILE.test(meta.url)) return true;
  const main = mainFile();
  try {
    return main !== undefined && main === realpathSync(fileURLToPath(meta.url));
  } catch {
    return false;
  }
}

/** Node takes a folder, or a path without extension, for its main program as `require` does. */
function mainFile(): string | undefined {
  const [, script] = process.argv;
  if (script === undefined || !isAbsolute(script)) return undefined;
  try {
    return realpathSync(createRequire(script).resolve(script));
  } catch {
    return undefined;
  }
}
