// The engines over services, each with the double that plays its service: how it asks for work, and what came back.

import {
  type ConnectionOptions,
  delegateTool,
  geminiLiveEngine,
  gptLiveEngine,
  openaiRealtimeEngine,
  vllmOmniEngine,
} from "@microturn/backend-remote";
import type { Engine } from "@microturn/core";
import type { FakeClock } from "@microturn/core/testing";
import type { FunctionDeclaration } from "@microturn/tools";
import { GeminiLiveDouble } from "../remote/gemini-live-double.js";
import { type GptLiveDouble, gptLiveKey, startGptLiveDouble } from "../remote/gpt-live-double.js";
import { OpenAIRealtimeDouble } from "../remote/openai-realtime-double.js";
import type { ServiceDouble } from "../remote/service-double.js";
import { VllmOmniDouble } from "../remote/vllm-omni-double.js";
import { type Note, until } from "../remote/wire-session.js";
import { inWords } from "./asking-model.js";
import type { Ask, AskingEngine, AskingService } from "./service-under-test.js";

const key = "sk-right";
const functions = {
  ...{ functions: true, waits: true, together: true, batches: false, silences: true, reads: true },
  ...{ recalls: true, cancels: false },
};

/** What is particular to a service. */
interface Particular<Double extends ServiceDouble> {
  readonly double: Double;
  readonly engine: (options: ConnectionOptions) => Engine;
  readonly inputRate: number;
  /** A message that means nothing. */
  readonly unknown: string;
  readonly ask?: (asks: readonly Ask[]) => readonly string[];
  readonly hear?: (text: string) => void;
  readonly cancel?: (ids: readonly string[]) => void;
  readonly goneOn: () => number;
  /** Words that a connection began with, if they are no texts of their own. */
  readonly recalled?: () => string;
}

/** OpenAI Realtime whose functions are those of the background. */
export const openaiRealtime: AskingEngine = {
  name: "OpenAI Realtime",
  abilities: { ...functions, batches: true, afterLoss: "words" },
  start: ({ clock, functions }) => startOpenai(clock, functions),
};

/** OpenAI Realtime with its one function that hands any work over, in words. */
export const openaiRealtimeInWords: AskingEngine = {
  name: "OpenAI Realtime, by its delegate function",
  abilities: { ...functions, functions: false, batches: true, afterLoss: "words" },
  start: ({ clock }) => startOpenai(clock, undefined),
};

async function startOpenai(
  clock: FakeClock,
  tools: readonly FunctionDeclaration[] | undefined,
): Promise<AskingService> {
  const double = await OpenAIRealtimeDouble.start({ key });
  double.onCreate = () => double.beginReply().end();
  const by = ({ name, arguments: given }: Ask): Ask =>
    tools === undefined
      ? { name: delegateTool.name, arguments: { task: inWords({ name, arguments: given }) } }
      : { name, arguments: given };
  return remote(clock, {
    double,
    engine: (options) =>
      openaiRealtimeEngine({
        apiKey: key,
        baseUrl: `${double.url}/v1`,
        ...options,
        ...(tools === undefined ? {} : { tools }),
      }),
    inputRate: 24_000,
    unknown: '{"type":"response.telepathy.delta","delta":"ommm"}',
    ask: (asks) => double.call(asks.map(by)),
    hear: (text) => {
      double.hear(text);
      double.beginReply().end();
    },
    goneOn: () => double.eventsOf("response.create").length,
  });
}

/** GPT-Live with a backend model of OpenAI's, which calls the functions of the background. */
export const gptLiveResponses: AskingEngine = {
  name: "GPT-Live, Responses delegation",
  abilities: { ...functions, batches: true, silences: false, afterLoss: "words" },
  async start({ clock, functions: tools }) {
    const double = await startGptLiveDouble({ tools: true });
    const delegation = { type: "responses", responses: { model: "gpt-5.5", tools } } as const;
    return remote(clock, {
      double,
      engine: (options) => gptLiveEngine({ apiKey: gptLiveKey, baseUrl: `${double.url}/v1`, delegation, ...options }),
      inputRate: 24_000,
      unknown: '{"type":"session.something.new","x":1}',
      goneOn: () => double.messages.filter(({ type }) => type === "response.create").length,
      recalled: () => recalledBy(double),
    });
  },
};

/** GPT-Live that hands work to the application, in the user's words. */
export const gptLiveClient: AskingEngine = {
  name: "GPT-Live, client delegation",
  abilities: { ...functions, functions: false, waits: false, together: false, afterLoss: "words" },
  async start({ clock }) {
    const double = await startGptLiveDouble();
    return remote(clock, {
      double,
      engine: (options) => gptLiveEngine({ apiKey: gptLiveKey, baseUrl: `${double.url}/v1`, ...options }),
      inputRate: 24_000,
      unknown: '{"type":"session.something.new","x":1}',
      ask: (asks) =>
        asks.map((one) => {
          double.hear(` ${inWords(one)}`);
          return double.delegate();
        }),
      goneOn: () => double.messages.filter(({ type }) => type === "session.commentary.append").length,
      recalled: () => recalledBy(double),
    });
  },
};

function recalledBy({ messages }: GptLiveDouble): string {
  return messages
    .map((message) => (message.type === "session.start" ? JSON.stringify(message.session.input) : ""))
    .join(" ");
}

/** Gemini Live whose calls block: the model waits for all that came together. */
export const geminiBlocking: AskingEngine = {
  name: "Gemini Live, calls that block",
  abilities: { ...functions, batches: true, silences: false, recalls: false, cancels: true, afterLoss: "words" },
  start: (options) => startGemini("BLOCKING", options),
};

/** Gemini Live that talks on while its calls are answered; another connection knows of them. */
export const geminiNonBlocking: AskingEngine = {
  name: "Gemini Live, calls that do not block",
  abilities: { ...functions, cancels: true, afterLoss: "call" },
  start: (options) => startGemini("NON_BLOCKING", options),
};

async function startGemini(
  behavior: "BLOCKING" | "NON_BLOCKING",
  { clock, functions }: Parameters<AskingEngine["start"]>[0],
): Promise<AskingService> {
  const double = await GeminiLiveDouble.start();
  const tools = functions.map((one) => ({ ...one, behavior }));
  let handles = 0;
  return remote(clock, {
    double,
    engine: (options) =>
      geminiLiveEngine({ model: "gemini-3.8-live", apiKey: "AIza-a-key", baseUrl: double.url, tools, ...options }),
    inputRate: 16_000,
    unknown: '{"brandNew":{"x":1}}',
    cancel: (ids) => double.cancel(ids),
    ask: (asks) => {
      const ids = double.call(asks);
      // While calls block there is no state that can be taken up.
      if (behavior === "NON_BLOCKING") double.handle(`state-${++handles}`);
      return ids;
    },
    goneOn: () =>
      behavior === "BLOCKING"
        ? double.messages.filter((message) => "toolResponse" in message).length
        : double.responses.filter(({ scheduling }) => scheduling !== "SILENT").length,
  });
}

/** The duplex wire of vLLM-Omni, whose sessions outlive their connections. */
export const vllmOmni: AskingEngine = {
  name: "vLLM-Omni",
  abilities: { ...functions, silences: false, afterLoss: "call" },
  async start({ clock, functions: tools }) {
    const double = await VllmOmniDouble.start({ key });
    return remote(clock, {
      double,
      engine: (options) => vllmOmniEngine({ url: double.url, model: "m", apiKey: key, tools, ...options }),
      inputRate: 16_000,
      unknown: '{"type":"response.telepathy.delta","delta":"ommm","server_event_seq":0.5}',
      goneOn: () => 0,
    });
  },
};

function remote<Double extends ServiceDouble>(clock: FakeClock, particular: Particular<Double>): AskingService {
  const { double } = particular;
  const notes: Note[] = [];
  const engine = particular.engine({ clock, onNote: (note) => void notes.push(note as Note) });
  const count = (type: string) => notes.filter((note) => note.type === type).length;
  return {
    engine,
    ask: (asks) => (particular.ask ?? ((all) => double.call(all)))(asks),
    get answers() {
      const told = double.receivedTexts.map((text) => ({ id: undefined, text }));
      return [...double.answers.map(({ id, result }) => ({ id, text: result })), ...told];
    },
    get goneOn() {
      return particular.goneOn();
    },
    // Words come with the spaces that belong between them.
    hear: (text) => (particular.hear ?? ((words) => double.hear(words)))(` ${text}`),
    cancel: (ids) => particular.cancel?.(ids),
    pause: () => double.pause(),
    get known() {
      return [...double.receivedTexts, particular.recalled?.() ?? ""].join(" ");
    },
    async lose() {
      const [lost, back] = [count("reconnecting"), count("reconnected")];
      double.drop(1006);
      double.resume();
      await until("the loss", () => count("reconnecting") > lost);
      let polls = 0;
      await until("another connection", () => {
        if (polls++ % 10 === 0) void clock.advance(50);
        return count("reconnected") > back && double.openConnections === 1;
      });
    },
    async taken() {
      const before = count("raw");
      double.send(particular.unknown);
      await until("a message that means nothing is told as raw", () => count("raw") > before);
    },
    get turns() {
      return Math.floor((5 * double.receivedSamples) / particular.inputRate);
    },
    get violations() {
      // Sound that was on the line is gone where the service does not tell what arrived; the double counts on.
      return double.violations.filter((one) => !one.startsWith("audio_end_ms is"));
    },
    async close() {
      await engine.close();
      await double.close();
    },
  };
}
