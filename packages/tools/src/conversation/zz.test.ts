import { it } from "vitest";
import { answer, bench, openScripted } from "./scripted-conversation.js";
it("x", async () => {
    const { clock, background, lost } = bench({ weather: (run) => answer(run, "abcdefg ".repeat(10_000)) }, { deliver: "now" });
    const user = await openScripted(background, clock);
    await user.delegate({ task: "weather", id: "call-1", name: "weather", arguments: { city: "Rome" } });
    for (let i = 0; i < 100 && user.entered.length === 0; i++) await user.turns(1);
    console.log(user.entered.map(e => e.text.length), lost.map(l => [l.reason, l.text.length]).slice(0,5), lost.length, JSON.stringify(user.told.at(-1)).slice(0, 300), user.told.length, background.running.length, user.session.closed, clock.now());
});
