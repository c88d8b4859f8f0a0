// What it costs to say a text that is handed over: the acoustic model in JavaScript, on the thread of the session.

import { AcousticModel, spokenForm } from "@microturn/core/codecs";
import { loadModel } from "@microturn/core/model";
import type { BenchContext } from "./model.js";
import { type BenchSection, inWords, percentiles } from "./report.js";

const turnMs = 200;
const framesPerTurn = 8;
const texts = [
  "The weather in Hamburg is 12 degrees and cloudy, with a little rain in the evening.",
  "Your flight leaves at a quarter past seven from gate 22.",
  "Mount Everest is 8,849 meters high.",
  "I have added batteries and toothpaste to your shopping list, and turned off the lights.",
];

/** Time to prepare a sentence, once, and to make the frames of a micro-turn of it. */
export async function readingOutSection(context: BenchContext): Promise<BenchSection> {
  const rounds = context.quick ? 4 : 50;
  const model = "weights" in context.model ? context.model : await loadModel(context.model);
  const { acoustic, speech = { melBins: 80, levels: 16 } } = model.config.duplex ?? {};
  if (acoustic === undefined) {
    return { title: "Reading out", rows: [{ name: "this model says no text", value: "" }] };
  }
  const voice = new AcousticModel(acoustic, speech, model.weights);
  const levels = new Int32Array(speech.melBins);
  const times = { prepare: [] as number[], perLetter: [] as number[], turn: [] as number[] };
  for (let round = -2; round < rounds; round++) {
    for (const text of texts) {
      const spoken = spokenForm(text);
      const start = performance.now();
      const utterance = voice.say(spoken);
      const prepared = performance.now() - start;
      for (let turn = 0; turn + framesPerTurn <= utterance.frames; turn += framesPerTurn) {
        const before = performance.now();
        for (let frame = turn; frame < turn + framesPerTurn; frame++) utterance.frame(frame, levels);
        if (round >= 0) times.turn.push(performance.now() - before);
      }
      if (round < 0) continue; // engines compile meanwhile
      times.prepare.push(prepared);
      times.perLetter.push(prepared / spoken.length);
    }
  }
  const figures = {
    prepare: percentiles(times.prepare),
    perLetter: percentiles(times.perLetter),
    turn: percentiles(times.turn),
  };
  const share = (100 * figures.turn.p50) / turnMs;
  return {
    title: `Reading out, acoustic model in JavaScript (${times.prepare.length} sentences)`,
    rows: [
      {
        name: "preparing a sentence, once",
        value: inWords(figures.prepare, 1),
        note: `${figures.perLetter.p50.toFixed(2)} ms a letter`,
      },
      { name: "one micro-turn of it", value: inWords(figures.turn, 2), note: `${share.toFixed(2)} % of a core` },
    ],
    figures,
  };
}
