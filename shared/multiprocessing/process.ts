// Process: runs an exported function in a process of its own. Follows Python's multiprocessing.Process.
//
// start() forks child.ts, which imports the target's module, calls the target with the arguments, and reports what it
// threw. The fork channel carries everything between the two: arguments, the primitives' messages, the users' own.
import { fork } from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { constants } from 'node:os';
import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { messageOf } from '../errors.ts';
import { Channel } from './channel.ts';
import type { Port } from './channel.ts';
import { prepare, ticketsOf } from './codec.ts';
import type { Encoded } from './codec.ts';
import { currentProcess } from './current.ts';
import { WrongUse } from './errors.ts';
import type { Death } from './errors.ts';
import { keepNoLonger, keepWhileAwaiting, waitBegins, waitEnds } from './keep-alive.ts';
import type { Refable } from './keep-alive.ts';
import { rebuildError } from './remote-error.ts';
import type { RemoteError } from './remote-error.ts';
import * as router from './router.ts';
import { limitTime } from './time-limit.ts';

/** A function that other processes can call: an exported one, by the name under which its module exports it. */
export interface Target<Args extends unknown[], Result = unknown> {
  /** The module that exports `target`: `import.meta.url` when it is your own. */
  readonly module: string | URL;
  readonly target: (...args: Args) => Result;
}

export interface ProcessOptions<Args extends unknown[]> extends Target<Args> {
  /** Structured clones; the toolkit's primitives may be among them. */
  readonly args: NoInfer<Args>;
  /** `Process-1`, `Process-2` … when not given. */
  readonly name?: string;
  /** A daemon is ended when its parent ends; for the others the parent waits. Default: false. */
  readonly daemon?: boolean;
}

/** The first message to a forked child: who it is and what to run. */
export interface StartMessage {
  readonly address: string;
  readonly name: string;
  readonly daemon: boolean;
  readonly module: string;
  readonly target: string;
  readonly args: Encoded[];
}

/** The name under which a child tells its parent what its target threw, where envelopes name a primitive. */
export const FAILED = '!';

/** How long after a child's 'exit' its last messages may still be on the way, in milliseconds. */
const LAST_MESSAGES_MS = 1000;
const CHILD_ENTRY = new URL(import.meta.url.endsWith('.ts') ? './child.ts' : './child.js', import.meta.url);

let lastNumber = 0;
const running = new Set<Process>();

/** The processes that this one has started and that have not ended yet, as Python's active_children(). */
export function activeChildren(): Process[] {
  return [...running];
}

// No child outlives its parent. A busy one would not notice the closed channel, so all that are left are told here;
// those that are no daemons only run still if this process did not come to its end by itself.
process.once('exit', () => {
  for (const child of running) child.terminate();
});

export class Process<Args extends unknown[] = never[]> {
  readonly name: string;
  readonly daemon: boolean;
  #settleEnded: (death: Death) => void = () => {};
  /** Settles with how it ended, once it has. Awaiting this does not keep the program running; awaiting join() does. */
  readonly ended: Promise<Death> = new Promise((resolve) => { this.#settleEnded = resolve; });
  readonly #start: Omit<StartMessage, 'address' | 'args'>;
  #args: unknown[];
  #isStarted = false;
  #child: ChildProcess | undefined;
  #channel: Channel | undefined;
  #refable: Refable | undefined;
  #death: Death | undefined;
  #error: Error | undefined;
  #address = '';
  readonly #joiners: (() => void)[] = [];

  /** @throws {WrongUse} The target has no name by which its module could export it; the module is a relative path. */
  constructor(options: ProcessOptions<Args>) {
    if (typeof options.target !== 'function' || options.target.name === '') {
      const given = inspect(options.target);
      throw new WrongUse(`the target of a Process must be an exported function with a name, not ${given}`);
    }
    const parentName = currentProcess().name;
    const number = ++lastNumber;
    this.name = options.name ?? (parentName === 'MainProcess' ? `Process-${number}` : `${parentName}:${number}`);
    this.daemon = options.daemon ?? false;
    this.#args = [...options.args];
    this.#start = {
      name: this.name, daemon: this.daemon, module: locate(options.module), target: options.target.name,
    };
  }

  /** The system's number of the process; undefined before start() and when it could not be forked. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** null until it has ended; then what it returned to the system, or minus the number of the signal that ended it. */
  get exitCode(): number | null {
    return this.#death?.exitCode ?? null;
  }

  /** What the target threw, or why the process could not be forked. Its stack is the child's. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** The channel for your own messages to the child, and for sockets. The other end is `currentProcess().parent`. */
  get channel(): Channel {
    if (this.#channel === undefined) throw new WrongUse(`${this.name} has no channel before start()`);
    return this.#channel;
  }

  /** Whether it was started and has not ended. */
  isAlive(): boolean {
    return this.#isStarted && this.#death === undefined;
  }

  /**
   * Starts the process. Returns at once: when it runs is the system's affair. If it could not be forked, it has ended
   * with an `error`.
   * @throws {WrongUse} It was started before. @throws {NotCloneable} An argument cannot be sent.
   */
  start(): void {
    if (this.#isStarted) throw new WrongUse(`${this.name} cannot be started twice`);
    const prepared = this.#args.map((arg, i) => prepare(arg, `argument ${i + 1} of ${this.name}`));
    const args = prepared.map((encodeIt) => encodeIt());
    this.#args = [];
    this.#isStarted = true;
    this.#address = router.newChildAddress();
    const child = this.#fork();
    this.#channel = new Channel(child ?? nowhere(), (envelope) => {
      if (envelope[2] === FAILED) this.#error ??= rebuildError(envelope[3] as RemoteError, this.#who());
      else router.arrive(envelope, this.#address);
    });
    router.addChild(this.#address, this.#channel);
    running.add(this);
    if (child !== undefined) this.#watch(child);
    this.#channel.post({ ...this.#start, address: this.#address, args } satisfies StartMessage);
    // Whoever owns a primitive learns at once that this child has it, even if it dies before it can say so itself.
    for (const { ref } of args.flatMap(ticketsOf)) {
      router.postFor(this.#address, router.ownerOf(ref), ref, router.ATTACH);
    }
  }

  /**
   * Waits for the process to end: true when it has, false when `timeoutMs` ran out before.
   * @throws {WrongUse} It was not started.
   */
  async join(timeoutMs?: number): Promise<boolean> {
    if (!this.#isStarted) throw new WrongUse(`${this.name} cannot be joined before start()`);
    if (this.#death !== undefined) return true;
    waitBegins();
    try {
      return await new Promise<boolean>((resolve) => {
        const timer = limitTime(timeoutMs, () => {
          this.#joiners.splice(this.#joiners.indexOf(joined), 1);
          resolve(false);
        });
        const joined = (): void => {
          clearTimeout(timer);
          resolve(true);
        };
        this.#joiners.push(joined);
      });
    } finally {
      waitEnds();
    }
  }

  /** Asks the process to end (SIGTERM). Nothing happens when it has ended. @throws {WrongUse} It was not started. */
  terminate(): void {
    this.#signal('SIGTERM');
  }

  /** Ends the process at once (SIGKILL). Nothing happens when it has ended. @throws {WrongUse} It was not started. */
  kill(): void {
    this.#signal('SIGKILL');
  }

  #signal(signal: NodeJS.Signals): void {
    if (!this.#isStarted) throw new WrongUse(`${this.name} cannot be ended before start()`);
    this.#child?.kill(signal);
  }

  #who(): string {
    return `${this.name} (pid ${this.#child?.pid})`;
  }

  /** undefined, with the reason in `error`, when the system refuses at once; it may also do so by the event 'error'. */
  #fork(): ChildProcess | undefined {
    try {
      // Standard input stays the parent's own: two readers of one terminal would take each other's keys.
      const stdio: StdioOptions = ['ignore', 'inherit', 'inherit', 'ipc'];
      this.#child = fork(CHILD_ENTRY, [], { serialization: 'json', stdio });
    } catch (error) {
      process.nextTick(() => this.#notForked(error));
    }
    return this.#child;
  }

  #watch(child: ChildProcess): void {
    child.once('exit', (code, signal) => this.#exited(code ?? -constants.signals[signal ?? 'SIGKILL']));
    child.on('error', (error) => {
      // With a pid it is a message that came too late for it. Its 'exit' says the rest.
      if (child.pid === undefined) this.#notForked(error);
    });
    if (!this.daemon) return;
    this.#refable = {
      ref: () => { child.ref(); child.channel?.ref(); },
      unref: () => { child.unref(); child.channel?.unref(); },
    };
    keepWhileAwaiting(this.#refable);
  }

  #notForked(reason: unknown): void {
    this.#error = new Error(`${this.name} could not be forked: ${messageOf(reason)}`, { cause: reason });
    this.#ended(1);
  }

  /**
   * The process is gone; what it wrote before may still be on the way, up to the end of the channel. That end shows in
   * `connected` alone: there is no 'disconnect' when a socket was on its way.
   */
  #exited(exitCode: number): void {
    const child = this.#child!;
    const deadline = performance.now() + LAST_MESSAGES_MS;
    const look = (): void => {
      if (child.connected && performance.now() < deadline) setImmediate(look);
      else this.#ended(exitCode);
    };
    look();
  }

  #ended(exitCode: number): void {
    if (this.#death !== undefined) return;
    this.#death = { address: this.#address, name: this.name, pid: this.pid, exitCode };
    running.delete(this);
    if (this.#refable !== undefined) keepNoLonger(this.#refable);
    this.#channel!.abandon();
    router.childDied(this.#death);
    this.#settleEnded(this.#death);
    for (const joined of this.#joiners.splice(0)) joined();
  }
}

/** The URL of a module for every process: a relative path means another place in each. */
function locate(module: string | URL): string {
  const text = String(module);
  if (/^\.\.?\//.test(text)) {
    throw new WrongUse(`the module of a Process must be import.meta.url or an absolute path, not '${text}'`);
  }
  return isAbsolute(text) ? pathToFileURL(text).href : text;
}

/** The port of a process that could not be forked. */
function nowhere(): Port {
  return Object.assign(new EventEmitter(), { connected: false });
}
