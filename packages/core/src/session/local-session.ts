// One conversation inside a local engine: codecs and random numbers of its own, a row of the shared graph state.
// One micro-turn: docs/architecture.md. Layout of the model's inputs and outputs: docs/models.md.

import type { AcousticModel } from "../audio/acoustic-model.js";
import { DmelEncoder, type DmelEncoderState } from "../audio/dmel.js";
import { packLevels, unpackLevels } from "../audio/dmel-nibbles.js";
import type { DmelPreset } from "../audio/dmel-presets.js";
import { SourceFilterSynthesis, type SynthesisState } from "../audio/vocoder-synthesis.js";
import type { StateSnapshot } from "../backend.js";
import type {
  EngineCapabilities,
  EngineSession,
  EngineSnapshot,
  ImageFrame,
  TurnInput,
  TurnInside,
  TurnOutput,
  UnsaidText,
} from "../engine.js";
import { DuplexError } from "../errors.js";
import { controlToken, toldToken } from "../graph/duplex-graph.js";
import type { DuplexLayout } from "../model/config.js";
import { specialTokens, type Tokenizer } from "../model/tokenizer.js";
import type { Tensor } from "../tensor.js";
import { PatchEncoder, type PatchOptions } from "../vision/patches.js";
import { checkTurnInput } from "./check-turn-input.js";
import { SeededRandom } from "./random.js";
import { RoomSound, type RoomSoundState } from "./room-sound.js";
import type { RowBatch, RowJob, Tensors } from "./row-batch.js";
import { type ToldPlace, type ToldPosition, ToldSpeech } from "./told-speech.js";
import { type EarVoice, type TypedPlace, TypedSpeech } from "./typed-speech.js";
import { WordStream } from "./word-stream.js";

/** What all sessions of an engine share. */
export interface LocalModel {
  readonly name: string;
  /** The same for engines over the same model, whatever they run on: a snapshot of one is good for the others. */
  readonly key: string;
  readonly layout: DuplexLayout;
  readonly tokenizer: Tokenizer;
  readonly dmel: DmelPreset;
  /** What it reads text out with, if it does. */
  readonly acoustic: AcousticModel | undefined;
  /** What text that the user types is spoken into its ear with, if it is. */
  readonly ear: EarVoice | undefined;
  readonly patches: PatchOptions;
  readonly capabilities: EngineCapabilities;
  readonly batch: RowBatch;
}

/** Text tokens that may wait for their slots. */
const maxWaitingTokens = 4096;
/** Characters that may wait to be said, about a quarter of an hour; a text that would go beyond is given up. */
const maxToldLength = 16_384;
/** Characters that may wait to be heard; a text that would go beyond is left out. */
const maxTypedLength = 65_536;
/** Texts that may wait to be heard. */
const maxTypedTexts = 256;
/** Micro-turns in which the model may still write down what was typed, after the last of it was heard. */
const typedEchoTurns = 5;
/** Output positions before the end of what it was told, in which no typed text begins: 1 s. */
const lastWordsPositions = 20;
/** Micro-turns without a sound of the user after which nobody can have broken in: a model needs less to give way. */
const quietRoomTurns = 5;
/** Micro-turns in a row in which a model may stop in what it was told before that counts. */
const maxStops = 4;
/** Characters of the user's last words that a delegation carries as its task. */
const maxTaskLength = 500;

/** What a session remembers besides its row; a snapshot copies it. Plain data, so that it can go to another thread. */
interface Memory {
  /** {@link LocalModel.key} */
  readonly model: string;
  readonly state: StateSnapshot;
  readonly encoder: DmelEncoderState;
  readonly synthesis: SynthesisState;
  readonly random: Uint32Array;
  readonly temperature: number;
  readonly text: string;
  readonly heard: string;
  readonly floor: Floor;
  readonly waitingTokens: readonly number[];
  readonly told: readonly ToldMemory[];
  readonly resumes: boolean;
  readonly stops: number;
  readonly room: RoomSoundState;
  /** Text that the user typed, and how far it is. */
  readonly typed: readonly { readonly text: string; readonly place: TypedPlace | undefined }[];
  readonly typedUntil: number;
  /** Of what was typed, where the input comes as levels; absent if none is under way. */
  readonly typedEncoder?: DmelEncoderState;
}

/** A text that it was told to say, and how far it is. */
interface ToldMemory {
  readonly text: string;
  readonly delivery: number | undefined;
  readonly place: ToldPlace;
}

/** Who holds the floor. */
interface Floor {
  readonly speaking: boolean;
  /** The reply has been said to its end. */
  readonly ended: boolean;
  /** What the user said since the assistant last began to speak. */
  readonly asked: string;
  /** What the reply that is under way answers: all that was asked before it. */
  readonly answering: string;
}

/** An `EngineSession` on one row. */
export class LocalSession implements EngineSession {
  readonly capabilities: EngineCapabilities;
  readonly #model: LocalModel;
  readonly #row: number;
  #temperature: number;
  readonly #onClose: (session: LocalSession) => void;
  readonly #encoder: DmelEncoder;
  readonly #synthesis: SourceFilterSynthesis;
  readonly #random: SeededRandom;
  readonly #patchEncoder: PatchEncoder | undefined;
  readonly #text: WordStream;
  readonly #heard: WordStream;
  #floor: Floor = { speaking: false, ended: true, asked: "", answering: "" };
  #waitingTokens: number[] = [];
  /** What it was told to say and has not said, the first of which may be under way. */
  #told: ToldSpeech[] = [];
  /** What the user typed and it has not heard to its end, the first of which may be under way. */
  #typed: TypedSpeech[] = [];
  /** Makes levels of it where the input comes as levels; made when it is first needed. */
  #typedEncoder: DmelEncoder | undefined;
  /** Until this micro-turn, what it understands is what was typed: the task of a delegation has the words as they were typed. */
  #typedUntil = -1;
  /** A micro-turn was skipped, or it stopped by itself, while it said the first of them: it begins again with the word that was cut. */
  #resumes = false;
  /** Micro-turns in a row in which it stopped by itself. */
  #stops = 0;
  readonly #room = new RoomSound();
  /** Levels of the micro-turns of a step, `[turns, frames, bins]`; grows with the longest merged step. */
  #levels: Uint8Array;
  #step: Step | undefined;
  /** The snapshot or restore that has the row to itself. */
  #moving: Promise<unknown> | undefined;
  #closed: Promise<void> | undefined;

  constructor(
    model: LocalModel,
    row: number,
    options: { readonly seed: number; readonly temperature: number; readonly onClose: (session: LocalSession) => void },
  ) {
    this.capabilities = model.capabilities;
    this.#model = model;
    this.#row = row;
    this.#temperature = options.temperature;
    this.#onClose = options.onClose;
    this.#encoder = new DmelEncoder(model.dmel);
    this.#synthesis = new SourceFilterSynthesis({ seed: options.seed });
    this.#random = new SeededRandom(options.seed);
    this.#patchEncoder = model.capabilities.inputs.includes("video") ? new PatchEncoder(model.patches) : undefined;
    this.#text = new WordStream(model.tokenizer);
    this.#heard = new WordStream(model.tokenizer);
    this.#levels = new Uint8Array(this.#levelsPerTurn);
  }

  async step(input: TurnInput): Promise<TurnOutput> {
    this.#requireIdle("step");
    checkTurnInput(input, this.capabilities);
    const startedMs = performance.now();
    const patches = this.#encodeImages(input);
    const typedBefore = this.#typed.length;
    const unsaid = this.#takeText(input);
    const levels = input.turns * this.#levelsPerTurn;
    if (this.#levels.length < levels) this.#levels = new Uint8Array(levels);
    const heard = this.#levels.subarray(0, levels);
    if (input.dmel === undefined) this.#encoder.push(this.#withTyped(input, typedBefore), heard);
    else this.#takeLevels(input.dmel, input, typedBefore, heard);
    const encodeMs = performance.now() - startedMs;
    return new Promise((resolve, reject) => {
      const step: Step = {
        row: this.#row,
        input,
        patches,
        encodeMs,
        done: 0,
        waitMs: 0,
        runMs: 0,
        decodeMs: 0,
        text: [],
        heard: [],
        told: [],
        places: [],
        stopped: false,
        unsaid,
        yielded: false,
        speaks: false,
        write: (inputs) => this.#writeInputs(step, inputs),
        read: (outputs, runMs, waitMs) => this.#readOutputs(step, outputs, runMs, waitMs),
        resolve: (output) => {
          this.#step = undefined;
          resolve(output);
        },
        fail: (error) => {
          this.#step = undefined;
          reject(error);
        },
      };
      this.#step = step;
      this.#model.batch.submit(step);
    });
  }

  async snapshot(): Promise<EngineSnapshot> {
    this.#requireIdle("snapshot");
    const memory: Omit<Memory, "state"> = {
      model: this.#model.key,
      encoder: this.#encoder.snapshot(),
      synthesis: this.#synthesis.snapshot(),
      random: this.#random.snapshot(),
      temperature: this.#temperature,
      text: this.#text.snapshot(),
      heard: this.#heard.snapshot(),
      floor: this.#floor,
      waitingTokens: [...this.#waitingTokens],
      told: this.#told.map(({ text, delivery, place }) => ({ text, delivery, place })),
      resumes: this.#resumes,
      stops: this.#stops,
      room: this.#room.snapshot(),
      typed: this.#typed.map(({ text, place }) => ({ text, place })),
      typedUntil: this.#typedUntil,
      ...(this.#typedEncoder === undefined || this.#typed.length === 0
        ? {}
        : { typedEncoder: this.#typedEncoder.snapshot() }),
    };
    const state = await this.#move(this.#model.batch.state.read(this.#row));
    return { engine: `local ${this.#model.name}`, data: { ...memory, state } satisfies Memory };
  }

  async restore(snapshot: EngineSnapshot): Promise<void> {
    this.#requireIdle("restore");
    const memory = snapshot.data as Partial<Memory> | null | undefined;
    if (memory?.model !== this.#model.key) {
      throw new DuplexError(
        "UNSUPPORTED",
        `restore: expected a snapshot of a local engine over ${this.#model.name}, got one of "${snapshot.engine}"; a snapshot holds for engines over the very same files`,
      );
    }
    const { state, encoder, synthesis, random, temperature, text, heard, floor, waitingTokens } = memory as Memory;
    const { told, resumes, stops, room, typed, typedUntil, typedEncoder } = memory as Memory;
    await this.#move(this.#model.batch.state.write(this.#row, state));
    this.#encoder.restore(encoder);
    this.#synthesis.restore(synthesis);
    this.#random.restore(random);
    this.#temperature = temperature;
    this.#text.restore(text);
    this.#heard.restore(heard);
    this.#floor = floor;
    this.#waitingTokens = [...waitingTokens];
    this.#told = told.flatMap(({ text, delivery, place }) => this.#tell(text, delivery, place));
    this.#resumes = resumes;
    this.#stops = stops;
    this.#room.restore(room);
    this.#typed = [];
    for (const { text, place } of typed) this.#hear(text, place);
    this.#typedUntil = typedUntil;
    if (typedEncoder === undefined) this.#typedEncoder?.reset();
    else this.#encoderOfTyped().restore(typedEncoder);
  }

  /** Keeps steps, snapshots and restores out while the row is read or written: none may see half of it. */
  async #move<Result>(moving: Promise<Result>): Promise<Result> {
    this.#moving = moving;
    try {
      return await moving;
    } finally {
      this.#moving = undefined;
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const step = this.#step;
    if (step !== undefined) {
      this.#model.batch.withdraw(step);
      step.fail(new DuplexError("SESSION_CLOSED", "step: the session was closed meanwhile"));
    }
    this.#onClose(this);
    // The row's next session must not meet what is still being written for this one.
    await this.#moving?.catch(() => {});
    await this.#model.batch.giveBack(this.#row);
  }

  // --- input ---

  get #levelsPerTurn(): number {
    return this.#model.layout.audioPositions * this.#model.dmel.melBins;
  }

  /** Values of the patches of each micro-turn of the step that has an image. Throws before anything has changed. */
  #encodeImages({ images, turns, index }: TurnInput): readonly (Float32Array | undefined)[] {
    if (images.length === 0 || this.#patchEncoder === undefined) return [];
    const { turnDurationMs } = this.capabilities;
    const byTurn: ImageFrame[][] = Array.from({ length: turns }, () => []);
    for (const image of images) {
      const turn = Math.floor(image.timeMs / turnDurationMs) - (index - turns + 1);
      byTurn[Math.max(0, Math.min(turns - 1, turn))].push(image);
    }
    const encoder = this.#patchEncoder;
    // A micro-turn shows one pair of moments: its first and its last image. If a camera that was turned gave them
    // different sizes, the last fills both moments, like a still image.
    return byTurn.map((shown) => {
      const [first, last] = [shown.at(0), shown.at(-1)];
      if (first === undefined || last === undefined) return undefined;
      const moments = first !== last && encoder.pairs(first, last) ? [first, last] : [last];
      const { values } = encoder.encode(moments[0], moments[1]);
      return turns === 1 ? values : values.slice();
    });
  }

  /** Takes what is typed or handed over. @returns what cannot be said */
  #takeText({ text }: TurnInput): UnsaidText[] {
    const unsaid: UnsaidText[] = [];
    for (const { source, silent, delivery, text: words } of text) {
      if (this.#model.acoustic !== undefined && source === "background" && silent !== true) {
        const told = this.#tell(words, delivery);
        if (told.length === 0) unsaid.push(unsaidText(delivery, words));
        this.#told.push(...told);
      } else if (this.#model.layout.textSlots === 0) {
        if (!this.#hear(words)) unsaid.push(unsaidText(undefined, words));
      } else this.#waitingTokens = this.#waitingTokens.concat(this.#model.tokenizer.encode(words));
    }
    if (text.length > 0) this.#waitingTokens = this.#waitingTokens.slice(-maxWaitingTokens);
    return unsaid;
  }

  /** Queues a text to be heard. @returns false if nothing in it can be spoken, or it is too much beside what waits */
  #hear(text: string, place?: TypedPlace): boolean {
    const { ear } = this.#model;
    const waiting = this.#typed.reduce((sum, one) => sum + one.text.length, text.length);
    if (ear === undefined || waiting > maxTypedLength || this.#typed.length >= maxTypedTexts) return false;
    const typed = new TypedSpeech(ear, text, place);
    if (!typed.done) this.#typed.push(typed);
    return !typed.done;
  }

  /**
   * The samples of a step, with what was typed spoken into them.
   *
   * @param before - texts that waited before this step; what it brought itself enters a merged step with its last micro-turn
   */
  #withTyped(input: TurnInput, before: number): Float32Array {
    if (this.#typed.length === 0) return input.audio;
    const mixed = input.audio.slice();
    this.#addTyped(mixed, input, before);
    return mixed;
  }

  /**
   * The levels of a step that were encoded elsewhere. Where what was typed is spoken into them, the louder of both counts,
   * bin by bin: that is near to what encoding their sum gives.
   */
  #takeLevels(packed: Uint8Array, input: TurnInput, before: number, levels: Uint8Array): void {
    unpackLevels(packed, levels);
    // If samples come again, they do not go on from those before.
    this.#encoder.reset();
    if (this.#typed.length === 0) return;
    const spoken = new Float32Array(input.turns * this.#model.layout.audioPositions * this.#model.dmel.hopSamples);
    this.#addTyped(spoken, input, before);
    const encoder = this.#encoderOfTyped();
    const typed = new Uint8Array(levels.length);
    encoder.push(spoken, typed);
    for (let i = 0; i < levels.length; i++) levels[i] = Math.max(levels[i], typed[i]);
    if (this.#typed.length === 0) encoder.reset();
  }

  #encoderOfTyped(): DmelEncoder {
    this.#typedEncoder ??= new DmelEncoder(this.#model.dmel);
    return this.#typedEncoder;
  }

  /** Speaks what was typed into the samples of a step; for `before` see {@link #withTyped}. */
  #addTyped(audio: Float32Array, { index, turns }: TurnInput, before: number): void {
    const last = audio.length - audio.length / turns;
    const earlier = this.#speakTyped(audio.subarray(0, last), before);
    const spoken = earlier + this.#speakTyped(audio.subarray(last), this.#typed.length);
    if (spoken > 0) this.#typedUntil = index + typedEchoTurns;
  }

  /** Speaks the first `count` texts that wait into samples. @returns samples spoken */
  #speakTyped(audio: Float32Array, count: number): number {
    let at = 0;
    for (let left = count; at < audio.length && left > 0; left--) {
      const [first] = this.#typed;
      if (!first.begun && this.#isAboutToEnd()) break;
      if (!first.begun) this.#ask(first.text);
      at += first.addTo(audio.subarray(at));
      if (first.done) this.#typed.shift();
    }
    return at;
  }

  /** Whether it is at the last words of all that it was told: who breaks in there is not understood. */
  #isAboutToEnd(): boolean {
    const [first] = this.#told;
    return this.#told.length === 1 && isUnderWay(first) && first.left <= lastWordsPositions;
  }

  /** Adds to what the user asked for. */
  #ask(words: string): void {
    this.#floor = { ...this.#floor, asked: `${this.#floor.asked} ${words}`.trim().slice(-maxTaskLength) };
  }

  /** A text to be said; none if nothing in it can be said, or if it is too much beside what waits. */
  #tell(text: string, delivery: number | undefined, place?: ToldPlace): ToldSpeech[] {
    const { acoustic, tokenizer, layout } = this.#model;
    if (acoustic === undefined || text.length > maxToldLength) return [];
    const { framesPerPosition } = layout.speech;
    const told = new ToldSpeech({ acoustic, tokenizer, framesPerPosition }, text, delivery, place);
    const waiting = this.#told.reduce((sum, { length }) => sum + length, told.length);
    return told.done || waiting > maxToldLength ? [] : [told];
  }

  /** What the next micro-turn is told to say goes into the inputs; a text that has been said to its end leaves the list. */
  #writeTold(step: Step, inputs: Tensors, skipped: boolean): void {
    if (inputs.told === undefined) return;
    const told = rowOf(inputs.told, this.#row).fill(toldToken.own);
    step.told = [];
    step.places = [];
    const [first] = this.#told;
    if (first === undefined) return;
    if (skipped) {
      // Late input was merged over it: nobody broke in, so it goes on when it can be heard again.
      if (!this.#resumes && isUnderWay(first)) {
        first.repeatWord();
        this.#resumes = true;
      }
      return;
    }
    if (step.input.forceListen === true) {
      // Silenced; what this very step brought waits.
      const brought = step.input.text.map(({ delivery }) => delivery);
      const waits = this.#told.filter((one) => !isUnderWay(one) && brought.includes(one.delivery));
      this.#giveUp(step, waits, first.heard);
      return;
    }
    step.telling = first;
    let begins = !isUnderWay(first) || this.#resumes;
    this.#resumes = false;
    const text = rowOf(inputs.told_text, this.#row);
    const speech = rowOf(inputs.told_speech, this.#row) as Int32Array;
    const channels = speech.length / told.length;
    // Another text begins with a micro-turn of its own.
    for (let position = 0; position < told.length && !first.done; position++) {
      told[position] = begins ? toldToken.begins : toldToken.goesOn;
      begins = false;
      step.places.push(first.place);
      const said = first.next(speech.subarray(position * channels, (position + 1) * channels));
      text[position] = said.token;
      step.told.push(said);
    }
    if (first.done) this.#told.shift();
  }

  /** Gives up all that it was told to say but for `keep`; of the first, so many words were heard. */
  #giveUp(step: Step, keep: readonly ToldSpeech[], heard: number): void {
    const first = step.telling ?? this.#told[0];
    const given = [first, ...this.#told].filter((one, i, all) => all.indexOf(one) === i && !keep.includes(one));
    for (const one of given) {
      const words = one.wordsFrom(one === first ? heard : 0);
      step.unsaid.push(unsaidText(one.delivery, words));
    }
    this.#told = [...keep];
    this.#resumes = false;
  }

  #writeInputs(step: Step, inputs: Tensors): void {
    const { layout } = this.#model;
    const levels = this.#levelsPerTurn;
    const dmel = rowOf(inputs.dmel, this.#row);
    const offset = step.done * levels;
    for (let i = 0; i < levels; i++) dmel[i] = this.#levels[offset + i];
    this.#room.push(this.#levels.subarray(offset, offset + levels), this.#model.dmel.melBins);
    if (inputs.patches !== undefined) {
      const values = step.patches[step.done];
      const present = rowOf(inputs.patch_present, this.#row);
      const patches = rowOf(inputs.patches, this.#row);
      const size = patches.length / layout.patchSlots;
      present.fill(0);
      if (values !== undefined) {
        const count = Math.min(layout.patchSlots, values.length / size);
        patches.set(values.subarray(0, count * size));
        present.fill(1, 0, count);
      }
    }
    const last = step.done === step.input.turns - 1;
    if (inputs.text_slots !== undefined) {
      const slots = rowOf(inputs.text_slots, this.#row).fill(specialTokens.pad);
      // Text enters a merged step at its end; what finds no slot waits for the next micro-turn.
      if (last) slots.set(this.#waitingTokens.splice(0, slots.length));
    }
    if (this.#temperature > 0) {
      const random = rowOf(inputs.random, this.#row);
      for (let i = 0; i < random.length; i++) random[i] = this.#random.next();
    }
    inputs.temperature.data[this.#row] = this.#temperature;
    const forced = !last || step.input.forceListen === true;
    this.#writeTold(step, inputs, !last);
    inputs.force_control.data[this.#row] = forced ? controlToken.listen : 0;
  }

  // --- output ---

  /** Takes the outputs of one micro-turn; ends the step with its last. */
  #readOutputs(step: Step, outputs: Tensors, runMs: number, waitMs: number): boolean {
    const startedMs = performance.now();
    const { input } = step;
    step.done++;
    step.runMs += runMs;
    step.waitMs += waitMs;
    const last = step.done === input.turns;
    const forced = !last || input.forceListen === true;
    const text = rowOf(outputs.text, this.#row) as Int32Array;
    const control = rowOf(outputs.control, this.#row) as Int32Array;
    const heard = this.#heard.turn(rowOf(outputs.heard, this.#row) as Int32Array);
    if (heard !== "") step.heard.push(heard);
    if (forced) {
      this.#text.reset();
      this.#floor = { ...this.#floor, speaking: false, ended: true, answering: "" };
    } else {
      step.text.push(...this.#said(step, text, control));
    }
    if (heard !== "" && input.index > this.#typedUntil) this.#ask(heard);
    if (!forced) this.#followFloor(step, text, control);

    const speech = new Float32Array((this.capabilities.outputSampleRate * this.capabilities.turnDurationMs) / 1000);
    const levels = rowOf(outputs.speech, this.#row) as Int32Array;
    this.#synthesis.render(rowOf(outputs.vocoder_controls, this.#row) as Float32Array, levels, speech);
    // Cut means cut: what the vocoder still owes of the sound before is not heard either.
    if (forced) speech.fill(0);
    const inside = last ? this.#inside(step, outputs, control) : undefined;
    step.decodeMs += performance.now() - startedMs;
    if (inside === undefined) return true;
    const delegation = step.task === undefined ? {} : { delegation: { task: step.task } };
    step.resolve({
      decision: step.speaks ? "speak" : "listen",
      yielded: step.yielded,
      speech,
      text: step.text.join(" "),
      heard: step.heard.join(" "),
      ...delegation,
      ...(step.unsaid.length === 0 ? {} : { unsaid: step.unsaid }),
      timing: { encodeMs: step.encodeMs, waitMs: step.waitMs, runMs: step.runMs, decodeMs: step.decodeMs },
      inside,
    });
    return false;
  }

  /** The words that begin in this micro-turn: those told, as far as the model went on speaking, then its own. */
  #said(step: Step, text: Int32Array, control: Int32Array): string[] {
    const { told } = step;
    if (told.length === 0) return [this.#text.turn(text)].filter((words) => words !== "");
    // A word that the model was spelling is over.
    this.#text.reset();
    const silent = control.indexOf(controlToken.listen);
    // At its end there is nothing left to cut, whether the model still speaks there or not.
    const cut = told[silent]?.token === specialTokens.end ? undefined : told[silent];
    const spoken = cut === undefined ? told : told.slice(0, silent);
    if (cut === undefined) this.#stops = 0;
    else if (this.#stopsByItself(step)) this.#resumeAt(step, silent);
    // Whoever breaks in silences all that was to be said.
    else this.#giveUp(step, [], cut.heard);
    const own = text.map((token, position) => (position < spoken.length ? specialTokens.pad : token));
    // A word is shown one position before it sounds: the last one before the cut never did.
    const shown = cut === undefined ? spoken : spoken.slice(0, -1);
    return [...shown.map(({ words }) => words), this.#text.turn(own)].filter((words) => words !== "");
  }

  /**
   * Whether the model stops where nobody speaks: in the pause between two sentences it may take the text to be over, or wait for an
   * answer. If it insists, it is let.
   */
  #stopsByItself({ heard }: Step): boolean {
    return this.#room.quietTurns >= quietRoomTurns && heard.length === 0 && this.#stops < maxStops;
  }

  /** The text goes on in the next micro-turn from where it was cut, with the word that was cut. */
  #resumeAt(step: Step, position: number): void {
    const { telling } = step;
    if (telling === undefined) return;
    this.#stops++;
    step.stopped = true;
    if (this.#told[0] !== telling) this.#told.unshift(telling);
    telling.backTo(step.places[position]);
    if (telling.done) this.#told.shift();
    else this.#resumes = true;
  }

  /** Goes through the output positions: who speaks, who gave up the floor in mid-reply, what is handed over. */
  #followFloor(step: Step, text: Int32Array, control: Int32Array): void {
    let { speaking, ended, asked, answering } = this.#floor;
    for (let position = 0; position < control.length; position++) {
      const token = control[position];
      if (token === controlToken.speak) {
        step.speaks = true;
        if (!speaking) {
          speaking = true;
          ended = false;
          answering = asked;
          asked = "";
        }
      }
      // In a text that it was told, the words that go with handing over are not its own.
      const own = position >= step.told.length;
      if (token === controlToken.delegate && own && this.capabilities.delegation) {
        step.task = [step.task, answering, asked].filter(Boolean).join(" ").slice(-maxTaskLength);
        answering = asked = "";
      }
      if (text[position] === specialTokens.end || step.told[position]?.token === specialTokens.end) ended = true;
      else if (text[position] !== specialTokens.pad) ended = false;
      if (token === controlToken.listen && speaking) {
        speaking = false;
        answering = "";
        if (!ended && !step.stopped) step.yielded = true;
      }
    }
    this.#floor = { speaking, ended, asked, answering };
  }

  #inside(step: Step, outputs: Tensors, control: Int32Array): TurnInside {
    const levels = this.#levelsPerTurn;
    const offset = (step.input.turns - 1) * levels;
    const dmel = packLevels(this.#levels.subarray(offset, offset + levels));
    const inside: TurnInside = { dmel, controls: Uint8Array.from(control) };
    const load = outputs.expert_load;
    if (load === undefined) return inside;
    const [, layers, experts] = load.shape;
    return { ...inside, expertLoad: (rowOf(load, this.#row) as Float32Array).slice(), expertShape: [layers, experts] };
  }

  #requireIdle(operation: string): void {
    if (this.#closed !== undefined) {
      throw new DuplexError("SESSION_CLOSED", `${operation}: the session is closed; open another`);
    }
    if (this.#step !== undefined) throw new TypeError(`${operation}: a step is under way; await it first`);
    if (this.#moving !== undefined) {
      throw new TypeError(`${operation}: a snapshot or restore is under way; await it first`);
    }
  }
}

/** A step on its way through the model, one run per micro-turn. */
interface Step extends RowJob {
  readonly input: TurnInput;
  readonly patches: readonly (Float32Array | undefined)[];
  readonly encodeMs: number;
  /** Micro-turns done. */
  done: number;
  waitMs: number;
  runMs: number;
  decodeMs: number;
  readonly text: string[];
  readonly heard: string[];
  yielded: boolean;
  speaks: boolean;
  /** What was handed over, if anything. */
  task?: string;
  /** What the micro-turn was told to say, one entry for each output position that it was told. */
  told: ToldPosition[];
  /** Where the text stood before each of these. */
  places: ToldPlace[];
  /** The text that this belongs to. */
  telling?: ToldSpeech;
  /** The model stopped in it by itself: nobody broke in. */
  stopped: boolean;
  /** Texts given up. */
  readonly unsaid: UnsaidText[];
  readonly resolve: (output: TurnOutput) => void;
}

function isUnderWay({ place }: ToldSpeech): boolean {
  return place.part > 0 || place.at > 0;
}

function unsaidText(delivery: number | undefined, words: string): UnsaidText {
  return delivery === undefined ? { words } : { delivery, words };
}

/** The part of a tensor that belongs to one row, not copied. */
function rowOf(tensor: Tensor, row: number): Tensor["data"] {
  const size = tensor.data.length / tensor.shape[0];
  return tensor.data.subarray(row * size, (row + 1) * size);
}
