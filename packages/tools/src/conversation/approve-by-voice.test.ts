import type { Background } from "@microturn/core";
import { FakeClock, settled } from "@microturn/core/testing";
import { describe, expect, it } from "vitest";
import type { ApprovalRequest } from "./approvals.js";
import { type ApproveByVoiceOptions, approveByVoice, isClearYes } from "./approve-by-voice.js";
import { openScripted, type ScriptedSession } from "./scripted-conversation.js";

const call: ApprovalRequest = {
  ...{ type: "tool-call", conversation: "c", delegation: "d", call: "call-1", name: "delete_item" },
  ...{ arguments: { item_id: 3, reason: "old", deep: {} }, state: "awaiting-approval", irreversible: true, attempt: 1 },
  told: { item_id: 3, reason: "old", deep: {} },
};
const nobody: Background = { attach: () => ({ close: async () => {} }) };

/** Asks in a session; the user answers with `say`. */
async function ask(say: (user: ScriptedSession) => Promise<void>, options: ApproveByVoiceOptions = {}) {
  const clock = new FakeClock();
  const user = await openScripted(nobody, clock, { speaks: 3, capabilities: { saysText: true } });
  await user.turns(1);
  const controller = new AbortController();
  let verdict: unknown = "waiting";
  const approve = approveByVoice(user.session, options);
  void Promise.resolve(approve(call, { session: user.session, signal: controller.signal })).then((one) => {
    verdict = one;
  });
  await settled();
  await say(user);
  await settled();
  return { verdict, user, controller, clock };
}

/** Lets the question be said to its end. */
async function listen(user: ScriptedSession): Promise<void> {
  await user.until(() => user.entered.length > 0, 20);
  await user.turns(3);
}

describe("a clear yes", () => {
  it("begins with one and has nothing in it that might mean no", () => {
    const yes = ["yes", "Yes, please!", "uh yeah", "sure", "go ahead", "Do it.", "oh well yes delete it"];
    for (const said of yes) expect(isClearYes(said), said).toBe(true);
    const no = [
      "",
      "no",
      "yes no",
      "yes but not now",
      "not sure",
      "are you sure",
      "wait yes",
      "yesterday",
      "I said yes to her",
      "okay",
      "maybe",
      "yes what was that again",
      "yes I think that would be a good idea to do",
      "yes if it is cheap",
      "yes dont",
      "sure the other one",
      "don't do it",
      "don’t",
      "go",
    ];
    for (const said of no) expect(isClearYes(said), said).toBe(false);
  });

  it("may be of another language", () => {
    expect(isClearYes("Ja, mach das", ["ja"], ["nein", "nicht"])).toBe(true);
    expect(isClearYes("Ja, aber nicht heute", ["ja"], ["nein", "nicht"])).toBe(false);
    expect(isClearYes("はい", ["はい"], ["いいえ"])).toBe(true);
  });
});

describe("asking the user for approval", () => {
  it("says what is to be done, and takes a yes", async () => {
    const { verdict, user } = await ask(async (user) => {
      await listen(user);
      await user.turns(1, "yes");
      await user.turns(1, "please");
      await user.turns(4);
    });
    expect(verdict).toBe(true);
    expect(user.entered.map(({ text, delegation }) => [text, delegation])).toEqual([
      ["Shall I delete item, with item id: 3, reason: old? Please say yes or no.", "approval of call-1"],
    ]);
  });

  it("waits for the end of the answer, as a yes may go on as a no", async () => {
    const answered = async (...words: (string | undefined)[]) => {
      const { verdict } = await ask(async (user) => {
        await listen(user);
        for (const word of words) await user.turns(1, word);
        await user.turns(5);
      });
      return verdict;
    };
    expect(await answered("yes", undefined, undefined, "no wait")).toBe("the user said: yes no wait");
    expect(await answered("no")).toBe("the user said: no");
    expect(await answered("what is the weather")).toBe("the user said: what is the weather");
    expect(await answered(undefined, undefined, "yes")).toBe(true);
  });

  it("takes no yes that was said before the question could be heard", async () => {
    const { verdict } = await ask(async (user) => {
      await user.turns(1, "yes");
      await listen(user);
      await user.turns(10);
    });
    expect(verdict).toBe("waiting");
  });

  it("takes silence for a no, also in a session that gets no sound any more", async () => {
    const silent = await ask((user) => user.turns(40), { timeoutMs: 5000 });
    expect(silent.verdict).toMatch(/did not answer/);
    const verdict = await ask(async () => {}, { timeoutMs: 5000 }).then(async ({ clock, user }) => {
      const asked = approveByVoice(user.session)(call, { session: user.session, signal: new AbortController().signal });
      await clock.advance(60_000);
      return asked;
    });
    expect(verdict).toMatch(/did not answer in time/);
  });

  it("takes a question that was not heard, a session that ends, and an answer that is not wanted any more for a no", async () => {
    const ended = await ask(async (user) => {
      await listen(user);
      await user.session.close();
    });
    expect(ended.verdict).toBe("the user was not heard");
    const never = await ask((user) => user.turns(30, "talking on"), { timeoutMs: 3000 });
    expect(never.verdict).toBe("the user could not be asked");
    const gone = await ask(async () => {});
    gone.controller.abort();
    await settled();
    expect(await approveByVoice(gone.user.session)(call, { session: undefined, signal: gone.controller.signal })).toBe(
      "the user was not asked",
    );
  });

  it("takes no yes to a question that was broken off in its first half; it counts when the session has asked again", async () => {
    const answered = async (spoken: number) => {
      const { verdict, user } = await ask(async (user) => {
        await user.until(() => user.entered.length > 0, 20);
        await user.turns(spoken);
        await user.turns(1, "yes");
        await user.turns(4);
      });
      return { verdict, user };
    };
    expect((await answered(2)).verdict).toBe(true);
    const { verdict, user } = await answered(0);
    expect(verdict).toBe("waiting");
    await user.turns(4);
    expect(user.entered.map(({ delivery }) => delivery)).toEqual([1, 1]);
  });

  it("says nothing secret, and says that there is more than it reads out", async () => {
    const questionFor = async (told: unknown) => {
      const clock = new FakeClock();
      const user = await openScripted(nobody, clock, { speaks: 1, capabilities: { saysText: true } });
      const { signal } = new AbortController();
      void approveByVoice(user.session)({ ...call, told }, { session: user.session, signal });
      await settled();
      await user.turns(6);
      await user.session.close();
      return user.entered[0].text;
    };
    const more = "and more that is not read out? Please say yes or no.";
    expect(await questionFor({ to: "Ann", pin: "[redacted]" })).toBe(`Shall I delete item, with to: Ann, ${more}`);
    expect(await questionFor({ to: "Ann", items: [1, 2] })).toBe(`Shall I delete item, with to: Ann, ${more}`);
    expect(await questionFor({ a: 1, b: 2, c: 3, d: 4, e: 5 })).toBe(
      `Shall I delete item, with a: 1, b: 2, c: 3, d: 4, ${more}`,
    );
    expect(await questionFor({ to: "x".repeat(61) })).toBe(`Shall I delete item, with to: ${"x".repeat(60)}, ${more}`);
    expect(await questionFor({ empty: {}, none: null })).toBe("Shall I delete item? Please say yes or no.");
  });

  it("asks one question at a time", async () => {
    const clock = new FakeClock();
    const user = await openScripted(nobody, clock, { speaks: 2, capabilities: { saysText: true } });
    const { signal } = new AbortController();
    const approve = approveByVoice(user.session, { question: ({ call }) => `May I do ${call}?` });
    const verdicts = ["one", "two"].map((name) => approve({ ...call, call: name }, { session: user.session, signal }));
    await settled();
    for (let i = 0; i < 2; i++) {
      await user.until(() => user.entered.length !== i, 20);
      expect(user.entered).toHaveLength(i + 1);
      await user.turns(3);
      await user.turns(1, i === 0 ? "no" : "yes");
      await user.turns(5);
    }
    expect(await Promise.all(verdicts)).toEqual(["the user said: no", true]);
    expect(user.entered.map(({ text }) => text)).toEqual(["May I do one?", "May I do two?"]);
  });

  it("refuses a time that cannot be", async () => {
    const { user } = await ask(async () => {});
    expect(() => approveByVoice(user.session, { timeoutMs: 10 })).toThrow(RangeError);
  });
});
