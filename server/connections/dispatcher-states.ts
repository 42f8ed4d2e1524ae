// The life of a connection and of a worker as the dispatcher sees them: their states, what leads from one to another, and
// what is counted on the way. Data only; used by dispatcher.ts.

/** Where a connection is. `offered`: sent to a worker that has not said yet that it has it. */
export type ConnectionState = 'waiting' | 'offered' | 'served' | 'ended';

/** What a worker may be given: only a `ready` one is offered connections. `full`: it could not take the last one. */
export type WorkerState = 'ready' | 'full' | 'stalled' | 'retiring';

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
  /**
   * Ways back into the line: offered to a worker that died, or that could not take it; given back by a worker; adopted from
   * one that died.
   */
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
/** What a worker says of a connection. */
export type Report = 'accepted' | 'unusable' | 'givenBack' | 'closed';

/** What leads on when a worker says so. */
export const eventOf = { accepted: 'accept', unusable: 'unusable', givenBack: 'givenBack', closed: 'closed' } as const;

export type WorkerEvent = 'filled' | 'relieved' | 'stalled' | 'resumed' | 'retiring';

/** The life of a connection: in this state, this event leads to that state; any other is a stray report. */
export const connectionMoves: Record<ConnectionState, Partial<Record<ConnectionEvent, ConnectionState>>> = {
  waiting: { offer: 'offered', refused: 'ended', gone: 'ended' },
  offered: { accept: 'served', givenBack: 'waiting', reoffered: 'waiting', unusable: 'waiting', closed: 'ended' },
  served: { givenBack: 'waiting', adopted: 'waiting', closed: 'ended', cutOff: 'ended' },
  ended: {},
};

/**
 * A retiring worker can stall and resume too, but gets nothing either way. One that was full when it stalled is found out
 * anew. Dead workers are forgotten.
 */
export const workerMoves: Record<WorkerState, Partial<Record<WorkerEvent, WorkerState>>> = {
  ready: { filled: 'full', stalled: 'stalled', retiring: 'retiring' },
  full: { relieved: 'ready', stalled: 'stalled', retiring: 'retiring' },
  stalled: { resumed: 'ready', retiring: 'retiring' },
  retiring: { stalled: 'retiring', resumed: 'retiring' },
};
