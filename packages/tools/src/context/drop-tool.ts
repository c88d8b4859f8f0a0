// The tool by which the background model itself ends earlier work. Sessions know its name too, and need no prompt for that: it stands
// in a module of its own, so that what a page loads at first is small.

/** Added when other work of the conversation is under way. */
export const dropToolName = "drop_earlier_work";

/** What the model is told of {@link dropToolName}. */
export const dropToolDescription =
  "Ends other work for the user that is under way, because the task takes its place or the user no longer wants it. Work that the user still waits for goes on by itself.";
