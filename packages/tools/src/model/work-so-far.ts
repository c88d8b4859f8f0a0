// Where a job stands, out of its log and nothing else: a job that goes on after a crash takes the same way as one that never stopped.
// A step is in the log before any of its calls runs. So a step that failed half-way has done nothing, and can be asked again.

import type { ModelMessage, ToolModelMessage } from "ai";
import { type EndedCall, resultJson } from "../context/result-json.js";
import type { CallResult, JobEvent } from "../jobs/job.js";

/** A function that the model wants called. */
export interface AskedCall {
  /** Ours: made of the delegation, the step and the place in it, because ids of providers are unique in one answer only. */
  readonly call: string;
  readonly name: string;
  readonly arguments: unknown;
}

/** Where a job stands. */
export interface WorkSoFar {
  /** What the model and the tools have said, complete steps only. */
  readonly messages: readonly ModelMessage[];
  /** Complete ones. */
  readonly steps: number;
  /** Calls of the last step that have no result. */
  readonly calls: readonly AskedCall[];
  /** The last step asked for no call: the answer is complete. */
  readonly answered: boolean;
  /** Words of the step that is not complete. */
  readonly said: string;
  /** All words of the answer. */
  readonly answer: string;
}

type ToolResult = ToolModelMessage["content"][number];

/** Reads a log. */
export function readWork(log: readonly JobEvent[], delegation: string): WorkSoFar {
  const results = new Map<string, CallResult>();
  for (const event of log) if (event.type === "result") results.set(event.call, event);
  const messages: ModelMessage[] = [];
  let steps = 0;
  let said = "";
  let answer = "";
  let calls: AskedCall[] = [];
  let answered = false;
  for (const event of log) {
    if (event.type === "delta") {
      said += event.text;
      answer += event.text;
    } else if (event.type === "step") {
      said = "";
      steps++;
      const step = readStep(event.messages as readonly ModelMessage[], `${delegation}.${steps}`, results);
      messages.push(...step.messages);
      calls = step.open;
      answered = !step.asked;
    }
  }
  return { messages, steps, calls, answered, said, answer };
}

/** The id of the call that a delegation is, when it names a function. */
export function directCall(delegation: string): string {
  return `${delegation}.0.0`;
}

function readStep(step: readonly ModelMessage[], id: string, results: ReadonlyMap<string, CallResult>) {
  const refused = step.flatMap((message) => (message.role === "tool" ? message.content : []));
  const told: ToolResult[] = [];
  const open: AskedCall[] = [];
  let place = 0;
  for (const message of step) {
    if (message.role !== "assistant" || typeof message.content === "string") continue;
    for (const part of message.content) {
      if (part.type !== "tool-call" || part.providerExecuted) continue;
      const call = `${id}.${place++}`;
      const known = refused.find((result) => result.type === "tool-result" && result.toolCallId === part.toolCallId);
      const result = results.get(call);
      if (known !== undefined) told.push(known);
      else if (result !== undefined) told.push(toolResult(part, result));
      else open.push({ call, name: part.toolName, arguments: part.input });
    }
  }
  const messages: ModelMessage[] = step.filter((message) => message.role !== "tool");
  if (told.length > 0) messages.push({ role: "tool", content: told });
  return { messages, open, asked: place > 0 };
}

/**
 * A result as the model sees it. Written out here, as providers do with it too: of a value the AI SDK checks every part, in every
 * step, on the thread of the session.
 */
export function toolResult(
  part: { readonly toolCallId: string; readonly toolName: string },
  result: EndedCall,
): ToolResult {
  const { toolCallId, toolName } = part;
  return { type: "tool-result", toolCallId, toolName, output: { type: "text", value: quoted(toolName, result) } };
}

/** By result: it is the same in every step that comes after it, and may be long. */
const quotes = new WeakMap<EndedCall, { readonly tool: string; readonly text: string }>();

function quoted(tool: string, ended: EndedCall): string {
  const known = quotes.get(ended);
  if (known?.tool === tool) return known.text;
  const text = resultJson(tool, ended);
  quotes.set(ended, { tool, text });
  return text;
}
