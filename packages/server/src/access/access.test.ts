import type { IncomingMessage } from "node:http";
import { SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { Access } from "./access.js";
import { createToken, readToken } from "./tokens.js";

const secret = "a secret for tests that is long enough to sign with";
const key = new TextEncoder().encode(secret);
const request = (headers: Record<string, string>) => ({ headers }) as unknown as IncomingMessage;
const status = (access: Access, headers: Record<string, string>) =>
  access.admit(request(headers)).then(
    () => 101,
    (error) => error.details.status,
  );

describe("a server without keys", () => {
  it("takes a page of its own host by address, and not by a name, which anybody can point at this machine", async () => {
    const access = new Access("none");
    for (const host of ["127.0.0.1:8787", "[::1]:8787", "localhost:8787", "192.168.1.5"]) {
      expect(await status(access, { host, origin: `http://${host}` })).toBe(101);
    }
    expect(await status(access, { host: "evil.example:8787", origin: "http://evil.example:8787" })).toBe(403);
    expect(await status(access, { host: "127.0.0.1:8787", origin: "http://evil.example" })).toBe(403);
    expect(await status(access, { host: "127.0.0.1:8787", origin: "null" })).toBe(403);
    expect(await status(access, { origin: "null" })).toBe(403);
    const named = new Access("none", ["http://voice.internal"]);
    expect(await status(named, { host: "voice.internal", origin: "http://voice.internal" })).toBe(101);
  });
});

describe("keys", () => {
  it("are refused if one is empty, as of a variable that is not set: everybody has that one", () => {
    expect(() => new Access({ apiKeys: ["right", ""] })).toThrow(/empty/);
    expect(() => new Access({ apiKeys: [" "] })).toThrow(RangeError);
  });

  it("are called keys when they are refused, and what looks like a token or is sent as one is called a token", async () => {
    const token = await createToken({ secret: `${secret} of another` });
    const own = await createToken({ secret });
    const shown: [headers: Record<string, string>, told: RegExp][] = [
      [{ authorization: "Bearer sk-wrong" }, /^the key is not one of this server$/],
      [
        { "sec-websocket-protocol": "realtime, openai-insecure-api-key.sk-wrong" },
        /^the key is not one of this server$/,
      ],
      [{ authorization: `Bearer ${token}` }, /^the token is not one of this server, or was altered/],
      [{ authorization: `Bearer ${own.slice(0, -4)}` }, /^the token is not one of this server, or was altered/],
      [{ "sec-websocket-protocol": "microturn.v1, microturn-token.undefined" }, /^the token is not one of this server/],
    ];
    const access = new Access({ apiKeys: ["right"], secret });
    for (const [headers, message] of shown) {
      await expect(access.admit(request(headers)), JSON.stringify(headers)).rejects.toMatchObject({
        ...{ code: "ACCESS_DENIED", details: { status: 401 }, message: expect.stringMatching(message) },
      });
    }
  });
});

describe("a token", () => {
  const made = async (issuedInS: number, lastsS: number) => {
    const nowS = Math.floor(Date.now() / 1000);
    return new SignJWT({ max_sessions: 1 })
      .setProtectedHeader({ alg: "HS256" })
      .setIssuer("microturn")
      .setSubject("s")
      .setJti("j")
      .setIssuedAt(nowS + issuedInS)
      .setExpirationTime(nowS + issuedInS + lastsS)
      .sign(key);
  };

  it("is taken though the clock of the machine that made it is ahead", async () => {
    await expect(readToken(await made(3, 60), key)).resolves.toMatchObject({ subject: "s", id: "j" });
  });

  it("is good for a day at most", async () => {
    await expect(readToken(await made(-86_000, 100_000), key)).resolves.toMatchObject({ id: "j" });
    await expect(readToken(await made(-86_402, 100_000), key)).rejects.toMatchObject({ code: "ACCESS_DENIED" });
    await expect(createToken({ secret, expiresInS: 90_000 })).rejects.toThrow(RangeError);
  });
});
