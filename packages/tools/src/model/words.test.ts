import { describe, expect, it } from "vitest";
import { WholeWords, WithoutRepeating } from "./words.js";

/** Cuts a text into pieces of n characters and gives what comes out, piece by piece. */
function through(filter: { push(text: string): string; flush(): string }, text: string, n: number): string[] {
  const out: string[] = [];
  for (let at = 0; at < text.length; at += n) out.push(filter.push(text.slice(at, at + n)));
  out.push(filter.flush());
  return out.filter((piece) => piece !== "");
}

describe("WholeWords", () => {
  it("ends every piece at the end of a word, however the tokens are cut", () => {
    const text = "It is 20.5 degrees in Reykjavík, isn't it?\nYes.";
    for (let n = 1; n < text.length; n++) {
      const out = through(new WholeWords(), text, n);
      expect(out.join("")).toBe(text);
      for (const piece of out.slice(0, -1)) expect(piece).toMatch(/\s$/);
    }
  });

  it("holds nothing back where a script has no spaces between its words", () => {
    expect(through(new WholeWords(), "今天罗马天晴。", 2)).toEqual(["今天", "罗马", "天晴", "。"]);
    expect(new WholeWords().push("วันนี้")).toBe("วันนี้");
  });

  it("holds no more than 200 characters back", () => {
    const words = new WholeWords();
    expect(words.push("a".repeat(200))).toBe("");
    expect(words.push("a")).toBe("a".repeat(201));
  });
});

describe("WithoutRepeating", () => {
  const said = "It is sunny in Rome, and it will ";
  const whole = "It is sunny in Rome, and it will stay so. It is warm, too.";
  const rest = whole.slice(said.length);

  it.each([
    ["goes on where it was cut", rest],
    ["goes on with a space too many", ` ${rest}`],
    ["begins anew", whole],
    ["begins anew after a line", `\n${whole}`],
    ["says the last three words once more", `and it will ${rest}`],
    ["says the last six words once more", `in Rome, and it will ${rest}`],
  ])("gives the same words when the model %s", (_, continuation) => {
    for (let n = 1; n <= continuation.length; n++) {
      expect(said + through(new WithoutRepeating(said), continuation, n).join("")).toBe(whole);
    }
  });

  it("keeps what is not a repetition", () => {
    const kept = (before: string, after: string) => through(new WithoutRepeating(before), after, 1).join("");
    expect(kept("It is very ", "very hot.")).toBe("very hot.");
    expect(kept("One two three ", "three four.")).toBe("three four.");
    expect(kept("It is sunny in Rome ", "It is raining in Oslo.")).toBe("It is raining in Oslo.");
    expect(kept("It is a cat ", "It is a category.")).toBe("It is a category.");
    expect(kept("", "anything")).toBe("anything");
  });

  it("sets a space where one is missing, and none before a full stop", () => {
    const kept = (before: string, after: string) => through(new WithoutRepeating(before), after, 1).join("");
    expect(kept("It is sunny.", "It is warm.")).toBe(" It is warm.");
    expect(kept("It is sunny", ".")).toBe(".");
    expect(kept("今天罗马", "天晴。")).toBe("天晴。");
    expect(kept("今天罗马", "今天罗马天晴。")).toBe("天晴。");
  });

  it("gives nothing when the model only says again what it had said", () => {
    const out = (after: string) => through(new WithoutRepeating("It is sunny in Rome today. "), after, 2).join("");
    expect(out("It is sunny in Rome today.")).toBe("");
    expect(out("It is sunny")).toBe("");
  });
});
