"""Runs `vllm_omni.clients.duplex` of the published package vllm-omni, unmodified, against a server of its duplex wire. Needs
`pip install websockets pybase64` and `pip install --no-deps vllm-omni`.

    python vendor.py --url ws://127.0.0.1:8099

Says in lines of JSON what the client made of it: an opened session, each response, and the end.
"""

import argparse
import asyncio
import importlib.util
import json
import sys
import types


def vendor_package() -> None:
    """The package without its `__init__`, which imports vLLM."""
    spec = importlib.util.find_spec("vllm_omni")
    if spec is None:
        sys.exit("the package vllm_omni is not installed: pip install --no-deps vllm-omni")
    package = types.ModuleType("vllm_omni")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules["vllm_omni"] = package


def say(what: str, **facts) -> None:
    print(json.dumps({"what": what, **facts}), flush=True)


async def main(url: str) -> None:
    from vllm_omni.clients import duplex

    config = duplex.SessionConfig(playback_commit_policy="ack_only", instructions="Be brief.")
    try:
        async with duplex.DuplexClient(url, model="m", config=config) as client:
            say("open", session=client.session_id, capabilities=client.session_info["capabilities"])
            tone = b"".join((1000 + i % 20000).to_bytes(2, "little") for i in range(16000))
            await client.stream_pcm(tone, realtime=False)
            count = 0
            async for response in client.responses():
                if response.decision == "listen" and response.response_id is None:
                    say("listen")
                    continue
                count += 1
                audio = b""
                async for chunk in response.audio():
                    audio += chunk
                    await client.ack_playback(response.played_ms, response_id=response.response_id)
                    if count == 3 and audio == chunk:
                        await client.cancel_response(response.response_id)
                await response.wait()
                status = response.done_event.raw["response"]["status"]
                facts = {"text": response.transcript, "samples": len(audio) // 2, "status": status}
                say("response", decision=response.decision, resumed=client.resume_token, **facts)
                if count == 3:
                    break
        say("closed")
    except duplex.DuplexProtocolError as error:
        say("refused", code=error.code, problem=str(error))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    vendor_package()
    asyncio.run(main(parser.parse_args().url))
