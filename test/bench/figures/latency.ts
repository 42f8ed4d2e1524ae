// The latency of servers that are not at their limit: at half of what the slowest can do. One of index.ts.
import { Crowd } from '../crowd.ts';
import type { FigureCase, FigureRound } from './figure.ts';

const CONNECTIONS = 64;
const SHARE = 0.5;

export const latency: FigureCase = {
  title: 'p99 at half of the full rate of the slowest, 64 connections',
  unit: 'us',
  servers: ['ours', 'cluster', 'kept-copy'],
  rounds: (asked) => 2 * asked + 1, // What counts is how often it is better.

  async measure(servers, { servers: started, seconds, now }) {
    const full = new Map<string, number>();
    const problems: string[] = [];
    for (const name of servers) {
      now(`${name} at full load`);
      const crowd = await Crowd.open((await started.running(name)).port, CONNECTIONS);
      const shown = await crowd.loadInTotal(CONNECTIONS, seconds / 2);
      await crowd.close();
      full.set(name, shown.rate);
      problems.push(...shown.problems);
    }
    const rate = Math.min(...full.values()) * SHARE;
    const figures = new Map<string, FigureRound>();
    for (const name of servers) {
      now(`${name} at half of it`);
      const crowd = await Crowd.open((await started.running(name)).port, CONNECTIONS);
      const shown = await crowd.loadPaced(rate, seconds);
      await crowd.close();
      figures.set(name, { value: shown.p99Us, problems: [...problems, ...shown.problems] });
    }
    return figures;
  },
};
