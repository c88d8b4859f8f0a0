// The public names of @microturn/backend-web, written by hand: adding one is a decision.
export {};
