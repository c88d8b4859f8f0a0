// What a wire needs of a socket: messages whole and in order, and a reason at the end. Two files make one: Node's and the browser's.

/** A message on a socket: text, or bytes. */
export type SocketMessage = string | Uint8Array;

/** Where to connect, and as whom. */
export interface SocketRequest {
  /** `ws:` or `wss:`. */
  readonly url: string;
  /** Sub-protocols, in the order of preference. */
  readonly protocols?: readonly string[];
  /** Headers of the upgrade request; a browser sends none of its page's, so that such a request is refused there. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Largest message that is taken, bytes; default 16 MiB. */
  readonly maxMessageBytes?: number;
}

/** What a socket tells. `onClose` is the last, and comes once, also when the connection never came about. */
export interface SocketHandlers {
  onOpen(): void;
  onMessage(message: SocketMessage): void;
  onClose(end: SocketEnd): void;
}

/** How a connection ended. */
export interface SocketEnd {
  /** WebSocket close code; 1006 when there was none. */
  readonly code: number;
  /** What the peer gave as the reason, or "". */
  readonly reason: string;
  /** Of the answer that refused the upgrade, where the platform tells. */
  readonly status?: number;
  /** Its body, at most 2,000 characters. */
  readonly body?: string;
  /** `Retry-After` of that answer, seconds. */
  readonly retryAfterS?: number;
  readonly cause?: unknown;
}

/** An open socket, or one that is opening. */
export interface MessageSocket {
  /** Bytes that were sent and have not left this process. */
  readonly queuedBytes: number;
  /** Sends a message; does nothing unless the socket is open. */
  send(message: SocketMessage): void;
  /** Says goodbye; a peer that does not answer is left after a second. Harmless when it is closed. */
  close(code?: number, reason?: string): void;
  /** Ends it without a word. `onClose` comes all the same. */
  destroy(): void;
}

/** Opens a socket; whatever happens is told to the handlers, later than this call. */
export type OpenSocket = (request: SocketRequest, handlers: SocketHandlers) => MessageSocket;
