// Right messages of Gemini Live, every kind that its published types name: for tests that break them.

const sound = "AAABAAIAAwAEAAUABgAHAAgACQAKAAsADAANAA4ADwA=";

/** Messages of the server, as text. */
export const geminiLiveCorpus: readonly string[] = [
  { setupComplete: {} },
  { setupComplete: { sessionId: "s-1" } },
  {
    serverContent: {
      modelTurn: { role: "model", parts: [{ inlineData: { mimeType: "audio/pcm;rate=24000", data: sound } }] },
    },
  },
  { serverContent: { modelTurn: { parts: [{ text: "thinking", thought: true }, { inlineData: { data: sound } }] } } },
  { serverContent: { outputTranscription: { text: "Good morning. " } } },
  { serverContent: { outputTranscription: { text: "How are you?", finished: true, languageCode: "en-US" } } },
  {
    serverContent: {
      inputTranscription: { text: " hello", startOffset: "0.5s", endOffset: "1.2s", words: [{ word: "hello" }] },
    },
  },
  { serverContent: { interimInputTranscription: { text: "hel" } } },
  { serverContent: { interrupted: true } },
  { serverContent: { interrupted: true, modelTurn: { parts: [{ inlineData: { data: sound } }] } } },
  { serverContent: { generationComplete: true } },
  { serverContent: { turnComplete: true, turnCompleteReason: "RESPONSE_REJECTED", interactionStatus: "IDLE" } },
  { serverContent: { waitingForInput: true, groundingMetadata: { webSearchQueries: ["weather"] } } },
  { toolCall: { functionCalls: [{ id: "call-1", name: "weather", args: { city: "Rome" } }] } },
  {
    toolCall: {
      functionCalls: [
        { id: "call-2", name: "time" },
        { id: "call-3", name: "look", args: { n: [1, { x: null }] } },
      ],
    },
  },
  { toolCallCancellation: { ids: ["call-1", "call-3"] } },
  { sessionResumptionUpdate: { newHandle: "handle-1", resumable: true, lastConsumedClientMessageIndex: "17" } },
  { sessionResumptionUpdate: { resumable: false } },
  { goAway: { timeLeft: "50s" } },
  {
    usageMetadata: {
      promptTokenCount: 7,
      totalTokenCount: 9,
      responseTokensDetails: [{ modality: "AUDIO", tokenCount: 2 }],
    },
  },
  { voiceActivity: { voiceActivityType: "ACTIVITY_START", audioOffset: "1.5s" } },
  { voiceActivityDetectionSignal: { vadSignalType: "VAD_SIGNAL_TYPE_SOS" } },
  { serverContent: { turnComplete: true }, usageMetadata: { totalTokenCount: 9 } },
].map((message) => JSON.stringify(message));
