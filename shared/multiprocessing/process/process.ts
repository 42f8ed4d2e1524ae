// Process: runs an exported function in a process of its own. Follows Python's multiprocessing.Process.
//
// start() forks child.ts, which imports the target's module, calls the target with the arguments, and reports what it
// threw. The fork channel carries everything between the two: arguments, the primitives' messages, the users' own.
import { ownerOf } from '../base/address.ts';
import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import type { InspectOptions } from 'node:util';
import { Channel } from '../transport/channel.ts';
import { comeBack, encodeArguments, referencesIn } from '../values/codec.ts';
import type { Encoded } from '../values/codec.ts';
import { currentProcess } from './current.ts';
import { messageOf, WrongUse } from '../base/errors.ts';
import type { Death } from '../base/errors.ts';
import { LastWords } from './exit-pipe.ts';
import { childEntry, forkChild, nowhere } from './fork.ts';
import type { ForkOptions } from './fork.ts';
import { Joiners } from './joiners.ts';
import { keepNoLonger, keepWhileAwaiting } from '../base/keep-alive.ts';
import type { Refable } from '../base/keep-alive.ts';
import type { StartMessage } from './messages.ts';
import { GUARD, importingNow, lineageOf, locate, programFile } from './modules.ts';
import type { Target } from './modules.ts';
import { rebuildError } from '../values/remote-error.ts';
import type { RemoteError } from '../values/remote-error.ts';
import * as router from '../transport/router.ts';
import { checkWait } from '../base/time-limit.ts';
import type { Wait } from '../base/time-limit.ts';

/** `args` are structured clones, and the toolkit's primitives. Where none are needed they may be left out. */
type Arguments<Args extends readonly unknown[]> =
  [] extends Args ? { readonly args?: NoInfer<Readonly<Args>> | undefined }
    : { readonly args: NoInfer<Readonly<Args>> };

export type ProcessOptions<Args extends readonly unknown[]> = Target<Args> & Arguments<Args> & ForkOptions & {
  /** `Process-1`, `Process-2` … when not given. */
  readonly name?: string | undefined;
  /** A daemon is ended when its parent ends; for the others the parent waits. Default: false. */
  readonly daemon?: boolean | undefined;
};

/** The name under which a child tells its parent what its target threw, where envelopes name a primitive. */
export const FAILED = '!';

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

export class Process<Args extends readonly unknown[] = readonly unknown[]> {
  readonly name: string;
  readonly daemon: boolean;
  #settleEnded: (death: Death) => void = () => {};
  /** Settles with how it ended, once it has. Awaiting this does not keep the program running; awaiting join() does. */
  readonly ended: Promise<Death> = new Promise((resolve) => { this.#settleEnded = resolve; });
  readonly #start: Omit<StartMessage, 'address' | 'args' | 'exitFd' | 'lineage'>;
  readonly #forkOptions: ForkOptions;
  #args: unknown[];
  #isStarted = false;
  #child: ChildProcess | undefined;
  #channel: Channel | undefined;
  #refable: Refable | undefined;
  #death: Death | undefined;
  #error: Error | undefined;
  #address = '';
  readonly #joiners = new Joiners();

  /**
   * @throws {WrongUse} The target has no name by which its module could export it; the module cannot be the same one in
   * every process, as a relative path; `args` is no array.
   */
  constructor(options: ProcessOptions<Args>) {
    const { name, daemon, cwd, args = [] } = options;
    if (!Array.isArray(args)) throw new WrongUse(`the args of a Process must be an array, not ${inspect(args)}`);
    const parentName = currentProcess().name;
    const number = ++lastNumber;
    this.name = name ?? (parentName === 'MainProcess' ? `Process-${number}` : `${parentName}:${number}`);
    this.daemon = daemon ?? false;
    this.#args = [...args];
    this.#forkOptions = options;
    this.#start = {
      ...locate(options, 'a Process'), name: this.name, daemon: this.daemon, program: programFile(),
      cwd: cwd === undefined ? undefined : resolve(cwd instanceof URL ? fileURLToPath(cwd) : cwd),
    };
  }

  /** The system's number of the process; undefined before start() and when it could not be forked. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Its name in the tree of processes, as errors and `lock.held` have it; empty until it is started. */
  get address(): string {
    return this.#address;
  }

  /**
   * null until it has ended; then what it returned to the system, or minus the number of the signal that ended it. NaN:
   * a signal without a name, perhaps, which Node does not tell, and which could not be read elsewhere in time.
   */
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

  /** Its standard input, output and error where `stdio` says 'pipe', else null. */
  get stdin(): Writable | null {
    return this.#child?.stdin ?? null;
  }

  get stdout(): Readable | null {
    return this.#child?.stdout ?? null;
  }

  get stderr(): Readable | null {
    return this.#child?.stderr ?? null;
  }

  /** Whether it was started and has not ended. */
  isAlive(): boolean {
    return this.#isStarted && this.#death === undefined;
  }

  /**
   * Starts the process. Returns at once: when it runs is the system's affair. If it could not be forked, it has ended
   * with an `error`.
   * @throws {WrongUse} It was started before; or this process is a child that imports its target's module right now, as
   * each of its own children would; or it descends from too many that were started for the same; or the package is in a
   * bundle. @throws {NotCloneable} An argument cannot be sent, or all together cannot. Nothing has happened then.
   */
  start(): void {
    if (this.#isStarted) throw new WrongUse(`${this.name} cannot be started twice`);
    const importing = importingNow();
    if (importing !== undefined) {
      throw new WrongUse(`${this.name} cannot be started while ${currentProcess().name} imports ${importing} to call a `
        + `function of it: its children would import it too, and start others without end. ${GUARD}`);
    }
    const lineage = lineageOf(this.#start, this.name);
    const entry = childEntry();
    const args = encodeArguments(this.#args, this.name);
    this.#args = [];
    this.#isStarted = true;
    this.#address = router.newChildAddress();
    const { child, exitFd } = this.#fork(entry);
    this.#channel = new Channel(child ?? nowhere(), (envelope) => {
      if (envelope[2] === FAILED) this.#error ??= rebuildError(envelope[3] as RemoteError, this.#who());
      else router.arrive(envelope, this.#address);
    }, (body) => this.#given(body));
    router.addChild(this.#address, this.#channel);
    running.add(this);
    if (child !== undefined) this.#watch(child, exitFd);
    this.#channel.postOwn({ ...this.#start, address: this.#address, args, exitFd, lineage } satisfies StartMessage);
    for (const arg of args) this.#given(arg);
  }

  /**
   * Waits for the process to end: true when it has, false when the time was up before.
   * @throws {WrongUse} It was not started. @throws The signal's reason, when that calls the wait off.
   */
  async join(wait?: Wait): Promise<boolean> {
    if (!this.#isStarted) throw new WrongUse(`${this.name} cannot be joined before start()`);
    const limits = checkWait(wait);
    if (this.#death !== undefined) return true;
    return await this.#joiners.wait(limits);
  }

  /** Asks the process to end (SIGTERM). Nothing happens when it has ended. @throws {WrongUse} It was not started. */
  terminate(): void {
    this.sendSignal('SIGTERM');
  }

  /** Ends the process at once (SIGKILL). Nothing happens when it has ended. @throws {WrongUse} It was not started. */
  kill(): void {
    this.sendSignal('SIGKILL');
  }

  /** Sends it a signal, as Popen.send_signal() does: none when it has ended. @throws {WrongUse} It was not started. */
  sendSignal(signal: NodeJS.Signals): void {
    if (!this.#isStarted) throw new WrongUse(`${this.name} cannot be sent ${signal} before start()`);
    this.#child?.kill(signal);
  }

  /**
   * Ends the process with the block, `await using child = new Process(…)`: asks it to, and waits until it has. To let
   * it finish its work, join it in the block. One that was not started is left alone.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isAlive()) return;
    this.terminate();
    await this.join();
  }

  [inspect.custom](_depth: number, options: InspectOptions): string {
    const { name, pid, daemon, exitCode } = this;
    return `Process ${inspect({ name, pid, daemon, isAlive: this.isAlive(), exitCode }, options)}`;
  }

  /**
   * It gets these primitives. Whoever owns one learns so at once, even if the child dies before it can say so itself.
   * When it is dead already, they have not left.
   */
  #given(body: Encoded): void {
    if (this.#death !== undefined) return comeBack(body);
    for (const { ref } of referencesIn(body)) router.postFor(this.#address, ownerOf(ref), ref, router.ATTACH);
  }

  #who(): string {
    return `${this.name} (pid ${this.#child?.pid})`;
  }

  /** No child, with the reason in `error`, when the system refuses at once; it may also do so by the event 'error'. */
  #fork(entry: URL): { readonly child?: ChildProcess; readonly exitFd: number } {
    try {
      const forked = forkChild(entry, this.#forkOptions);
      this.#child = forked.child;
      return forked;
    } catch (error) {
      process.nextTick(() => this.#notForked(error));
      return { exitFd: -1 };
    }
  }

  #watch(child: ChildProcess, exitFd: number): void {
    child.on('error', (error) => {
      // With a pid it is a message that came too late for it. Its 'exit' says the rest.
      if (child.pid === undefined) this.#notForked(error);
    });
    if (child.pid === undefined) return;
    const pipes = child.stdio as (Socket | null | undefined)[];
    pipes[exitFd]!.unref();
    const words = new LastWords(pipes[exitFd]!, child.pid);
    child.once('exit', (code, signal) => this.#exited(child, words, code ?? -constants.signals[signal ?? 'SIGKILL']));
    if (!this.daemon) return;
    for (const pipe of pipes) pipe?.unref();
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

  /** The end of the channel shows in `connected` alone: there is no 'disconnect' when a socket was on its way. */
  #exited(child: ChildProcess, words: LastWords, code: number): void {
    words.whenComplete(() => !child.connected, () => {
      this.#channel!.takeLast(words.messages, () => this.#died(words, code));
    });
  }

  #died(words: LastWords, code: number): void {
    if (code !== 0 || words.saidGoodBye) return this.#ended(code);
    // A signal that has no name: Node says that all was well then.
    const exitCode = words.signal === undefined ? NaN : 0 - words.signal;
    this.#ended(exitCode, words.signal === undefined || words.signal === 0);
  }

  #ended(exitCode: number, isCut = false): void {
    if (this.#death !== undefined) return;
    this.#death = { address: this.#address, name: this.name, pid: this.pid, exitCode, ...(isCut ? { isCut } : {}) };
    running.delete(this);
    if (this.#refable !== undefined) keepNoLonger(this.#refable);
    this.#channel!.abandon();
    router.childDied(this.#death);
    this.#settleEnded(this.#death);
    this.#joiners.release();
  }
}
