// Process: runs an exported function in a process of its own. Follows Python's multiprocessing.Process.
//
// start() forks child.ts, which imports the target's module, calls the target with the arguments, and reports what it
// threw. The fork channel carries everything between the two: arguments, the primitives' messages, the users' own.
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { messageOf } from '../errors.ts';
import { Channel } from './channel.ts';
import { encode, ticketsOf } from './codec.ts';
import type { Encoded } from './codec.ts';
import { currentProcess } from './current.ts';
import { WrongUse } from './errors.ts';
import { addDaemon, removeDaemon, waitBegins, waitEnds } from './keep-alive.ts';
import type { Refable } from './keep-alive.ts';
import { rebuildError } from './remote-error.ts';
import type { RemoteError } from './remote-error.ts';
import * as router from './router.ts';

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

// However this process comes to its end, its daemons are told; a busy one would not notice the closed channel.
process.once('exit', () => {
  for (const child of running) if (child.daemon) child.terminate();
});

export class Process<Args extends unknown[] = never[]> {
  readonly name: string;
  readonly daemon: boolean;
  readonly #start: Omit<StartMessage, 'address' | 'args'>;
  readonly #args: unknown[];
  #child: ChildProcess | undefined;
  #channel: Channel | undefined;
  #refable: Refable | undefined;
  #death: { exitCode: number } | undefined;
  #error: Error | undefined;
  #address = '';
  readonly #joiners: (() => void)[] = [];

  /** @throws {WrongUse} The target has no name by which its module could export it. */
  constructor(options: ProcessOptions<Args>) {
    if (options.target.name === '') {
      throw new WrongUse('the target of a Process must be an exported function, and this one has no name');
    }
    const parentName = currentProcess().name;
    const number = ++lastNumber;
    this.name = options.name ?? (parentName === 'MainProcess' ? `Process-${number}` : `${parentName}:${number}`);
    this.daemon = options.daemon ?? false;
    this.#args = [...options.args];
    this.#start = {
      name: this.name, daemon: this.daemon, module: String(options.module), target: options.target.name,
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
    return this.#child !== undefined && this.#death === undefined;
  }

  /**
   * Starts the process. Returns at once: when it runs is the system's affair. Whether it could be forked shows in `error`.
   * @throws {WrongUse} It was started before. @throws {NotCloneable} An argument cannot be sent.
   */
  start(): void {
    if (this.#child !== undefined) throw new WrongUse(`${this.name} cannot be started twice`);
    const args = this.#args.map((arg, i) => encode(arg, `argument ${i + 1} of ${this.name}`));
    this.#address = router.newChildAddress();
    // Standard input stays the parent's own: two readers of one terminal would take each other's keys.
    const child = fork(CHILD_ENTRY, [], { serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#child = child;
    this.#channel = new Channel(child, (envelope) => {
      if (envelope[2] === FAILED) this.#error = rebuildError(envelope[3] as RemoteError, this.#who());
      else router.arrive(envelope, this.#address);
    });
    router.addChild(this.#address, this.#channel);
    running.add(this);
    if (this.daemon) this.#beDaemon(child);
    child.once('exit', (code, signal) => this.#exited(code ?? -constants.signals[signal ?? 'SIGKILL']));
    child.on('error', (error) => {
      if (child.pid !== undefined) return; // A message that came too late for it. Its 'exit' says the rest.
      this.#error = new Error(`${this.name} could not be forked: ${messageOf(error)}`, { cause: error });
      this.#ended(1);
    });
    this.#channel.post({ ...this.#start, address: this.#address, args } satisfies StartMessage);
    // Whoever owns a primitive learns at once that this child has it, even if it dies before it can say so itself.
    for (const ticket of args.flatMap(ticketsOf)) router.postFor(this.#address, router.ownerOf(ticket.ref), ticket.ref, router.ATTACH);
  }

  /**
   * Waits for the process to end: true when it has, false when `timeoutMs` ran out before.
   * @throws {WrongUse} It was not started.
   */
  async join(timeoutMs?: number): Promise<boolean> {
    if (this.#child === undefined) throw new WrongUse(`${this.name} cannot be joined before start()`);
    if (this.#death !== undefined) return true;
    waitBegins();
    try {
      return await new Promise<boolean>((resolve) => {
        const timer = timeoutMs === undefined ? undefined : setTimeout(() => {
          this.#joiners.splice(this.#joiners.indexOf(joined), 1);
          resolve(false);
        }, timeoutMs);
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
    if (this.#child === undefined) throw new WrongUse(`${this.name} cannot be ended before start()`);
    this.#child.kill(signal);
  }

  #who(): string {
    return `${this.name} (pid ${this.#child?.pid})`;
  }

  #beDaemon(child: ChildProcess): void {
    this.#refable = {
      ref: () => { child.ref(); child.channel?.ref(); },
      unref: () => { child.unref(); child.channel?.unref(); },
    };
    addDaemon(this.#refable);
  }

  /** The process is gone; what it wrote before may still be on the way, and ends with 'disconnect'. */
  #exited(exitCode: number): void {
    const child = this.#child!;
    if (!child.connected) {
      this.#ended(exitCode);
      return;
    }
    const timer = setTimeout(() => this.#ended(exitCode), LAST_MESSAGES_MS);
    child.once('disconnect', () => {
      clearTimeout(timer);
      this.#ended(exitCode);
    });
  }

  #ended(exitCode: number): void {
    if (this.#death !== undefined) return;
    this.#death = { exitCode };
    running.delete(this);
    if (this.#refable !== undefined) removeDaemon(this.#refable);
    router.childDied({ address: this.#address, name: this.name, pid: this.pid, exitCode });
    for (const joined of this.#joiners.splice(0)) joined();
  }
}
