import { DuplexError } from "@microturn/core";
import { codeOf, settled } from "@microturn/core/testing";
import { describe, expect, test } from "vitest";
import { Stage, tone } from "./scripted-wire.js";

async function opened(settings: ConstructorParameters<typeof Stage>[0] = {}): Promise<Stage> {
  const stage = new Stage(settings);
  await stage.session.open();
  return stage;
}

const typesOf = (stage: Stage) => stage.notes.map(({ type }) => type);

describe("a paced session", () => {
  test("sends one unit per micro-turn, counted from 0, and each of a merged step", async () => {
    const stage = await opened();
    await stage.step({ fill: 0.1 });
    await stage.step({ turns: 2, text: [{ source: "user", text: "hi" }] });
    expect(stage.wire.units.map(({ index, text }) => [index, text])).toEqual([
      [0, []],
      [1, []],
      [2, ["hi"]],
    ]);
  });

  test("holds a source back that is faster than real time, by no more than a trace", async () => {
    const stage = await opened();
    const input = { turns: 1, audio: new Float32Array(200), images: [], text: [] };
    let done = 0;
    for (let index = 0; index < 10; index++) {
      const stepping = stage.session.step({ ...input, index }).then(() => done++);
      await settled();
      if (index > 0) {
        expect(done).toBe(index);
        await stage.clock.advance(195);
        expect(done).toBe(index);
        await stage.clock.advance(5);
      }
      await stepping;
    }
    // A source that keeps time is never made to wait.
    for (let index = 10; index < 1000; index++) {
      await stage.clock.advance(200);
      const stepping = stage.session.step({ ...input, index }).then(() => done++);
      await settled();
      expect(done).toBe(index + 1);
      await stepping;
    }
    expect(stage.clock.pending).toBe(0);
  });

  test("makes up for a pause by 2 s at most", async () => {
    const stage = await opened();
    await stage.step();
    await stage.clock.advance(60_000);
    const input = { turns: 1, audio: new Float32Array(200), images: [], text: [] };
    let done = 0;
    void (async () => {
      for (let index = 1; index < 40; index++) {
        await stage.session.step({ ...input, index });
        done++;
      }
    })().catch(() => {});
    await settled();
    await settled();
    expect(done).toBe(11);
    await stage.session.close();
  });

  test("says what comes, with its words, and listens otherwise", async () => {
    const stage = await opened();
    expect(await stage.step()).toMatchObject({ decision: "listen", text: "", heard: "", yielded: false });
    stage.events.audio(tone(300), "a");
    stage.events.text("hello ", "a");
    stage.events.text("there", "a");
    stage.events.replyEnd("a");
    stage.events.heard("what ");
    stage.events.heard("is it?");
    const said = await stage.step();
    expect(said).toMatchObject({ decision: "speak", heard: "what is it?" });
    const more = await stage.step();
    expect(more.decision).toBe("speak");
    expect(`${said.text} ${more.text}`.trim()).toBe("hello there");
    expect((await stage.step()).decision).toBe("listen");
  });

  test("yields in the micro-turn of a cut, and tells one step later how much was heard", async () => {
    const stage = await opened();
    stage.events.audio(tone(1000), "a");
    await stage.step();
    await stage.step();
    stage.events.flush();
    stage.events.flush();
    const cut = await stage.step({ played: { turnIndex: 0, samples: 150 } });
    expect(cut).toMatchObject({ decision: "listen", yielded: true, text: "" });
    expect(cut.speech.every((sample) => sample === 0)).toBe(true);
    expect(stage.wire.calls).toEqual(["opened"]);
    expect((await stage.step({ played: { turnIndex: 1, samples: 30 } })).yielded).toBe(false);
    await stage.step();
    expect(stage.wire.calls.filter((call) => call.startsWith("truncate"))).toEqual(["truncate a 230"]);
  });

  test("tells of a cut that comes in the middle of a step once the player has been flushed", async () => {
    const stage = await opened();
    await stage.step();
    stage.events.audio(tone(1000), "a");
    await stage.session.step({ index: 1, turns: 1, audio: tone(200), images: [], text: [] });
    const stepping = stage.session.step({ index: 2, turns: 1, audio: tone(200), images: [], text: [] });
    await settled();
    stage.events.flush();
    await stage.clock.advance(200);
    expect((await stepping).yielded).toBe(true);
    expect(stage.wire.calls).not.toContainEqual(expect.stringContaining("truncate"));
    void stage.session.step({
      ...{ index: 3, turns: 1, audio: tone(200), images: [], text: [] },
      played: { turnIndex: 1, samples: 77 },
    });
    expect(stage.wire.calls.at(-1)).toBe("truncate a 77");
  });

  test("tells with each unit which replies were heard on, by the player or as they were handed on", async () => {
    const stage = await opened();
    stage.events.audio(tone(300), "a");
    stage.events.replyEnd("a");
    await stage.step();
    await stage.step({ played: { turnIndex: 0, samples: 150 } });
    await stage.step({ played: { turnIndex: 0, samples: 150 } });
    await stage.step({ played: { turnIndex: 2, samples: 0 } });
    expect(stage.wire.played).toEqual([[], ["a 150"], [], ["a 300"]]);
    stage.events.audio(tone(200), "b");
    stage.events.replyEnd("b");
    await stage.step();
    await stage.step();
    expect(stage.wire.played.slice(4)).toEqual([[], ["b 200"]]);
  });

  test("takes all that was handed on for heard where no player tells", async () => {
    const stage = await opened();
    stage.events.audio(tone(1000), "a");
    await stage.step();
    await stage.step();
    stage.events.flush();
    await stage.step();
    await stage.step();
    expect(stage.wire.calls.at(-1)).toBe("truncate a 400");
  });

  test("tells 0 of a reply that was cut before it was heard, also behind another", async () => {
    const stage = await opened();
    stage.events.audio(tone(300), "a");
    stage.events.replyEnd("a");
    stage.events.audio(tone(50), "b");
    await stage.step();
    stage.events.flush();
    await stage.step();
    await stage.step({ played: { turnIndex: 0, samples: 0 } });
    expect(stage.wire.calls.slice(-2)).toEqual(["truncate a 0", "truncate b 0"]);
  });

  test("flushes nothing when there is nothing", async () => {
    const stage = await opened();
    stage.events.flush();
    expect((await stage.step()).yielded).toBe(false);
    expect(stage.wire.calls).toEqual(["opened"]);
  });

  test("interrupts when it must listen, also a reply that has not come yet", async () => {
    const stage = await opened();
    await stage.step({ forceListen: true });
    expect(stage.wire.calls).toEqual(["opened", "interrupt"]);
    stage.events.audio(tone(1000), "a");
    await stage.step();
    const silenced = await stage.step({ forceListen: true });
    expect(silenced).toMatchObject({ decision: "listen", yielded: false });
    await stage.step({ played: { turnIndex: 1, samples: 100 } });
    expect(stage.wire.calls.slice(-2)).toEqual(["interrupt", "truncate a 100"]);
  });

  test("hands delegations on one by one, but for those that were called off", async () => {
    const stage = await opened();
    for (const id of ["1", "2", "3"]) stage.events.delegation({ id, task: id });
    stage.events.delegationCancelled("2");
    const tasks = [await stage.step(), await stage.step(), await stage.step()].map((one) => one.delegation?.task);
    expect(tasks).toEqual(["1", "3", undefined]);
  });

  test("tells what was called off after it was told, unless only its call was lost", async () => {
    const stage = await opened();
    for (const id of ["1", "2", "3"]) stage.events.delegation({ id, task: id });
    await stage.step();
    await stage.step();
    stage.events.delegationCancelled("1");
    stage.events.delegationCancelled("2", true);
    stage.events.delegationCancelled("3");
    const { cancelled, delegation } = await stage.step();
    expect([cancelled, delegation]).toEqual([["1"], undefined]);
    expect(await stage.step()).not.toHaveProperty("cancelled");
  });

  test("tells gaps and what had to go", async () => {
    const stage = await opened();
    stage.events.audio(tone(250), "a");
    await stage.step();
    await stage.step();
    stage.events.audio(tone(70_000), "a");
    expect(stage.notes).toEqual([
      { type: "underrun", samples: 150 },
      { type: "output-dropped", samples: 10_000 },
    ]);
  });
});

describe("the connection of a paced session", () => {
  test("opens once the service is ready, within its time", async () => {
    const stage = new Stage();
    stage.wire.readyAtOnce = false;
    const opening = stage.session.open();
    let open = false;
    void opening.then(() => {
      open = true;
    });
    await stage.clock.advance(4999);
    expect(open).toBe(false);
    stage.events.ready();
    await opening;
    expect(stage.clock.pending).toBe(0);
    const late = new Stage();
    late.opensAtOnce = false;
    const told = codeOf(late.session.open());
    await late.clock.advance(5000);
    expect(await told).toBe("OPEN_TIMEOUT");
    expect(late.socket.done).toEqual(["destroy"]);
    expect(late.clock.pending).toBe(0);
  });

  test("counts the fetching of a token as part of it", async () => {
    const stage = new Stage();
    let signal: AbortSignal | undefined;
    stage.wire.request = (given) => {
      signal = given;
      return new Promise(() => {});
    };
    const told = codeOf(stage.session.open());
    await stage.clock.advance(5000);
    expect(await told).toBe("OPEN_TIMEOUT");
    expect(signal?.aborted).toBe(true);
    expect(stage.sockets).toHaveLength(0);
  });

  test("tells a first connection that fails at once, and a token that cannot be had", async () => {
    const stage = new Stage();
    stage.opensAtOnce = false;
    const told = codeOf(stage.session.open());
    await settled();
    stage.socket.end();
    expect(await told).toBe("NETWORK_FAILED");
    expect(stage.sockets).toHaveLength(1);
    const other = new Stage();
    other.wire.request = () => Promise.reject(new Error("no token"));
    await expect(other.session.open()).rejects.toMatchObject({ code: "NETWORK_FAILED", message: "open: no token" });
    expect(other.clock.pending).toBe(0);
  });

  test("takes a broken message for the end, and a bug of a wire too", async () => {
    for (const message of ["bad", "bug"]) {
      const stage = await opened();
      stage.socket.handlers.onMessage(message);
      expect(stage.socket.done).toEqual(["close 1002"]);
      expect(await codeOf(stage.step())).toBe("PROTOCOL_VIOLATION");
      expect(stage.sockets).toHaveLength(1);
      expect(stage.clock.pending).toBe(0);
    }
  });

  test("comes back, sends what was held meanwhile, and plays what it had", async () => {
    const stage = await opened();
    stage.events.audio(tone(300), "a");
    stage.wire.readyAtOnce = false;
    const before = stage.events;
    stage.socket.end();
    const first = await stage.step({ fill: 0.25 });
    const second = await stage.step({ fill: 0.5 });
    const third = await stage.step();
    expect([first.decision, second.decision, third.decision]).toEqual(["speak", "speak", "listen"]);
    expect(stage.wire.units).toHaveLength(0);
    // What an old connection says does not count.
    before.audio(tone(500), "ghost");
    before.ready();
    expect(stage.wire.units).toHaveLength(0);
    stage.events.ready();
    expect(stage.wire.units.map(({ index, audio }) => [index, audio[0]])).toEqual([
      [0, 0.25],
      [1, 0.5],
      [2, 0],
    ]);
    expect(typesOf(stage)).toEqual(["reconnecting", "reconnected"]);
    expect((await stage.step()).decision).toBe("listen");
  });

  test("waits longer with every attempt, and gives up in time", async () => {
    const stage = await opened();
    stage.opensAtOnce = false;
    stage.socket.end();
    const times: number[] = [];
    for (let ms = 0; ms < 40_000 && stage.clock.pending > 0; ms += 50) {
      await stage.clock.advance(50);
      if (stage.sockets.length > times.length + 1) {
        times.push(stage.clock.now());
        stage.socket.end();
      }
    }
    expect(times).toEqual([50, 300, 800, 1800, 3800, 7800, 12_800, 17_800, 22_800, 27_800]);
    expect(await codeOf(stage.step())).toBe("NETWORK_FAILED");
  });

  test("does not run in circles when a service takes it and drops it", async () => {
    const stage = await opened();
    for (let i = 0; i < 200 && stage.clock.pending + stage.sockets.length > 0; i++) {
      stage.socket.end();
      await stage.clock.advance(500);
    }
    expect(stage.sockets.length).toBeLessThan(15);
    expect(await codeOf(stage.step())).toBe("NETWORK_FAILED");
  });

  test("counts the losses of a connection that was good anew", async () => {
    const stage = await opened();
    for (let i = 0; i < 50; i++) {
      await stage.clock.advance(10_000);
      stage.socket.end();
      await stage.clock.advance(10);
    }
    await stage.step();
    expect(stage.notes.filter(({ type }) => type === "reconnected")).toHaveLength(50);
  });

  test("gives each attempt its time, and waits as long as the service asks", async () => {
    const stage = await opened();
    stage.wire.readyAtOnce = false;
    stage.socket.end();
    await stage.clock.advance(1);
    expect(stage.sockets).toHaveLength(2);
    await stage.clock.advance(5000);
    expect(stage.socket.done).toEqual(["destroy"]);
    await stage.clock.advance(250);
    expect(stage.sockets).toHaveLength(3);
    const details = { retryAfterMs: 7000 };
    stage.wire.verdict = { error: new DuplexError("SERVER_BUSY", "full", { details }), retry: true };
    stage.socket.end();
    await stage.clock.advance(6999);
    expect(stage.sockets).toHaveLength(3);
    await stage.clock.advance(1);
    expect(stage.sockets).toHaveLength(4);
  });

  test("does not come back where that does not help, or is not wanted", async () => {
    const stage = await opened();
    stage.wire.verdict = { error: new DuplexError("ACCESS_DENIED", "no"), retry: false };
    stage.socket.end();
    expect(await codeOf(stage.step())).toBe("ACCESS_DENIED");
    const once = await opened({ reconnectMs: 0 });
    once.socket.end();
    expect(await codeOf(once.step())).toBe("NETWORK_FAILED");
    const failing = await opened();
    failing.events.fail(new DuplexError("UNSUPPORTED", "no such model"), false);
    expect(await codeOf(failing.step())).toBe("UNSUPPORTED");
    expect(failing.clock.pending).toBe(0);
  });

  test("holds input while the socket is slow, drops the oldest, and never a text", async () => {
    const stage = await opened();
    stage.socket.queuedBytes = 1001;
    const image = { data: Uint8Array.of(1, 2, 3), width: 1, height: 1, timeMs: 0 };
    await stage.step({ fill: 0.1, text: [{ source: "user", text: "early" }], images: [image] });
    image.data.fill(0);
    for (let i = 2; i <= 8; i++) await stage.step({ fill: i / 10 });
    expect(stage.wire.units).toHaveLength(0);
    expect(typesOf(stage)).toEqual(["input-dropped", "input-dropped", "input-dropped"]);
    stage.socket.queuedBytes = 0;
    await stage.step({ text: [{ source: "user", text: "late" }] });
    expect(stage.wire.units.map(({ index }) => index)).toEqual([3, 4, 5, 6, 7, 8]);
    expect(stage.wire.units[0].text).toEqual(["early"]);
    expect(stage.wire.units[5].text).toEqual(["late"]);
  });

  test("leaves a socket that takes nothing for 15 s", async () => {
    const stage = await opened();
    stage.socket.queuedBytes = 1001;
    for (let i = 0; i < 80; i++) await stage.step();
    expect(stage.sockets).toHaveLength(2);
    expect(typesOf(stage)).toContain("reconnected");
  });

  test("says goodbye, waits for the last word where there is one, and closes twice", async () => {
    const stage = await opened();
    await Promise.all([stage.session.close(), stage.session.close()]);
    expect(stage.wire.calls).toEqual(["opened", "goodbye", ...stage.wire.calls.slice(2)]);
    expect(stage.socket.done).toEqual(["close 1000"]);
    expect(await codeOf(stage.step())).toBe("SESSION_CLOSED");
    const polite = await opened();
    polite.wire.farewellMs = 3000;
    const closing = polite.session.close();
    await settled();
    expect(polite.socket.done).toEqual([]);
    polite.events.fail(new DuplexError("SESSION_CLOSED", "bye"), false);
    await closing;
    expect(polite.clock.pending).toBe(0);
  });

  test("closes in spite of a service that does not, and of a step that waits", async () => {
    const stage = await opened();
    stage.closesAtOnce = false;
    await stage.step();
    const input = { turns: 1, audio: new Float32Array(200), images: [], text: [] };
    await stage.session.step({ ...input, index: 1 });
    const waiting = codeOf(stage.session.step({ ...input, index: 2 }));
    const closing = stage.session.close();
    expect(await waiting).toBe("SESSION_CLOSED");
    await stage.clock.advance(2000);
    await closing;
    expect(stage.socket.done).toEqual(["close 1000", "destroy"]);
    expect(stage.clock.pending).toBe(0);
  });

  test("closes while it opens, and while it comes back", async () => {
    const stage = new Stage();
    stage.opensAtOnce = false;
    const told = codeOf(stage.session.open());
    await settled();
    await stage.session.close();
    expect(await told).toBe("SESSION_CLOSED");
    const lost = await opened();
    lost.opensAtOnce = false;
    lost.socket.end();
    await lost.session.close();
    expect(lost.clock.pending).toBe(0);
    expect(lost.sockets).toHaveLength(1);
  });

  test("has no snapshots", async () => {
    const stage = await opened();
    expect(await codeOf(stage.session.snapshot())).toBe("UNSUPPORTED");
    expect(await codeOf(stage.session.restore())).toBe("UNSUPPORTED");
  });
});
