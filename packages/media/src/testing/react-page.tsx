// A page with a component that talks: what the tests of the hook press and read.

import type { Background } from "@microturn/core";
import { type Script, scriptedEngine } from "@microturn/core/testing";
import { StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { useDuplexSession } from "../react/index.js";

/** Hears and says a word in every micro-turn. */
const talks: Script = ({ index }) => ({ heard: `user${index}`, text: `assistant${index}`, speech: 0.1 });

/** Is broken into while it says one word after the other, and hands over what was heard of that. */
const yields: Script = ({ index }) => {
  if (index < 9) return { decision: "speak", text: `assistant${index}`, speech: 0.1 };
  if (index === 9) return { yielded: true, heard: "stop" };
  return index === 12 ? { delegation: { task: "" } } : {};
};

const page = {
  streams: [] as MediaStream[],
  loads: 0,
  failing: false,
  slow: false,
  yielding: false,
  /** What the session itself takes for heard of the assistant. */
  heard: [] as string[],
};
Object.assign(globalThis, { page });

const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (constraints) => {
  const stream = await ask(constraints);
  page.streams.push(stream);
  return stream;
};

async function engine() {
  page.loads++;
  if (page.failing) throw new Error("no model here");
  if (page.slow) await new Promise((resolve) => setTimeout(resolve, 700));
  return scriptedEngine({ script: page.yielding ? yields : talks });
}

/** An application that looks up what the model hands over, with one function. */
const background: Background = {
  attach(session, tell) {
    session.on("delegation", ({ id: delegation }) => {
      const call = { delegation, call: "c1", name: "look_up" } as const;
      const began = {
        ...call,
        type: "tool-call",
        arguments: { what: "hats" },
        irreversible: false,
        attempt: 1,
      } as const;
      tell({ ...began, state: "queued" });
      tell({ ...began, state: "running" });
      tell({ ...call, type: "tool-result", outcome: "done", result: { hats: 2 } });
      tell({ type: "background-delta", delegation, text: "There are two." });
      tell({ type: "background-end", delegation, outcome: "done" });
    });
    return { close: async () => {} };
  },
};

// A player that runs late: what it holds back is said, but not heard, when the model yields.
const late = { prebufferMs: 500, maxPrebufferMs: 500 };

function Talk() {
  const talk = useDuplexSession({
    engine,
    background,
    camera: { maxImagesPerTurn: 1 },
    ...(page.yielding ? { speaker: late } : {}),
  });
  const { state, transcript, muted, error, session } = talk;
  useEffect(() => {
    return session?.on("delegation", ({ conversation }) => {
      page.heard = conversation.filter(({ speaker }) => speaker === "assistant").map(({ text }) => text);
    });
  }, [session]);
  return (
    <div>
      <p id="state">{state}</p>
      <p id="devices">{[talk.microphone?.state, talk.speaker?.state, talk.camera?.state].join(" ")}</p>
      <p id="turns">{String(session?.turnIndex ?? "none")}</p>
      <p id="transcript">
        {transcript.map(({ speaker, text, interrupted }) => `${speaker}: ${text}${interrupted ? "-" : ""}`).join(" | ")}
      </p>
      <p id="tools">
        {talk.toolCalls.map(({ name, state, result }) => `${name} ${state} ${JSON.stringify(result)}`).join()}
      </p>
      <p id="work">{talk.work.map(({ state, text }) => `${state}: ${text}`).join()}</p>
      <p id="muted">{String(muted)}</p>
      <p id="error">{error?.message ?? ""}</p>
      <button id="start" type="button" onClick={() => void talk.start()}>
        start
      </button>
      <button id="stop" type="button" onClick={() => void talk.stop()}>
        stop
      </button>
      <button id="mute" type="button" onClick={() => talk.setMuted(!muted)}>
        mute
      </button>
    </div>
  );
}

function App() {
  const [shown, show] = useState(true);
  return (
    <div>
      <button id="toggle" type="button" onClick={() => show(!shown)}>
        toggle
      </button>
      {shown ? <Talk /> : <p id="gone">gone</p>}
    </div>
  );
}

const root = document.getElementById("root");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
console.info("ready");
