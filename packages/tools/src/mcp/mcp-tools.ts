// The tools of an MCP server as a ToolSet: those that the application allows, under names and descriptions that can do no harm.
// A server is not trusted: what it says of its tools (also that one is harmless) is its claim, and reaches a model only quoted
// and cut. Its instructions reach none. The set is a snapshot; a tool that is gone or has changed fails when it is called.

import { DuplexError } from "@microturn/core";
import { type Client, SdkError, SdkErrorCode, type Tool as ServerTool } from "@modelcontextprotocol/client";
import type { Tool, ToolSet } from "../tool.js";
import { callTool } from "./call-tool.js";
import { checkableSchema, cleanSchema } from "./server-schema.js";
import { oneLine, quoted } from "./server-text.js";
import { toolName } from "./tool-name.js";

/** What a server claims of a tool: hints, which it may have wrong, or lie about. */
export interface McpAnnotations {
  /** It changes nothing; default false. */
  readonly readOnlyHint?: boolean | undefined;
  /** It may destroy or overwrite something; default true. Means nothing for one that only reads. */
  readonly destructiveHint?: boolean | undefined;
  /** Calling it again with the same arguments changes nothing more; default false. */
  readonly idempotentHint?: boolean | undefined;
  /** It reaches out to things that are not the server's own; default true. */
  readonly openWorldHint?: boolean | undefined;
}

/** What the application decides of a tool, whatever the server says of it; `description` takes the place of the server's words. */
export type McpPolicy = Partial<Omit<Tool, "inputSchema" | "outputSchema" | "execute">>;

/** Options of {@link mcpTools}. */
export interface McpToolsOptions {
  /**
   * Which tools the background may call: the server's names for them, or a choice by name and by what the server claims. `"*"` is
   * every one that it has, whatever that will be the next time. Default every one too, but each call waits for approval, unless a
   * policy says otherwise: what a server offers is not what an application wants done, and what it says of a tool is no proof.
   */
  readonly allow?: "*" | readonly string[] | ((name: string, annotations: McpAnnotations) => boolean) | undefined;
  /** Put before every name, such as `trains_`: for the tools of several servers in one set. */
  readonly prefix?: string | undefined;
  /**
   * By the server's name of the tool. Without one a tool is `irreversible` unless the server claims that it only reads or that
   * it destroys nothing; say `irreversible` here for what matters.
   */
  readonly policy?: Readonly<Record<string, McpPolicy>> | undefined;
  /** Most tools; more are refused, as each is read by the model every time. Default 64. */
  readonly maxTools?: number | undefined;
  /** Longest description of a tool or an argument in the server's words, UTF-16 units; the rest is left out. Default 1000. */
  readonly maxDescriptionChars?: number | undefined;
  /** Longest time of the listing, all pages of it, ms; default 30 000. */
  readonly listTimeoutMs?: number | undefined;
  /** Ends the listing, with its reason. */
  readonly signal?: AbortSignal | undefined;
}

const defaultMaxDurationMs = 600_000;

/**
 * The tools of an MCP server that the application allows, or, as long as it has not said which, all of them, asking each time.
 *
 * Calls check arguments and results against the schemas that were listed, but for regular expressions in them, which only the
 * server runs, pass progress on, tell the server when they are
 * cancelled, and fail with `TOOL_FAILED`. Images, sound and binary resources in a result are named, not carried.
 *
 * @param client - connected, by whatever transport; it stays the caller's, who closes it
 * @returns a snapshot, by name; call again for a new one, for example when the server says that its tools have changed
 * @throws TypeError if `allow` is none of these
 * @throws DuplexError `TOOL_FAILED` if a tool that is allowed or has a policy is not there, or one that is allowed cannot be
 *   given (its name, its schema, or too many); `NETWORK_FAILED` if the server cannot be asked
 * @example
 * const background = backgroundModel({ model, tools: { ...(await mcpTools(client, { allow: ["departures"] })), todo } });
 */
export async function mcpTools(client: Client, options: McpToolsOptions = {}): Promise<ToolSet> {
  const { prefix, policy = {}, maxTools = 64, maxDescriptionChars = 1000 } = options;
  const { allow } = options;
  if (allow !== undefined && allow !== "*" && typeof allow !== "function" && !Array.isArray(allow)) {
    throw new TypeError('mcpTools: expected "allow" to be a list of names, a function, or "*" for every tool');
  }
  const listed = await list(client, options);
  const names = new Set(listed.map(({ name }) => name));
  const wanted = [...(Array.isArray(allow) ? allow : []), ...Object.keys(policy)];
  const missing = wanted.filter((name) => !names.has(name));
  if (missing.length > 0) {
    throw refused(
      `expected the tools ${quoted(missing.join(", "), 500)}, but the server has ${quoted([...names].join(", "), 500)}; ` +
        "correct allow and policy, or the server",
    );
  }
  const allowed = listed.filter(({ name, annotations = {} }) => {
    if (allow === undefined || allow === "*") return true;
    return typeof allow === "function" ? allow(name, annotations) : allow.includes(name);
  });
  if (allowed.length > maxTools) {
    throw refused(`expected at most ${maxTools} tools, got ${allowed.length}; allow fewer, or raise maxTools`);
  }
  const server = oneLine(client.getServerVersion()?.name, 64);
  // No prototype, so that `set.toString` is a tool or nothing.
  const set: Record<string, Tool> = Object.create(null);
  for (const definition of allowed) {
    const name = toolName(definition.name, prefix);
    if (name === "" || name === "__proto__") {
      throw refused(`the name ${quoted(definition.name, 100)} cannot be used; give a prefix, or do not allow it`);
    }
    if (name in set) {
      throw refused(`two tools would be named ${quoted(name, 100)}; allow one of them`);
    }
    const own = {
      ...(allow === undefined ? { needsApproval: true } : {}),
      ...(Object.hasOwn(policy, definition.name) ? withoutUndefined(policy[definition.name]) : {}),
    };
    set[name] = asTool(client, server, definition, own, maxDescriptionChars);
  }
  return set;
}

function refused(message: string, cause?: unknown): DuplexError {
  return new DuplexError("TOOL_FAILED", `mcpTools: ${message}`, { cause });
}

/** All that the server has; the SDK bounds the pages (`listMaxPages` of the client), we bound the time. */
async function list(client: Client, { listTimeoutMs = 30_000, signal }: McpToolsOptions): Promise<ServerTool[]> {
  signal?.throwIfAborted();
  const deadline = AbortSignal.timeout(listTimeoutMs);
  try {
    const both = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
    // A page may not take longer than all of them, and a list that the client holds is not asked of the server by us.
    const { tools } = await client.listTools(undefined, {
      signal: both,
      timeout: listTimeoutMs,
      cacheMode: "refresh",
    });
    return tools;
  } catch (error) {
    signal?.throwIfAborted();
    const words = quoted(error instanceof Error ? error.message : String(error), 500);
    if (deadline.aborted) {
      throw new DuplexError(
        "NETWORK_FAILED",
        `mcpTools: expected the list of tools within ${listTimeoutMs} ms, got none; ask the server's logs, or raise listTimeoutMs`,
        { cause: error },
      );
    }
    if (error instanceof SdkError && error.code === SdkErrorCode.ListPaginationExceeded) {
      throw refused(`the server's list of tools does not end: ${words}; do not use this server`, error);
    }
    const lost = error instanceof SdkError && error.code !== SdkErrorCode.InvalidResult;
    if (lost || client.transport === undefined) {
      throw new DuplexError("NETWORK_FAILED", `mcpTools: the list of tools cannot be had: ${words}; connect anew`, {
        cause: error,
      });
    }
    throw refused(`expected a list of tools by the rules of MCP, got one that cannot be read: ${words}`, error);
  }
}

function asTool(client: Client, server: string, definition: ServerTool, policy: McpPolicy, maxChars: number): Tool {
  const { name, annotations = {} } = definition;
  let inputSchema: Tool["inputSchema"];
  let listed = definition;
  try {
    inputSchema = cleanSchema(definition.inputSchema, maxChars);
    if (definition.outputSchema !== undefined) {
      listed = {
        ...definition,
        outputSchema: checkableSchema(definition.outputSchema) as typeof definition.outputSchema,
      };
    }
  } catch (error) {
    throw refused(`the tool ${quoted(name, 100)} cannot be used: ${(error as Error).message}; do not allow it`, error);
  }
  const maxDurationMs = policy.maxDurationMs ?? defaultMaxDurationMs;
  return {
    description: describe(server, definition, maxChars),
    // The defaults of MCP: a tool of which nothing is claimed may change things, and may destroy them.
    irreversible: annotations.readOnlyHint !== true && annotations.destructiveHint !== false,
    ...policy,
    inputSchema,
    execute: (input, context) => callTool(client, listed, maxDurationMs, input, context),
  };
}

function withoutUndefined(policy: McpPolicy): McpPolicy {
  return Object.fromEntries(Object.entries(policy).filter(([, value]) => value !== undefined));
}

/** Says whose words they are: a description that gives orders is then a quotation. */
function describe(server: string, { description, title, annotations }: ServerTool, maxChars: number): string {
  const words = description ?? title ?? annotations?.title ?? "";
  const from = `A tool of the MCP server ${JSON.stringify(server)}`;
  return words === "" ? `${from}.` : `${from}, which says of it: ${quoted(words, maxChars)}`;
}
