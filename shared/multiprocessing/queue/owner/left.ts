// Who is left, after a death, that could serve those who wait at a Queue: a process that holds it and does not wait
// itself, or one that can still get it (kept.ts). Part of owner.ts.
import type { Kept } from '../../base/kept.ts';
import type { Peer, Peers } from './peer.ts';

/** @param waits The processes that wait for others: for an item, for a place, or for the end of work. */
function canBeGot(kept: Kept, waits: (peer: Peer) => boolean, peers: Peers): boolean {
  return kept.canBeGot((address) => {
    const peer = peers.get(address);
    return peer !== undefined && waits(peer);
  });
}

/** Whether nobody is left but those who wait as well: for items, or for places. */
export function allWait(peers: Peers, kept: Kept, which: 'gets' | 'waitingPuts'): boolean {
  const waits = (peer: Peer): boolean => peer[which].size > 0;
  return [...peers.values()].every(waits) && !canBeGot(kept, waits, peers);
}

/**
 * Whether nobody is left who takes items: who has called get, or has neither put nor taken any and may be about to.
 * @param joins Who waits for the end of work: unless it also takes items, it waits for others to do so.
 */
export function nobodyWorks(peers: Peers, kept: Kept, joins: ReadonlySet<string>, self: string): boolean {
  const waits = ({ address }: Peer): boolean => joins.has(address);
  const works = (peer: Peer): boolean => peer.consumes || peer.starting
    || !(peer.onlyPuts || peer.left || peer.address === self || waits(peer));
  return ![...peers.values()].some(works) && !canBeGot(kept, waits, peers);
}
