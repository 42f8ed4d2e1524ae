// The cases that give figures of their own. Read by config.ts and compare.ts.
import { connections } from './connections.ts';
import type { FigureCase } from './figure.ts';
import { latency } from './latency.ts';
import { logDelay } from './log-delay.ts';
import { idle, memory } from './memory.ts';
import { start } from './start.ts';
import { watched } from './watched.ts';

export const FIGURE_CASES: Readonly<Record<string, FigureCase>> = {
  memory, idle, connections, start, latency, 'log-delay': logDelay, watched,
};
