// A node that hears what the loudspeaker of a page gets, sample by sample.

/** What was heard. */
export interface Recording {
  readonly samples: Float32Array;
  /** Samples recorded at each mark, and the frame of the context. (A context may leave frames out while it starts.) */
  readonly marks: readonly { readonly at: number; readonly frame: number }[];
}

/** A recorder in a context; give `node` to `attachSpeaker` as its destination. */
export async function recordNode(context: AudioContext) {
  await context.audioWorklet.addModule("/recorder-worklet.js");
  const node = new AudioWorkletNode(context, "recorder", { channelCount: 1, channelCountMode: "explicit" });
  node.connect(context.destination);
  return {
    node,
    /** Notes the moment, as the audio thread sees it. */
    mark: () => node.port.postMessage("mark"),
    /** What was heard so far. */
    read: () =>
      new Promise<Recording>((resolve) => {
        node.port.onmessage = ({ data }) => resolve(data as Recording);
        node.port.postMessage("read");
      }),
  };
}
