import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { DuplexError } from "@microturn/core";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { createMcpHandler, WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server";
import { build } from "esbuild";
import { afterEach, describe, expect, it, vi } from "vitest";
import { connectMcp, type McpConnection } from "./connect-mcp.js";
import { mcpTools } from "./mcp-tools.js";
import { type HttpHost, httpHost } from "./testing/http-host.js";
import { toolContext } from "./testing/tool-context.js";
import { trainServer, waits } from "./testing/train-server.mjs";

const program = fileURLToPath(new URL("testing/train-server.mjs", import.meta.url));
const trains = { command: process.execPath, args: [program] };

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function connect(...[server, options]: Parameters<typeof connectMcp>): Promise<McpConnection> {
  const connection = await connectMcp(server, options);
  open.push(connection);
  return connection;
}

async function host(answer: (request: Request) => Promise<Response>): Promise<HttpHost> {
  const started = await httpHost(answer);
  open.push(started);
  return started;
}

const call = ({ tools }: Pick<McpConnection, "tools">, name: string, input: unknown = {}, context = toolContext()) =>
  Promise.resolve(tools[name].execute?.(input, context));

/** Whether a process is there. */
function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const pidOf = ({ client }: McpConnection): number => (client.transport as StdioClientTransport).pid ?? Number.NaN;

describe("a server that is a program", () => {
  it("gives its tools, which work", async () => {
    const connection = await connect(trains, { allow: ["departures", "book"], prefix: "trains_" });
    expect(Object.keys(connection.tools)).toEqual(["trains_departures", "trains_book"]);
    expect(connection.tools.trains_departures.irreversible).toBe(false);
    expect(connection.tools.trains_book.irreversible).toBe(true);
    expect(await call(connection, "trains_departures", { from: "Ulm" })).toEqual({
      departures: [{ to: "Paris", at: "14:05" }],
    });
    expect(await call(connection, "trains_book", { train: "ICE 9" })).toBe(
      "booked ICE 9 conversation-1/delegation-1/call-1",
    );
    await expect(call(connection, "trains_departures", { from: 5 })).rejects.toMatchObject({ code: "TOOL_FAILED" });
  });

  it("says how far it is", async () => {
    const context = toolContext();
    expect(await call(await connect(trains, { allow: ["steps"] }), "steps", { count: 4 }, context)).toBe("done");
    expect(context.told[0]).toBe("asking station by station (25 %)");
  });

  it("learns that a call was cancelled", async () => {
    const connection = await connect(trains, { allow: ["wait", "cancelled"] });
    const ended = new AbortController();
    const waiting = call(connection, "wait", {}, toolContext(ended.signal));
    const stopped = expect(waiting).rejects.toThrow("forget it");
    // The server takes requests in order: once this has an answer, it has the one before.
    expect(await call(connection, "cancelled")).toBe("0");
    ended.abort(new Error("forget it"));
    await stopped;
    await vi.waitFor(async () => expect(await call(connection, "cancelled")).toBe("1"));
  });

  it("gets none of the application's environment but what it is given", async () => {
    vi.stubEnv("SECRET_OF_THE_APPLICATION", "1");
    try {
      const connection = await connect({ ...trains, env: { GIVEN: "1" } }, { allow: ["environment"] });
      const names = String(await call(connection, "environment")).split(" ");
      expect(names).toContain("PATH");
      expect(names).toContain("GIVEN");
      expect(names).not.toContain("SECRET_OF_THE_APPLICATION");
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it("is gone once the connection is closed, and calls under way have failed", async () => {
    const connection = await connect(trains, { allow: ["wait"] });
    const pid = pidOf(connection);
    expect(alive(pid)).toBe(true);
    const waiting = call(connection, "wait");
    const failed = expect(waiting).rejects.toMatchObject({ code: "TOOL_FAILED", details: { mayHaveRun: true } });
    await Promise.all([connection.close(), connection.close()]);
    await failed;
    expect(alive(pid)).toBe(false);
    await expect(call(connection, "wait")).rejects.toMatchObject({ details: { mayHaveRun: false } });
  });

  it("is gone as well if it does not want to", { timeout: 20_000 }, async () => {
    const connection = await connect({ ...trains, args: [program, "stubborn"] }, { allow: [] });
    const pid = pidOf(connection);
    expect(alive(pid)).toBe(true);
    await connection.close();
    await vi.waitFor(() => expect(alive(pid)).toBe(false), 1000);
  });

  it("may die in the middle of a call, which then fails", async () => {
    const connection = await connect(trains, { allow: ["die", "departures"] });
    await expect(call(connection, "die")).rejects.toThrow(
      /closed while the call ran; whether it happened is not known/,
    );
    const later = call(connection, "departures", { from: "Ulm" });
    await expect(later).rejects.toThrow(/it is closed; nothing was done/);
  });

  it("may change its tools: the application is told, and a tool that is gone fails", async () => {
    const onChange = vi.fn();
    const connection = await connect(trains, { allow: ["strike", "departures"], onChange });
    expect(await call(connection, "strike")).toBe("no trains from now on");
    await vi.waitFor(() => expect(onChange).toHaveBeenCalled());
    await expect(call(connection, "strike")).rejects.toThrow(/strike: .*not found/);
    expect(Object.keys(await mcpTools(connection.client, { allow: ["departures"] }))).toEqual(["departures"]);
    await expect(mcpTools(connection.client, { allow: ["strike"] })).rejects.toThrow(/expected the tools "strike"/);
  });

  it("is not left running when its tools are not those that are wanted", async () => {
    const written: string[] = [];
    const refused = connectMcp(trains, { allow: ["fly"], onStderr: (text) => written.push(text) });
    await expect(refused).rejects.toThrow(/expected the tools "fly"/);
    const pid = Number(written.join(""));
    expect(pid).toBeGreaterThan(0);
    expect(alive(pid)).toBe(false);
  });

  it("that does not exist, ends at once or is no MCP server is an error that says so", async () => {
    const missing = connectMcp({ command: "/no/such/program" }, { allow: "*" });
    await expect(missing).rejects.toMatchObject({ code: "NETWORK_FAILED" });
    await expect(missing).rejects.toThrow(/\/no\/such\/program to answer, got: .*ENOENT.*is installed and starts/);
    const broken = connectMcp(
      { command: process.execPath, args: ["-e", "console.error('no licence'); process.exit(3)"] },
      { allow: "*" },
    );
    await expect(broken).rejects.toThrow(/it wrote: no licence/);
    const mute = connectMcp(
      { command: process.execPath, args: ["-e", "process.stdin.resume()"] },
      { allow: "*", openTimeoutMs: 500 },
    );
    await expect(mute).rejects.toThrow(/within 500 ms/);
    await expect(mute).rejects.toMatchObject({ code: "NETWORK_FAILED" });
  });

  it("is not waited for once the caller has had enough, and not left running", async () => {
    const enough = new AbortController();
    let pid = Number.NaN;
    const says = "process.stderr.write(String(process.pid)); process.stdin.resume()";
    const onStderr = (text: string) => {
      pid = Number(text);
      enough.abort(new Error("enough"));
    };
    const mute = { command: process.execPath, args: ["-e", says] };
    await expect(connectMcp(mute, { allow: "*", signal: enough.signal, onStderr })).rejects.toThrow("enough");
    expect(pid).toBeGreaterThan(0);
    expect(alive(pid)).toBe(false);
    await expect(connectMcp(trains, { allow: "*", signal: enough.signal })).rejects.toThrow("enough");
  });
});

describe("a server over Streamable HTTP", () => {
  const handler = () => {
    const made = createMcpHandler(trainServer);
    open.push(made);
    return made;
  };

  it("gives its tools, which work, and gets the headers", async () => {
    const seen = new Set<string | null>();
    const { fetch } = handler();
    const { url } = await host((request) => {
      seen.add(request.headers.get("authorization"));
      return fetch(request);
    });
    const connection = await connect(
      { url, headers: { authorization: "Bearer 1" } },
      { allow: ["departures", "steps"] },
    );
    expect(await call(connection, "departures", { from: "Ulm" })).toEqual({
      departures: [{ to: "Paris", at: "14:05" }],
    });
    const context = toolContext();
    expect(await call(connection, "steps", { count: 2 }, context)).toBe("done");
    expect(context.told[0]).toBe("asking station by station (50 %)");
    expect([...seen]).toEqual(["Bearer 1"]);
  });

  it("gives them to a client of the application too, also by the newer revision of the protocol", async () => {
    const { url } = await host(handler().fetch);
    const client = new Client({ name: "app", version: "1" }, { versionNegotiation: { mode: "auto" } });
    await client.connect(new StreamableHTTPClientTransport(new URL(url)));
    open.push(client);
    expect(client.getProtocolEra()).toBe("modern");
    const tools = await mcpTools(client, { allow: ["departures", "steps", "book"] });
    expect(await call({ tools }, "departures", { from: "Ulm" })).toEqual({
      departures: [{ to: "Paris", at: "14:05" }],
    });
    const context = toolContext();
    expect(await call({ tools }, "steps", { count: 2 }, context)).toBe("done");
    expect(context.told).toHaveLength(1);
    expect(await call({ tools }, "book", { train: "ICE 9" })).toBe("booked ICE 9 conversation-1/delegation-1/call-1");
  });

  it("may die in the middle of a call, which then fails at once", async () => {
    const { fetch } = handler();
    const server = await host(fetch);
    const connection = await connect({ url: server.url }, { allow: ["wait"] });
    const before = waits.begun;
    const waiting = call(connection, "wait");
    const failed = expect(waiting).rejects.toThrow(/closed while the call ran; whether it happened is not known/);
    await vi.waitFor(() => expect(waits.begun).toBeGreaterThan(before));
    await server.close();
    await failed;
    await expect(call(connection, "wait")).rejects.toMatchObject({ code: "TOOL_FAILED" });
  });

  it("is told when the session that it keeps is over", async () => {
    const transport = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: () => crypto.randomUUID() });
    await trainServer().connect(transport);
    const server = await host((request) => transport.handleRequest(request));
    const connection = await connect({ url: server.url }, { allow: ["departures"] });
    expect(await call(connection, "departures", { from: "Ulm" })).toBeDefined();
    await connection.close();
    expect(server.methods.at(-1)).toBe("DELETE");
    await connection.close();
    expect(server.methods.filter((method) => method === "DELETE")).toHaveLength(1);
  });

  it("that refuses the caller, is not there, never answers or speaks something else is an error that says so", async () => {
    const refusing = await host(async () => new Response("no", { status: 401 }));
    await expect(connectMcp({ url: refusing.url }, { allow: "*" })).rejects.toMatchObject({ code: "ACCESS_DENIED" });
    const forbidding = await host(async () => new Response("no", { status: 403 }));
    await expect(connectMcp({ url: forbidding.url }, { allow: "*" })).rejects.toMatchObject({ code: "ACCESS_DENIED" });
    const page = await host(async () => new Response("<h1>hello</h1>", { headers: { "content-type": "text/html" } }));
    await expect(connectMcp({ url: page.url }, { allow: "*" })).rejects.toThrow(/content type: text\/html.*runs there/);
    const mute = await host(() => new Promise(() => {}));
    const late = connectMcp({ url: mute.url }, { allow: "*", openTimeoutMs: 200 });
    await expect(late).rejects.toThrow(/within 200 ms/);
    const nobody = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => nobody.once("listening", resolve));
    const { port } = nobody.address() as { port: number };
    await new Promise((resolve) => nobody.close(resolve));
    const absent = connectMcp({ url: `http://127.0.0.1:${port}/` }, { allow: "*" });
    await expect(absent).rejects.toSatisfy((error) => DuplexError.is(error, "NETWORK_FAILED"));
    await expect(connectMcp({ url: "ftp://127.0.0.1/" }, { allow: "*" })).rejects.toThrow(TypeError);
  });
});

describe("in a browser", () => {
  it("needs nothing of Node, and says that a program cannot be started", async () => {
    const { outputFiles, metafile } = await build({
      stdin: {
        contents: 'export { connectMcp } from "./connect-mcp.ts"',
        resolveDir: fileURLToPath(new URL(".", import.meta.url)),
      },
      bundle: true,
      write: false,
      metafile: true,
      format: "esm",
      platform: "browser",
      logLevel: "silent",
      alias: {
        "#mcp-stdio": fileURLToPath(new URL("stdio/browser-stdio.ts", import.meta.url)),
        "@microturn/core": fileURLToPath(new URL("../../../core/src/index.ts", import.meta.url)),
      },
    });
    const imports = Object.values(metafile.inputs).flatMap((input) => input.imports);
    expect(imports.filter(({ external, path }) => external || path.startsWith("node:"))).toEqual([]);
    const { connectMcp: inBrowser } = await import(
      `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`
    );
    await expect(inBrowser(trains, { allow: "*" })).rejects.toThrow(/expected Node for a server that is a program/);
  });
});
