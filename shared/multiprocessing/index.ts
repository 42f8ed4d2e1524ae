// The toolkit's front door: processes, and what they share. Follows Python's multiprocessing, in JavaScript's manners:
// camelCase, times in milliseconds, and whatever may wait is a promise.
export { Channel } from './channel.ts';
export type { ChannelListener } from './channel.ts';
export { cpuCount, currentProcess, isMain } from './current.ts';
export type { CurrentProcess } from './current.ts';
export { describeDeath, NotCloneable, ProcessDied, WrongUse } from './errors.ts';
export type { Death } from './errors.ts';
export { Lock } from './lock.ts';
export { activeChildren, Process } from './process.ts';
export type { ProcessOptions, Target } from './process.ts';
