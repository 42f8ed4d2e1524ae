// How the program that runs was called: by the command `echopool`, by a command of its own, or from a checkout by npm.
// So a usage line can be typed as it is printed. Used by each program's main.ts and help.
import { basename } from 'node:path';

let command: string | undefined;

/** What runs here was called as `echopool client`, or the like. Only server/echopool.ts says that. */
export function calledAs(words: string): void {
  command = words;
}

/**
 * What stands before the flags in a usage line: `echopool client`, `echopool-client` or `npm run client --`.
 * @param script By which npm runs it in a checkout: `npm run client`.
 * @param own The command of its own, if it has one.
 */
export function callOf(script: string, own?: string): string {
  if (command !== undefined) return command;
  return own !== undefined && basename(process.argv[1] ?? '') === own ? own : `${script} --`;
}

/** By which name it complains. @param usual Unless `echopool` has called it. */
export function complainsAs(usual: string): string {
  return command ?? usual;
}
