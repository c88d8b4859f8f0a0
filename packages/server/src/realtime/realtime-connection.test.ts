import { politeScript, type Script } from "@microturn/core/testing";
import { describe, expect, it } from "vitest";
import { pcm, RealtimeBench } from "./realtime-bench.js";

const append = (samples = 4800, amplitude = 0) => ({
  type: "input_audio_buffer.append",
  audio: pcm(samples, amplitude),
});
/** Speaks in the micro-turns from `from` on, as many as there are words. */
const sayAt =
  (from: number, words: readonly string[], more: Script = () => ({})): Script =>
  (input, memory) => {
    const word = input.forceListen === true ? undefined : words[input.index - from];
    return { ...(word === undefined ? {} : { decision: "speak", speech: 0.1, text: word }), ...more(input, memory) };
  };
const errorOf = (told: { error: { code: string } }) => told.error.code;

describe("a session of the JSON wire", () => {
  it("begins with session.created: what the server can do, and how to come back", async () => {
    const bench = new RealtimeBench();
    const client = await bench.connect("model=anything");
    expect(client.types()).toEqual(["session.created"]);
    expect(client.told[0]).toMatchObject({
      ...{ server_event_seq: 1, attachment_generation: 1, epoch: 0 },
      session: {
        ...{ object: "realtime.session", type: "realtime", model: "anything", served_model: "scripted" },
        capabilities: { chunk_period_ms: 200, supports_session_resume: true, implementation_level: "native_duplex" },
        audio: { input: { format: { type: "audio/pcm", rate: 24_000 } } },
      },
    });
  });

  it("tells a conversation in the order that clients rely on, with one delta of sound for each micro-turn", async () => {
    const bench = new RealtimeBench({ script: politeScript({ words: ["i", "heard", "you"] }) });
    const client = await bench.connect();
    await client.turns(2, 0.5);
    await client.turns(8);
    const types = client.types(1);
    expect(types).toEqual([
      "input_audio_buffer.speech_started",
      // The tail of the resampler reaches into a third micro-turn.
      ...Array(3).fill("conversation.item.input_audio_transcription.delta"),
      "input_audio_buffer.speech_stopped",
      ...["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"],
      ...["response.created", "response.speak", "response.output_item.added", "conversation.item.added"],
      "response.content_part.added",
      ...["response.output_audio.delta", "response.output_audio_transcript.delta"],
      ...["response.output_audio.delta", "response.output_audio_transcript.delta"],
      ...["response.output_audio.delta", "response.output_audio_transcript.delta"],
      "conversation.item.input_audio_transcription.completed",
      // What was still in the resampler.
      ...["response.output_audio.delta", "response.output_audio_transcript.delta"],
      ...["response.output_audio.done", "response.output_audio_transcript.done", "response.content_part.done"],
      ...["conversation.item.done", "response.output_item.done", "response.done", "response.listen"],
    ]);
    expect(client.told.map((one) => one.server_event_seq)).toEqual(client.told.map((_, i) => i + 1));
    const deltas = client.of("response.output_audio.delta");
    const samples = deltas.map(({ delta }) => Buffer.from(delta, "base64").length / 2);
    expect(samples.slice(0, 3)).toEqual([4800, 4800, 4800]);
    expect(deltas[1].metadata).toMatchObject({ epoch: 0, audio_duration_ms: 200, audio_start_ms: 200 });
    expect(client.last("response.output_audio_transcript.done").transcript).toBe("i heard you");
    expect(client.last("conversation.item.input_audio_transcription.completed").transcript).toBe("word word word");
    expect(client.last("response.done").response).toMatchObject({
      ...{ status: "completed", status_details: null },
      output: [
        { role: "assistant", status: "completed", content: [{ type: "output_audio", transcript: "i heard you" }] },
      ],
    });
    const user = client.last("input_audio_buffer.committed").item_id;
    await client.say({ type: "conversation.item.retrieve", item_id: user });
    expect(client.last("conversation.item.retrieved").item).toMatchObject({
      ...{ role: "user", content: [{ type: "input_audio", transcript: "word word word" }] },
    });
  });

  it("tells when the model yields: whoever plays its sound drops it, and the response was cancelled", async () => {
    const bench = new RealtimeBench({ script: politeScript({ words: Array.from({ length: 20 }, (_, i) => `w${i}`) }) });
    const client = await bench.connect();
    await client.turns(2, 0.5);
    await client.turns(6);
    const from = client.told.length;
    await client.turns(1, 0.5);
    await client.turns(1);
    expect(client.types(from)).toEqual([
      ...["overlap.decision", "input_audio_buffer.speech_started"],
      ...["conversation.item.input_audio_transcription.delta", "response.listen"],
      ...["response.output_audio.done", "response.output_audio_transcript.done", "response.content_part.done"],
      ...["conversation.item.done", "response.output_item.done", "response.done"],
      "conversation.item.input_audio_transcription.delta",
    ]);
    expect(client.last("overlap.decision")).toMatchObject({ action: "barge_in", epoch: 1 });
    expect(client.last("response.listen")).toMatchObject({ epoch: 1, response: { metadata: { reason: "yielded" } } });
    expect(client.last("response.done").response).toMatchObject({
      ...{ status: "cancelled", status_details: { type: "cancelled", reason: "turn_detected" } },
      output: [{ status: "incomplete" }],
    });
  });

  it("cancels a response when the client asks, and refuses where there is none", async () => {
    const bench = new RealtimeBench({ script: sayAt(1, ["one", "two", "three", "four", "five"]) });
    const client = await bench.connect();
    await client.say({ type: "response.cancel", event_id: "mine" });
    expect(client.last("error").error).toMatchObject({ code: "response_cancel_not_active", event_id: "mine" });
    await client.turns(3);
    await client.say({ type: "response.cancel" });
    expect(client.last("response.done").response.status_details).toEqual({
      type: "cancelled",
      reason: "client_cancelled",
    });
    expect(client.last("response.listen").epoch).toBe(1);
    const { length } = client.of("response.output_audio.delta");
    await client.turns(1);
    expect(client.of("response.output_audio.delta").length).toBe(length);
    expect(bench.engine.steps.at(-1)?.forceListen).toBe(true);
  });

  it("says results of functions once the client asks for a response, and lives on without its microphone", async () => {
    const script: Script = (input, memory) => {
      if (input.index === 2) return { delegation: { task: "weather in paris", id: "d1" } };
      if (input.text.some(({ source }) => source === "background")) memory.left = 3;
      const left = Number(memory.left ?? 0);
      memory.left = left - 1;
      return left > 0 ? { decision: "speak", speech: 0.2, text: "rain" } : {};
    };
    const bench = new RealtimeBench({ script, capabilities: { saysText: true } });
    const client = await bench.connect();
    const parameters = {
      ...{ type: "object", required: ["place"] },
      properties: { unit: { type: "string" }, place: { type: "string" } },
    };
    await client.say({
      type: "session.update",
      session: {
        type: "realtime",
        tools: [
          { type: "function", name: "mail", description: "Sends mail." },
          { type: "function", name: "forecast", description: "Tells the weather of a place.", parameters },
        ],
      },
    });
    await client.turns(3);
    const { call_id, name, arguments: json } = client.last("response.function_call_arguments.done");
    expect({ name, json }).toEqual({ name: "forecast", json: '{"place":"weather in paris"}' });
    expect(client.last("response.done").response.output).toMatchObject([
      { type: "function_call", status: "completed" },
    ]);
    const item = { type: "function_call_output", call_id, output: '{"result":"It rains."}' };
    await client.say({ type: "conversation.item.create", item });
    expect(bench.engine.steps.flatMap(({ text }) => text)).toEqual([]);
    await client.say({ type: "response.create" });
    expect(client.types().at(-1)).toBe("response.created");
    await client.say({ type: "response.create" });
    expect(errorOf(client.last("error") as never)).toBe("conversation_already_has_active_response");
    // The client's sound has ended: the session makes silence.
    await bench.clock.advance(4000);
    expect(bench.engine.steps.flatMap(({ text }) => text)).toMatchObject([{ text: "It rains.", delegation: "d1" }]);
    expect(client.last("response.output_audio_transcript.done").transcript).toBe("rain rain rain");
    expect(client.of("response.created").length).toBe(2);
    await client.say({ type: "conversation.item.create", item });
    expect(errorOf(client.last("error") as never)).toBe("invalid_tool_call_id");
    // And stops when nothing happens any more.
    await bench.clock.advance(20_000);
    const steps = bench.engine.steps.length;
    await bench.clock.advance(20_000);
    expect(bench.engine.steps.length).toBe(steps);
  });

  it("ends a response that was asked for and not given, without output", async () => {
    const bench = new RealtimeBench({ script: () => ({}) });
    const client = await bench.connect();
    await client.say({ type: "response.create", response: { metadata: { mine: "1" } } });
    await bench.clock.advance(5000);
    const { response } = client.last("response.done");
    expect(response).toMatchObject({ status: "completed", output: [], metadata: { mine: "1" } });
    expect(client.last("response.listen").response.metadata.reason).toBe("model_listens");
  });

  it("tells the session how far its sound was heard, and cuts the item there", async () => {
    const bench = new RealtimeBench({ script: sayAt(1, ["one two", "three", "four", "five"]) });
    const client = await bench.connect();
    await client.turns(4);
    const { item_id, response_id } = client.last("response.output_audio.delta");
    await client.say({ type: "playback.ack", response_id, item_id, played_ms: 250 });
    expect(client.last("playback.acknowledged").event.playback).toMatchObject({ played: 250, committed: 250 });
    await client.say({ type: "playback.ack", response_id, item_id, played_ms: 100 });
    expect(client.last("playback.acknowledged").event.playback.played).toBe(250);
    await client.turns(1);
    expect(bench.engine.steps.at(-1)?.played).toEqual({ turnIndex: 2, samples: 800 });
    const truncate = { type: "conversation.item.truncate", item_id, content_index: 0 };
    for (const [audio_end_ms, code] of [
      [10.5, "invalid_type"],
      [5000, "invalid_value"],
      [-1, "invalid_value"],
    ] as const) {
      await client.say({ ...truncate, audio_end_ms });
      expect(errorOf(client.last("error") as never)).toBe(code);
    }
    await client.say({ ...truncate, audio_end_ms: 310 }, { type: "conversation.item.retrieve", item_id });
    expect(client.last("conversation.item.retrieved").item.content[0].transcript).toBe("one two three");
    await client.say({ type: "playback.ack", response_id, item_id, played_ms: 400 });
    expect(errorOf(client.last("error") as never)).toBe("playback_ack_too_late");
    await client.say({ type: "playback.ack", response_id, item_id: "item_other", played_ms: 400 });
    expect(errorOf(client.last("error") as never)).toBe("playback_item_not_found");
  });

  it("takes sound of any rate and of telephones, in pieces of any number of bytes", async () => {
    const bench = new RealtimeBench();
    const client = await bench.connect();
    const bytes = Buffer.from(pcm(4800, 0.5), "base64");
    const piece = (from: number, to: number) => ({
      ...{ type: "input_audio_buffer.append", audio: bytes.subarray(from, to).toString("base64").replace(/=+$/, "") },
    });
    await client.say(piece(0, 1001), piece(1001, 1002), piece(1002, 1002), piece(1002, 9600));
    await bench.clock.advance(400);
    const first = bench.engine.steps[0].audio;
    expect(first.length).toBe(3200);
    expect(Math.max(...first)).toBeGreaterThan(0.45);
    const format = { type: "audio/pcmu" };
    await client.say({ type: "session.update", session: { audio: { input: { format }, output: { format } } } });
    expect(client.last("session.updated").session.audio.input.format).toEqual({ type: "audio/pcmu", rate: 8000 });
    await client.say({ type: "input_audio_buffer.append", audio: Buffer.alloc(1600, 0xff).toString("base64") });
    await client.say({ ...append(3200), sample_rate_hz: 16_000 });
    await bench.clock.advance(1000);
    expect(client.of("error")).toEqual([]);
    expect(bench.engine.steps.length).toBeGreaterThanOrEqual(3);
  });

  it("shows the model images of an append and of items", async () => {
    const bench = new RealtimeBench();
    const client = await bench.connect();
    const frame = Buffer.from([1, 2, 3]).toString("base64");
    await client.say({ ...append(), video_frames: [frame] });
    const image_url = `data:image/jpeg;base64,${frame}`;
    const item = { type: "message", role: "user", content: [{ type: "input_image", image_url }] };
    await client.say({ type: "conversation.item.create", item });
    await client.turns(2);
    const widths = bench.engine.steps.flatMap(({ images }) => images.map(({ width }) => width));
    expect(widths).toEqual([3, 3]);
    await client.say(...Array.from({ length: 10 }, () => ({ ...append(0), video_frames: [frame] })));
    expect(errorOf(client.last("error") as never)).toBe("input_backpressure");
  });

  it("catches up after a stall in which it made silence: what is quiet of what came late is left out", async () => {
    const bench = new RealtimeBench({ script: () => ({ heard: "word" }) });
    const client = await bench.connect();
    const late = () => {
      const [session] = bench.sessions.values();
      return 200 * bench.engine.steps.length - bench.clock.now() + session.queuedMs;
    };
    await client.turns(3, 0.5);
    const usual = late();
    await bench.clock.advance(1800);
    const made = bench.engine.steps.length;
    expect(made).toBeGreaterThan(7);
    await client.say(...Array.from({ length: 9 }, () => append(4800, 0.5)));
    expect(late()).toBeGreaterThan(usual + 1000);
    await client.turns(20);
    expect(late()).toBeLessThanOrEqual(usual + 400);
    expect(client.of("error")).toEqual([]);
  });

  it("refuses sound that is too far ahead, and says how much it has", async () => {
    const bench = new RealtimeBench({}, { maxAheadMs: 2000 });
    const client = await bench.connect();
    await client.say(...Array.from({ length: 12 }, (_, i) => ({ ...append(), event_id: `e${i}` })));
    expect(client.of("error").map(({ error }) => [error.code, error.event_id])).toEqual([
      ["input_backpressure", "e11"],
    ]);
    await bench.clock.advance(1000);
    await client.say(append(), { type: "session.heartbeat" });
    expect(client.of("error").length).toBe(1);
    expect(client.last("session.heartbeat_ack").received_audio_ms).toBe(2400);
  });

  it("keeps the sound of each session apart while both wait for their micro-turns", async () => {
    const bench = new RealtimeBench();
    const [loud, quiet] = [await bench.connect(), await bench.connect()];
    for (let i = 0; i < 4; i++) {
      for (const [client, amplitude] of [
        [loud, 0.5],
        [quiet, 0.01],
      ] as const)
        await client.say(append(2400, amplitude));
    }
    await bench.clock.advance(400);
    const loudest = bench.engine.steps.map(({ audio }) => Math.max(...audio.map(Math.abs)));
    expect(loudest).toHaveLength(4);
    expect(loudest.filter((level) => level > 0.4)).toHaveLength(2);
    expect(loudest.filter((level) => level < 0.02)).toHaveLength(2);
  });

  it("refuses what is wrong with the codes of the wire, and goes on", async () => {
    const bench = new RealtimeBench();
    const client = await bench.connect();
    const item = (fields: object) => ({ type: "conversation.item.create", item: fields });
    const session = (fields: object) => ({ type: "session.update", session: fields });
    const wrong: [unknown, string][] = [
      [{}, "invalid_event"],
      [{ type: 4 }, "invalid_event"],
      [[], "invalid_event"],
      [{ type: "nonsense" }, "unknown_event"],
      [{ type: "__proto__" }, "unknown_event"],
      [{ type: "constructor" }, "unknown_event"],
      [{ type: "input_audio_buffer.append" }, "missing_required_parameter"],
      [{ type: "input_audio_buffer.append", audio: 3 }, "invalid_type"],
      [{ type: "input_audio_buffer.append", audio: "a*b" }, "invalid_value"],
      [{ ...append(), sample_rate_hz: 1 }, "invalid_value"],
      [{ type: "input_audio_buffer.commit" }, "input_audio_buffer_commit_empty"],
      [session({ model: 3 }), "invalid_type"],
      [session({ nonsense: 3 }), "unknown_parameter"],
      [session({ audio: { input: { nonsense: 3 } } }), "unknown_parameter"],
      [session({ turn_detection: { type: "magic" } }), "unsupported_turn_detection"],
      [session({ output_modalities: ["audio", "text"] }), "invalid_value"],
      [session({ tools: [{ type: "mcp" }] }), "invalid_value"],
      [session({ instructions: "x".repeat(300_000) }), "event_too_large"],
      [session({ idle_timeout_s: 1 }), "invalid_value"],
      [item({ type: "message", role: "user", content: [{ type: "output_text", text: "" }] }), "invalid_value"],
      [item({ type: "function_call_output", call_id: "c", output: "" }), "invalid_tool_call_id"],
      [item({ type: "function_call_output", call_id: "c", output: "x".repeat(70_000) }), "event_too_large"],
      [{ type: "conversation.item.truncate", item_id: "x", content_index: 0 }, "item_truncate_invalid_item_id"],
      [{ type: "conversation.item.delete", item_id: "x" }, "item_delete_invalid_item_id"],
      [{ type: "response.create", response: { conversation: "none" } }, "invalid_value"],
      [{ type: "session.event_ack", server_event_seq: 1e6 }, "invalid_value"],
      [{ type: "session.resume" }, "invalid_event"],
      [{ type: "turn.signal" }, "invalid_value"],
    ];
    for (const [event, code] of wrong) {
      await client.say(event as object);
      expect({ event, code: errorOf(client.told.at(-1) as never) }).toEqual({ event, code });
    }
    const deep = `${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}`;
    for (const place of [`"session.update","session":{"prompt":`, `"response.create","response":{"metadata":`]) {
      client.connection.receive(`{"type":${place}${deep}}}`);
      expect(errorOf(client.told.at(-1) as never)).toBe("invalid_value");
    }
    client.connection.receive("{");
    expect(errorOf(client.last("error") as never)).toBe("invalid_json");
    client.connection.receive(Uint8Array.of(1, 2));
    expect(errorOf(client.last("error") as never)).toBe("invalid_event");
    client.connection.receive(JSON.stringify({ type: "x".repeat(2_000_000) }));
    expect(errorOf(client.last("error") as never)).toBe("event_too_large");
    expect(client.of("error").map(({ error }) => error.code)).not.toContain("internal_error");
    expect(client.closed).toBeUndefined();
  });

  it("echoes what the model cannot follow, keeps what a patch leaves out, and keeps the model and a voice that was heard", async () => {
    const bench = new RealtimeBench({ script: sayAt(0, ["hello"]) });
    const client = await bench.connect("model=m");
    const session = { type: "realtime", instructions: "Be brief.", temperature: 0.6, model: "m" };
    await client.say({ type: "session.update", session });
    await client.say({
      ...{ type: "session.update" },
      session: { audio: { output: { voice: "marin" }, input: { turn_detection: { type: "server_vad" } } } },
    });
    expect(client.last("session.updated").session).toMatchObject({
      ...{ instructions: "Be brief.", temperature: 0.6 },
      audio: {
        output: { voice: "marin", format: { rate: 24_000 } },
        input: { turn_detection: { type: "server_vad", interrupt_response: true } },
      },
    });
    await client.say({ type: "session.update", session: { model: "other" } });
    expect(errorOf(client.last("error") as never)).toBe("invalid_value");
    await client.turns(1);
    await client.say({ type: "session.update", session: { audio: { output: { voice: "cedar" } } } });
    expect(errorOf(client.last("error") as never)).toBe("cannot_update_voice");
    await client.say({
      type: "session.update",
      session: { instructions: null, audio: { input: { turn_detection: null } } },
    });
    const after = client.last("session.updated").session;
    expect([after.instructions, after.audio.input.turn_detection]).toEqual(["", null]);
  });

  it("makes an item of the sound so far when the client commits, and gives it the words", async () => {
    const bench = new RealtimeBench({ script: ({ index }) => (index === 2 ? { heard: "hello" } : {}) });
    const client = await bench.connect();
    await client.turns(2, 0.5);
    await client.say({ type: "input_audio_buffer.commit" });
    const { item_id } = client.last("input_audio_buffer.committed");
    await client.say({ type: "input_audio_buffer.commit" });
    expect(errorOf(client.last("error") as never)).toBe("input_audio_buffer_commit_empty");
    await client.turns(5);
    expect(client.last("conversation.item.input_audio_transcription.completed")).toMatchObject({
      ...{ item_id, transcript: "hello" },
    });
    expect(client.of("input_audio_buffer.speech_started")).toEqual([]);
  });

  it("keeps words that were said into a reply and did not stop it", async () => {
    const heard: Script = ({ index }) => (index === 2 ? { heard: "uh huh" } : {});
    const bench = new RealtimeBench({
      script: sayAt(
        1,
        Array.from({ length: 12 }, () => "la"),
        heard,
      ),
    });
    const client = await bench.connect();
    await client.turns(15);
    expect(client.last("overlap.decision")).toMatchObject({ action: "listen", overlap_ms: 200 });
    expect(client.last("conversation.item.input_audio_transcription.completed").transcript).toBe("uh huh");
    expect(client.of("input_audio_buffer.speech_started")).toEqual([]);
    expect(client.last("response.done").response.status).toBe("completed");
  });
});

describe("a connection of the JSON wire", () => {
  it("lets a client come back: what it missed is sent again, what it sent is counted, and the old one is told", async () => {
    const bench = new RealtimeBench({
      script: sayAt(
        0,
        Array.from({ length: 30 }, (_, i) => `w${i}`),
      ),
    });
    const first = await bench.connect();
    const { session_id, incarnation, resume_token } = first.told[0];
    await first.turns(3);
    const seen = first.told.slice(0, -3);
    first.lose();
    await bench.clock.advance(5000);
    const resume = {
      ...{ type: "session.resume", session_id, incarnation, resume_token },
      last_received_server_event_seq: seen.length,
    };
    const second = await bench.connect("autostart=0");
    await second.say(resume);
    const [resumed, ...replayed] = second.told;
    expect(resumed).toMatchObject({
      ...{ type: "session.resumed", session_id, attachment_generation: 2, replayed_events: 3 },
      input_audio: { received_appends: 3, received_bytes: 28_800, received_ms: 600 },
    });
    expect([...seen, ...replayed].map((one) => one.server_event_seq)).toEqual(first.told.map((_, i) => i + 1));
    expect(replayed).toEqual(first.told.slice(-3));
    // The answer was lost as well: the token that it came with is still good.
    const third = await bench.connect("autostart=0");
    await third.say(resume);
    expect(third.told[0].type).toBe("session.resumed");
    expect([second.told.at(-1)?.type, second.closed?.code]).toEqual(["session.replaced", 4001]);
    // A connection that was replaced has no say any more.
    await second.say({ type: "session.close" });
    expect(bench.sessions.size).toBe(1);
    await third.turns(1);
    const fourth = await bench.connect("autostart=0");
    await fourth.say(resume);
    expect(errorOf(fourth.told[0] as never)).toBe("session_resume_expired");
    expect(fourth.closed?.code).toBe(1008);
    await third.say({ type: "session.close" });
    expect([third.told.at(-1)?.type, third.closed?.code]).toEqual(["session.closed", 1000]);
    expect([bench.sessions.size, bench.engine.openSessions, bench.context.admission.open]).toEqual([0, 0, 0]);
  });

  it("keeps what the connection has taken for the grace time, and all else for longer", async () => {
    const bench = new RealtimeBench({}, { graceMs: 1000, idleTimeoutMs: 10_000 });
    const first = await bench.connect();
    const { session_id, incarnation, resume_token } = first.told[0];
    const beat = { type: "session.heartbeat" };
    await first.say(beat, beat);
    expect(first.connection.lastTold).toBe(3);
    // What nobody has told is not believed.
    for (const sequence of [Number.NaN, 4, 2]) first.connection.arrived(sequence);
    await bench.clock.advance(1500);
    await first.say(beat);
    first.lose();
    const resume = (last: number) => ({
      ...{ type: "session.resume", session_id, incarnation, resume_token, last_received_server_event_seq: last },
    });
    const second = await bench.connect("autostart=0");
    await second.say(resume(1));
    expect(second.told[0]).toMatchObject({ type: "session.resync_required", first_server_event_seq: 3 });
    await second.say(resume(2));
    expect(second.told.slice(2).map((one) => one.server_event_seq)).toEqual([3, 4]);
  });

  it("tells a client that comes too late, or asks for what is gone", async () => {
    const bench = new RealtimeBench({}, { graceMs: 1000 });
    const first = await bench.connect();
    const { session_id, incarnation, resume_token } = first.told[0];
    await first.say({ type: "session.heartbeat" }, { type: "session.heartbeat" });
    await first.say({ type: "session.event_ack", server_event_seq: 2 });
    first.lose();
    const resume = (last: number) => ({
      ...{ type: "session.resume", session_id, incarnation, resume_token, last_received_server_event_seq: last },
    });
    const second = await bench.connect("autostart=0");
    await second.say(resume(1), resume(7));
    expect(second.told.map(({ type, reason }) => [type, reason])).toEqual([
      ["session.resync_required", "journal_overflow"],
      ["session.resync_required", "journal_gap"],
    ]);
    await second.say(resume(2));
    expect(second.told.at(-2)?.type).toBe("session.resumed");
    expect(second.told.at(-1)?.type).toBe("session.heartbeat_ack");
    second.lose();
    await bench.clock.advance(1500);
    const third = await bench.connect("autostart=0");
    await third.say(resume(2));
    expect(third.told[0]).toMatchObject({ type: "session.expired", reason: "disconnect_grace_expired" });
  });

  it("ends the session of a client that closes properly, at its longest duration, and when the server stops", async () => {
    const bench = new RealtimeBench({}, { maxSessionMs: 60_000 });
    const polite = await bench.connect();
    polite.lose(1000);
    expect(bench.sessions.size).toBe(0);
    const long = await bench.connect();
    await bench.clock.advance(60_000);
    expect(long.types().slice(-2)).toEqual(["error", "session.closed"]);
    expect([errorOf(long.last("error") as never), long.closed?.code]).toEqual(["session_expired", 1001]);
    const idle = await bench.connect();
    await idle.say({ type: "session.update", session: { idle_timeout_s: 20 } });
    await bench.clock.advance(15_000);
    await idle.say({ type: "session.heartbeat" });
    await bench.clock.advance(15_000);
    expect(bench.sessions.size).toBe(1);
    await bench.clock.advance(6000);
    expect(idle.told.at(-1)).toMatchObject({ type: "session.expired", reason: "idle_ttl_expired" });
    const drained = await bench.connect();
    for (const session of bench.sessions.values()) session.announceDrain(500);
    expect(drained.last("session.draining").left_ms).toBe(500);
  });

  it("refuses sessions beyond what it has, in words", async () => {
    const bench = new RealtimeBench();
    await bench.connect();
    await bench.connect();
    const third = await bench.connect();
    expect(third.told[0].error).toMatchObject({
      ...{ type: "rate_limit_error", code: "duplex_session_busy", retry_after_ms: 5000 },
    });
    expect(third.closed?.code).toBe(1013);
  });

  it("takes settings that come before the session is open, and waits for a client that begins by itself", async () => {
    const bench = new RealtimeBench();
    const client = await bench.connect("autostart=0");
    expect(client.told).toEqual([]);
    await client.say({ type: "session.update", session: { instructions: "Hi." } });
    for (let i = 0; i < 20; i++) await client.say();
    expect(client.types()).toEqual(["session.created", "session.updated"]);
    const late = await bench.connect("autostart=0");
    await bench.clock.advance(10_000);
    expect(errorOf(late.last("error") as never)).toBe("config_timeout");
  });

  it("cuts a connection whose client reads too slowly, and keeps the session", async () => {
    const bench = new RealtimeBench({
      script: sayAt(
        0,
        Array.from({ length: 30 }, () => "la"),
      ),
    });
    const client = await bench.connect();
    client.queuedBytes = 2_000_000;
    await client.turns(1);
    expect([...bench.sessions.values()].map(({ connected }) => connected)).toEqual([false]);
  });

  it("ends one session, and not the process, when something fails here", async () => {
    // Sound that is no number fails in the resampler, in an event of the session.
    const broken = new Float32Array(3200).fill(Number.NaN);
    const bench = new RealtimeBench({ script: () => ({ decision: "speak", speech: broken }) });
    const client = await bench.connect();
    await client.turns(2);
    expect(errorOf(client.last("error") as never)).toBe("engine_error");
    expect([client.closed?.code, bench.sessions.size]).toEqual([1011, 0]);
  });

  it("tells a failure of the engine without its inside", async () => {
    const bench = new RealtimeBench({
      script: () => {
        throw new Error("secret path /home/key");
      },
    });
    const client = await bench.connect();
    await client.turns(1);
    expect(errorOf(client.last("error") as never)).toBe("engine_error");
    expect(JSON.stringify(client.told)).not.toContain("secret");
    expect(client.closed?.code).toBe(1011);
  });
});
