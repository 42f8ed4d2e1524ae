// The toolkit's front door: processes, and what they share. Follows Python's multiprocessing, in JavaScript's manners:
// camelCase, times in milliseconds, and whatever may wait is a promise. For everybody but the server, which imports the
// files that it needs: behind this one are about eighty, and each costs a process's start about a millisecond.
export { Barrier } from './synchronize/barrier.ts';
export type { BarrierOptions } from './synchronize/barrier.ts';
export { Channel } from './transport/channel.ts';
export type { ChannelListener } from './transport/channel.ts';
export { cpuCount, currentProcess } from './process/current.ts';
export type { CurrentProcess } from './process/current.ts';
export type { DictProxy, DictSource } from './manager/dict-proxy.ts';
export { BrokenBarrierError, describeDeath, ManagerClosed, NotCloneable, PipeClosed } from './base/errors.ts';
export { ProcessDied, TimedOut, WrongUse } from './base/errors.ts';
export { QueueClosed, QueueEmpty, QueueFull } from './base/errors.ts';
export type { Death } from './base/errors.ts';
export { Event } from './synchronize/event.ts';
export { JoinableQueue } from './queue/joinable-queue.ts';
export type { ListProxy } from './manager/list-proxy.ts';
export { Lock } from './lock/lock.ts';
export { Manager } from './manager/manager.ts';
export { isMain } from './process/modules.ts';
export type { Target } from './process/modules.ts';
export { Pipe } from './pipe/pipe.ts';
export type { Connection } from './pipe/pipe.ts';
export { Pool } from './pool/pool.ts';
export type { PoolIterator } from './pool/iterator.ts';
export type { MapOptions, PoolOptions, TaskOptions } from './pool/options.ts';
export type { ForkOptions } from './process/fork.ts';
export { activeChildren, Process } from './process/process.ts';
export type { ProcessOptions } from './process/process.ts';
export { Queue } from './queue/queue.ts';
export { Semaphore } from './synchronize/semaphore.ts';
export type { SemaphoreOptions } from './synchronize/semaphore.ts';
export { wait } from './pipe/wait.ts';
export type { Wait, WaitOptions } from './base/time-limit.ts';
