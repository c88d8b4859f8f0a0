// A page with a component that talks: what the tests of the hook press and read.

import { type Script, scriptedEngine } from "@microturn/core/testing";
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { useDuplexSession } from "../react/index.js";

/** Hears and says a word in every micro-turn. */
const script: Script = ({ index }) => ({ heard: `user${index}`, text: `assistant${index}`, speech: 0.1 });

const page = { streams: [] as MediaStream[], loads: 0, failing: false, slow: false };
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
  return scriptedEngine({ script });
}

function Talk() {
  const talk = useDuplexSession({ engine, camera: { maxImagesPerTurn: 1 } });
  const { state, transcript, muted, error, session } = talk;
  return (
    <div>
      <p id="state">{state}</p>
      <p id="devices">{[talk.microphone?.state, talk.speaker?.state, talk.camera?.state].join(" ")}</p>
      <p id="turns">{String(session?.turnIndex ?? "none")}</p>
      <p id="transcript">{transcript.map(({ speaker, text }) => `${speaker}: ${text}`).join(" | ")}</p>
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
