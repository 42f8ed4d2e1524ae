// All demos, in the order in which they are best looked at. Used by main.ts and its test.
import { append } from './append.ts';
import { barrier } from './barrier.ts';
import { clients } from './clients.ts';
import type { Demo } from './stage/demo.ts';
import { event } from './event.ts';
import { joinable } from './joinable.ts';
import { lifecycle } from './lifecycle.ts';
import { pool } from './pool.ts';
import { producerConsumer } from './producer-consumer.ts';
import { queueLimits } from './queue-limits.ts';
import { scheduler } from './scheduler.ts';
import { semaphore } from './semaphore.ts';
import { sharedDict } from './shared-dict.ts';
import { terminal } from './terminal.ts';
import { tickets } from './tickets.ts';
import { watch } from './watch.ts';

export const demos: readonly Demo[] = [
  lifecycle, terminal, append, tickets, scheduler, event, semaphore, barrier, queueLimits, producerConsumer, joinable,
  sharedDict, pool, clients, watch,
];
