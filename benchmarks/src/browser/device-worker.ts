// Entry of a worker that holds a conversation with mini on one device, and sends what the model put out in every micro-turn.

import { webBackend } from "@microturn/backend-web";
import type { Backend, RunResult } from "@microturn/core";
import { localEngine } from "@microturn/core/local";
import type { DeviceRunReply, DeviceRunRequest } from "./device-run.js";

const scope = globalThis as unknown as {
  postMessage(message: DeviceRunReply): void;
  addEventListener(type: "message", listener: (event: MessageEvent<DeviceRunRequest>) => void): void;
};
const turnSamples = 3200;

scope.addEventListener("message", ({ data }) => {
  converse(data).catch((error: unknown) => scope.postMessage({ failure: String(error) }));
});

async function converse({ device, audio, turns }: DeviceRunRequest): Promise<void> {
  const startMs = performance.now();
  // With one thread, WASM computes what it does in a page that is not isolated.
  const backend = await webBackend({
    devices: [device],
    allowSoftware: true,
    threads: 1,
    runtimeFolder: "/runtime/ort/",
  });
  let last: RunResult["outputs"] = {};
  const engine = localEngine({
    model: { name: "mini", read },
    maxSessions: 1,
    backend: withOutputs(backend, (outputs) => {
      last = outputs;
    }),
  });
  const session = await engine.open();
  scope.postMessage({ description: backend.capabilities.device, loadMs: performance.now() - startMs });
  for (let index = 0; index < turns; index++) {
    const input = audio.slice(index * turnSamples, (index + 1) * turnSamples);
    const beginMs = performance.now();
    const { decision, text, heard, speech } = await session.step({
      ...{ index, turns: 1, audio: input },
      ...{ images: [], text: [] },
    });
    const turn = {
      words: [decision, text, heard].join("|"),
      levels: (last.speech.data as Int32Array).slice(),
      experts: (last.expert_load.data as Float32Array).slice(),
      expertsPerLayer: last.expert_load.shape[2],
      speech,
      stepMs: performance.now() - beginMs,
    };
    scope.postMessage({ turn });
  }
  await session.close();
  await engine.close();
  await backend.close();
}

async function read(path: string): Promise<Uint8Array> {
  const response = await fetch(`/mini/${path}`);
  if (!response.ok) throw new Error(`/mini/${path}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** A backend that shows what each run gave. */
function withOutputs(backend: Backend, onOutputs: (outputs: RunResult["outputs"]) => void): Backend {
  return {
    capabilities: backend.capabilities,
    close: () => backend.close(),
    async load(graph, options) {
      const executable = await backend.load(graph, options);
      return {
        graph: executable.graph,
        createState: (batch) => executable.createState(batch),
        dispose: () => executable.dispose(),
        async run(feeds, state, options) {
          const result = await executable.run(feeds, state, options);
          onOutputs(result.outputs);
          return result;
        },
      };
    },
  };
}
