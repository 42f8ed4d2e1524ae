// The client at a prompt: how it is left and stopped, and what it remembers.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { serve } from '../fixtures/upper-server.ts';
import { CLIENT, newState, openClient, openCommand } from '../helpers/client-terminal.ts';
import { ROOT } from '../helpers/paths.ts';
import { ptyMissing } from '../helpers/pty.ts';

const SHELL = join(ROOT, 'test/helpers/shell.py');

describe('the keys of the client on a terminal', { concurrency: 3, skip: ptyMissing() }, () => {
  for (const [name, key] of [['Ctrl-C', '\x03'], ['Ctrl-D', '\x04']] as const) {
    test(`${name} leaves while a reply is awaited, and says what it left`, async (t) => {
      const { port, connection } = await serve(t, (socket) => void socket.pause());
      const accepted = connection();
      const pty = openClient(t, port);
      await pty.see('> ');
      pty.type('x\r');
      await once((await accepted).resume(), 'data');
      pty.type(key);
      await pty.see('Left without a reply.\r\n');
      assert.deepEqual(await pty.ended, { exitCode: 1, restored: true });
    });
  }

  test('Ctrl-Z does nothing where no shell could continue it, and Ctrl-C clears what is typed first', async (t) => {
    const { port } = await serve(t);
    const pty = openClient(t, port);
    await pty.see('> ');
    pty.type('half');
    await pty.see('half');
    pty.type('\x1a');
    await pty.see('> half');
    pty.type(' typed\r');
    await pty.see('\x1b[0JHALF TYPED\r\n');
    await pty.see('> ');
    pty.type('half ty');
    await pty.see('half ty');
    pty.type('\x1b[D');
    await pty.see('\x1b[1D');
    pty.type('\x03');
    await pty.see('\x1b[0J> \x1b[3G');
    pty.type('whole\r');
    await pty.see('\x1b[0JWHOLE\r\n');
    await pty.see('> ');
    pty.type('\x03');
    assert.deepEqual(await pty.ended, { exitCode: 0, restored: true });
  });

  test('Ctrl-C clears what is typed where TERM is dumb too, and then leaves', async (t) => {
    const { port } = await serve(t);
    const pty = openCommand(t, ['env', 'TERM=dumb', process.execPath, ...CLIENT, '--port', `${port}`], newState(t));
    await pty.see('> ');
    pty.type('half');
    await pty.see('half');
    pty.type('\x03');
    await pty.see('\r\n');
    pty.type('whole\r');
    await pty.see('WHOLE\r\n');
    pty.type('x');
    await pty.see('x');
    pty.type('\x03');
    await pty.see('\r\n');
    pty.type('\x03');
    assert.deepEqual((await pty.ended).exitCode, 0);
  });

  test('remembers what was typed in earlier sessions, and nothing with --no-history', async (t) => {
    const { port } = await serve(t);
    const state = newState(t);
    const say = async (words: string[], ...flags: string[]): Promise<void> => {
      const pty = openClient(t, port, state, ...flags);
      await pty.see('> ');
      for (const word of words) {
        pty.type(`${word}\r`);
        await pty.see(`\x1b[0J${word.toUpperCase()}\r\n`);
        await pty.see('> ');
      }
      pty.type('\x04');
      await pty.ended;
    };
    await say(['one', 'two']);
    await say(['secret'], '--no-history');
    const file = join(state, 'echopool/history');
    assert.equal(readFileSync(file, 'utf8'), 'one\ntwo\n');
    const pty = openClient(t, port, state);
    await pty.see('> ');
    pty.type('\x1b[A');
    await pty.see('> two');
    pty.type('\x1b[A');
    await pty.see('> one');
    pty.type('\r');
    await pty.see('\x1b[0JONE\r\n');
    pty.type('\x04');
    await pty.ended;
    assert.equal(readFileSync(file, 'utf8'), 'one\ntwo\none\n');
  });

  test('says once that it cannot remember, and goes on', async (t) => {
    const { port } = await serve(t);
    const file = join(newState(t), 'file');
    writeFileSync(file, '');
    const pty = openClient(t, port, file); // No folder can be made in it.
    await pty.see('What is typed is not remembered for the next time: ENOTDIR');
    await pty.see('> ');
    for (const word of ['one', 'two']) {
      pty.type(`${word}\r`);
      await pty.see(`\x1b[0J${word.toUpperCase()}\r\n`);
      await pty.see('> ');
    }
    pty.type('\x04');
    assert.equal((await pty.ended).exitCode, 0);
    assert.equal(pty.screen().split('not remembered').length, 2);
  });

  for (const [under, command] of Object.entries({
    'a shell': [process.execPath, ...CLIENT],
    'npm': ['npm', 'run', '-s', '--prefix', ROOT, 'client', '--'],
  })) {
    test(`Ctrl-Z gives the terminal to the shell, and fg takes it back with its line, under ${under}`, async (t) => {
      const { port } = await serve(t);
      const pty = openCommand(t, ['python3', SHELL, ...command, '--port', `${port}`], newState(t));
      await pty.see('> ');
      let typed = '';
      for (const word of ['half', ' ty']) {
        typed += word;
        pty.type(word);
        await pty.see(word);
        pty.type('\x1a');
        await pty.see('stopped, the terminal is cooked');
        pty.type('\r');
        await pty.see(`> ${typed}`);
      }
      pty.type('ped\r');
      await pty.see('\x1b[0JHALF TYPED\r\n');
      await pty.see('> ');
      pty.type('\x04');
      await pty.see('ended');
      assert.deepEqual(await pty.ended, { exitCode: 0, restored: true });
    });
  }
});
