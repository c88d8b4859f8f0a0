// A proxy whose connections can be cut, or let nothing through any more, without a word to either side.

import { createConnection, createServer, type Socket } from "node:net";

export class KillingProxy {
  readonly #sockets = new Set<Socket>();
  readonly #server;
  #refusing = false;

  private constructor(target: number) {
    this.#server = createServer((client) => {
      if (this.#refusing) {
        client.destroy();
        return;
      }
      const upstream = createConnection(target, "127.0.0.1");
      for (const socket of [client, upstream]) {
        this.#sockets.add(socket);
        socket.on("error", () => {});
        socket.on("close", () => this.#sockets.delete(socket));
      }
      client.on("close", () => upstream.destroy());
      upstream.on("close", () => client.destroy());
      client.pipe(upstream);
      upstream.pipe(client);
    });
  }

  static async start(target: number): Promise<KillingProxy> {
    const proxy = new KillingProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Lets nothing through any more on the connections that there are, and tells neither side. */
  freeze(): void {
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  refuse(value: boolean): void {
    this.#refusing = value;
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}
