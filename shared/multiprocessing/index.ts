// The toolkit's front door: processes, and what they share. Follows Python's multiprocessing, in JavaScript's manners:
// camelCase, times in milliseconds, and whatever may wait is a promise.
export { Channel } from './channel.ts';
export type { ChannelListener } from './channel.ts';
export { cpuCount, currentProcess } from './current.ts';
export type { CurrentProcess } from './current.ts';
export type { DictProxy } from './dict-proxy.ts';
export { describeDeath, ManagerClosed, NotCloneable, PipeClosed, ProcessDied, TimedOut, WrongUse } from './errors.ts';
export { QueueClosed, QueueEmpty, QueueFull } from './errors.ts';
export type { Death } from './errors.ts';
export { JoinableQueue } from './joinable-queue.ts';
export type { ListProxy } from './list-proxy.ts';
export { Lock } from './lock.ts';
export { Manager } from './manager.ts';
export { isMain } from './modules.ts';
export type { Target } from './modules.ts';
export { Pipe } from './pipe.ts';
export type { Connection } from './pipe.ts';
export { Pool } from './pool.ts';
export type { PoolOptions, TaskOptions } from './pool.ts';
export type { ForkOptions } from './fork.ts';
export { activeChildren, Process } from './process.ts';
export type { ProcessOptions } from './process.ts';
export { Queue } from './queue.ts';
export type { Wait, WaitOptions } from './time-limit.ts';
