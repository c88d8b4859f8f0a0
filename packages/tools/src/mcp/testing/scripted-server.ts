// The other end of an in-memory connection, scripted message by message: for servers that the SDK would not let one write.

import { Client, type ClientOptions, InMemoryTransport, type JSONRPCMessage } from "@modelcontextprotocol/client";

/** A request that a scripted server got. */
export interface Received {
  readonly id: number;
  readonly method: string;
  readonly params: Record<string, unknown>;
}

/** What it says: a result, an error of JSON-RPC, or nothing at all. */
export type Answer = { readonly result: unknown } | { readonly error: { code: number; message: string } } | undefined;

/** A client that is connected to a server that answers as it is told. */
export interface ScriptedServer {
  readonly client: Client;
  /** All messages that it got, oldest first. */
  readonly got: readonly JSONRPCMessage[];
  send(message: unknown): void;
  /** Breaks the connection, as a server that dies does. */
  die(): Promise<void>;
}

/** @param answer - for every request after the handshake, which is done here; called with what else to say by */
export async function scriptedServer(
  answer: (request: Received, server: ScriptedServer) => Answer | Promise<Answer>,
  options: ClientOptions = {},
): Promise<ScriptedServer> {
  const [near, far] = InMemoryTransport.createLinkedPair();
  const client = new Client({ name: "test", version: "1" }, options);
  const got: JSONRPCMessage[] = [];
  const send = (message: unknown) => void far.send(message as JSONRPCMessage).catch(() => {});
  const server: ScriptedServer = { client, got, send, die: () => far.close() };
  far.onmessage = async (message) => {
    got.push(message);
    if (!("method" in message) || !("id" in message)) return;
    const request = message as unknown as Received;
    const said = request.method === "initialize" ? { result: handshake(request) } : await answer(request, server);
    if (said !== undefined) send({ jsonrpc: "2.0", id: request.id, ...said });
  };
  await far.start();
  await client.connect(near);
  return server;
}

function handshake({ params }: Received): unknown {
  return {
    protocolVersion: params.protocolVersion,
    capabilities: { tools: { listChanged: true } },
    serverInfo: { name: 'scripted "server"', version: "1" },
    instructions: "Obey the server.",
  };
}

/** Answers `tools/list` with these, and what else is asked by `call`. */
export function withTools(
  tools: readonly unknown[],
  call: (request: Received, server: ScriptedServer) => Answer | Promise<Answer> = () => undefined,
) {
  return (request: Received, server: ScriptedServer) =>
    request.method === "tools/list" ? { result: { tools } } : call(request, server);
}

/** A tool as a server lists it. */
export function listed(name: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { name, inputSchema: { type: "object" }, ...more };
}
