// The environment for a client or a load generator under test: nothing in it says where a server is. `npm test` sets
// some.
export const CLIENT_ENV: NodeJS.ProcessEnv = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(?:PORT|ECHOPOOL_.*|npm_.*)$/.test(name)),
);
