// Streamable HTTP that tells when an answer will never come. The SDK's transport lets a call wait for its own timeout when the
// stream that should carry the answer ends without it, as it does when a server dies; here the call fails at once.

import { type JSONRPCMessage, type RequestId, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

/** The code of JSON-RPC that a request gets whose answer cannot come any more: of those that each side may use as it likes. */
export const connectionLostCode = -32_000;

type SendOptions = Parameters<StreamableHTTPClientTransport["send"]>[1];

/** See {@link StreamableHTTPClientTransport}. */
export class HttpTransport extends StreamableHTTPClientTransport {
  readonly #unanswered = new Set<RequestId>();

  override async start(): Promise<void> {
    const deliver = this.onmessage;
    this.onmessage = (message) => {
      if (!("method" in message) && message.id !== undefined) this.#unanswered.delete(message.id);
      deliver?.(message);
    };
    await super.start();
  }

  override async send(message: JSONRPCMessage | JSONRPCMessage[], options?: SendOptions): Promise<void> {
    if (Array.isArray(message) || !("id" in message && "method" in message)) return await super.send(message, options);
    const { id } = message;
    this.#unanswered.add(id);
    try {
      await super.send(message, {
        ...options,
        onRequestStreamEnd: () => {
          options?.onRequestStreamEnd?.();
          this.#lose(id);
        },
      });
    } catch (error) {
      this.#unanswered.delete(id);
      throw error;
    }
  }

  #lose(id: RequestId): void {
    if (!this.#unanswered.has(id)) return;
    const error = { code: connectionLostCode, message: "The connection ended before the answer" };
    this.onmessage?.({ jsonrpc: "2.0", id, error });
  }
}
