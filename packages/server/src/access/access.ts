// Who may open a session: a key of the server's owner, a token signed with its secret, and pages of allowed origins.

import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { DuplexError } from "@microturn/core";
import { readToken, secretKey } from "./tokens.js";

/** How clients show that they may. */
export interface AccessOptions {
  /** Long-lived keys, for servers of the application; never for pages. */
  readonly apiKeys?: readonly string[];
  /** Signs and checks short-lived tokens (`createToken`), at least 32 bytes. */
  readonly secret?: string | Uint8Array;
}

/** Who opens a session. */
export interface Principal {
  /** For logs and metrics; no secret. */
  readonly subject: string;
  /** Under which its sessions are counted. */
  readonly id: string;
  /** Sessions that it may have open at once; absent: as many as the server has. */
  readonly maxSessions?: number;
}

/** Prefix of the sub-protocol in which a page can send a token: a browser lets it set no headers. */
const tokenProtocol = "microturn-token.";
/** The same of OpenAI's clients, some of which send a key in it. */
const keyProtocol = "openai-insecure-api-key.";
/** The three parts of a JWT. */
const tokenForm = /^[\w-]+\.[\w-]+\.[\w-]+$/;

export class Access {
  readonly #keys: readonly Buffer[];
  readonly #secret: Uint8Array | undefined;
  readonly #open: boolean;
  readonly #origins: readonly string[];

  /**
   * @param access - `"none"`: anybody; only for servers that nobody else reaches
   * @param origins - of pages that may connect, such as `https://app.example`; `"*"` for any
   * @throws RangeError if there is neither a key nor a secret, a key is empty, or the secret is too short
   */
  constructor(access: AccessOptions | "none", origins: readonly string[] = []) {
    const { apiKeys = [], secret } = access === "none" ? {} : access;
    if (apiKeys.some((key) => key.trim() === "")) {
      throw new RangeError("createServer: a key in auth.apiKeys is empty; is the variable that it comes from set?");
    }
    this.#open = access === "none";
    this.#origins = origins;
    this.#keys = apiKeys.map(digest);
    this.#secret = secret === undefined ? undefined : secretKey("createServer", secret);
    if (access !== "none" && this.#keys.length === 0 && this.#secret === undefined) {
      throw new RangeError(
        'createServer: auth needs apiKeys, a secret, or both; pass "none" only where nobody else can reach the server',
      );
    }
  }

  /** The secret with which tokens can be made here. */
  get secret(): Uint8Array | undefined {
    return this.#secret;
  }

  /** @throws DuplexError `ACCESS_DENIED`; `details.status` is 401 or 403 */
  async admit(request: IncomingMessage): Promise<Principal> {
    const { origin } = request.headers;
    const shown = credentialOf(request);
    if (this.#open) {
      this.#checkOrigin(request, origin, undefined);
      return { subject: "anonymous", id: "anonymous" };
    }
    if (shown === undefined) {
      throw denied(401, "expected a key or token: Authorization: Bearer ..., or the sub-protocol microturn-token....");
    }
    if (this.#isKey(shown.text)) {
      this.#checkOrigin(request, origin, undefined);
      return { subject: "api-key", id: "api-key" };
    }
    if (this.#secret === undefined || !shown.isToken) throw denied(401, "the key is not one of this server");
    let claims: Awaited<ReturnType<typeof readToken>>;
    try {
      claims = await readToken(shown.text, this.#secret);
    } catch (error) {
      throw denied(401, error instanceof Error ? error.message : "the token is not accepted");
    }
    this.#checkOrigin(request, origin, claims.origins);
    return { subject: claims.subject, id: claims.id, maxSessions: claims.maxSessions };
  }

  /** Whether a request comes from whoever owns the server. */
  isOwner(request: IncomingMessage): boolean {
    const shown = credentialOf(request);
    return this.#open || (shown !== undefined && this.#isKey(shown.text));
  }

  #isKey(shown: string): boolean {
    const given = digest(shown);
    // Each is compared, so that the time tells nothing.
    return this.#keys.reduce((found, key) => timingSafeEqual(key, given) || found, false);
  }

  /** Pages of other sites may not use a visitor's network or cookies to reach this server. Others send no origin. */
  #checkOrigin(request: IncomingMessage, origin: string | undefined, listed: readonly string[] | undefined): void {
    if (origin === undefined) return;
    const allowed = listed ?? this.#origins;
    if (allowed.includes("*") || allowed.includes(origin)) return;
    if (listed === undefined && this.#isOwnHost(origin, request.headers.host)) return;
    throw denied(403, `pages of ${printable(origin)} may not connect; add it to origins of the server`);
  }

  /**
   * Whether a page comes from the host that it connects to. Where no key is asked for, a name says nothing: its owner can point it
   * at this machine once his page is open.
   */
  #isOwnHost(origin: string, host: string | undefined): boolean {
    const url = URL.canParse(origin) ? new URL(origin) : undefined;
    if (url === undefined || url.host === "" || url.host !== host) return false;
    return !this.#open || url.hostname === "localhost" || isIP(url.hostname.replace(/^\[|\]$/g, "")) !== 0;
  }
}

/** What a client shows. */
interface Credential {
  readonly text: string;
  /** It looks like a token, or is called one; else it is meant for a key. */
  readonly isToken: boolean;
}

function credentialOf({ headers }: IncomingMessage): Credential | undefined {
  const bearer = /^Bearer\s+(\S+)$/i.exec(headers.authorization ?? "")?.[1];
  if (bearer !== undefined) return { text: bearer, isToken: tokenForm.test(bearer) };
  for (const protocol of protocolsOf(headers["sec-websocket-protocol"])) {
    if (protocol.startsWith(tokenProtocol)) return { text: protocol.slice(tokenProtocol.length), isToken: true };
    if (!protocol.startsWith(keyProtocol)) continue;
    const text = protocol.slice(keyProtocol.length);
    return { text, isToken: tokenForm.test(text) };
  }
  return undefined;
}

/** The sub-protocols that a client offers. */
export function protocolsOf(header: string | undefined): string[] {
  return (header ?? "")
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "");
}

function digest(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}

function printable(text: string): string {
  return text.slice(0, 200).replace(/[^\x20-\x7e]/g, "?");
}

function denied(status: 401 | 403, message: string): DuplexError {
  return new DuplexError("ACCESS_DENIED", message, { details: { status } });
}
