// One call of a tool, from its turn to its result: what it is at, what the user has to decide, and what came of it.

import type { ToolCallView } from "@microturn/media/react";
import type { ReactNode } from "react";
import { PlainText, Result } from "./result.js";

/** @param props.decide - hears which button was pressed, of a call that waits for that */
export function ToolCall({
  call,
  decide,
}: {
  readonly call: ToolCallView;
  readonly decide: (allowed: boolean) => void;
}) {
  return (
    <section className="call" data-tool={call.name} data-state={call.state}>
      <h2>{call.name}</h2>
      {body(call, decide)}
    </section>
  );
}

function body(call: ToolCallView, decide: (allowed: boolean) => void): ReactNode {
  switch (call.state) {
    case "queued":
      return <p>waits for its turn</p>;
    case "awaiting-approval":
      return (
        <>
          <p>Shall this be done? {call.irreversible && "It cannot be undone."}</p>
          <PlainText value={call.arguments} />
          <button type="button" onClick={() => decide(true)}>
            Allow
          </button>{" "}
          <button type="button" onClick={() => decide(false)}>
            Do not
          </button>
        </>
      );
    case "running":
      return (
        <p>
          <progress aria-label={call.name} /> {call.progress ?? "at work"}
        </p>
      );
    case "done":
      return <Result name={call.name} result={call.result} />;
    default:
      return (
        <p>
          {call.state}: {call.error}
        </p>
      );
  }
}
