// What has changed in the status since it was told last. Used by those who tell it on (/events).
import type { Change, ConnectionStatus, Status } from '../../shared/status/status.ts';
import type { HeldConnection } from '../connections/held-connections.ts';
import type { ServerStatus } from './status.ts';

/** What is different at every look, and no change. */
const VOLATILE = new Set(['now', 'uptimeMs', 'ageMs', 'lastBeatMs']);

export class Changes {
  readonly #status: Pick<ServerStatus, 'now' | 'held'>;
  #told: Status | undefined;
  /** Each member of what was told, as text. */
  #texts = new Map<string, string>();
  /** The connections that were told of: a connection still says how it ended when it has. */
  #connections = new Map<number, { readonly told: ConnectionStatus; readonly held: HeldConnection | undefined }>();

  constructor(status: Pick<ServerStatus, 'now' | 'held'>) {
    this.#status = status;
  }

  /** The status from which next() counts on. */
  begin(): Status {
    const status = this.#status.now();
    this.#remember(status);
    return status;
  }

  /** What is new since the last call, or since begin(); undefined: nothing. */
  next(): Change | undefined {
    const before = this.#told;
    if (before === undefined) return this.begin();
    const status = this.#status.now();
    const { connections, notices, ...others } = status;
    const change: Record<string, unknown> = { now: status.now };
    for (const [key, value] of Object.entries(others)) {
      if (!VOLATILE.has(key) && textOf(value) !== this.#texts.get(key)) change[key] = value;
    }
    if (connections === null || before.connections === null) {
      if (connections !== before.connections) change['connections'] = connections;
    } else {
      Object.assign(change, this.#moves(connections));
    }
    const lastId = before.notices.at(-1)?.id ?? 0;
    const news = notices.filter(({ id }) => id > lastId);
    if (news.length > 0) change['notices'] = news;
    if (Object.keys(change).length === 1) return undefined;
    this.#remember(status);
    return change as unknown as Change;
  }

  #moves(connections: readonly ConnectionStatus[]): Pick<Change, 'moved' | 'ended'> {
    const moved = connections.filter((connection) => {
      const told = this.#connections.get(connection.id)?.told;
      return told === undefined || told.at !== connection.at || told.how !== connection.how
        || told.peer !== connection.peer;
    });
    const here = new Set(connections.map(({ id }) => id));
    const ended = [...this.#connections].filter(([id]) => !here.has(id))
      .map(([id, { held }]) => ({ id, cutOff: held?.isCutOff === true }));
    return { ...moved.length > 0 ? { moved } : {}, ...ended.length > 0 ? { ended } : {} };
  }

  #remember(status: Status): void {
    this.#told = status;
    this.#texts = new Map(Object.entries(status).filter(([key]) => key !== 'connections' && key !== 'notices')
      .map(([key, value]) => [key, textOf(value)]));
    this.#connections = new Map((status.connections ?? []).map((told) => [
      told.id, { told, held: this.#status.held(told.id) },
    ]));
  }
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (key, member: unknown) => (VOLATILE.has(key) ? undefined : member)) ?? '';
}
