// The life of a connection and of a worker as the dispatcher sees them: their states, what leads from one to another,
// what is counted on the way, and what the dispatcher wants done. Data only; used by dispatcher.ts.
import type { WorkerReport } from '../worker/messages.ts';

/** Where a connection is. `offered`: sent to a worker that has not said yet that it has it. */
export type ConnectionState = 'waiting' | 'offered' | 'served' | 'ended';

/** Whether a worker is offered connections: only a `ready` one is. `full`: it could not take the last one. */
export type WorkerReadiness = 'ready' | 'full' | 'stalled' | 'retiring';

export type RefusalReason = 'line full' | 'stopping';

/** What the dispatcher wants done. `cutOff` and `refuse` are the last word on their connection. */
export type Command =
  /** Send it to the worker. `adopted`: a worker that died had served it, so that bytes of it may be lost. */
  | { readonly kind: 'offer'; readonly connection: number; readonly worker: number; readonly adopted: boolean }
  /** Close it: the worker that served it died, and nobody knows what it had answered. */
  | { readonly kind: 'cutOff'; readonly connection: number; readonly worker: number }
  /** Close it: nobody has served it. Or cut it off: its worker gave it back, and there is no other. */
  | { readonly kind: 'refuse'; readonly connection: number; readonly reason: RefusalReason };

/** Since the start. `accepted = closed + gone + refused + cutOff` + those that are still here. */
export interface DispatcherCounters {
  accepted: number;
  /** Connections that some worker has served: each once, however often it moved. */
  served: number;
  /** Ends: said by the worker; the client left while it waited; refused, by reason; cut off. */
  closed: number;
  gone: number;
  refused: number;
  cutOff: number;
  /** Ways back into the line, as its worker died before it served, could not take it, gave it back, died serving it. */
  reoffered: number;
  unusable: number;
  givenBack: number;
  adopted: number;
  /** Reports that came late, twice or from the wrong worker, and changed nothing. */
  strays: number;
}

/** The events that are counted have the names of their counters. */
export type CountedEvent = keyof Omit<DispatcherCounters, 'accepted' | 'served' | 'strays'>;
export type ConnectionEvent = CountedEvent | 'offer' | 'accept';
/** What a worker says of a connection, where it changes who has it. */
export type Report = Exclude<WorkerReport['type'], 'client' | 'badHeader'>;

/** What leads on when a worker says so. */
export const eventOf = { accepted: 'accept', unusable: 'unusable', givenBack: 'givenBack', closed: 'closed' } as const;
/** And what that says of the worker's room. */
export const roomEventOf = {
  accepted: undefined, unusable: 'filled', givenBack: 'relieved', closed: 'relieved',
} as const;

export type WorkerEvent = 'filled' | 'relieved' | 'stalled' | 'resumed' | 'retiring';

/** The life of a connection: in this state, this event leads to that state; any other is a stray report. */
export const connectionMoves: Record<ConnectionState, Partial<Record<ConnectionEvent, ConnectionState>>> = {
  waiting: { offer: 'offered', refused: 'ended', gone: 'ended' },
  offered: { accept: 'served', givenBack: 'waiting', reoffered: 'waiting', unusable: 'waiting', closed: 'ended' },
  served: { givenBack: 'waiting', adopted: 'waiting', closed: 'ended', cutOff: 'ended' },
  ended: {},
};

/**
 * A retiring worker can stall and resume too, but is offered nothing either way. One that was full when it stalled is
 * ready after: the next offer shows whether it is still full. Dead workers are forgotten.
 */
export const workerMoves: Record<WorkerReadiness, Partial<Record<WorkerEvent, WorkerReadiness>>> = {
  ready: { filled: 'full', stalled: 'stalled', retiring: 'retiring' },
  full: { relieved: 'ready', stalled: 'stalled', retiring: 'retiring' },
  stalled: { resumed: 'ready', retiring: 'retiring' },
  retiring: { stalled: 'retiring', resumed: 'retiring' },
};
