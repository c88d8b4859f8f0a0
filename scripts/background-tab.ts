// A tab as people have them: behind another one it is hidden, slowed down and perhaps frozen. Playwright's own pages always count as
// seen, so this one is driven without it, by the browser's debugging protocol.

import type { Browser } from "playwright-core";

/** A tab that can go into the background. */
export interface BackgroundTab {
  /** Runs a function in its page, as a user's touch would. It must not use anything from outside. */
  evaluate<Result>(run: () => Result | Promise<Result>): Promise<Result>;
  /** Opens another tab in front of it. */
  hide(): Promise<void>;
  /** Comes back to the front. */
  show(): Promise<void>;
  /** What browsers do to a hidden tab after a while: nothing of its page runs until it is thawed. Only while it is hidden. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  close(): Promise<void>;
}

/** Opens a tab of a browser that was started with `throttles` (see `openChromium`), and waits for its page. */
export async function openBackgroundTab(browser: Browser, url: string): Promise<BackgroundTab> {
  const protocol = await browser.newBrowserCDPSession();
  const { targetId } = await protocol.send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await protocol.send("Target.attachToTarget", { targetId, flatten: false });
  const open = new Map<number, (answer: Answer) => void>();
  let loaded: () => void = () => {};
  protocol.on("Target.receivedMessageFromTarget", ({ message }) => {
    const answer: Answer = JSON.parse(message);
    if (answer.method === "Page.loadEventFired") loaded();
    open.get(answer.id)?.(answer);
    open.delete(answer.id);
  });
  let next = 0;
  const send = async (method: string, params: object = {}): Promise<unknown> => {
    const id = next++;
    const answered = new Promise<Answer>((resolve) => open.set(id, resolve));
    const message = JSON.stringify({ id, method, params });
    await protocol.send("Target.sendMessageToTarget", { sessionId, message });
    const { error, result } = await answered;
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result;
  };
  const evaluate = async <Result>(run: () => Result | Promise<Result>): Promise<Result> => {
    const { result, exceptionDetails } = (await send("Runtime.evaluate", {
      expression: `(${run})()`,
      ...{ awaitPromise: true, returnByValue: true, userGesture: true },
    })) as Evaluated<Result>;
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return result.value;
  };
  const reach = async (state: string) => {
    while ((await evaluate(() => document.visibilityState as string)) !== state) await later(20);
  };
  await send("Page.enable");
  const loading = new Promise<void>((resolve) => {
    loaded = resolve;
  });
  await send("Page.navigate", { url });
  await loading;
  return {
    evaluate,
    async hide() {
      await protocol.send("Target.createTarget", { url: "about:blank" });
      await reach("hidden");
    },
    async show() {
      await protocol.send("Target.activateTarget", { targetId });
      await reach("visible");
    },
    freeze: async () => void (await send("Page.setWebLifecycleState", { state: "frozen" })),
    thaw: async () => void (await send("Page.setWebLifecycleState", { state: "active" })),
    close: async () => void (await protocol.send("Target.closeTarget", { targetId })),
  };
}

/** To a call, or an event, which has a method and no id. */
interface Answer {
  readonly id: number;
  readonly method?: string;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

interface Evaluated<Result> {
  readonly result: { readonly value: Result };
  readonly exceptionDetails?: unknown;
}

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
