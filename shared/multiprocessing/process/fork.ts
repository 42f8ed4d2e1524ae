// How Process starts child.ts: which flags, environment and descriptors the new process gets. Used by process.ts only.
import { fork } from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { ownFile } from '../base/own-file.ts';
import type { Port } from '../transport/port.ts';

/** What child_process.fork calls by the same names. */
export interface ForkOptions {
  /** The whole environment of the process. Default: that of this process. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** The working directory in which its module is imported. Default: that of this process. */
  readonly cwd?: string | URL | undefined;
  /** Flags for node. Default: those of this process, but for those that mean its program alone, as `--eval`. */
  readonly execArgv?: readonly string[] | undefined;
  /** Default: nothing to read, and this process's standard output and error. The channel need not be named. */
  readonly stdio?: StdioOptions | undefined;
}

/** What says which program this process runs, or takes a port or a terminal that others cannot have as well. */
const NOT_FOR_CHILDREN = new RegExp('^(?:-e|-p|-pe|-i|-c|--eval|--print|--interactive|--check|--input-type|--debug-port'
  + '|--(?:inspect|watch|test|experimental-test)(?:-.*)?)$');

/** Where the file is that each child runs. @throws {WrongUse} The package is in a bundle. */
export function childEntry(): URL {
  return ownFile(import.meta.url, 'multiprocessing/process/fork', '../child');
}

/** The flags of a process that suit its children. @param flags Its `process.execArgv`. */
export function flagsForChildren(flags: readonly string[]): string[] {
  let isFit = true;
  return flags.filter((flag) => {
    // What begins with no dash belongs to the flag before it.
    if (flag.startsWith('-')) isFit = !NOT_FOR_CHILDREN.test(flag.replace(/=.*/s, ''));
    return isFit;
  });
}

/**
 * Forks child.ts with one more pipe than asked for, for what it has to say when it exits.
 * @returns The child, and the number that this pipe has there.
 * @param entry Where child.ts is: {@link childEntry}.
 * @throws What the system or Node refuses it for; the system may also do so by the child's 'error'.
 */
export function forkChild(entry: URL, { env, execArgv, stdio }: ForkOptions): { child: ChildProcess; exitFd: number } {
  const all = streamsOf(stdio);
  const child = fork(entry, [], {
    serialization: 'json', stdio: all, env: environmentFor(env ?? process.env),
    execArgv: [...execArgv ?? flagsForChildren(process.execArgv)],
  });
  return { child, exitFd: all.length - 1 };
}

function streamsOf(stdio: StdioOptions | undefined): Exclude<StdioOptions, string> {
  // Standard input stays the parent's own: two readers of one terminal would take each other's keys.
  const streams: Exclude<StdioOptions, string> = stdio === undefined ? ['ignore', 'inherit', 'inherit']
    : typeof stdio === 'string' ? [stdio, stdio, stdio] : [...stdio];
  while (streams.length < 3) streams.push(undefined);
  if (!streams.includes('ipc')) streams.push('ipc');
  streams.push('pipe');
  return streams;
}

/** The environment for a child: a debugger's port is this process's own, by whichever way it was asked for. */
export function environmentFor(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const flags = env['NODE_OPTIONS'];
  if (flags === undefined || flags !== process.env['NODE_OPTIONS'] || !flags.includes('--inspect')) return env;
  return { ...env, NODE_OPTIONS: flags.replace(/(?<!\S)--inspect\S*/g, '') };
}

/** The port of a process that could not be forked. */
export function nowhere(): Port {
  return Object.assign(new EventEmitter(), { connected: false });
}
