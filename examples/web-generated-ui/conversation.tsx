// What both said and what the tools do, in one column, oldest first. The question is spoken, or typed: the model hears both.

import type { Engine } from "@microturn/core";
import { useDuplexSession } from "@microturn/media/react";
import type { BackgroundModel } from "@microturn/tools";
import type { FormEvent } from "react";
import { ToolCall } from "./tool-call.js";

/** On a machine with other work, `?budget=8000` behind the address gives a micro-turn 8 s: replies come late then, and no sound is lost. */
const budgetMs = Number(new URLSearchParams(location.search).get("budget"));
const patience = budgetMs >= 1 ? { budgetMs } : {};

/** @param props.background - also takes what the user decides on calls that wait for that */
export function Conversation({
  engine,
  background,
}: {
  readonly engine: Engine;
  readonly background: BackgroundModel;
}) {
  const talk = useDuplexSession({ engine, background, ...patience });
  const { state, session, transcript, toolCalls, progress, error } = talk;
  const decide = (call: string, allowed: boolean) =>
    allowed
      ? background.approve(call, { session })
      : background.reject(call, "the user pressed the button against it", { session });

  function type(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault();
    const text = String(new FormData(event.currentTarget).get("text")).trim();
    if (text !== "") session?.sendText(text);
    event.currentTarget.reset();
  }

  const column = [
    ...transcript.map((line) => ({
      turnIndex: line.turnIndex,
      shown: (
        <p key={`${line.speaker} ${line.turnIndex}`} data-who={line.speaker}>
          <b>{line.speaker === "user" ? "you" : "mini"}:</b> {line.text}
        </p>
      ),
    })),
    ...toolCalls.map((call) => ({
      turnIndex: call.turnIndex,
      shown: <ToolCall key={call.call} call={call} decide={(allowed) => void decide(call.call, allowed)} />,
    })),
  ].sort((one, other) => one.turnIndex - other.turnIndex);

  return (
    <main>
      <h1>Talk with mini</h1>
      {state === "open" ? (
        <button id="stop" type="button" onClick={() => void talk.stop()}>
          Stop
        </button>
      ) : (
        <button id="start" type="button" disabled={state === "loading"} onClick={() => void talk.start()}>
          Start
        </button>
      )}
      <p id="status" role="status">
        {error?.message ?? (state === "loading" ? `loading: ${progress?.stage ?? ""}` : state)}
      </p>
      <div id="log" role="log">
        {column.map(({ shown }) => shown)}
      </div>
      <form onSubmit={type}>
        <input name="text" aria-label="What you would say" disabled={session === undefined} autoComplete="off" />
        <button type="submit" disabled={session === undefined}>
          Say
        </button>
      </form>
    </main>
  );
}
