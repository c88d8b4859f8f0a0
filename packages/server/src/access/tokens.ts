// Short-lived signed tokens for clients that must not hold a key, such as pages: JWT with HS256, by `jose`.

import { DuplexError } from "@microturn/core";
import { errors, jwtVerify, SignJWT } from "jose";

/** What a token allows. */
export interface TokenClaims {
  /** Names whom it was given to, for logs and limits. */
  readonly subject: string;
  /** Sessions that may be open with it at once. */
  readonly maxSessions: number;
  /** Origins of pages that may use it; absent: those that the server allows. */
  readonly origins?: readonly string[];
}

/** Options of {@link createToken}. */
export interface TokenOptions extends Partial<TokenClaims> {
  /** Secret of the server, at least 32 bytes. */
  readonly secret: string | Uint8Array;
  /** A session can be opened for this long, s, 1 … 86,400; default 60. An open session may last longer. */
  readonly expiresInS?: number;
}

const issuer = "microturn";
const leastSecretBytes = 32;
/** A day: longest life of a token, s. */
const longestS = 86_400;

/**
 * Makes a token with which a client may open sessions for a short while; give it to a page instead of a key.
 *
 * @throws RangeError if the secret is shorter than 32 bytes, or an option is out of range
 * @example
 * app.get("/token", async (request, response) => response.json({ token: await createToken({ secret, subject: request.user.id }) }));
 */
export async function createToken(options: TokenOptions): Promise<string> {
  const { secret, expiresInS = 60, subject = "anonymous", maxSessions = 1, origins } = options;
  if (!(expiresInS >= 1 && expiresInS <= longestS)) {
    throw new RangeError(`createToken: expiresInS must be 1 … ${longestS}, got ${expiresInS}`);
  }
  if (!Number.isInteger(maxSessions) || maxSessions < 1) {
    throw new RangeError(`createToken: maxSessions must be a whole number from 1 on, got ${maxSessions}`);
  }
  const claims = { max_sessions: maxSessions, ...(origins === undefined ? {} : { origins: [...origins] }) };
  return new SignJWT(claims)
    .setProtectedHeader({ alg: "HS256" })
    .setIssuer(issuer)
    .setSubject(subject)
    .setJti(crypto.randomUUID())
    .setIssuedAt()
    .setExpirationTime(`${Math.round(expiresInS)}s`)
    .sign(secretKey("createToken", secret));
}

/**
 * Reads a token.
 *
 * @returns what it allows, and `id`: the token's own name, by which its sessions are counted
 * @throws DuplexError `ACCESS_DENIED` if it is not one of this server, was altered, or has expired
 */
export async function readToken(token: string, secret: Uint8Array): Promise<TokenClaims & { readonly id: string }> {
  try {
    const { payload } = await jwtVerify(token, secret, { issuer, algorithms: ["HS256"] });
    const { sub, jti, iat = Number.NaN, max_sessions: maxSessions, origins } = payload;
    // Not `maxTokenAge`: it refuses what another machine made, whose clock is ahead by less than a second.
    if (!(Date.now() / 1000 - iat <= longestS)) throw new TypeError("it is older than a day, or does not say");
    if (typeof sub !== "string" || typeof jti !== "string" || !Number.isInteger(maxSessions)) {
      throw new TypeError("claims are missing");
    }
    const listed = Array.isArray(origins) ? { origins: origins.map(String) } : {};
    return { id: jti, subject: sub, maxSessions: maxSessions as number, ...listed };
  } catch (error) {
    const expired = error instanceof errors.JWTExpired;
    // The cause is left out: it may quote the token.
    throw new DuplexError(
      "ACCESS_DENIED",
      expired
        ? "the token has expired; ask for a new one just before each session"
        : "the token is not one of this server, or was altered; ask the application's server for one",
      { details: { reason: expired ? "expired" : "invalid" } },
    );
  }
}

/** @throws RangeError if it is shorter than 32 bytes */
export function secretKey(operation: string, secret: string | Uint8Array): Uint8Array {
  const bytes = typeof secret === "string" ? new TextEncoder().encode(secret) : secret;
  if (bytes.length < leastSecretBytes) {
    throw new RangeError(
      `${operation}: secret must have at least ${leastSecretBytes} bytes, got ${bytes.length}; make one with: openssl rand -hex 32`,
    );
  }
  return bytes;
}
