// What GPT-Live refuses, by its types (openai 7.59) and learn.microsoft.com/azure/foundry/openai/gpt-live-reference:
// its objects are strict. Token counts are estimated at four characters each, which only tests of limits notice.

/** A refusal, as the `error` event tells it. */
export interface Refused {
  readonly code: string;
  readonly message: string;
  readonly param?: string;
}

type Shape = { readonly [field: string]: true | "?" | Shape };

/** Fields of each message: `true` must be there, `"?"` may, an object is looked into and may be absent. */
const messages: Readonly<Record<string, Shape>> = {
  "session.start": {
    session: {
      ...{ model: true, instructions: "?", input: "?", delegation: "?", store: "?", triggers: "?", client: "?" },
      safety_identifier: "?",
      audio: { format: { type: true, rate: true }, output: { voice: "?" } },
    },
  },
  "session.update": { session: { delegation: "?", triggers: "?" } },
  "session.input_audio.append": { audio: true },
  "session.input_audio.mute": {},
  "session.input_audio.unmute": {},
  "session.instructions.append": { content: true, delegation_id: true },
  "session.thinking.append": { content: true, delegation_id: true },
  "session.commentary.append": { content: true, delegation_id: true },
  "response.item.create": { item: true },
  "response.create": {},
  "session.close": {},
};

const delegations: Readonly<Record<string, Shape>> = {
  client: { type: true, acknowledgement_delay_ms: "?" },
  responses: {
    ...{ type: true, acknowledgement_delay_ms: "?" },
    responses: {
      ...{ model: true, instructions: "?", tools: "?", tool_choice: "?", parallel_tool_calls: "?", reasoning: "?" },
      ...{ text: "?", service_tier: "?", max_output_tokens: "?" },
    },
  },
};

const maxAppendTokens = 500;
const maxInputMessages = 128;
const maxInputTokens = 8192;

/** Checks a message by itself. @returns undefined if it is right */
export function checkMessage(message: Record<string, unknown>): Refused | undefined {
  const { type } = message;
  const shape = typeof type === "string" ? messages[type] : undefined;
  if (shape === undefined)
    return { code: "invalid_event", message: `Unknown event type '${String(type)}'.`, param: "type" };
  const wrong = checkShape(message, { type: true, event_id: "?", ...shape }, "");
  if (wrong !== undefined) return wrong;
  if (type === "session.start") return checkStart(message.session as Record<string, unknown>);
  if (String(type).endsWith(".append") && type !== "session.input_audio.append") return checkAppend(message);
  return undefined;
}

function checkShape(value: unknown, shape: Shape, path: string): Refused | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { code: "invalid_type", message: `Invalid type for '${path}': expected an object.`, param: path };
  }
  const prefix = path === "" ? "" : `${path}.`;
  for (const key of Object.keys(value)) {
    if (Object.hasOwn(shape, key)) continue;
    return { code: "unknown_parameter", message: `Unknown parameter: '${prefix}${key}'.`, param: prefix + key };
  }
  for (const [key, rule] of Object.entries(shape)) {
    const field = (value as Record<string, unknown>)[key];
    if (rule === true && field === undefined) {
      // A missing delegation_id is told like this, too.
      return {
        code: "unknown_parameter",
        message: `Missing required parameter: '${prefix}${key}'.`,
        param: prefix + key,
      };
    }
    if (typeof rule !== "object" || field === undefined) continue;
    const wrong = checkShape(field, rule, prefix + key);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function checkStart(session: Record<string, unknown>): Refused | undefined {
  const format = (session.audio as { format?: { type: string; rate: number } } | undefined)?.format;
  if (format !== undefined) {
    const rates: Record<string, readonly number[]> = {
      "audio/pcm": [16_000, 24_000],
      "audio/pcmu": [8000],
      "audio/pcma": [8000],
    };
    if (rates[format.type]?.includes(format.rate) !== true) {
      return { code: "invalid_value", message: "Invalid audio format.", param: "session.audio.format" };
    }
  }
  const delegation = session.delegation as { type?: string } | null | undefined;
  if (delegation !== undefined && delegation !== null) {
    const shape = delegations[String(delegation.type)];
    if (shape === undefined)
      return { code: "invalid_value", message: "Invalid type.", param: "session.delegation.type" };
    const wrong = checkShape(delegation, shape, "session.delegation");
    if (wrong !== undefined) return wrong;
  }
  return session.input === undefined ? undefined : checkInput(session.input);
}

function checkInput(input: unknown): Refused | undefined {
  const bad = (message: string): Refused => ({ code: "invalid_value", message, param: "session.input" });
  if (!Array.isArray(input)) return bad("Expected an array.");
  if (input.length > maxInputMessages) return bad(`At most ${maxInputMessages} messages.`);
  let tokens = 0;
  for (const item of input) {
    const wrong = checkShape(item, { type: "?", id: "?", status: "?", role: true, content: true }, "session.input");
    if (wrong !== undefined) return wrong;
    const { role, content } = item as { role: string; content: { type: string; text: string }[] };
    if (!["developer", "user", "assistant"].includes(role)) return bad(`Invalid role '${role}'.`);
    if (!Array.isArray(content) || content.length !== 1) return bad("Exactly one text part for each message.");
    if (content[0].type !== (role === "assistant" ? "output_text" : "input_text")) return bad("Wrong type of content.");
    tokens += content[0].text.length / 4;
  }
  return tokens > maxInputTokens ? bad(`At most ${maxInputTokens} tokens.`) : undefined;
}

function checkAppend({ content, delegation_id: id }: Record<string, unknown>): Refused | undefined {
  if (typeof content !== "string" || content === "") {
    return { code: "invalid_type", message: "Expected text.", param: "content" };
  }
  if (content.length / 4 > maxAppendTokens) {
    return { code: "string_above_max_length", message: `At most ${maxAppendTokens} tokens.`, param: "content" };
  }
  if (id !== null && typeof id !== "string") {
    return { code: "invalid_type", message: "Expected text or null.", param: "delegation_id" };
  }
  return undefined;
}
