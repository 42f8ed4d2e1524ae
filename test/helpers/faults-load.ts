// The verifying load: many clients in this process, random and repeatable by a seed, that hold every byte against what
// must come, and know which of them a fault excuses. Used by the fault tests and the soak.
import { LoadClient } from './faults-client.ts';
import type { Kind, Trouble } from './faults-client.ts';
import { Latencies } from './faults-latencies.ts';
import { makeMessages, Random } from './faults-random.ts';
import type { Message } from './faults-random.ts';
import { until } from './processes.ts';

export interface LoadOptions {
  readonly port: number;
  readonly host?: string;
  readonly seed: number;
  readonly connections: number;
  /** Dealt out in turn. Default: most are prompt, and some of every other kind. */
  readonly kinds?: readonly Kind[];
  /** The mean pause between a reply and the next message, in milliseconds. Default: 20. */
  readonly paceMs?: number;
  /** The longest message, in bytes. Default: 64 KiB. */
  readonly longest?: number;
}

interface Excuse {
  readonly why: string;
  readonly clients: LoadClient[];
  /** The ports that belong to no client so far. */
  readonly unclaimed: Set<number>;
}

const DEADLINE_MS = 60_000;
/** How long after it was cut off another takes a client's place, in milliseconds. */
const COME_BACK_MS = 20;
const MIXED: readonly Kind[] = ['prompt', 'prompt', 'stream', 'half', 'prompt', 'slow', 'prompt', 'idle'];

export class Load {
  readonly #options: LoadOptions;
  readonly #random: Random;
  readonly #messages: readonly Message[];
  readonly #clients = new Set<LoadClient>();
  #made = 0;
  #stopping = false;
  #excuses: Excuse[] = [];
  #excuseNew: string | undefined;
  /** All that went wrong and that no fault explains. */
  readonly troubles: Trouble[] = [];
  /** Cut off, and excused. */
  excused = 0;
  /** Connections that took the place of others that a fault had ended. */
  replaced = 0;
  replies = 0;
  bytes = 0;
  /** Of prompt clients: from the first byte sent to the last byte back. */
  latencies = new Latencies();
  #taken = new Latencies();

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#messages = makeMessages(this.#random, 150, options.longest ?? 64 * 1024);
  }

  /** Connects all clients; settles when each has had a reply. */
  async start(): Promise<void> {
    const { connections, kinds = MIXED } = this.#options;
    for (let i = 0; i < connections; i++) this.#add(kinds[i % kinds.length]!);
    await this.until(() => [...this.#clients].every(({ answered }) => answered > 0), 'a reply for every client');
  }

  get clients(): readonly LoadClient[] {
    return [...this.#clients];
  }

  /**
   * The clients that are connected from these ports may be cut off, until {@link endExcuses} is called.
   * @returns Those clients. One that the system has connected, and that does not know it yet, is added when it does.
   */
  excuse(ports: ReadonlySet<number>, why: string): readonly LoadClient[] {
    const excuse: Excuse = { why, clients: [], unclaimed: new Set(ports) };
    for (const client of this.#clients) claim(excuse, client);
    this.#excuses.push(excuse);
    return excuse.clients;
  }

  /** Whoever connects from now on may be refused or cut off, until {@link endExcuses} is called. */
  excuseNewcomers(why: string): void {
    this.#excuseNew = why;
  }

  /** Whoever has not been cut off so far must not be any more. */
  endExcuses(): void {
    this.#excuses = [];
    this.#excuseNew = undefined;
    for (const client of this.#clients) client.excuse = undefined;
  }

  /** Waits until `check` says true. @throws Error after the deadline, with `what` and the summary. */
  until(check: () => boolean, what: string, deadlineMs = DEADLINE_MS): Promise<void> {
    return until(check, what, { limitMs: deadlineMs, report: () => this.summary() });
  }

  /** Waits until every client has had one more reply: whatever was broken, all are served again. */
  async allAnswered(deadlineMs?: number): Promise<void> {
    const before = new Map(this.clients.map((client) => [client, client.answered]));
    const lacking = (): LoadClient[] => this.clients.filter((client) => client.answered <= (before.get(client) ?? 0));
    await this.until(() => lacking().length === 0, 'reply for every client', deadlineMs);
  }

  /** The server is about to stop: a FIN is right once all is answered that it has surely received. */
  expectFin(): void {
    this.#stopping = true;
    for (const client of this.#clients) client.expectFin();
  }

  /** The latencies since this was called last. */
  takeLatencies(): Latencies {
    const taken = this.#taken;
    this.#taken = new Latencies();
    return taken;
  }

  /** Lets every client finish: all replies, then a FIN from both sides. */
  async finish(): Promise<void> {
    this.#stopping = true;
    for (const client of this.clients) client.finish();
    await this.allOver();
  }

  /** Waits until no connection is left. */
  async allOver(deadlineMs = DEADLINE_MS): Promise<void> {
    try {
      await this.until(() => this.#clients.size === 0, 'end of every connection', deadlineMs);
    } catch (error) {
      for (const client of this.clients) {
        this.#trouble(client, 'stuck', `for ${Math.round(client.waitingMs)} ms, after ${client.answered} replies`);
        client.destroy();
      }
      throw error;
    }
  }

  /** Ends all connections at once. */
  [Symbol.dispose](): void {
    this.#stopping = true;
    for (const client of this.clients) client.destroy();
  }

  /** What happened, in a few lines: for a failing test, and for the soak. */
  summary(): string {
    const counts = new Map<string, number>();
    for (const { what } of this.troubles) counts.set(what, (counts.get(what) ?? 0) + 1);
    const lines = [
      `${this.#made} connections (${this.#clients.size} open, ${this.replaced} replaced), ${this.replies} replies, ` +
      `${this.bytes} bytes, ${this.excused} excused, ${this.troubles.length} troubles ` +
      `(the load's seed ${this.#options.seed})`,
      ...[...counts].map(([what, count]) => `  ${count} ${what}`),
      ...this.troubles.slice(0, 10).map(({ what, client, detail }) => `  ${client}: ${what}: ${detail}`),
    ];
    const stuck = this.clients.filter(({ waitingMs }) => waitingMs > 2000);
    for (const { name, port, waitingMs } of stuck.slice(0, 10)) {
      lines.push(`  ${name} (port ${port}) waits for ${Math.round(waitingMs)} ms`);
    }
    return lines.join('\n');
  }

  #add(kind: Kind): void {
    const { port, host = '127.0.0.1', paceMs = 20 } = this.#options;
    const name = `client ${++this.#made}`;
    const options = { port, host, kind, paceMs, random: this.#random.fork(), messages: this.#messages };
    const client = new LoadClient(name, options, {
      connected: (client) => {
        for (const excuse of this.#excuses) claim(excuse, client);
      },
      trouble: (client, what, detail) => this.#trouble(client, what, detail),
      answered: (client, bytes, latencyMs) => {
        this.replies++;
        this.bytes += bytes;
        if (client.kind !== 'prompt') return;
        this.latencies.add(latencyMs);
        this.#taken.add(latencyMs);
      },
      over: (client) => this.#over(client),
    });
    client.excuse = this.#excuseNew;
    this.#clients.add(client);
  }

  /** Not at once: whoever is refused must not come back by the thousand. */
  #addLater(kind: Kind): void {
    setTimeout(() => {
      if (!this.#stopping) this.#add(kind);
    }, COME_BACK_MS);
  }

  #trouble(client: LoadClient, what: Trouble['what'], detail: string): void {
    // Cut off after the system had connected it, and before it knew.
    const excuse = what === 'not connected' ? this.#excuses.find(({ unclaimed }) => unclaimed.size > 0) : undefined;
    if (excuse !== undefined) {
      excuse.unclaimed.delete([...excuse.unclaimed][0]!);
      client.excuse = excuse.why;
      return;
    }
    this.troubles.push({ what, client: client.name, detail });
  }

  #over(client: LoadClient): void {
    this.#clients.delete(client);
    if (client.excuse !== undefined) this.excused++;
    if (this.#stopping) return;
    if (client.kind !== 'half' || client.excuse !== undefined) this.replaced++;
    if (client.excuse === undefined) this.#add(client.kind);
    else this.#addLater(client.kind);
  }
}

function claim({ why, clients, unclaimed }: Excuse, client: LoadClient): void {
  if (!unclaimed.delete(client.port)) return;
  client.excuse = why;
  clients.push(client);
}
