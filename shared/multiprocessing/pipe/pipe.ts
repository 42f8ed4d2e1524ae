// Pipe: two connected ends between processes, each for both ways. Follows Python's multiprocessing.Pipe.
//
// The process that made the pipe keeps its hub (hub.ts), through which all values go. An end (connection.ts) is at
// home in one process at a time: passed on, in arguments or in a message, it takes what is unread along and is of no
// use any more to the process that passed it on. What is sent is on its way at once, with no answer to wait for, until
// a window of values (window.ts) is unread.
import { isWithin, ownerOf } from '../base/address.ts';
import { defineKind } from '../values/codec.ts';
import type { Reference } from '../values/codec.ts';
import { ARRIVE, Connection } from './connection.ts';
import type { Handler, Wire } from './connection.ts';
import { CONNECTION } from '../transport/custody.ts';
import { findHub, PipeHub } from './hub.ts';
import { claimRef, pipeOf, readFromHub, sideOf } from './messages.ts';
import type { Claim, Side } from './messages.ts';
import * as router from '../transport/router.ts';

export type { Connection } from './connection.ts';

/** The ends of the pipes that were made here, by their hubs: wherever an end is now, it may come back. */
const made = new WeakMap<PipeHub, [Connection, Connection]>();
/** The ends of other processes' pipes that are here, or are on their way from here. */
const received = new Map<string, Connection>();

/**
 * Makes a pipe. Both ends are at home in this process until they are passed on.
 *
 * When an end is closed or its process ends, the other one reads what was sent before and then gets `PipeClosed`, or
 * `ProcessDied` if that process was killed or failed. So it is for both ends when the process dies that made the pipe.
 */
export function Pipe<T = unknown>(): [Connection<T>, Connection<T>] {
  const handlers: Handler[] = [];
  const hub = new PipeHub((side, message) => handlers[side]!.hear(message));
  const end = (side: Side): Connection<T> => new Connection<T>((itsHandler) => {
    handlers[side] = itsHandler;
    return {
      pipe: hub,
      ref: () => hub.open(side),
      tell: (message) => hub.receive(side, router.selfAddress(), message),
      claim: (trip) => hub.claim(side, router.selfAddress(), trip),
      cut: () => {},
    };
  });
  const ends: [Connection<T>, Connection<T>] = [end(0), end(1)];
  made.set(hub, ends as [Connection, Connection]);
  return ends;
}

function connectTo(ref: string, handler: Handler): Wire {
  const owner = ownerOf(ref);
  router.addEndpoint(ref, {
    receive: (from, body) => {
      const message = from === owner ? readFromHub(body) : undefined;
      if (message !== undefined) handler.hear(message);
    },
    died: (death) => {
      if (isWithin(owner, death.address)) handler.orphaned(death);
    },
  });
  return {
    pipe: pipeOf(ref),
    ref: () => ref,
    tell: (message) => router.post(owner, ref, message),
    claim: (trip) => router.post(owner, claimRef(owner), { ref, trip } satisfies Claim),
    cut: () => {
      router.removeEndpoint(ref);
      received.delete(ref);
    },
  };
}

defineKind(CONNECTION, ({ ref, detail }: Reference) => {
  const hub = findHub(pipeOf(ref));
  let end = hub === undefined ? received.get(ref) : made.get(hub)![sideOf(ref)];
  if (end === undefined) {
    end = new Connection((handler) => connectTo(ref, handler));
    received.set(ref, end);
  }
  return end[ARRIVE](detail as number);
});
