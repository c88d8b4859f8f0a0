// The server's JSON wire, for the fuzz runner: a connection with its session, over an engine that speaks by a script.

import { mutateJson } from "../../../packages/backend-remote/src/testing/mutate-json.js";
import { decodeJpeg } from "../../../packages/server/src/images/decode-jpeg.js";
import { RealtimeConnection } from "../../../packages/server/src/realtime/realtime-connection.js";
import { realtimeCorpus } from "../../../packages/server/src/realtime/realtime-corpus.js";
import type { RealtimeSession } from "../../../packages/server/src/realtime/realtime-session.js";
import type { FuzzMessage, FuzzSubject, FuzzTarget, Random } from "./fuzz-target.js";
import { FuzzedServer } from "./fuzzed-server.js";

const turnMs = 200;
const append = JSON.stringify({ type: "input_audio_buffer.append", audio: Buffer.alloc(9600, 40).toString("base64") });
/** Names stand near the start of an event. */
const namesWithin = 600;

/** What the client needs to come back. */
interface Ticket {
  readonly session_id: string;
  readonly incarnation: string;
  readonly resume_token: string;
}

type Named = "item" | "resp" | "call";

class RealtimeSubject implements FuzzSubject {
  readonly #server: FuzzedServer;
  readonly #sessions = new Map<string, RealtimeSession>();
  #connection!: RealtimeConnection;
  #ended = false;
  #ticket: Ticket | undefined;
  #sequence = 0;
  readonly #names: Record<Named, string> = { item: "item_1", resp: "resp_1", call: "call_1" };

  constructor(random: Random) {
    this.#server = new FuzzedServer(random);
    this.#server.onText = (text) => this.#hear(text);
    this.#connect("");
  }

  receive({ data }: FuzzMessage, random: Random): string {
    // Names that the server has given, now and then.
    const text = (data as string).replace(/"(item|resp|call)_1"/g, (written, kind: Named) =>
      random() < 0.7 ? JSON.stringify(this.#names[kind]) : written,
    );
    const message = random() < 0.01 ? new TextEncoder().encode(text) : text;
    return this.#server.outcome(() => this.#connection.receive(message));
  }

  /** Errors end no connection here; a session that has ended is followed by another. */
  async recover(random: Random): Promise<void> {
    if (!this.#ended) return;
    this.#connect(random() < 0.5 ? "" : "autostart=0");
    await this.#server.settle();
  }

  async between(random: Random): Promise<void> {
    if (random() < 0.5) this.#connection.receive(append);
    await this.#server.clock.advance(turnMs);
    await this.#server.settle();
    if (random() < 0.02) await this.#comeBack(random);
    if (this.#ended) await this.recover(random);
  }

  async close(): Promise<void> {
    for (const session of [...this.#sessions.values()]) session.end("closed");
    this.#connection.closed(1006);
    await this.#server.clock.advance(turnMs);
    await this.#server.settle();
    this.#server.requireEmpty();
    if (this.#sessions.size > 0) throw new Error(`${this.#sessions.size} sessions are left`);
  }

  /** The connection breaks, and another takes the session up. */
  async #comeBack(random: Random): Promise<void> {
    const [ticket, before] = [this.#ticket, this.#connection];
    // The server may learn of the loss before or after.
    const late = random() < 0.3;
    if (!late) before.closed(1006);
    this.#connect("autostart=0");
    if (ticket !== undefined) {
      const last = random() < 0.8 ? this.#sequence : Math.floor(this.#sequence * random());
      const resume = { type: "session.resume", ...ticket, last_received_server_event_seq: last };
      this.#connection.receive(JSON.stringify(resume));
    }
    if (late) before.closed(1006);
    await this.#server.settle();
  }

  #connect(query: string): void {
    this.#ended = false;
    const connection = this.#server.accept();
    this.#connection = new RealtimeConnection(
      {
        queuedBytes: 0,
        send: (message) => connection.send(message),
        sendText: connection.sendText,
        close: (code, reason) => {
          if (served === this.#connection) this.#ended = true;
          connection.close(code, reason);
        },
        destroy: () => connection.destroy(),
      },
      {
        ...{ context: this.#server.context, sessions: this.#sessions, decodeImage: decodeJpeg },
        ...{ clock: this.#server.clock, query: new URLSearchParams(query), principal: { subject: "fuzz", id: "fuzz" } },
      },
    );
    const served = this.#connection;
  }

  /** Events come each once and without gaps, over all connections of a session. */
  #count(sequence: number, type: string | undefined): void {
    const next = type === "session.created" ? 1 : this.#sequence + 1;
    if (type !== "session.resumed" && sequence !== next) {
      this.#server.complain(`expected the event ${next}, got ${sequence}, ${type}`);
    }
    this.#sequence = sequence;
  }

  #hear(text: string): void {
    const head = text.slice(0, namesWithin);
    for (const [name, kind] of head.matchAll(/\b(item|resp|call)_\w{8,}/g)) this.#names[kind as Named] = name;
    const type = /^\{"type":"([^"]+)"/.exec(head)?.[1];
    const sequence = /"server_event_seq":(\d+)/.exec(head)?.[1];
    if (sequence !== undefined) this.#count(Number(sequence), type);
    if (type === "error") this.#server.tell(JSON.parse(text).error.code);
    else if (type === "session.created" || type === "session.resumed") {
      const { session_id, incarnation, resume_token } = JSON.parse(text);
      this.#ticket = { session_id, incarnation, resume_token };
    }
  }
}

/** What the tests of the connection leave out: pictures that are some, and what ends a session or takes one up. */
function moreMessages(image: Uint8Array): string[] {
  const jpeg = Buffer.from(image).toString("base64");
  const content = [{ type: "input_image", image_url: `data:image/jpeg;base64,${jpeg}`, detail: "auto" }];
  const played = { response_id: "resp_1", item_id: "item_1", played_ms: 150 };
  return [
    { type: "input_audio_buffer.append", audio: "AAABAAIA", video_frames: [jpeg], audio_end_ms: 400 },
    { type: "conversation.item.create", item: { type: "message", role: "user", content } },
    {
      type: "conversation.item.create",
      item: { type: "function_call", name: "f", call_id: "call_1", arguments: "{}" },
    },
    { type: "response.cancel", response_id: "resp_1" },
    { type: "playback.ack", ...played, truncate: true },
    { type: "session.resume", session_id: "x", incarnation: "y", resume_token: "z", last_received_server_event_seq: 0 },
    { type: "session.close" },
  ].map((message) => JSON.stringify(message));
}

/** @param image - a JPEG, for messages with pictures */
export function realtimeTarget(image: Uint8Array): FuzzTarget {
  const corpus = [...realtimeCorpus, ...moreMessages(image)];
  const known = new Set<string>(corpus);
  return {
    name: "realtime-server",
    message(random) {
      const data = mutateJson(corpus, random);
      return { data, broken: !known.has(data) };
    },
    open: (random) => new RealtimeSubject(random),
  };
}
