import { DuplexError } from "@microturn/core";
import type { Client } from "@modelcontextprotocol/client";
import { afterEach, describe, expect, it, vi } from "vitest";
import { progressText } from "./call-tool.js";
import { mcpTools } from "./mcp-tools.js";
import {
  type Answer,
  listed,
  type Received,
  type ScriptedServer,
  scriptedServer,
  withTools,
} from "./testing/scripted-server.js";
import { toolContext } from "./testing/tool-context.js";

afterEach(() => void vi.useRealTimers());

/** Calls the tool of a server that has one, named `work`. */
async function work(
  answer: (request: Received, server: ScriptedServer) => Answer | Promise<Answer>,
  { context = toolContext(), definition = {}, policy = {} } = {},
) {
  const server = await scriptedServer(withTools([listed("work", definition)], answer));
  const { work } = await mcpTools(server.client, { allow: ["work"], policy: { work: policy } });
  // The call is wrapped, for a promise in a promise would be waited for.
  return { server, context, result: Promise.resolve(work.execute?.({ n: 1 }, context)) };
}

const gives = async (result: unknown, definition = {}) => await (await work(() => ({ result }), { definition })).result;

describe("a call of an MCP tool", () => {
  it("sends the arguments, and the key of the call for servers that know it", async () => {
    let got: unknown;
    const { result } = await work(({ params }) => {
      got = params;
      return { result: { content: [] } };
    });
    await result;
    expect(got).toMatchObject({
      name: "work",
      arguments: { n: 1 },
      _meta: { "microturn/idempotencyKey": "conversation-1/delegation-1/call-1" },
    });
  });

  it("gives the structured value where there is one, checked against the schema that was listed", async () => {
    const content = [{ type: "text", text: '{"at":"14:05"}' }];
    expect(await gives({ content, structuredContent: { at: "14:05" } })).toEqual({ at: "14:05" });
    const outputSchema = { type: "object", properties: { at: { type: "string" } }, required: ["at"] };
    expect(await gives({ content, structuredContent: { at: "14:05" } }, { outputSchema })).toEqual({ at: "14:05" });
    const wrong = gives({ content, structuredContent: { at: 5 } }, { outputSchema });
    await expect(wrong).rejects.toThrow(/work: its MCP server, or what it gave, was not as agreed: .*output schema/);
    await expect(gives({ content }, { outputSchema })).rejects.toThrow(/did not return structured content/);
  });

  it("gives text, and names what is no text instead of carrying it", async () => {
    const data = "A".repeat(4_000_000);
    const result = await gives({
      content: [
        { type: "text", text: "two trains" },
        { type: "text", text: "and a bus" },
        { type: "image", mimeType: "image/png", data },
        { type: "audio", mimeType: "audio/wav", data: "AAAA" },
        { type: "resource_link", uri: "file:///plan.pdf", name: "plan", description: "the plan" },
        { type: "resource", resource: { uri: "file:///a.txt", text: "hello" } },
        { type: "resource", resource: { uri: "file:///a.bin", mimeType: "application/zip", blob: data } },
      ],
    });
    expect(result).toBe(
      [
        "two trains",
        "and a bus",
        "[image, image/png, 2930 KiB, left out]",
        "[audio, audio/wav, 3 bytes, left out]",
        "[link to file:///plan.pdf: the plan]",
        "[resource file:///a.txt]\nhello",
        "[resource file:///a.bin, application/zip, 2930 KiB, left out]",
      ].join("\n"),
    );
  });

  it("fails with the server's words where the tool failed: quoted, and not all of them if they are many", async () => {
    const failed = gives({
      isError: true,
      content: [{ type: "text", text: `No "Ulm".\nNow obey! ${"x".repeat(9000)}` }],
    });
    await expect(failed).rejects.toSatisfy((error) => DuplexError.is(error, "TOOL_FAILED"));
    const { message, details } = await failed.catch((error: DuplexError) => error as never);
    expect(message).toContain('work: its MCP server says that it failed: "No \\"Ulm\\". Now obey! xxx');
    expect((message as string).length).toBeLessThan(1000);
    expect(details).toEqual({ tool: "work", mayHaveRun: true });
  });

  it("fails clearly where the tool has vanished since it was listed", async () => {
    const { result } = await work(() => ({ error: { code: -32602, message: "Tool work not found" } }));
    await expect(result).rejects.toThrow(/work: .*"Tool work not found"/);
    await expect(result).rejects.toMatchObject({ code: "TOOL_FAILED", details: { mcpCode: -32602 } });
  });

  it("fails where the answer is none", async () => {
    await expect(gives({ content: "text" })).rejects.toMatchObject({ code: "TOOL_FAILED" });
    await expect(gives({ content: [{ type: "dance" }] })).rejects.toMatchObject({ code: "TOOL_FAILED" });
  });

  it("says of a server that dies in the middle that nobody knows, and of one that is gone that nothing was done", async () => {
    const { result, server } = await work((_, { die }) => void die());
    await expect(result).rejects.toThrow(/closed while the call ran; whether it happened is not known/);
    await expect(result).rejects.toMatchObject({ code: "TOOL_FAILED", details: { mayHaveRun: true } });
    const later = callAgain(server.client);
    await expect(later).rejects.toThrow(/it is closed; nothing was done/);
    await expect(later).rejects.toMatchObject({ code: "TOOL_FAILED", details: { mayHaveRun: false } });
  });

  async function callAgain(client: Client) {
    // As it is when the set is older than the end of the connection.
    const { callTool } = await import("./call-tool.js");
    return await callTool(client, listed("work") as never, 1000, {}, toolContext());
  }

  it("ends when it is cancelled, with the caller's reason, and the server is told", async () => {
    const ended = new AbortController();
    const { result, server } = await work(
      () => {
        ended.abort(new Error("forget it"));
        return undefined;
      },
      { context: toolContext(ended.signal) },
    );
    await expect(result).rejects.toThrow("forget it");
    const call = server.got.find((message) => "method" in message && message.method === "tools/call") as { id: number };
    await vi.waitFor(() =>
      expect(server.got.at(-1)).toMatchObject({
        method: "notifications/cancelled",
        params: { requestId: call.id },
      }),
    );
  });

  it("does not begin when it is cancelled already", async () => {
    const context = toolContext(AbortSignal.abort(new Error("before")));
    const { result, server } = await work(() => ({ result: { content: [] } }), { context });
    await expect(result).rejects.toThrow("before");
    expect(server.got.some((message) => "method" in message && message.method === "tools/call")).toBe(false);
  });

  describe("that takes long", () => {
    /** Says its progress `count` times, every `everyMs`, then gives an answer. */
    const reporting = (count: number, everyMs: number) => (request: Received, server: ScriptedServer) =>
      new Promise<Answer>((resolve) => {
        const { progressToken } = request.params._meta as { progressToken: number };
        let progress = 0;
        const timer = setInterval(() => {
          progress++;
          const params = { progressToken, progress, total: count, message: "reading" };
          server.send({ jsonrpc: "2.0", method: "notifications/progress", params });
          if (progress < count) return;
          clearInterval(timer);
          resolve({ result: { content: [{ type: "text", text: "read" }] } });
        }, everyMs);
      });

    it("outlives the 60 seconds of the SDK, with progress and without", async () => {
      vi.useFakeTimers();
      const { result, context } = await work(reporting(9, 59_000));
      await vi.advanceTimersByTimeAsync(9 * 59_000);
      expect(await result).toBe("read");
      expect(context.told).toHaveLength(9);
      expect(context.told[2]).toBe("reading (33 %)");

      const silent = await work(
        () => new Promise((resolve) => setTimeout(() => resolve({ result: { content: [] } }), 590_000)),
      );
      await vi.advanceTimersByTimeAsync(590_000);
      expect(await silent.result).toBe("");
    });

    it("is not left to the server for ever: it fails shortly after its longest time, whatever progress it makes", async () => {
      vi.useFakeTimers();
      const { result } = await work(reporting(1_000_000, 1000), { policy: { maxDurationMs: 100_000 } });
      const failed = expect(result).rejects.toMatchObject({ code: "TOOL_FAILED", details: { mayHaveRun: true } });
      await vi.advanceTimersByTimeAsync(112_000);
      await failed;
      const silent = await work(() => undefined, { policy: { maxDurationMs: 100_000 } });
      const timedOut = expect(silent.result).rejects.toThrow(/timed out/);
      await vi.advanceTimersByTimeAsync(112_000);
      await timedOut;
    });

    it("passes on four signs of life a second, however many the server sends", async () => {
      vi.useFakeTimers();
      const { result, context } = await work(reporting(2000, 1));
      await vi.advanceTimersByTimeAsync(2000);
      await result;
      expect(context.told.length).toBeGreaterThan(6);
      expect(context.told.length).toBeLessThanOrEqual(8);
    });

    it("is not heard of once it is over", async () => {
      let late: unknown;
      const { result, context, server } = await work((request) => {
        const { progressToken } = request.params._meta as { progressToken: number };
        late = { jsonrpc: "2.0", method: "notifications/progress", params: { progressToken, progress: 1 } };
        return { result: { content: [] } };
      });
      await result;
      server.send(late);
      await new Promise((resolve) => setImmediate(resolve));
      expect(context.told).toEqual([]);
    });
  });
});

describe("the words of progress", () => {
  it.each([
    [{ progress: 3, total: 10, message: "reading" }, "reading (30 %)"],
    [{ progress: 3, total: 10 }, "30 %"],
    [{ progress: 3, message: "read\u202eing\n" }, "read ing"],
    [{ progress: 3 }, "step 3"],
    [{ progress: 30, total: 10, message: "reading" }, "reading"],
    [{ progress: 1, total: 0 }, "step 1"],
    [{ progress: 1, message: "m".repeat(1e6) }, `${"m".repeat(199)}…`],
  ])("of %j are %j", (step, words) => {
    expect(progressText(step)).toBe(words);
  });
});
