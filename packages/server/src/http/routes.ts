// The plain HTTP part: is it alive, is it ready, how is it, and short-lived tokens for clients of the application's server.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Access } from "../access/access.js";
import { createToken } from "../access/tokens.js";

/** What the routes need of the server. */
export interface RouteContext {
  readonly access: Access;
  readonly isReady: () => boolean;
  readonly metrics: () => Promise<string>;
  readonly contentType: string;
}

const maxBodyBytes = 65_536;
const defaultSeconds = 600;

/** Answers a request if its path is one of the server's. @returns whether it is */
export function answerHttp(request: IncomingMessage, response: ServerResponse, context: RouteContext): boolean {
  const path = (request.url ?? "").split("?")[0];
  const route = routes[path];
  if (route === undefined) return false;
  if (request.method !== route.method && !(route.method === "GET" && request.method === "HEAD")) {
    send(response, 405, { error: { message: `expected ${route.method}` } }, { allow: route.method });
    return true;
  }
  void route.answer(request, response, context).catch(() => {
    if (!response.headersSent) send(response, 500, { error: { message: "the server failed on this request" } });
    else response.destroy();
  });
  return true;
}

type Answer = (request: IncomingMessage, response: ServerResponse, context: RouteContext) => Promise<void>;

const routes: Readonly<Record<string, { readonly method: "GET" | "POST"; readonly answer: Answer } | undefined>> = {
  "/healthz": {
    method: "GET",
    answer: async (_request, response) => send(response, 200, { status: "ok" }),
  },
  "/readyz": {
    method: "GET",
    answer: async (_request, response, { isReady }) =>
      isReady()
        ? send(response, 200, { status: "ready" })
        : send(response, 503, { status: "not ready" }, { "retry-after": "5" }),
  },
  "/metrics": {
    method: "GET",
    answer: async (_request, response, { metrics, contentType }) => {
      const text = await metrics();
      response.writeHead(200, { "content-type": contentType }).end(text);
    },
  },
  "/v1/realtime/client_secrets": { method: "POST", answer: makeClientSecret },
};

/** As the OpenAI route of this name: an application's server asks with its key, and hands the token to a page. */
async function makeClientSecret(
  request: IncomingMessage,
  response: ServerResponse,
  { access }: RouteContext,
): Promise<void> {
  if (!access.isOwner(request)) {
    return send(response, 401, {
      error: { type: "invalid_request_error", message: "expected Authorization: Bearer with a key of the server" },
    });
  }
  const { secret } = access;
  if (secret === undefined) {
    return send(response, 404, {
      error: { type: "invalid_request_error", message: "this server was started without a secret for tokens" },
    });
  }
  const body = await readJson(request);
  if (body === undefined) {
    return send(response, 400, {
      error: { type: "invalid_request_error", message: `expected a JSON object of at most ${maxBodyBytes} bytes` },
    });
  }
  const { seconds = defaultSeconds } = (body.expires_after ?? {}) as { seconds?: unknown };
  if (typeof seconds !== "number" || !(seconds >= 10 && seconds <= 7200)) {
    return send(response, 400, {
      error: { type: "invalid_request_error", param: "expires_after.seconds", message: "expected 10 to 7200 seconds" },
    });
  }
  const value = await createToken({ secret, expiresInS: seconds });
  send(response, 200, {
    value,
    expires_at: Math.floor(Date.now() / 1000) + Math.round(seconds),
    session: body.session ?? {},
  });
}

async function readJson(request: IncomingMessage): Promise<Record<string, unknown> | undefined> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request) {
    length += (piece as Buffer).length;
    if (length > maxBodyBytes) return undefined;
    pieces.push(piece as Buffer);
  }
  if (length === 0) return {};
  try {
    const value: unknown = JSON.parse(Buffer.concat(pieces).toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response
    .writeHead(status, { "content-type": "application/json", "cache-control": "no-store", ...headers })
    .end(`${JSON.stringify(body)}\n`);
}
