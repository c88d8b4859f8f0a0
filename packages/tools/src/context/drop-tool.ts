// The tool by which the background model itself ends earlier work. Sessions know its name too, and need no prompt for that: it stands
// in a module of its own, so that what a page loads at first is small.

/** Added when other work of the conversation is under way. */
export const dropToolName = "drop_earlier_work";
