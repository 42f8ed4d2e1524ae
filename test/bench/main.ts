// The benchmark's command line (npm run bench): servers side by side, the goals, or the toolkit beside Python's.
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf, UsageError } from '../../shared/errors.ts';
import { activeChildren, cpuCount } from '../../shared/multiprocessing/index.ts';
import { caseChart, figureChart, toolkitChart } from './chart.ts';
import { endAll } from './children.ts';
import { compare, type CaseResult } from './compare.ts';
import { benchHelp, parseBenchCommand, type BenchCommand } from './config.ts';
import type { FigureResult } from './figures/figure.ts';
import { goalsTable } from './goals.ts';
import type { Absent } from './servers.ts';
import { goalTable, verdictLine } from './toolkit-goals.ts';
import { compareToolkit, type ToolkitResult } from './toolkit.ts';

const { stdout, stderr } = process;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_SIGNALLED = 128; // What shells add to a signal's number.

const folder = mkdtempSync(join(tmpdir(), 'echopool-bench-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 }));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    endAll();
    for (const child of activeChildren()) child.kill();
    clearLine();
    process.exit(EXIT_SIGNALLED + constants.signals[signal]);
  });
}
process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const command = parseBenchCommand(process.argv.slice(2), cpuCount());
    switch (command.kind) {
      case 'help':
        stdout.write(benchHelp(cpuCount()));
        return 0;
      case 'servers':
      case 'goals':
      case 'toolkit':
        await bench(command);
        return 0;
    }
  } catch (error) {
    clearLine();
    stderr.write(`bench: ${messageOf(error)}\n`);
    return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
  }
}

async function bench(command: Exclude<BenchCommand, { kind: 'help' }>): Promise<void> {
  const { kind, effort, json } = command;
  const { rounds, seconds } = effort;
  const absent: Absent[] = [];
  const cases: (CaseResult | FigureResult | ToolkitResult)[] = [];
  const machine = { cpus: cpuCount(), node: process.version, platform: `${process.platform} ${process.arch}` };
  const say = (text: string): void => {
    clearLine();
    if (!json) stdout.write(`${text}\n`);
  };
  const events = {
    now: showNow,
    absent(missing: Absent) {
      absent.push(missing);
      say(`${missing.name} is left out: ${missing.why}\n`);
    },
  };
  const times = `${rounds} ${rounds === 1 ? 'round' : 'rounds'} of ${seconds} s`;
  const how = `${times}, on ${machine.cpus} CPUs, Node ${machine.node}`;
  let load: string | null = null;
  say(`Medians of ${how}\n`);
  if (command.kind !== 'toolkit') {
    const { plan, workers, processes, connections } = command;
    await compare({ effort, plan, workers, processes, connections, folder }, {
      ...events,
      loadBy(generator) {
        load = generator;
        say(`The load is made by ${generator}.\n`);
      },
      done(result) {
        cases.push(result);
        say(`${'notes' in result ? figureChart(result) : caseChart(result)}\n`);
      },
    });
  }
  if (command.toolkit.cases.length > 0) {
    const results: ToolkitResult[] = [];
    await compareToolkit(command.toolkit, {
      ...events,
      done(result) {
        results.push(result);
        say(`${toolkitChart(result)}\n${verdictLine(result)}\n`);
      },
    });
    cases.push(...results);
    if (command.kind === 'toolkit') say(`${goalTable(results)}\n`);
  }
  if (command.kind === 'goals') say(`${goalsTable(cases)}\n\nFrom one run of \`npm run bench -- goals\`: ${how}.`);
  clearLine();
  if (json) stdout.write(`${JSON.stringify({ kind, machine, rounds, seconds, load, cases, absent })}\n`);
}

function showNow(what: string): void {
  if (stderr.isTTY) stderr.write(`\r\x1b[K${what}`);
}

function clearLine(): void {
  if (stderr.isTTY) stderr.write('\r\x1b[K');
}
