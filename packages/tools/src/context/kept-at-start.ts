/** Entries of a long conversation that stay at its beginning: what is left out lies before the entry at this place. */
export const keptAtStart = 2;
