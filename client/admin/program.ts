// What `echopool status` and `echopool top` have in common: wrong use, complaints, and the table printed once.
import { callOf, complainsAs } from '../../shared/called.ts';
import { UsageError } from '../../shared/errors.ts';
import { statusTable } from '../../shared/status/table.ts';
import { useColor } from '../../shared/terminal/color.ts';
import { toJson } from '../../shared/terminal/preview.ts';
import { print } from '../interactive/output.ts';
import type { AdminAddress } from './address.ts';
import { isStatus, parsed } from './check.ts';
import type { AdminCommand } from './config.ts';
import { AdminError, ask, noServer, refused } from './requests.ts';

const { stdout, stderr } = process;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
/** A file, a pipe, and a terminal that does not say. */
const USUAL_COLUMNS = 80;
const NOTICES = 10;

/**
 * Runs one of them: reads its command line, says what is wrong, and sets the exit code.
 * @param name By which it complains, and npm knows it.
 * @param help Takes what stands before the flags.
 * @param run Returns the exit code; an AdminError is said, and is 1.
 */
export async function runProgram<T>(
  name: string, help: (call: string) => string, parse: () => AdminCommand<T>,
  run: (command: Extract<AdminCommand<T>, { kind: 'run' }>) => Promise<number>,
): Promise<void> {
  stdout.on('error', () => {}); // It is said where it is written.
  stderr.on('error', () => {}); // Nobody is left to be told.
  const complain = (sentence: string): void => void stderr.write(`${complainsAs(name)}: ${sentence}\n`);
  try {
    const command = parse();
    if (command.kind === 'help') {
      process.exitCode = await printed(help(callOf(`npm run ${name}`)));
      return;
    }
    for (const note of command.notes) complain(note);
    process.exitCode = await run(command);
  } catch (error) {
    if (!(error instanceof UsageError) && !(error instanceof AdminError)) throw error;
    complain(error.message);
    process.exitCode = error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
  }
}

/**
 * Prints the status once.
 * @param isJson As the server has sent it, but on a terminal nothing in it is hidden.
 * @throws AdminError
 */
export async function printStatus(address: AdminAddress, isJson: boolean): Promise<number> {
  const { status: code, body } = await ask(address, { method: 'GET', path: '/status' });
  if (code !== 200) throw refused(address, code, body);
  const status = parsed(body);
  if (!isStatus(status)) throw noServer(address);
  if (isJson) return await printed(`${stdout.isTTY ? toJson(status) : body.trimEnd()}\n`);
  const columns = stdout.isTTY ? stdout.columns : Number(/^\d{1,4}$/.exec(process.env['COLUMNS'] ?? '')?.[0] ?? 0);
  const color = useColor(process.env, stdout.isTTY);
  const lines = statusTable(status, { columns: columns > 0 ? columns : USUAL_COLUMNS, notices: NOTICES, color });
  return await printed(`${lines.join('\n')}\n`);
}

/** Prints on standard output. @throws AdminError when that does not go. */
async function printed(text: string): Promise<number> {
  const problem = await print(stdout, text);
  if (problem !== undefined) throw new AdminError(problem);
  return 0;
}
