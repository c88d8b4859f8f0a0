// Right messages of a Moshi server, every kind that its protocol names: for tests that break them.

const bytes = (text: string) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const words = (kind: number, text: string) => Uint8Array.from([kind, ...new TextEncoder().encode(text)]);

/** First sound of the Python server (moshi 0.2.13, sphn 0.2.1): header pages, and silence in two packets. */
const firstSound = bytes(
  "AU9nZ1MAAgAAAAAAAAAAKgAAAAAAAACu/vPxARNPcHVzSGVhZAEBAA+AuwAAAAAAT2dnUwAAAAAAAAAAAAAqAAAAAQAAAEs8AXEBG09wdXNUYWdzCwAAAEt5dXRhaU1vc2hpAAAAAE9nZ1MAAIAHAAAAAAAAKgAAAAIAAAAINsBQATNqGAvkwTbsxY2MSUhKMXZBmF31+uNfn1uAAAfJcifhROpV8fDA0bDAwj9JDr6xGgfsfsBPZ2dTAAAADwAAAAAAACoAAAADAAAAiaHGKgEzaQfJecjJV8CiEiP6Wc4a0ihf9rEaJqSmpIAHyXnIyVfAohIj+lnOGtIoX/axGiakpqSA",
);
/** What follows: two packets of a tone. */
const sound = bytes(
  "AU9nZ1MAAIBSAAAAAAAAKgAAAAwAAAD3JpOGAXBQzg3PuZkH7HJykFzyZ2R7+q7iK+S9hAWaqyrZPMIpbJo6DwysNhq6kaoFopev90sAZnd6eESV9bZM7RlR1olyCZwjjLs1vQWKZNUsXwixGQBI84Fm/dYntl44OPo83iE1XKxOd1DEcfRTWoYmBSJAT2dnUwAAAFoAAAAAAAAqAAAADQAAALNoTX8BfFDN0a+5mQfscf2o0kvS1kk5b4AIjn7xqmBXhvcy21D//Xkc46hMao6aBjWHPyTmQLBmE/aDWwNi1MPu7QC9pJ/zsP4mxMu6ag8brh1937wvqfUFzB7H8X9TcpGyXNvvtxUkNOE44vrpvk/pIBN4ro5Or/WbW+SygwQaNBU=",
);

/** Messages of the server, in an order in which they may come. */
export const moshiCorpus: readonly Uint8Array[] = [
  words(4, '{"model":"moshiko","instance":"a"}'),
  Uint8Array.of(0),
  Uint8Array.of(0, 0, 0, 0, 0, 1, 0, 0, 0),
  firstSound,
  sound,
  words(2, " Hel"),
  words(2, "lo"),
  words(2, "<0xE2>"),
  Uint8Array.from([7, 3, ...new TextEncoder().encode(" world")]),
  words(5, "out of memory"),
  Uint8Array.of(3, 1),
  Uint8Array.of(6),
  Uint8Array.of(8, 1, 2, 3),
];
