#!/usr/bin/env node
// Watches a server on the whole terminal, drawn again every second (npm run top).
import { constants } from 'node:os';
import { useColor } from '../../shared/terminal/color.ts';
import { FullScreen } from '../../shared/terminal/full-screen.ts';
import type { AdminAddress } from './address.ts';
import { isDone, parsed } from './check.ts';
import { parseTopCommand, topHelp } from './config.ts';
import { printStatus, runProgram } from './program.ts';
import { Rates } from './rates.ts';
import { AdminError, sentenceOf } from './requests.ts';
import { picture } from './view.ts';
import { Watch } from './watch.ts';

const { stdin, stdout } = process;
const DRAW_MS = 1000;
/** What shells add to a signal's number. */
const EXIT_SIGNALLED = 128;
const CTRL_C = '\x03';
const PATHS: Readonly<Record<string, string>> = { 'r': '/reload', '+': '/workers/add', '-': '/workers/remove' };

await runProgram('top', topHelp, () => parseTopCommand(process.argv.slice(2), process.env), async ({ address }) => (
  stdin.isTTY && stdout.isTTY ? await watch(address) : await printStatus(address, false)));

/** @returns The exit code. @throws AdminError when the server is not there at first. */
async function watch(address: AdminAddress): Promise<number> {
  const server = new Watch(address);
  const rates = new Rates();
  const color = useColor(process.env, true);
  let screen: FullScreen | undefined;
  let said = '';
  let exitCode = 0;
  const draw = (): void => {
    const { status, trouble } = server;
    if (screen === undefined || status === undefined) return;
    screen.draw(picture(status, rates, { ...screen.size, color, trouble, said }));
  };
  const leave = (code: number): void => {
    exitCode = code;
    server.close();
  };
  const act = async (key: string, path: string): Promise<void> => {
    said = `${key} …`;
    draw();
    try {
      const { status, body } = await server.post(path);
      said = status < 300 ? sentenceOf(doneOf(body)) : `The server refuses: ${sentenceOf(body)}.`;
    } catch (error) {
      if (!(error instanceof AdminError)) throw error;
      said = error.message;
    }
    draw();
  };
  const press = (key: string): void => {
    const path = PATHS[key];
    if (key === 'q' || key === CTRL_C) return leave(0);
    if (path === undefined) return;
    if (server.status?.actions === true) return void act(key, path);
    said = `Nothing was done by ${key}: the server was started without --admin-actions.`;
    draw();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => leave(EXIT_SIGNALLED + constants.signals[signal]));
  }
  const hungUp = (): void => leave(EXIT_SIGNALLED + constants.signals.SIGHUP);
  server.onTurn = () => {
    if (server.status === undefined) return;
    screen ??= new FullScreen({ stdin, stdout }, { redraw: draw, press, lost: hungUp });
    draw();
  };
  const timer = setInterval(() => {
    const { status, trouble } = server;
    if (status !== undefined && trouble === undefined) rates.note(status);
    draw();
  }, DRAW_MS);
  try {
    await server.run();
  } finally {
    clearInterval(timer);
    screen?.close();
  }
  return exitCode;
}

/** What the server says that it does. */
function doneOf(body: string): string {
  const value = parsed(body);
  return isDone(value) ? value.done : 'It is done.';
}
