// `echopool/client`: for programs and tests that talk to an echo server.
export { EchoClient, EchoClientError } from './echo-client.ts';
export type { ConnectOptions, EchoClientOptions, Endpoint } from './echo-client.ts';
