// The short way to the tools of an MCP server: starts or reaches it, asks what it has, and ends it again. An application that
// needs more (OAuth, a newer protocol revision, sampling) makes its own `Client`, and gives it to `mcpTools`.

import { DuplexError } from "@microturn/core";
import { Client, SdkHttpError, type Transport, UnauthorizedError } from "@modelcontextprotocol/client";
import { CfWorkerJsonSchemaValidator } from "@modelcontextprotocol/client/validators/cf-worker";
import type { ToolSet } from "../tool.js";
import { HttpTransport } from "./http-transport.js";
import { type McpToolsOptions, mcpTools } from "./mcp-tools.js";
import { oneLine } from "./server-text.js";

/** A server that is a program of this machine. Node only. */
export interface McpStdioServer {
  readonly command: string;
  readonly args?: readonly string[] | undefined;
  /** Besides `PATH`, `HOME` and the like, which are all that it gets of this process: secrets of the application stay here. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Folder that it runs in; default that of this process. */
  readonly cwd?: string | undefined;
}

/** A server that is reached by Streamable HTTP. */
export interface McpHttpServer {
  readonly url: string | URL;
  /** Sent with every request, for example `authorization`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Options of {@link connectMcp}. */
export interface ConnectMcpOptions extends McpToolsOptions {
  /** Longest time until the tools are there, starting the server included, ms; default 30 000. */
  readonly openTimeoutMs?: number | undefined;
  /** The server says that its tools have changed. Those that were given stay as they are; `mcpTools(client, …)` gives new ones. */
  readonly onChange?: (() => void) | undefined;
  /** What a server that is a program writes to its standard error, as it comes. Default nothing. */
  readonly onStderr?: ((text: string) => void) | undefined;
}

/** A server that is connected. */
export interface McpConnection extends AsyncDisposable {
  /** The tools that are allowed, as they were when it was connected. */
  readonly tools: ToolSet;
  /** The SDK's client, for whatever else the application wants of the server; `client.onclose` is free for its use. */
  readonly client: Client;
  /** Ends the connection, and the server if it is a program (asked first, then killed, within 5 s). Calls under way fail. Always resolves; double close is fine. */
  close(): Promise<void>;
}

/** Most pages of a list of tools; an honest server has one or two. */
const listMaxPages = 32;
const stderrTailChars = 2000;
const terminateMs = 2000;

/**
 * Connects to an MCP server and takes the tools of it that are allowed.
 *
 * @throws DuplexError `NETWORK_FAILED` if the server cannot be started or reached, or does not answer in time;
 *   `ACCESS_DENIED` if it refuses the caller; `TOOL_FAILED` as {@link mcpTools}; `UNSUPPORTED` for a program in a browser. Nothing
 *   is left behind then
 * @throws the reason of `signal`
 * @example
 * await using trains = await connectMcp({ command: "node", args: ["timetable.js"] }, { allow: ["departures"] });
 * const background = backgroundModel({ model, tools: trains.tools });
 */
export async function connectMcp(
  server: McpStdioServer | McpHttpServer,
  options: ConnectMcpOptions = {},
): Promise<McpConnection> {
  const { openTimeoutMs = 30_000, onChange, onStderr, signal } = options;
  signal?.throwIfAborted();
  const opened = performance.now();
  let stderr = "";
  const transport = await transportTo(server, (text) => {
    stderr = `${stderr}${text}`.slice(-stderrTailChars);
    onStderr?.(text);
  });
  const client = new Client(
    { name: "microturn", version: "1" },
    {
      listMaxPages,
      // Reads schemas instead of compiling them to code: they are the server's.
      jsonSchemaValidator: new CfWorkerJsonSchemaValidator(),
      ...(onChange && { listChanged: { tools: { autoRefresh: false, onChanged: () => onChange() } } }),
    },
  );
  const close = closing(client, transport);
  try {
    try {
      const deadline = AbortSignal.timeout(openTimeoutMs);
      await orAborted(
        client.connect(transport, { timeout: openTimeoutMs }),
        signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
      );
    } catch (error) {
      signal?.throwIfAborted();
      throw unreachable(server, error, openTimeoutMs, stderr);
    }
    const leftMs = Math.max(1, Math.ceil(openTimeoutMs - (performance.now() - opened)));
    const listTimeoutMs = Math.min(options.listTimeoutMs ?? leftMs, leftMs);
    const tools = await mcpTools(client, { ...options, listTimeoutMs });
    return { tools, client, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function transportTo(
  server: McpStdioServer | McpHttpServer,
  onStderr: (text: string) => void,
): Promise<Transport | HttpTransport> {
  if (!("url" in server)) {
    const { stdioTransport } = await import("#mcp-stdio");
    return stdioTransport(server, onStderr);
  }
  const url = new URL(server.url);
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new TypeError(`connectMcp: expected a url that begins with https:// or http://, got ${url.protocol}`);
  }
  return new HttpTransport(url, { requestInit: { headers: { ...server.headers } } });
}

/** Ends the server's session where it keeps one, then the connection. */
function closing(client: Client, transport: Transport | HttpTransport): () => Promise<void> {
  let closed: Promise<void> | undefined;
  const close = async () => {
    if (transport instanceof HttpTransport) {
      const terminated = transport.terminateSession().catch(() => {});
      await Promise.race([terminated, new Promise((resolve) => setTimeout(resolve, terminateMs))]);
    }
    // What cannot be ended in good order is ended all the same; a client that never connected has not taken the transport.
    await client.close().catch(() => {});
    await transport.close().catch(() => {});
  };
  return () => {
    closed ??= close();
    return closed;
  };
}

async function orAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    stop = () => signal.removeEventListener("abort", onAbort);
  });
  promise.catch(() => {});
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    stop();
  }
}

function unreachable(
  server: McpStdioServer | McpHttpServer,
  error: unknown,
  openTimeoutMs: number,
  stderr: string,
): DuplexError {
  const where = "url" in server ? new URL(server.url).origin : server.command;
  const status = error instanceof SdkHttpError ? error.status : undefined;
  if (error instanceof UnauthorizedError || status === 401 || status === 403) {
    return new DuplexError(
      "ACCESS_DENIED",
      `connectMcp: the MCP server ${where} does not accept the caller; check the authorization in its headers`,
      { cause: error },
    );
  }
  const why = error instanceof Error ? oneLine(error.message, 500) : String(error);
  const late = error instanceof DOMException && error.name === "TimeoutError";
  const last = oneLine(stderr, 500);
  return new DuplexError(
    "NETWORK_FAILED",
    `connectMcp: expected the MCP server ${where} to answer${late ? ` within ${openTimeoutMs} ms` : ""}, got: ${why}` +
      `${last === "" ? "" : `; it wrote: ${last}`}; check that it ${"url" in server ? "runs there" : "is installed and starts"}`,
    { cause: error, details: { stderr } },
  );
}
