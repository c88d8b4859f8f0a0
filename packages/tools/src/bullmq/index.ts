// The public names of @microturn/tools/bullmq, written by hand: adding one is a decision.

export {};
