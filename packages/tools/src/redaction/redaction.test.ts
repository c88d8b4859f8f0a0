import { describe, expect, it } from "vitest";
import { Seeded } from "../conversation/seeded.js";
import { plainCopy, toldBounds } from "./plain-copy.js";
import { Redaction } from "./redaction.js";
import { redactText, redactWords, secretForms, WordRedactor } from "./secret-text.js";

const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
const pem = `-----BEGIN RSA PRIVATE KEY-----\n${"MIIEpAIBAAKCAQEA7bq0 abc\n".repeat(20)}-----END RSA PRIVATE KEY-----`;
const keys = [
  "sk-proj-abcdefghijklmnop1234",
  "sk_live_abcdefghij123456",
  "ghp_abcdefghijklmnopqrst12345",
  "xoxb-123456789012-abcdef",
  "AKIAIOSFODNN7EXAMPLE",
  "AIzaSyA-abcdefghijklmnopqrstuvwxyz12345",
  jwt,
  pem,
];

describe("what looks like a key in words", () => {
  it("is taken out, and nothing around it", () => {
    for (const key of keys) expect(redactWords(`It is ${key}, I think.`)).toBe("It is [redacted], I think.");
    expect(redactWords("Send Authorization: Bearer abc.def-123456 now")).toBe(
      "Send Authorization: Bearer [redacted] now",
    );
    expect(redactWords("see https://user:pass@host/a?token=abc&x=1#t")).toBe(
      "see https://[redacted]@host/a?token=[redacted]&x=1#t",
    );
  });

  it("is not seen in what people say", () => {
    const prose =
      "The basic understanding is that the password: swordfish is a joke. The bearer of news came at 12:30, e.g. from https://example.org/a?b=c. Risk-averse task-force people ask-anything-you-like.";
    expect(redactWords(prose)).toBe(prose);
  });

  it("goes with the name beside it, in what programs write", () => {
    expect(redactText('{"password":"hunter2","city":"Rome"}')).toBe('{"password":"[redacted]","city":"Rome"}');
    expect(redactText("API_KEY=abcdef; cookie: a=b")).not.toMatch(/abcdef|a=b/);
    expect(redactText("Authorization: Basic dXNlcjpwYXNz")).not.toContain("dXNl");
  });

  it("may be any value that is named, also inside JSON and addresses", () => {
    const secrets = secretForms(['tea "for" two', "swordfish"]);
    const text = `tea "for" two; ${JSON.stringify('x tea "for" two')}; ${encodeURIComponent('tea "for" two')}; swordfish`;
    expect(redactWords(text, secrets)).toBe('[redacted]; "x [redacted]"; [redacted]; [redacted]');
    expect(() => secretForms(["abc"])).toThrow(RangeError);
    expect(() => secretForms([1 as never])).toThrow(TypeError);
  });

  it("takes time linear in the text", () => {
    const hostile = [
      "eyJ-".repeat(40_000),
      "sk-".repeat(50_000),
      "a:".repeat(80_000),
      "http://".repeat(20_000),
      "-----BEGIN A-----".repeat(9000),
      "token=".repeat(30_000),
      "bearer ".repeat(20_000),
      `${"A".repeat(4000)} `.repeat(40),
    ];
    for (const text of hostile) {
      const start = performance.now();
      redactText(text, secretForms(["eyJ-eyJ-eyJ!"]));
      expect(performance.now() - start, text.slice(0, 20)).toBeLessThan(1000);
    }
  });
});

describe("words that come in pieces", () => {
  it("give together what the whole gives, in 400 random texts cut at random places", () => {
    const phrases = ["open sesame please", "日本の 鍵", "plainsecret"];
    const secrets = secretForms(phrases);
    const parts = [
      ...keys,
      ...phrases,
      " ",
      " ",
      "\n",
      "word",
      "日本",
      "Bearer ",
      "basic ",
      "abc.def-1234567",
      "-----BEGIN ",
      "-----",
      "open ",
      "sesame ",
      "https://a:b@c/?token=x1 ",
      "é",
      ".",
    ];
    for (let seed = 0; seed < 400; seed++) {
      const random = new Seeded(seed);
      const text = Array.from({ length: 25 }, () => parts[Math.floor(random.next() * parts.length)]).join("");
      const redactor = new WordRedactor(secrets);
      let out = "";
      for (let i = 0; i < text.length; ) {
        const length = 1 + Math.floor(random.next() ** 3 * 120);
        out += redactor.push(text.slice(i, i + length));
        i += length;
      }
      out += redactor.end();
      expect(out, `seed ${seed}`).toBe(redactWords(text, secrets));
    }
  });

  it("come without delay but for the last word", () => {
    const redactor = new WordRedactor();
    expect(redactor.push("It is sun")).toBe("It is ");
    expect(redactor.push("ny. ")).toBe("sunny. ");
    expect(redactor.push("今天是")).toBe("今天是");
    expect(redactor.end()).toBe("");
  });

  it("are not held without end: an endless block or run goes as it comes", () => {
    const redactor = new WordRedactor();
    let out = redactor.push("Key: -----BEGIN PRIVATE KEY-----\n");
    for (let i = 0; i < 1000; i++) out += redactor.push("MIIEpAIB AAKCAQEA\n".repeat(10));
    out += redactor.push("-----END PRIVATE ");
    out += redactor.push("KEY----- and then");
    for (let i = 0; i < 1000; i++) out += redactor.push("x".repeat(50));
    out += redactor.push(" end");
    expect(out + redactor.end()).toBe("Key: [redacted] and [redacted] end");
  });
});

describe("values that are told", () => {
  const redaction = new Redaction({ secrets: ["swordfish"] });
  const told = (value: unknown) => redaction.value(value, "result");

  it("are without what stands under a secret name, and what looks like a key", () => {
    expect(
      told({
        city: "Rome",
        apiKey: "abc",
        "X-Auth-Token": "abc",
        Password: 1234,
        headers: [
          { name: "Authorization", value: "abc" },
          { name: "Accept", value: "text/html" },
        ],
        nested: { cookies: { sid: "abc" }, text: `the key is ${jwt}`, swordfish: 1 },
        usage: { totalTokens: 12, maxTokens: 3 },
        author: "Ann",
        secret: null,
      }),
    ).toEqual({
      city: "Rome",
      apiKey: "[redacted]",
      "X-Auth-Token": "[redacted]",
      Password: "[redacted]",
      headers: [
        { name: "Authorization", value: "[redacted]" },
        { name: "Accept", value: "text/html" },
      ],
      nested: { cookies: "[redacted]", text: "the key is [redacted]", "[redacted]": 1 },
      usage: { totalTokens: 12, maxTokens: 3 },
      author: "Ann",
      secret: null,
    });
  });

  it("are cut to about 4 KB, and say how much was left out", () => {
    const long = told({ page: "word ".repeat(13_000) }) as { page: string };
    expect(JSON.stringify(long).length).toBeLessThan(1200);
    expect(long.page).toMatch(/… 63976 more characters$/);
    const many = told(Array.from({ length: 1000 }, (_, i) => ({ i, text: "x ".repeat(100) }))) as unknown[];
    expect(JSON.stringify(many).length).toBeLessThan(5000);
    expect(many.at(-1)).toMatch(/^… 9\d\d more$/);
  });

  it("do not show half of what would be taken out whole", () => {
    const text = `${"y ".repeat(505)}${jwt} tail`;
    expect(told(text)).not.toContain("eyJ");
    const pad = "z ".repeat(511);
    expect(told(`${pad}swordfish`)).not.toMatch(/sword|sw…/);
  });

  it("are plain data whatever is given: cycles, getters that throw, proxies, strange types", () => {
    const cycle: Record<string, unknown> = {
      big: 10n,
      when: new Date(0),
      f: () => 1,
      s: Symbol("x"),
      bytes: new Uint8Array(3),
      nan: Number.NaN,
    };
    cycle.self = cycle;
    Object.defineProperty(cycle, "bad", {
      enumerable: true,
      get: () => {
        throw new Error("swordfish");
      },
    });
    const copy = told({ cycle, ok: true });
    expect(JSON.parse(JSON.stringify(copy))).toEqual(copy);
    expect(copy).toEqual({ cycle: "… cannot be read", ok: true });
    const proxy = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error("no");
        },
      },
    );
    expect(told([proxy, 10n, new Date(0), new Uint8Array(3), Number.NaN, undefined])).toEqual([
      "… cannot be read",
      "10",
      "1970-01-01T00:00:00.000Z",
      "3 bytes",
      "NaN",
      null,
    ]);
    const own = JSON.parse('{"__proto__":{"a":1}}');
    expect(Object.keys(told(own) as object)).toEqual(["__proto__"]);
  });

  it("hold no secret, are bounded and plain, in 500 random values; and what was given is not changed", () => {
    for (let seed = 0; seed < 500; seed++) {
      const random = new Seeded(seed);
      const pick = <T>(from: readonly T[]): T => from[Math.floor(random.next() * from.length)];
      const make = (depth: number): unknown => {
        const kind = random.next();
        if (depth > 9 || kind < 0.3 + depth / 12)
          return pick<unknown>([
            1,
            true,
            null,
            "plain",
            `a ${pick(keys)} b`,
            "swordfish",
            "x swordfish y",
            "w ".repeat(800),
          ]);
        const count = Math.floor(random.next() * 6);
        if (kind < 0.5) return Array.from({ length: count * 20 }, () => (random.next() < 0.05 ? make(depth + 1) : 1));
        return Object.fromEntries(
          Array.from({ length: count }, (_, i) => {
            const name = pick(["password", "api_key", "note", "data", `swordfish${i}`, "n"]);
            return [name, name === "password" || name === "api_key" ? "hidden-value" : make(depth + 1)];
          }),
        );
      };
      const value = make(0);
      const before = JSON.stringify(value);
      const copy = told(value);
      expect(JSON.stringify(value)).toBe(before);
      const json = JSON.stringify(copy);
      expect(json.length, `seed ${seed}`).toBeLessThan(3 * toldBounds.maxLength);
      expect(JSON.parse(json)).toEqual(copy);
      for (const secret of ["swordfish", "hidden-value", ...keys.map((key) => JSON.stringify(key).slice(1, -1))])
        expect(json.includes(secret), `seed ${seed}: ${secret}`).toBe(false);
    }
  });

  it("may be changed once more by the application; if that fails, nothing is told", () => {
    const careful = new Redaction({
      redact: (value, where) => {
        if (where === "error") throw new Error("no");
        return where === "arguments" ? { ...(value as object), name: "somebody" } : value;
      },
    });
    expect(careful.value({ name: "Ann", city: "Rome", token: "x" }, "arguments")).toEqual({
      name: "somebody",
      city: "Rome",
      token: "[redacted]",
    });
    expect(careful.text("it broke", "error")).toBe("[redacted]");
    expect(careful.text("half", "progress")).toBe("half");
    expect(() => new Redaction({ redact: 1 as never })).toThrow(TypeError);
    expect(() => new Redaction({ secrets: "abcd" as never })).toThrow(TypeError);
  });

  it("stop at the depth that is told", () => {
    expect(plainCopy({ a: { b: { c: 1 } } }, (text) => text, { ...toldBounds, maxDepth: 2 })).toEqual({
      a: { b: "… too deep" },
    });
  });
});
