// Every engine with a background, held to the suite.

import { describeBackground } from "./background-suite.js";
import { readingEngine, sayingEngine } from "./local-services.js";
import {
  geminiBlocking,
  geminiNonBlocking,
  gptLiveClient,
  gptLiveResponses,
  openaiRealtime,
  openaiRealtimeInWords,
  vllmOmni,
} from "./remote-services.js";

describeBackground(sayingEngine);
describeBackground(readingEngine);
describeBackground(openaiRealtime);
describeBackground(openaiRealtimeInWords);
describeBackground(gptLiveResponses);
describeBackground(gptLiveClient);
describeBackground(geminiBlocking);
describeBackground(geminiNonBlocking);
describeBackground(vllmOmni);
