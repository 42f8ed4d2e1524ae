#!/usr/bin/env node
// What a server says of itself, printed once (npm run status).
import { parseStatusCommand, STATUS_HELP } from './config.ts';
import { printStatus, runProgram } from './program.ts';

await runProgram('status', STATUS_HELP, () => parseStatusCommand(process.argv.slice(2), process.env),
  async ({ address, values }) => await printStatus(address, values.json));
