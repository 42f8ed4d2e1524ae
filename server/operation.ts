// Those who watch and operate a running server: what it tells them, and what it does for them. Loaded by main.ts with
// --admin, or at a SIGUSR2.
import type { Log } from '../shared/log/log.ts';
import type { Change, Status } from '../shared/status/status.ts';
import { statusTable } from '../shared/status/table.ts';
import { openAdmin } from './admin/admin.ts';
import type { Admin, AdminPlace, AdminSource, Metrics } from './admin/source.ts';
import type { Server } from './server-parts.ts';
import { Changes } from './status/changes.ts';
import { ServerStatus } from './status/status.ts';
import type { StatusDependencies } from './status/status.ts';

/** How wide the table in the log is, beside the line's own beginning. */
const COLUMNS = 80;
const NOTICES = 0; // They are in the log already.
const DONE = { SIGKILL: 'killed', SIGSTOP: 'frozen', SIGCONT: 'thawed' } as const;

export class Operation implements AdminSource {
  readonly #server: Server;
  readonly #log: Log;
  readonly #status: ServerStatus;
  readonly #changes: Changes;
  #admin: Admin | undefined;

  constructor(server: Server, log: Log, dependencies: StatusDependencies) {
    this.#server = server;
    this.#log = log;
    this.#status = new ServerStatus(server, dependencies);
    this.#changes = new Changes(this.#status);
  }

  /** Serves the admin address. @throws ListenError */
  async open(where: AdminPlace): Promise<void> {
    const { adminActions } = this.#server.parts.config;
    this.#admin = await openAdmin(where, adminActions, this);
    const { address } = this.#admin;
    this.#log.info('admin', `admin on ${address}`, { address, actions: adminActions });
  }

  close(): void {
    this.#admin?.close();
  }

  /** Says in the log how the server is. Workers are asked before what they have done. */
  async tell(): Promise<void> {
    await this.#server.parts.pool.ask();
    const status = this.#status.now();
    const { notices, ...fields } = status;
    const table = statusTable(status, { columns: COLUMNS, notices: NOTICES, color: false });
    this.#log.infoLines('status', table.filter((line) => line !== ''), fields);
  }

  get isLive(): boolean {
    return true; // It answers.
  }

  get isReady(): boolean {
    return this.#server.phase === 'ready' && this.#status.now().workers.some(({ state }) => state === 'ready');
  }

  status(): Status {
    return this.#status.now();
  }

  begin(): Status {
    return this.#changes.begin();
  }

  change(): Change | undefined {
    return this.#changes.next();
  }

  metrics(): Metrics {
    return { handoffSeconds: this.#server.parts.totals.handoffs };
  }

  reload(): void {
    this.#server.reload();
  }

  resize(by: 1 | -1): void {
    this.#server.resize(by);
  }

  signal(slot: number, signal: keyof typeof DONE): boolean {
    const worker = this.#server.parts.pool.list().find((one) => one.worker.slot === slot)?.worker;
    if (worker?.pid === undefined) return false;
    const { name, pid } = worker;
    this.#log.warn('operate', `${name} (pid ${pid}) is ${DONE[signal]}, as the admin address was asked to`, {
      worker: slot, pid, signal,
    });
    worker.sendSignal(signal);
    return true;
  }
}
