// The errors of clients that reset their connection: no stack is written for them, and every other error keeps its own.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { writeNoStacksOfResets } from '../../server/worker/reset-errors.ts';

const usual = Error.prepareStackTrace;
after(() => {
  if (usual === undefined) Reflect.deleteProperty(Error, 'prepareStackTrace');
  else Error.prepareStackTrace = usual;
});

test('a reset has no stack, whatever else goes wrong has the same as ever', () => {
  function fail(): Error {
    return new TypeError('it is none');
  }
  const before = fail().stack!;
  writeNoStacksOfResets();
  const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' });
  const write = Object.assign(new Error('write ECONNRESET'), { code: 'ECONNRESET', syscall: 'write' });
  // Under tsx on Node 20, which writes the lines of the sources into stacks, nothing is changed.
  if (Error.prepareStackTrace !== usual) assert.equal(reset.stack, 'Error: read ECONNRESET');
  assert.match(write.stack!, /^Error: write ECONNRESET\n {4}at .*reset-errors\.test/);
  const withoutPlaces = (stack: string): string => stack.replaceAll(/:\d+/g, '');
  assert.equal(withoutPlaces(fail().stack!), withoutPlaces(before));
});
