// Whether the user speaks right now, for results that wait for quiet (rule 6): by the level of his sound, before the model has
// understood a word of it. Only deliveries go by it; whose turn it is to speak is the model's decision.

/** Below this, nobody speaks, however quiet the room is: mean square of full scale, -50 dBFS. */
const silence = 1e-5;
/** With a voice it is this much louder than in the quietest micro-turn of the last seconds: 3 dB, the voice as loud as the noise. */
const aboveNoise = 2;
/** Micro-turns by whose quietest one the noise of the room is known. */
const noiseTurns = 15;
/** Sound in which no word is understood for so many micro-turns is not speech: music, a machine, a loudspeaker. */
const wordlessTurns = 6;
/** Nor is sound that comes and goes for so many micro-turns without a word: a television. It holds up nothing any more. */
const wordlessTurnsInAll = 15;
/** After so many micro-turns without any such sound, there is none any more. */
const silentTurns = 25;

/** What is known of the user's sound. */
export interface UserVoice {
  /** Levels of the last micro-turns, oldest first. */
  readonly recent: readonly number[];
  /** Since when it has been loud; undefined when it is not. */
  readonly onset: number | undefined;
  /** Last micro-turn in which a word was understood. */
  readonly lastWord: number;
  /** Last micro-turn in which he was taken to speak, by his level. */
  readonly lastTurn: number;
  /** Last micro-turn that was loud. */
  readonly lastLoud: number;
  /** Micro-turns in which he was taken to speak, and no word has come since. */
  readonly wordless: number;
}

/** Before anything was heard. */
export function silentVoice(turn: number): UserVoice {
  const never = Number.NEGATIVE_INFINITY;
  return { recent: [], onset: undefined, lastWord: never, lastTurn: turn - 1, lastLoud: never, wordless: 0 };
}

/**
 * Takes the level of the next micro-turn.
 *
 * @param level - mean square of its loudest 20 ms, full scale is 1
 * @param understands - whether the engine tells words of the user; else all that is loud counts as speech
 */
export function followVoice(voice: UserVoice, level: number, turn: number, understands: boolean): UserVoice {
  const noise = voice.recent.length === 0 ? 0 : Math.min(...voice.recent);
  const recent = [...voice.recent, level].slice(-noiseTurns);
  if (level <= Math.max(silence, noise * aboveNoise)) return { ...voice, recent, onset: undefined };
  const onset = voice.onset ?? turn;
  const wordless = turn - voice.lastLoud > silentTurns ? 0 : voice.wordless;
  const speech =
    !understands || (turn - Math.max(onset, voice.lastWord) < wordlessTurns && wordless < wordlessTurnsInAll);
  const lastTurn = speech ? turn : voice.lastTurn;
  return { ...voice, recent, onset, lastTurn, lastLoud: turn, wordless: speech ? wordless + 1 : wordless };
}

/** A word of his was understood. */
export function understandVoice(voice: UserVoice, turn: number): UserVoice {
  return { ...voice, lastWord: turn, wordless: 0 };
}
