// Every task of a page's thread, by Chromium's own trace: how long it took the processor, and what it was for.

/** Who began a task. */
export type TaskKind =
  /** A message of the worker, with all that the page does at once because of it. */
  | "messages"
  /** A timer of the page: sound that comes in, deadlines, and the opening. */
  | "timers"
  /** V8 of its own accord: garbage collection and compiling. */
  | "V8"
  /** The program that measures, through DevTools. */
  | "harness"
  /** Whatever else Chromium does. */
  | "browser";

/** One task of the page's thread. */
export interface PageTask {
  readonly kind: TaskKind;
  /** Of the processor: other programs do not lengthen it. */
  readonly cpuMs: number;
}

interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  /** Begin, microseconds. */
  readonly ts: number;
  readonly dur?: number;
  /** Microseconds of the processor. */
  readonly tdur?: number;
  readonly args?: {
    readonly name?: string;
    /** Where in Chromium's source the task was posted. */
    readonly src_file?: string;
    /** Of a message between processes. */
    readonly chrome_mojo_event_info?: { readonly mojo_interface_tag?: string };
  };
}

/** By Chromium's source files. */
const kinds: readonly (readonly [RegExp, TaskKind])[] = [
  [/dedicated_worker_object_proxy/, "messages"],
  [/dom_timer/, "timers"],
  [/^v8\//, "V8"],
];

/** Reads a trace of the category `toplevel`. */
export function tasksOfPage(trace: Buffer): PageTask[] {
  const { traceEvents } = JSON.parse(trace.toString("utf8")) as { traceEvents: TraceEvent[] };
  const threads = traceEvents.filter(({ name, args }) => name === "thread_name" && args?.name === "CrRendererMain");
  const threadsEvents = threads.map(({ pid, tid }) =>
    traceEvents.filter((event) => event.pid === pid && event.tid === tid),
  );
  // Other renderers of the browser do next to nothing.
  const events = threadsEvents.reduce((most, one) => (one.length > most.length ? one : most), []);
  const asked = events.filter(
    ({ args }) => args?.chrome_mojo_event_info?.mojo_interface_tag === "blink.mojom.DevToolsSession",
  );
  return events.flatMap((task) => {
    const { name, ts, dur = 0, tdur, args } = task;
    if (!name.endsWith("RunTask") || tdur === undefined) return [];
    const file = args?.src_file ?? "";
    const isHarness = asked.some((message) => message.ts >= ts && message.ts <= ts + dur);
    const kind = isHarness ? "harness" : (kinds.find(([pattern]) => pattern.test(file))?.[1] ?? "browser");
    return [{ kind, cpuMs: tdur / 1000 }];
  });
}

/** The longest task of each kind, in words: `messages 2.1, timers 1.8 ms`. */
export function longestByKind(tasks: readonly PageTask[]): string {
  const longest = new Map<TaskKind, number>();
  for (const { kind, cpuMs } of tasks) longest.set(kind, Math.max(longest.get(kind) ?? 0, cpuMs));
  const sorted = [...longest].sort(([, a], [, b]) => b - a);
  return `${sorted.map(([kind, ms]) => `${kind} ${ms.toFixed(1)}`).join(", ")} ms`;
}
