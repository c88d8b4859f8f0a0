// What the service was told of what was heard: whole milliseconds of each reply, which never fall and are never more than came.

/** Replies that are remembered; an older one is long over. */
const maxReplies = 64;

interface Played {
  readonly item: string;
  receivedMs: number;
  toldMs: number;
  /** It was cut, and how much of it was heard has been told for good. */
  over: boolean;
}

/** What goes into a `playback.ack`. */
export interface PlaybackAck {
  readonly item: string;
  readonly ms: number;
}

export class PlaybackLedger {
  readonly #replies = new Map<string, Played>();

  /** Sound of a reply has come. @returns where in the reply it begins, ms */
  sound(reply: string, item: string, ms: number): number {
    const known = this.#replies.get(reply);
    if (known !== undefined) {
      known.receivedMs += ms;
      return known.receivedMs - ms;
    }
    this.#replies.set(reply, { item, receivedMs: ms, toldMs: 0, over: false });
    const [oldest] = this.#replies.keys();
    if (this.#replies.size > maxReplies) this.#replies.delete(oldest);
    return 0;
  }

  /** @returns what to tell, if it is more than was told */
  heard(reply: string, heardMs: number): PlaybackAck | undefined {
    const played = this.#replies.get(reply);
    if (played === undefined || played.over) return undefined;
    const ms = Math.floor(Math.min(heardMs, played.receivedMs));
    if (!(ms > played.toldMs)) return undefined;
    played.toldMs = ms;
    return { item: played.item, ms };
  }

  /** The reply was cut. @returns what to tell, once */
  cut(reply: string, heardMs: number): PlaybackAck | undefined {
    const played = this.#replies.get(reply);
    if (played === undefined || played.over) return undefined;
    played.over = true;
    played.toldMs = Math.max(played.toldMs, Math.floor(Math.min(heardMs, played.receivedMs)));
    return { item: played.item, ms: played.toldMs };
  }

  clear(): void {
    this.#replies.clear();
  }
}
