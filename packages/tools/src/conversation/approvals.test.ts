import { DuplexError } from "@microturn/core";
import { settled } from "@microturn/core/testing";
import { describe, expect, it } from "vitest";
import { type BackgroundModelOptions, backgroundModel } from "../background-model.js";
import type { JobHandler, JobMessage, JobQueue } from "../jobs/job.js";
import type { ApprovalRequest } from "./approvals.js";
import { bench, openScripted } from "./scripted-conversation.js";

/** A job whose one call waits for approval; it says what became of it. */
function asking(messages: JobMessage[]): JobHandler {
  return async (run) => {
    const decided = new Promise<JobMessage>((resolve) => run.onMessage(resolve));
    const call = { call: "call-1", name: "delete_item", arguments: { item: 3, token: "abc" }, irreversible: true };
    await run.append({ type: "call", key: "k", ...call, state: "awaiting-approval", attempt: 1 });
    const message = await decided;
    messages.push(message);
    if (message.type === "cancel") {
      return run.append({ type: "end", outcome: message.outcome });
    }
    await run.append({ type: "delta", text: message.type === "approve" ? "Done." : `Not done: ${message.reason}.` });
    await run.append({ type: "end", outcome: "done" });
  };
}

async function ask(options: BackgroundModelOptions = {}) {
  const messages: JobMessage[] = [];
  const { clock, background } = bench({ delete: asking(messages) }, options);
  const user = await openScripted(background, clock);
  await user.delegate({ task: "delete" });
  await settled();
  return { clock, background, user, messages };
}

describe("a call that needs approval", () => {
  it("waits until somebody allows it", async () => {
    const { background, user, messages } = await ask();
    await user.turns(20);
    expect(messages).toEqual([]);
    expect(user.told).toEqual([
      {
        ...{ type: "tool-call", delegation: "delegation-0", call: "call-1", name: "delete_item", irreversible: true },
        ...{ arguments: { item: 3, token: "[redacted]" }, state: "awaiting-approval", attempt: 1 },
      },
    ]);
    expect(background.running[0].awaitingApproval).toMatchObject([
      { call: "call-1", arguments: { item: 3, token: "abc" }, told: { item: 3, token: "[redacted]" } },
    ]);
    expect(await background.approve("call-2")).toBe(false);
    expect(await background.approve("call-1")).toBe(true);
    expect(await background.approve("call-1")).toBe(false);
    await user.turns(5);
    expect(messages).toEqual([{ type: "approve", call: "call-1" }]);
    expect(user.entered.map(({ text }) => text)).toEqual(["Done."]);
  });

  it("is not made when somebody forbids it, or nobody answers in time", async () => {
    const forbidden = await ask();
    expect(await forbidden.background.reject("call-1", "too dear")).toBe(true);
    await settled();
    expect(forbidden.messages).toEqual([{ type: "reject", call: "call-1", reason: "too dear" }]);
    const { clock, messages } = await ask({ approvalTimeoutMs: 5000 });
    await clock.advance(4700);
    expect(messages).toEqual([]);
    await clock.advance(300);
    expect(messages).toEqual([{ type: "reject", call: "call-1", reason: "nobody allowed it in time" }]);
  });

  it("is decided by the application's function, and by nothing but true is it allowed", async () => {
    const verdictOf = async (approve: BackgroundModelOptions["approve"]) => {
      const { messages, user } = await ask({ approve });
      await user.turns(1);
      return messages.map((message) => (message.type === "reject" ? message.reason : message.type));
    };
    const asked: ApprovalRequest[] = [];
    expect(await verdictOf((call) => asked.push(call) > 0)).toEqual(["approve"]);
    expect(asked).toMatchObject([
      { name: "delete_item", delegation: "delegation-0", arguments: { item: 3, token: "abc" } },
    ]);
    expect(asked[0].conversation).toBeTypeOf("string");
    expect(await verdictOf(async () => false)).toEqual(["it was not allowed"]);
    expect(await verdictOf(() => "too dear")).toEqual(["too dear"]);
    expect(await verdictOf(() => "yes" as never)).toEqual(["yes"]);
    expect(await verdictOf(() => 1 as never)).toEqual(["it was not allowed"]);
    expect(
      await verdictOf(() => {
        throw new Error("oops");
      }),
    ).toEqual(["it was not allowed"]);
  });

  it("gets its verdict, once, though the queue cannot be reached at first", async () => {
    const messages: JobMessage[] = [];
    const { clock, jobs } = bench({ delete: asking(messages) });
    let away = 2;
    const queue: JobQueue = {
      submit: (job) => jobs.submit(job),
      follow: (id, options) => jobs.follow(id, options),
      send: async (id, message) => {
        if (away-- > 0) throw new DuplexError("BACKGROUND_FAILED", "send: the queue is away");
        await jobs.send(id, message);
      },
      close: () => jobs.close(),
    };
    const background = backgroundModel({ jobs: queue, clock });
    const user = await openScripted(background, clock);
    await user.delegate({ task: "delete" });
    await settled();
    const approved = background.approve("call-1");
    await user.turns(10);
    expect(await approved).toBe(true);
    expect(messages).toEqual([{ type: "approve", call: "call-1" }]);
    await background.close();
  });

  it("is told to the function with its session, and that no answer is wanted any more", async () => {
    let wanted: AbortSignal | undefined;
    let session: unknown;
    const { background, user, messages } = await ask({
      approve: (_, context) => {
        wanted = context.signal;
        session = context.session;
        return new Promise(() => {});
      },
    });
    expect(session).toBe(user.session);
    expect(wanted?.aborted).toBe(false);
    await background.cancel("delegation-0");
    expect(wanted?.aborted).toBe(true);
    await settled();
    expect(messages).toMatchObject([{ type: "cancel" }]);
    expect(await background.approve("call-1")).toBe(false);
  });

  it("has to be named with its conversation where two of the same name wait", async () => {
    const messages: JobMessage[] = [];
    const { clock, background } = bench({ delete: asking(messages) });
    const one = await openScripted(background.conversation("a"), clock);
    const two = await openScripted(background.conversation("b"), clock);
    await one.delegate({ task: "delete" });
    await two.delegate({ task: "delete" });
    await expect(background.approve("call-1")).rejects.toThrow(TypeError);
    expect(await background.approve("call-1", { conversation: "a" })).toBe(true);
    expect(await background.reject("call-1", "no", { session: two.session })).toBe(true);
    await settled();
    expect(messages.map(({ type }) => type)).toEqual(["approve", "reject"]);
  });
});
