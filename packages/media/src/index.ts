// The public names of @microturn/media, written by hand: adding one is a decision.
export {};
