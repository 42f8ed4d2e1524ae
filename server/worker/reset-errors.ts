// Makes the errors of clients that reset their connection cheap. Node makes one for each, and has its stack written,
// which takes as long as all our own code for a short connection; and all that it says is that Node has read from a
// socket. Called by worker.ts.

/** From now on such errors have no stack. All others keep theirs. */
export function writeNoStacksOfResets(): void {
  const usual = Error.prepareStackTrace ?? (process.sourceMapsEnabled ? undefined : plainly);
  if (usual === undefined) return;
  Error.prepareStackTrace = (error: NodeJS.ErrnoException, trace) => (
    error.code === 'ECONNRESET' && error.syscall === 'read' ? `${error.name}: ${error.message}` : usual(error, trace));
}

/** As Node 20 does it, which has no function for it that could be called. */
function plainly(error: Error, trace: readonly NodeJS.CallSite[]): string {
  return [Error.prototype.toString.call(error), ...trace].join('\n    at ');
}
