// The servers of one run: each started when it is first needed, all ended at the end. Used by compare.ts and figures/.
import { RunningServer } from './children.ts';
import { howToStart, type Start } from './peers.ts';

export interface Absent {
  readonly name: string;
  readonly why: string;
}

/** What is heard while servers are started. */
export interface ServerEvents {
  absent(absent: Absent): void;
  /** What is done now. */
  now(what: string): void;
}

export class Servers {
  readonly workers: number;
  readonly #folder: string;
  readonly #events: ServerEvents;
  readonly #starts = new Map<string, Start>();
  readonly #running = new Map<string, RunningServer>();
  #fresh = 0;

  /** @param folder An empty one, for the servers' output and what is built. */
  constructor(workers: number, folder: string, events: ServerEvents) {
    this.workers = workers;
    this.#folder = folder;
    this.#events = events;
  }

  /** Whether it can be started here; told once if not. */
  async has(name: string): Promise<boolean> {
    return 'command' in await this.#start(name);
  }

  /** The one that all cases share. */
  async running(name: string): Promise<RunningServer> {
    let server = this.#running.get(name);
    if (server !== undefined) return server;
    this.#events.now(`starting ${name}`);
    server = await this.fresh(name);
    this.#running.set(name, server);
    return server;
  }

  /** One that has done nothing yet. Whoever asks for it stops it. */
  async fresh(name: string): Promise<RunningServer> {
    return await RunningServer.start(this.#freshName(name), await this.#commandOf(name), this.#folder);
  }

  /** The same, started in another way, and waited for by trying. @param isUp One try; it may throw. */
  async freshBy(
    name: string, command: readonly string[], port: number, isUp: () => Promise<void>,
  ): Promise<RunningServer> {
    return await RunningServer.startAndTry(this.#freshName(name), command, this.#folder, port, isUp);
  }

  /** Ends those that are shared. Who needs one again has it started again. */
  async stop(): Promise<void> {
    const servers = [...this.#running.values()];
    this.#running.clear();
    await Promise.all(servers.map((server) => server.stop()));
  }

  /** It has its output in a file of its own. */
  #freshName(name: string): string {
    return `${name}-${++this.#fresh}`;
  }

  async #commandOf(name: string): Promise<readonly string[]> {
    const start = await this.#start(name);
    if ('absent' in start) throw new Error(`${name} is not there: ${start.absent}`);
    return start.command;
  }

  async #start(name: string): Promise<Start> {
    let start = this.#starts.get(name);
    if (start !== undefined) return start;
    this.#events.now(`preparing ${name}`);
    start = await howToStart(name, this.workers, this.#folder);
    this.#starts.set(name, start);
    if ('absent' in start) this.#events.absent({ name, why: start.absent });
    return start;
  }
}
