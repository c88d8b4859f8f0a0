// What the checks need of vitest where vitest does not run: `expect`. In bundles for pages it stands for "vitest".

import { chai, JestAsymmetricMatchers, JestChaiExpect } from "@vitest/expect";

chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);

/** As vitest's. */
export const expect = chai.expect;

const registersNothing = () => {};
export const afterAll = registersNothing;
export const beforeAll = registersNothing;
export const describe = Object.assign(registersNothing, { skipIf: () => registersNothing });
export const test = registersNothing;
