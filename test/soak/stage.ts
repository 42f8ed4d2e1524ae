// The long-running server of the soak, with its load, and what is looked at after every fault. Made by main.ts.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Latencies } from '../helpers/faults-latencies.ts';
import { Load } from '../helpers/faults-load.ts';
import { descriptorsTogether, memoryTogether, processesOf } from '../helpers/faults-proc.ts';
import type { Random } from '../helpers/faults-random.ts';
import { onTwoCpus, takeLines, untilWhole } from '../helpers/faults-server.ts';
import { startTestServer } from '../helpers/server.ts';
import type { TestServer } from '../helpers/server.ts';

export const WORKERS = 2;
/** --worker-timeout, in milliseconds. */
export const WORKER_TIMEOUT_MS = 2000;
/** How often stock is taken, every 100 ms, to find the least. */
const LOOKS = 10;
/** The same while it is too much: V8 gives back what it has not needed for half a minute or so. */
const MOST_LOOKS = 900;

const OF_CLIENTS: ReadonlySet<string> = new Set(['connected', 'message', 'closed']);

/** What the server's processes have, while nobody is connected. */
export interface Possessions {
  readonly processes: number;
  readonly descriptors: number;
  /** In bytes. */
  readonly memory: number;
}

export class Stage implements AsyncDisposable {
  readonly server: TestServer;
  readonly random: Random;
  readonly #connections: number;
  load: Load;
  /** Latencies of prompt clients while nothing was wrong. */
  readonly calm = new Latencies();
  /**
   * Lines of the log that were cut by the death of the process that printed them, and how many were told as dropped.
   */
  torn = 0;
  dropped = 0;
  /** Processes that were killed, and so may have left half a line. */
  kills = 0;
  /** The last lines of the log that are not about a client, for a failing run. */
  lastNotices: string[] = [];

  /** Rejects when the server ends although nobody has stopped it. */
  readonly died: Promise<never>;

  /** @param connections How many clients its load has. */
  static async start(random: Random, connections: number): Promise<Stage> {
    // In a process group of its own, so that the whole of it can be suspended.
    const command = ['setsid', ...onTwoCpus(), process.execPath];
    const server = await startTestServer(
      ['--workers', String(WORKERS), '--worker-timeout', String(WORKER_TIMEOUT_MS / 1000), '--log-format', 'json'],
      { command },
    );
    return new Stage(server, random, connections);
  }

  private constructor(server: TestServer, random: Random, connections: number) {
    this.server = server;
    this.random = random;
    this.#connections = connections;
    this.load = this.#newLoad();
    this.died = server.exited.then(({ code, signal }) => {
      throw new Error(`the server has ended by itself: ${signal ?? `exit code ${code}`}`);
    });
    this.died.catch(() => {}); // Of interest only while a fault is under way.
  }

  /** For a while nothing happens but the load, whose latencies then are the measure for those under a fault. */
  async rest(milliseconds: number): Promise<void> {
    this.load.takeLatencies();
    await sleep(milliseconds);
    this.calm.addAll(this.load.takeLatencies());
  }

  /**
   * After each fault: everybody is served again, by as many workers as before; and nothing went wrong that no fault
   * explains.
   */
  async look(): Promise<void> {
    await untilWhole(this.server, WORKERS);
    await this.load.allAnswered();
    this.readLog();
    assert.deepEqual(this.load.troubles, [], this.load.summary());
    assert.ok(this.torn <= this.kills, `${this.torn} lines are torn, and only ${this.kills} processes were killed`);
    assert.equal(this.server.stderr, '');
  }

  /** Reads what has been printed since, and lets it go. */
  readLog(): void {
    const lines = takeLines(this.server);
    const notices = lines.filter((line) => {
      try {
        const { event, lines: dropped } = JSON.parse(line) as { event: string; lines?: number };
        if (event === 'dropped') this.dropped += dropped!;
        return !OF_CLIENTS.has(event);
      } catch {
        this.torn++;
        return true;
      }
    });
    this.lastNotices = [...this.lastNotices, ...notices].slice(-40);
  }

  /**
   * Lets all clients finish, counts what the processes have without them, and lets others come.
   * @param enough Looks again and again, for a while, until the memory is no more than that, in bytes.
   */
  async takeStock(enough = Infinity): Promise<Possessions> {
    await this.load.finish();
    const processes = processesOf(this.server.process.pid!);
    let descriptors = Infinity;
    let memory = Infinity;
    // The least of several looks: garbage that is not collected yet is no possession.
    for (let i = 0; i < LOOKS || (memory > enough && i < MOST_LOOKS); i++) {
      await sleep(100);
      descriptors = Math.min(descriptors, descriptorsTogether(processes));
      memory = Math.min(memory, memoryTogether(processes));
    }
    const { troubles } = this.load;
    assert.deepEqual(troubles, [], this.load.summary());
    this.load = this.#newLoad();
    await this.load.start();
    return { processes: processes.length, descriptors, memory };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.load[Symbol.dispose]();
    await this.server[Symbol.asyncDispose]();
  }

  #newLoad(): Load {
    const seed = this.random.between(0, 2 ** 32 - 1);
    return new Load({ port: this.server.port, seed, connections: this.#connections, paceMs: 30 });
  }
}
