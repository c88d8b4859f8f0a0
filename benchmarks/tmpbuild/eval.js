import {createRequire as __cr} from 'module'; const require=__cr(import.meta.url);
var __create = Object.create;
var __defProp = Object.defineProperty;
var __getOwnPropDesc = Object.getOwnPropertyDescriptor;
var __getOwnPropNames = Object.getOwnPropertyNames;
var __getProtoOf = Object.getPrototypeOf;
var __hasOwnProp = Object.prototype.hasOwnProperty;
var __knownSymbol = (name, symbol) => (symbol = Symbol[name]) ? symbol : /* @__PURE__ */ Symbol.for("Symbol." + name);
var __typeError = (msg) => {
  throw TypeError(msg);
};
var __commonJS = (cb, mod) => function __require() {
  return mod || (0, cb[__getOwnPropNames(cb)[0]])((mod = { exports: {} }).exports, mod), mod.exports;
};
var __copyProps = (to, from, except, desc) => {
  if (from && typeof from === "object" || typeof from === "function") {
    for (let key of __getOwnPropNames(from))
      if (!__hasOwnProp.call(to, key) && key !== except)
        __defProp(to, key, { get: () => from[key], enumerable: !(desc = __getOwnPropDesc(from, key)) || desc.enumerable });
  }
  return to;
};
var __toESM = (mod, isNodeMode, target) => (target = mod != null ? __create(__getProtoOf(mod)) : {}, __copyProps(
  // If the importer is in node compatibility mode or this is not an ESM
  // file that has been converted to a CommonJS file using a Babel-
  // compatible transform (i.e. "__esModule" has not been set), then set
  // "default" to the CommonJS "module.exports" for node compatibility.
  isNodeMode || !mod || !mod.__esModule ? __defProp(target, "default", { value: mod, enumerable: true }) : target,
  mod
));
var __using = (stack, value, async) => {
  if (value != null) {
    if (typeof value !== "object" && typeof value !== "function") __typeError("Object expected");
    var dispose, inner;
    if (async) dispose = value[__knownSymbol("asyncDispose")];
    if (dispose === void 0) {
      dispose = value[__knownSymbol("dispose")];
      if (async) inner = dispose;
    }
    if (typeof dispose !== "function") __typeError("Object not disposable");
    if (inner) dispose = function() {
      try {
        inner.call(this);
      } catch (e) {
        return Promise.reject(e);
      }
    };
    stack.push([async, dispose, value]);
  } else if (async) {
    stack.push([async]);
  }
  return value;
};
var __callDispose = (stack, error, hasError) => {
  var E = typeof SuppressedError === "function" ? SuppressedError : function(e, s, m, _) {
    return _ = Error(m), _.name = "SuppressedError", _.error = e, _.suppressed = s, _;
  };
  var fail = (e) => error = hasError ? new E(e, error, "An error was suppressed during disposal") : (hasError = true, e);
  var next2 = (it) => {
    while (it = stack.pop()) {
      try {
        var result = it[1] && it[1].call(it[2]);
        if (it[0]) return Promise.resolve(result).then(next2, (e) => (fail(e), next2()));
      } catch (e) {
        fail(e);
      }
    }
    if (hasError) throw error;
  };
  return next2();
};

// node_modules/eventemitter3/index.js
var require_eventemitter3 = __commonJS({
  "node_modules/eventemitter3/index.js"(exports, module) {
    "use strict";
    var has = Object.prototype.hasOwnProperty;
    var prefix = "~";
    function Events() {
    }
    if (Object.create) {
      Events.prototype = /* @__PURE__ */ Object.create(null);
      if (!new Events().__proto__) prefix = false;
    }
    function EE(fn, context, once2) {
      this.fn = fn;
      this.context = context;
      this.once = once2 || false;
    }
    function addListener(emitter, event, fn, context, once2) {
      if (typeof fn !== "function") {
        throw new TypeError("The listener must be a function");
      }
      var listener = new EE(fn, context || emitter, once2), evt = prefix ? prefix + event : event;
      if (!emitter._events[evt]) emitter._events[evt] = listener, emitter._eventsCount++;
      else if (!emitter._events[evt].fn) emitter._events[evt].push(listener);
      else emitter._events[evt] = [emitter._events[evt], listener];
      return emitter;
    }
    function clearEvent(emitter, evt) {
      if (--emitter._eventsCount === 0) emitter._events = new Events();
      else delete emitter._events[evt];
    }
    function EventEmitter2() {
      this._events = new Events();
      this._eventsCount = 0;
    }
    EventEmitter2.prototype.eventNames = function eventNames() {
      var names = [], events, name;
      if (this._eventsCount === 0) return names;
      for (name in events = this._events) {
        if (has.call(events, name)) names.push(prefix ? name.slice(1) : name);
      }
      if (Object.getOwnPropertySymbols) {
        return names.concat(Object.getOwnPropertySymbols(events));
      }
      return names;
    };
    EventEmitter2.prototype.listeners = function listeners(event) {
      var evt = prefix ? prefix + event : event, handlers = this._events[evt];
      if (!handlers) return [];
      if (handlers.fn) return [handlers.fn];
      for (var i = 0, l = handlers.length, ee = new Array(l); i < l; i++) {
        ee[i] = handlers[i].fn;
      }
      return ee;
    };
    EventEmitter2.prototype.listenerCount = function listenerCount(event) {
      var evt = prefix ? prefix + event : event, listeners = this._events[evt];
      if (!listeners) return 0;
      if (listeners.fn) return 1;
      return listeners.length;
    };
    EventEmitter2.prototype.emit = function emit2(event, a1, a2, a3, a4, a5) {
      var evt = prefix ? prefix + event : event;
      if (!this._events[evt]) return false;
      var listeners = this._events[evt], len = arguments.length, args, i;
      if (listeners.fn) {
        if (listeners.once) this.removeListener(event, listeners.fn, void 0, true);
        switch (len) {
          case 1:
            return listeners.fn.call(listeners.context), true;
          case 2:
            return listeners.fn.call(listeners.context, a1), true;
          case 3:
            return listeners.fn.call(listeners.context, a1, a2), true;
          case 4:
            return listeners.fn.call(listeners.context, a1, a2, a3), true;
          case 5:
            return listeners.fn.call(listeners.context, a1, a2, a3, a4), true;
          case 6:
            return listeners.fn.call(listeners.context, a1, a2, a3, a4, a5), true;
        }
        for (i = 1, args = new Array(len - 1); i < len; i++) {
          args[i - 1] = arguments[i];
        }
        listeners.fn.apply(listeners.context, args);
      } else {
        var length = listeners.length, j;
        for (i = 0; i < length; i++) {
          if (listeners[i].once) this.removeListener(event, listeners[i].fn, void 0, true);
          switch (len) {
            case 1:
              listeners[i].fn.call(listeners[i].context);
              break;
            case 2:
              listeners[i].fn.call(listeners[i].context, a1);
              break;
            case 3:
              listeners[i].fn.call(listeners[i].context, a1, a2);
              break;
            case 4:
              listeners[i].fn.call(listeners[i].context, a1, a2, a3);
              break;
            default:
              if (!args) for (j = 1, args = new Array(len - 1); j < len; j++) {
                args[j - 1] = arguments[j];
              }
              listeners[i].fn.apply(listeners[i].context, args);
          }
        }
      }
      return true;
    };
    EventEmitter2.prototype.on = function on(event, fn, context) {
      return addListener(this, event, fn, context, false);
    };
    EventEmitter2.prototype.once = function once2(event, fn, context) {
      return addListener(this, event, fn, context, true);
    };
    EventEmitter2.prototype.removeListener = function removeListener(event, fn, context, once2) {
      var evt = prefix ? prefix + event : event;
      if (!this._events[evt]) return this;
      if (!fn) {
        clearEvent(this, evt);
        return this;
      }
      var listeners = this._events[evt];
      if (listeners.fn) {
        if (listeners.fn === fn && (!once2 || listeners.once) && (!context || listeners.context === context)) {
          clearEvent(this, evt);
        }
      } else {
        for (var i = 0, events = [], length = listeners.length; i < length; i++) {
          if (listeners[i].fn !== fn || once2 && !listeners[i].once || context && listeners[i].context !== context) {
            events.push(listeners[i]);
          }
        }
        if (events.length) this._events[evt] = events.length === 1 ? events[0] : events;
        else clearEvent(this, evt);
      }
      return this;
    };
    EventEmitter2.prototype.removeAllListeners = function removeAllListeners(event) {
      var evt;
      if (event) {
        evt = prefix ? prefix + event : event;
        if (this._events[evt]) clearEvent(this, evt);
      } else {
        this._events = new Events();
        this._eventsCount = 0;
      }
      return this;
    };
    EventEmitter2.prototype.off = EventEmitter2.prototype.removeListener;
    EventEmitter2.prototype.addListener = EventEmitter2.prototype.on;
    EventEmitter2.prefixed = prefix;
    EventEmitter2.EventEmitter = EventEmitter2;
    if ("undefined" !== typeof module) {
      module.exports = EventEmitter2;
    }
  }
});

// benchmarks/src/behaviour/eval.ts
import { mkdir, readFile as readFile4, writeFile } from "node:fs/promises";
import { join as join3 } from "node:path";
import { parseArgs } from "node:util";

// packages/backend-node/src/model-folder.ts
import { open, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

// packages/core/src/errors.ts
var brand = /* @__PURE__ */ Symbol.for("microturn.DuplexError");
var DuplexError = class extends Error {
  name = "DuplexError";
  code;
  /** Facts about the failure, by name; never needed to understand the message. */
  details;
  /** Marks instances across duplicate installs of this package. */
  [brand] = true;
  constructor(code, message, options = {}) {
    super(message, options.cause === void 0 ? void 0 : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }
  /** Whether a value is a DuplexError, also one of another copy of this package; with `code`, of that code only. */
  static is(value, code) {
    if (typeof value !== "object" || value === null || !(brand in value)) return false;
    return code === void 0 || value.code === code;
  }
};

// packages/core/src/audio/fft.ts
var ComplexFft = class {
  size;
  #passes;
  #scratchRe;
  #scratchIm;
  /**
   * @param size - points, a product of powers of 2, 3 and 5
   * @throws RangeError for any other size
   */
  constructor(size) {
    this.size = size;
    this.#passes = planPasses(size);
    this.#scratchRe = new Float64Array(size);
    this.#scratchIm = new Float64Array(size);
  }
  /**
   * Transforms in place: `X[k] = sum over n of x[n] exp(-2πi kn/size)`, not scaled.
   *
   * @param re - real parts, `[size]`
   * @param im - imaginary parts, `[size]`
   * @throws RangeError if a length is not `size`
   */
  forward(re, im) {
    this.#check(re, im);
    this.#run(re, im);
  }
  /**
   * Undoes {@link forward} in place: `x[n] = 1/size sum over k of X[k] exp(2πi kn/size)`.
   *
   * @throws RangeError if a length is not `size`
   */
  inverse(re, im) {
    this.#check(re, im);
    this.#run(im, re);
    const scale = 1 / this.size;
    for (let i = 0; i < this.size; i++) {
      re[i] *= scale;
      im[i] *= scale;
    }
  }
  #check(re, im) {
    if (re.length !== this.size || im.length !== this.size) {
      throw new RangeError(`fft: expected re and im of length ${this.size}, got ${re.length} and ${im.length}`);
    }
  }
  #run(re, im) {
    let fromRe = re;
    let fromIm = im;
    let toRe = this.#scratchRe;
    let toIm = this.#scratchIm;
    for (let i = 0; i < this.#passes.length; i++) {
      const pass = this.#passes[i];
      if (pass.radix === 4) radix4(pass, fromRe, fromIm, toRe, toIm);
      else if (pass.radix === 5) radix5(pass, fromRe, fromIm, toRe, toIm);
      else if (pass.radix === 2) radix2(pass, fromRe, fromIm, toRe, toIm);
      else radix3(pass, fromRe, fromIm, toRe, toIm);
      const oldRe = fromRe;
      const oldIm = fromIm;
      fromRe = toRe;
      fromIm = toIm;
      toRe = oldRe;
      toIm = oldIm;
    }
    if (fromRe !== re) {
      re.set(fromRe);
      im.set(fromIm);
    }
  }
};
var RealFft = class {
  size;
  /** Frequencies in a spectrum: `size / 2 + 1`, from 0 to half the sample rate. */
  bins;
  #half;
  #re;
  #im;
  /** cos and -sin of 2πk/size: the turn between the spectra of even and of odd samples. */
  #cos;
  #sin;
  /**
   * @param size - samples, even, a product of powers of 2, 3 and 5
   * @throws RangeError for any other size
   */
  constructor(size) {
    if (size % 2 !== 0) throw new RangeError(`real fft: expected an even size, got ${size}; use ComplexFft`);
    const half = size / 2;
    this.size = size;
    this.bins = half + 1;
    this.#half = new ComplexFft(half);
    this.#re = new Float64Array(half);
    this.#im = new Float64Array(half);
    this.#cos = new Float64Array(half + 1);
    this.#sin = new Float64Array(half + 1);
    for (let k = 0; k <= half; k++) {
      this.#cos[k] = Math.cos(2 * Math.PI * k / size);
      this.#sin[k] = -Math.sin(2 * Math.PI * k / size);
    }
  }
  /**
   * Spectrum of `samples`, not scaled.
   *
   * @param samples - `[size]`; left as they are
   * @param re - receives real parts, `[bins]`
   * @param im - receives imaginary parts, `[bins]`
   * @throws RangeError if a length differs
   */
  forward(samples, re, im) {
    this.#check(samples, re, im);
    const half = this.size / 2;
    const zRe = this.#re;
    const zIm = this.#im;
    for (let i = 0; i < half; i++) {
      zRe[i] = samples[2 * i];
      zIm[i] = samples[2 * i + 1];
    }
    this.#half.forward(zRe, zIm);
    re[0] = zRe[0] + zIm[0];
    im[0] = 0;
    re[half] = zRe[0] - zIm[0];
    im[half] = 0;
    const cos = this.#cos;
    const sin = this.#sin;
    for (let k = 1; k < half; k++) {
      const mirror = half - k;
      const evenRe = 0.5 * (zRe[k] + zRe[mirror]);
      const evenIm = 0.5 * (zIm[k] - zIm[mirror]);
      const oddRe = 0.5 * (zIm[k] + zIm[mirror]);
      const oddIm = 0.5 * (zRe[mirror] - zRe[k]);
      re[k] = evenRe + oddRe * cos[k] - oddIm * sin[k];
      im[k] = evenIm + oddRe * sin[k] + oddIm * cos[k];
    }
  }
  /**
   * Undoes {@link forward}. Imaginary parts of the first and the last bin count as 0.
   *
   * @param re - real parts, `[bins]`; left as they are
   * @param im - imaginary parts, `[bins]`; left as they are
   * @param samples - receives `[size]`
   * @throws RangeError if a length differs
   */
  inverse(re, im, samples) {
    this.#check(samples, re, im);
    const half = this.size / 2;
    const zRe = this.#re;
    const zIm = this.#im;
    const cos = this.#cos;
    const sin = this.#sin;
    zRe[0] = 0.5 * (re[0] + re[half]);
    zIm[0] = 0.5 * (re[0] - re[half]);
    for (let k = 1; k < half; k++) {
      const mirror = half - k;
      const evenRe = 0.5 * (re[k] + re[mirror]);
      const evenIm = 0.5 * (im[k] - im[mirror]);
      const turnedRe = 0.5 * (re[k] - re[mirror]);
      const turnedIm = 0.5 * (im[k] + im[mirror]);
      const oddRe = turnedRe * cos[k] + turnedIm * sin[k];
      const oddIm = turnedIm * cos[k] - turnedRe * sin[k];
      zRe[k] = evenRe - oddIm;
      zIm[k] = evenIm + oddRe;
    }
    this.#half.inverse(zRe, zIm);
    for (let i = 0; i < half; i++) {
      samples[2 * i] = zRe[i];
      samples[2 * i + 1] = zIm[i];
    }
  }
  #check(samples, re, im) {
    if (samples.length !== this.size || re.length !== this.bins || im.length !== this.bins) {
      throw new RangeError(
        `real fft: expected ${this.size} samples and ${this.bins} bins, got ${samples.length} samples and ${re.length}, ${im.length} bins`
      );
    }
  }
};
function planPasses(size) {
  if (!Number.isInteger(size) || size < 1) throw new RangeError(`fft: expected a positive whole size, got ${size}`);
  const passes = [];
  let length = size;
  while (length > 1) {
    const radix = length % 5 === 0 ? 5 : length % 4 === 0 ? 4 : length % 3 === 0 ? 3 : 2;
    if (length % radix !== 0) {
      throw new RangeError(`fft: expected a size that is a product of 2, 3 and 5, got ${size}`);
    }
    const groups = length / radix;
    const turnRe = new Float64Array(groups * (radix - 1));
    const turnIm = new Float64Array(groups * (radix - 1));
    for (let p = 0; p < groups; p++) {
      for (let j = 1; j < radix; j++) {
        const angle = -2 * Math.PI * (p * j % length) / length;
        turnRe[p * (radix - 1) + j - 1] = Math.cos(angle);
        turnIm[p * (radix - 1) + j - 1] = Math.sin(angle);
      }
    }
    passes.push({ radix, groups, stride: size / length, turnRe, turnIm });
    length = groups;
  }
  return passes;
}
function radix2(pass, xRe, xIm, yRe, yIm) {
  const { groups, stride, turnRe, turnIm } = pass;
  const step = stride * groups;
  for (let p = 0; p < groups; p++) {
    const wRe = turnRe[p];
    const wIm = turnIm[p];
    let to = 2 * stride * p;
    for (let from = stride * p, end2 = from + stride; from < end2; from++, to++) {
      const aRe = xRe[from];
      const aIm = xIm[from];
      const bRe = xRe[from + step];
      const bIm = xIm[from + step];
      yRe[to] = aRe + bRe;
      yIm[to] = aIm + bIm;
      const dRe = aRe - bRe;
      const dIm = aIm - bIm;
      yRe[to + stride] = dRe * wRe - dIm * wIm;
      yIm[to + stride] = dRe * wIm + dIm * wRe;
    }
  }
}
var sin60 = Math.sqrt(3) / 2;
function radix3(pass, xRe, xIm, yRe, yIm) {
  const { groups, stride, turnRe, turnIm } = pass;
  const step = stride * groups;
  for (let p = 0; p < groups; p++) {
    const w1Re = turnRe[2 * p];
    const w1Im = turnIm[2 * p];
    const w2Re = turnRe[2 * p + 1];
    const w2Im = turnIm[2 * p + 1];
    let to = 3 * stride * p;
    for (let from = stride * p, end2 = from + stride; from < end2; from++, to++) {
      const aRe = xRe[from];
      const aIm = xIm[from];
      const sumRe = xRe[from + step] + xRe[from + 2 * step];
      const sumIm = xIm[from + step] + xIm[from + 2 * step];
      const difRe = sin60 * (xRe[from + step] - xRe[from + 2 * step]);
      const difIm = sin60 * (xIm[from + step] - xIm[from + 2 * step]);
      const midRe = aRe - 0.5 * sumRe;
      const midIm = aIm - 0.5 * sumIm;
      yRe[to] = aRe + sumRe;
      yIm[to] = aIm + sumIm;
      const bRe = midRe + difIm;
      const bIm = midIm - difRe;
      const cRe = midRe - difIm;
      const cIm = midIm + difRe;
      yRe[to + stride] = bRe * w1Re - bIm * w1Im;
      yIm[to + stride] = bRe * w1Im + bIm * w1Re;
      yRe[to + 2 * stride] = cRe * w2Re - cIm * w2Im;
      yIm[to + 2 * stride] = cRe * w2Im + cIm * w2Re;
    }
  }
}
function radix4(pass, xRe, xIm, yRe, yIm) {
  const { groups, stride, turnRe, turnIm } = pass;
  const step = stride * groups;
  for (let p = 0; p < groups; p++) {
    const w1Re = turnRe[3 * p];
    const w1Im = turnIm[3 * p];
    const w2Re = turnRe[3 * p + 1];
    const w2Im = turnIm[3 * p + 1];
    const w3Re = turnRe[3 * p + 2];
    const w3Im = turnIm[3 * p + 2];
    let to = 4 * stride * p;
    for (let from = stride * p, end2 = from + stride; from < end2; from++, to++) {
      const aRe = xRe[from];
      const aIm = xIm[from];
      const bRe = xRe[from + step];
      const bIm = xIm[from + step];
      const cRe = xRe[from + 2 * step];
      const cIm = xIm[from + 2 * step];
      const dRe = xRe[from + 3 * step];
      const dIm = xIm[from + 3 * step];
      const acRe = aRe + cRe;
      const acIm = aIm + cIm;
      const amcRe = aRe - cRe;
      const amcIm = aIm - cIm;
      const bdRe = bRe + dRe;
      const bdIm = bIm + dIm;
      const bmdRe = bRe - dRe;
      const bmdIm = bIm - dIm;
      yRe[to] = acRe + bdRe;
      yIm[to] = acIm + bdIm;
      const y1Re = amcRe + bmdIm;
      const y1Im = amcIm - bmdRe;
      const y2Re = acRe - bdRe;
      const y2Im = acIm - bdIm;
      const y3Re = amcRe - bmdIm;
      const y3Im = amcIm + bmdRe;
      yRe[to + stride] = y1Re * w1Re - y1Im * w1Im;
      yIm[to + stride] = y1Re * w1Im + y1Im * w1Re;
      yRe[to + 2 * stride] = y2Re * w2Re - y2Im * w2Im;
      yIm[to + 2 * stride] = y2Re * w2Im + y2Im * w2Re;
      yRe[to + 3 * stride] = y3Re * w3Re - y3Im * w3Im;
      yIm[to + 3 * stride] = y3Re * w3Im + y3Im * w3Re;
    }
  }
}
var cos72 = Math.cos(2 * Math.PI / 5);
var sin72 = Math.sin(2 * Math.PI / 5);
var cos144 = Math.cos(4 * Math.PI / 5);
var sin144 = Math.sin(4 * Math.PI / 5);
function radix5(pass, xRe, xIm, yRe, yIm) {
  const { groups, stride, turnRe, turnIm } = pass;
  const step = stride * groups;
  for (let p = 0; p < groups; p++) {
    const w1Re = turnRe[4 * p];
    const w1Im = turnIm[4 * p];
    const w2Re = turnRe[4 * p + 1];
    const w2Im = turnIm[4 * p + 1];
    const w3Re = turnRe[4 * p + 2];
    const w3Im = turnIm[4 * p + 2];
    const w4Re = turnRe[4 * p + 3];
    const w4Im = turnIm[4 * p + 3];
    let to = 5 * stride * p;
    for (let from = stride * p, end2 = from + stride; from < end2; from++, to++) {
      const aRe = xRe[from];
      const aIm = xIm[from];
      const s1Re = xRe[from + step] + xRe[from + 4 * step];
      const s1Im = xIm[from + step] + xIm[from + 4 * step];
      const d1Re = xRe[from + step] - xRe[from + 4 * step];
      const d1Im = xIm[from + step] - xIm[from + 4 * step];
      const s2Re = xRe[from + 2 * step] + xRe[from + 3 * step];
      const s2Im = xIm[from + 2 * step] + xIm[from + 3 * step];
      const d2Re = xRe[from + 2 * step] - xRe[from + 3 * step];
      const d2Im = xIm[from + 2 * step] - xIm[from + 3 * step];
      yRe[to] = aRe + s1Re + s2Re;
      yIm[to] = aIm + s1Im + s2Im;
      const c1Re = aRe + cos72 * s1Re + cos144 * s2Re;
      const c1Im = aIm + cos72 * s1Im + cos144 * s2Im;
      const c2Re = aRe + cos144 * s1Re + cos72 * s2Re;
      const c2Im = aIm + cos144 * s1Im + cos72 * s2Im;
      const t1Re = sin72 * d1Re + sin144 * d2Re;
      const t1Im = sin72 * d1Im + sin144 * d2Im;
      const t2Re = sin144 * d1Re - sin72 * d2Re;
      const t2Im = sin144 * d1Im - sin72 * d2Im;
      const y1Re = c1Re + t1Im;
      const y1Im = c1Im - t1Re;
      const y2Re = c2Re + t2Im;
      const y2Im = c2Im - t2Re;
      const y3Re = c2Re - t2Im;
      const y3Im = c2Im + t2Re;
      const y4Re = c1Re - t1Im;
      const y4Im = c1Im + t1Re;
      yRe[to + stride] = y1Re * w1Re - y1Im * w1Im;
      yIm[to + stride] = y1Re * w1Im + y1Im * w1Re;
      yRe[to + 2 * stride] = y2Re * w2Re - y2Im * w2Im;
      yIm[to + 2 * stride] = y2Re * w2Im + y2Im * w2Re;
      yRe[to + 3 * stride] = y3Re * w3Re - y3Im * w3Im;
      yIm[to + 3 * stride] = y3Re * w3Im + y3Im * w3Re;
      yRe[to + 4 * stride] = y4Re * w4Re - y4Im * w4Im;
      yIm[to + 4 * stride] = y4Re * w4Im + y4Im * w4Re;
    }
  }
}

// packages/core/src/audio/frame-buffer.ts
var FrameBuffer = class {
  /** The current window, `[windowSamples]`; complete while {@link full} holds. */
  window;
  #framing;
  /** What a window can be mirrored from: one sample before it, then the window. */
  #buffer;
  #filled = 0;
  #samples = 0;
  #frames = 0;
  /** @throws RangeError if the window or the hop is not a positive whole number, or the window is shorter than the hop */
  constructor(framing) {
    const { windowSamples: windowSamples2, hopSamples: hopSamples2 } = framing;
    if (!Number.isInteger(windowSamples2) || !Number.isInteger(hopSamples2) || hopSamples2 < 1) {
      throw new RangeError(`frames: expected whole window and hop samples, got ${windowSamples2} and ${hopSamples2}`);
    }
    if (windowSamples2 < hopSamples2 || framing.framing === "centred" && windowSamples2 % 2 !== 0) {
      throw new RangeError(
        `frames: expected a window of at least the hop, even when centred; got ${windowSamples2} and hop ${hopSamples2}`
      );
    }
    this.#framing = framing;
    this.#buffer = new Float32Array(windowSamples2 + 1);
    this.window = this.#buffer.subarray(1);
    this.reset();
  }
  /** Samples since the stream began. */
  get samples() {
    return this.#samples;
  }
  get full() {
    return this.#filled === this.window.length;
  }
  /** Frames that are complete once `samples` more have come, beyond those already given. */
  framesAfter(samples) {
    const { windowSamples: windowSamples2, hopSamples: hopSamples2, framing } = this.#framing;
    const total = this.#samples + samples;
    const first = framing === "causal" ? hopSamples2 : windowSamples2 / 2;
    return Math.max(0, Math.floor((total - first) / hopSamples2) + 1) - this.#frames;
  }
  /** Takes samples from position `from` on until the window is full; returns the position after the last one taken. */
  fill(samples, from) {
    const window = this.window;
    const at = this.#filled;
    const count = Math.min(samples.length - from, window.length - at);
    for (let i = 0; i < count; i++) window[at + i] = samples[from + i];
    this.#filled += count;
    this.#samples += count;
    if (this.full && this.#frames === 0 && this.#framing.framing === "centred") this.#mirrorStart();
    return from + count;
  }
  /** Moves on by one hop; call it once per full window. */
  advance() {
    const { hopSamples: hopSamples2 } = this.#framing;
    this.#buffer.copyWithin(0, hopSamples2);
    this.#filled -= hopSamples2;
    this.#frames++;
  }
  /**
   * What the stream must be followed by so that every frame it still owes becomes complete. Fill these in, then reset.
   *
   * Causal: zeros up to a whole hop. Centred: the end of the stream mirrored around its last sample; where a very short
   * stream has nothing to mirror, zeros.
   */
  tail() {
    const { windowSamples: windowSamples2, hopSamples: hopSamples2, framing } = this.#framing;
    if (framing === "causal") return new Float32Array((hopSamples2 - this.#samples % hopSamples2) % hopSamples2);
    if (this.#samples === 0) return new Float32Array(0);
    const lastCentre = Math.floor(this.#samples / hopSamples2) * hopSamples2;
    const tail = new Float32Array(Math.max(0, lastCentre + windowSamples2 / 2 - this.#samples));
    const last = this.#filled;
    for (let i = 0; i < tail.length; i++) {
      const from = last - 1 - i;
      if (from >= 0 && i + 1 < this.#samples) tail[i] = this.#buffer[from];
    }
    return tail;
  }
  /** Back to the beginning of a stream. */
  reset() {
    const { windowSamples: windowSamples2, hopSamples: hopSamples2, framing } = this.#framing;
    this.#buffer.fill(0);
    this.#filled = framing === "causal" ? windowSamples2 - hopSamples2 : windowSamples2 / 2;
    this.#samples = 0;
    this.#frames = 0;
  }
  /** A copy of the state. */
  snapshot() {
    return { samples: this.#samples, history: this.#buffer.slice(0, this.#filled + 1) };
  }
  /** @throws RangeError if the state is of another framing */
  restore(state) {
    const { windowSamples: windowSamples2, hopSamples: hopSamples2, framing } = this.#framing;
    const { samples, history } = state;
    const start = framing === "causal" ? windowSamples2 - hopSamples2 : windowSamples2 / 2;
    const frames = Math.max(0, Math.floor((start + samples - windowSamples2) / hopSamples2) + 1);
    const filled = start + samples - frames * hopSamples2;
    if (!Number.isSafeInteger(samples) || samples < 0 || history.length !== filled + 1) {
      throw new RangeError(
        `frames: expected a state of ${filled + 1} samples of history at sample ${samples}, got ${history.length}; it belongs to another preset`
      );
    }
    this.#buffer.fill(0);
    this.#buffer.set(history);
    this.#filled = filled;
    this.#samples = samples;
    this.#frames = frames;
  }
  // The first window reaches before the stream; there it shows what comes as far after the first sample.
  // Its very first position has no partner in the window yet and stays 0: the periodic window gives it weight 0.
  #mirrorStart() {
    const middle = this.window.length / 2;
    for (let i = 1; i < middle; i++) this.window[middle - i] = this.window[middle + i];
  }
};

// packages/core/src/audio/mel.ts
function hzToMel(hz) {
  return hz < 1e3 ? 3 * hz / 200 : 15 + 27 * Math.log(hz / 1e3) / Math.log(6.4);
}
function melToHz(mel) {
  return mel < 15 ? 200 * mel / 3 : 1e3 * Math.exp(Math.log(6.4) * (mel - 15) / 27);
}
function melMatrix(options) {
  const { sampleRate: sampleRate2, fftSize: fftSize2, melBins: melBins2, lowHz, highHz } = options;
  if (!(lowHz >= 0 && lowHz < highHz && highHz <= sampleRate2 / 2)) {
    throw new RangeError(`mel: expected 0 <= low < high <= ${sampleRate2 / 2} Hz, got ${lowHz} to ${highHz} Hz`);
  }
  if (!Number.isInteger(melBins2) || melBins2 < 1) throw new RangeError(`mel: expected 1 bin or more, got ${melBins2}`);
  const lowMel = hzToMel(lowHz);
  const stepMel = (hzToMel(highHz) - lowMel) / (melBins2 + 1);
  const edge = (index) => melToHz(lowMel + stepMel * index);
  const rows = [];
  for (let mel = 0; mel < melBins2; mel++) {
    const [low, centre, high] = [edge(mel), edge(mel + 1), edge(mel + 2)];
    const row = new Float64Array(fftSize2 / 2 + 1);
    for (let k = 0; k < row.length; k++) {
      const hz = k * sampleRate2 / fftSize2;
      const rising = (hz - low) / (centre - low);
      const falling = (high - hz) / (high - centre);
      row[k] = Math.max(0, Math.min(rising, falling)) * 2 / (high - low);
    }
    rows.push(row);
  }
  return rows;
}
var MelFilterbank = class {
  melBins;
  /** First and one past the last frequency that any mel bin hears. */
  firstBin;
  endBin;
  /** Weights of all mel bins, one run after the other. */
  #weights;
  /** Per mel bin: its first frequency, and where its run ends in `#weights`. */
  #first;
  #end;
  /** @throws RangeError as {@link melMatrix} */
  constructor(options) {
    const rows = melMatrix(options);
    this.melBins = rows.length;
    this.#first = new Int32Array(rows.length);
    this.#end = new Int32Array(rows.length);
    this.#weights = new Float64Array(rows.reduce((count, row) => count + row.filter((weight) => weight > 0).length, 0));
    let at = 0;
    let firstBin = rows[0].length;
    let endBin = 0;
    rows.forEach((row, mel) => {
      const first = Math.max(
        0,
        row.findIndex((weight) => weight > 0)
      );
      let k = first;
      while (k < row.length && row[k] > 0) this.#weights[at++] = row[k++];
      this.#first[mel] = first;
      this.#end[mel] = at;
      if (k > first) {
        firstBin = Math.min(firstBin, first);
        endBin = Math.max(endBin, k);
      }
    });
    this.firstBin = Math.min(firstBin, endBin);
    this.endBin = endBin;
  }
  /**
   * Mel energies of one spectrum; allocates nothing.
   *
   * @param spectrum - magnitudes, `[fftSize / 2 + 1]`; only `firstBin` … `endBin - 1` are read
   * @param energies - receives `[melBins]`
   */
  apply(spectrum, energies) {
    const weights = this.#weights;
    const firsts = this.#first;
    const ends = this.#end;
    let at = 0;
    for (let mel = 0; mel < ends.length; mel++) {
      const end2 = ends[mel];
      let bin = firsts[mel];
      let sum = 0;
      while (at < end2) sum += weights[at++] * spectrum[bin++];
      energies[mel] = sum;
    }
  }
};

// packages/core/src/audio/pcm.ts
function floatToInt16(input, output = new Int16Array(input.length)) {
  checkRoom("floatToInt16", input.length, output.length);
  for (let i = 0; i < input.length; i++) {
    const scaled2 = Math.floor(input[i] * 32768 + 0.5);
    output[i] = Math.max(-32768, Math.min(32767, scaled2));
  }
  return output;
}
function checkFinite(operation, samples, streamPosition) {
  for (let index = 0; index < samples.length; index++) {
    const value = samples[index];
    if (value - value !== 0) {
      const streamIndex = streamPosition + index;
      throw new DuplexError(
        "AUDIO_INVALID",
        `${operation}: expected finite samples, got ${value} at index ${index} (sample ${streamIndex} of the stream); nothing was taken in, replace the sample and write again`,
        { details: { index, streamIndex, value } }
      );
    }
  }
}
function checkRoom(operation, needed, got) {
  if (got < needed) throw new RangeError(`${operation}: expected room for ${needed} samples, got ${got}`);
}

// packages/core/src/audio/dmel.ts
var DmelEncoder = class {
  preset;
  #frames;
  #hann;
  #fft;
  #filterbank;
  /** Energies halfway between neighbouring levels; above threshold j means above level j. */
  #thresholds;
  #padded;
  #re;
  #im;
  #magnitudes;
  #energies;
  /** @throws RangeError if the preset describes an impossible geometry */
  constructor(preset) {
    const { windowSamples: windowSamples2, fftSize: fftSize2, levels } = preset;
    if (windowSamples2 > fftSize2) {
      throw new RangeError(`dmel: expected a window of at most ${fftSize2} samples (fftSize), got ${windowSamples2}`);
    }
    if (!Number.isInteger(levels) || levels < 2 || levels > 256) {
      throw new RangeError(`dmel: expected 2 to 256 levels, got ${levels}`);
    }
    this.preset = preset;
    this.#frames = new FrameBuffer(preset);
    this.#hann = periodicHann(windowSamples2);
    this.#fft = new RealFft(fftSize2);
    this.#filterbank = new MelFilterbank(preset);
    this.#thresholds = new Float64Array(levels - 1);
    for (let j = 0; j < levels - 1; j++) this.#thresholds[j] = 10 ** (preset.low + preset.step * (j + 0.5));
    this.#padded = new Float64Array(fftSize2);
    this.#re = new Float64Array(this.#fft.bins);
    this.#im = new Float64Array(this.#fft.bins);
    this.#magnitudes = new Float64Array(this.#fft.bins);
    this.#energies = new Float64Array(preset.melBins);
  }
  /** Samples taken in since the stream began. */
  get samples() {
    return this.#frames.samples;
  }
  /** Frames that pushing `samples` more would give. */
  framesAfter(samples) {
    return this.#frames.framesAfter(samples);
  }
  /**
   * Takes samples in and writes every frame they complete.
   *
   * @param samples - mono PCM at the preset's rate, any count
   * @param levels - receives frames one after the other, `[frames, melBins]`; room for {@link framesAfter} of them
   * @returns frames written; 0 when more samples are needed
   * @throws DuplexError `AUDIO_INVALID` if a sample is NaN or infinite; nothing was taken in then
   * @throws RangeError if `levels` has too little room; nothing was taken in then
   */
  push(samples, levels) {
    const expected = this.framesAfter(samples.length);
    this.#checkRoom(expected, levels);
    checkFinite("dmel", samples, this.samples);
    return this.#take(samples, levels);
  }
  /**
   * Ends the stream: writes the frames it still owes, and starts anew. Causal presets fill the last hop with zeros,
   * centred ones mirror the end. Room for `windowSamples / hopSamples + 1` frames is always enough.
   *
   * @returns frames written
   * @throws RangeError if `levels` has too little room; the stream goes on then
   */
  flush(levels) {
    const tail = this.#frames.tail();
    this.#checkRoom(this.framesAfter(tail.length), levels);
    const frames = this.#take(tail, levels);
    this.reset();
    return frames;
  }
  /** Back to the beginning of a stream. */
  reset() {
    this.#frames.reset();
  }
  /** A copy of the state, for sessions that fork and rewind. */
  snapshot() {
    return { preset: this.preset.name, ...this.#frames.snapshot() };
  }
  /** Goes on from a state. @throws RangeError if it is of another preset */
  restore(state) {
    if (state.preset !== this.preset.name) {
      throw new RangeError(`dmel: expected a state of ${this.preset.name}, got one of ${state.preset}`);
    }
    this.#frames.restore(state);
  }
  #checkRoom(frames, levels) {
    const needed = frames * this.preset.melBins;
    if (levels.length < needed) {
      throw new RangeError(
        `dmel: expected room for ${frames} frames of ${this.preset.melBins} levels (${needed}), got ${levels.length}`
      );
    }
  }
  #take(samples, levels) {
    let frames = 0;
    let position = 0;
    while (position < samples.length) {
      position = this.#frames.fill(samples, position);
      if (this.#frames.full) {
        this.#analyse(this.#frames.window);
        this.#quantise(levels, frames * this.preset.melBins);
        this.#frames.advance();
        frames++;
      }
    }
    return frames;
  }
  #analyse(window) {
    const padded = this.#padded;
    const hann = this.#hann;
    for (let i = 0; i < hann.length; i++) padded[i] = window[i] * hann[i];
    const re = this.#re;
    const im = this.#im;
    this.#fft.forward(padded, re, im);
    const magnitudes = this.#magnitudes;
    const floor = this.preset.magnitudeFloor ** 2;
    const { firstBin, endBin } = this.#filterbank;
    for (let k = firstBin; k < endBin; k++) {
      const power = re[k] * re[k] + im[k] * im[k];
      magnitudes[k] = Math.sqrt(Math.max(power, floor));
    }
    this.#filterbank.apply(magnitudes, this.#energies);
  }
  // The nearest level without a logarithm: the count of thresholds below the energy. On a threshold, the lower level.
  #quantise(levels, offset) {
    const thresholds = this.#thresholds;
    const energies = this.#energies;
    for (let mel = 0; mel < energies.length; mel++) {
      const energy = energies[mel];
      let low = 0;
      let high = thresholds.length;
      while (low < high) {
        const middle = low + high >> 1;
        if (energy > thresholds[middle]) low = middle + 1;
        else high = middle;
      }
      levels[offset + mel] = low;
    }
  }
};
function periodicHann(size) {
  const window = new Float64Array(size);
  for (let i = 0; i < size; i++) window[i] = 0.5 - 0.5 * Math.cos(2 * Math.PI * i / size);
  return window;
}

// packages/core/src/audio/dmel-nibbles.ts
function packLevels(levels, output = new Uint8Array(levels.length >> 1)) {
  if (levels.length % 2 !== 0) throw new RangeError(`packLevels: expected an even count, got ${levels.length}`);
  if (output.length < levels.length / 2) {
    throw new RangeError(`packLevels: expected room for ${levels.length / 2} bytes, got ${output.length}`);
  }
  for (let i = 0; i < levels.length; i += 2) {
    const high = levels[i];
    const low = levels[i + 1];
    if (high > 15 || low > 15) {
      throw new DuplexError(
        "AUDIO_INVALID",
        `packLevels: expected levels 0 to 15, got ${high > 15 ? high : low} at index ${high > 15 ? i : i + 1}`
      );
    }
    output[i >> 1] = high << 4 | low;
  }
  return output;
}

// packages/core/src/audio/dmel-presets.ts
var dmel20 = Object.freeze({
  name: "dmel-20",
  sampleRate: 16e3,
  windowSamples: 1600,
  hopSamples: 800,
  fftSize: 1600,
  framing: "causal",
  melBins: 80,
  lowHz: 0,
  highHz: 8e3,
  magnitudeFloor: 1e-5,
  levels: 16,
  low: -7,
  step: 0.6
});
var dmel40 = Object.freeze({
  ...dmel20,
  name: "dmel-40",
  windowSamples: 800,
  hopSamples: 400,
  fftSize: 1024,
  framing: "centred",
  lowHz: 80,
  highHz: 7600
});
var dmel80 = Object.freeze({ ...dmel40, name: "dmel-80", hopSamples: 200 });
function dmelPreset(name) {
  const preset = [dmel20, dmel40, dmel80].find((candidate) => candidate.name === name);
  if (preset !== void 0) return preset;
  throw new DuplexError(
    "UNSUPPORTED",
    `dmelPreset: expected dmel-20, dmel-40 or dmel-80, got "${name}"; dmel-speech needs its range, see dmelSpeech`
  );
}

// packages/core/src/audio/resampler-filter.ts
var defaultResamplerQuality = Object.freeze({ zeroCrossings: 32, beta: 9, cutoff: 0.95 });
var mostExactPhases = 1024;
function designPolyphase(inputRate, outputRate, quality) {
  const { zeroCrossings, beta, cutoff } = quality;
  if (!(Number.isInteger(zeroCrossings) && zeroCrossings >= 1 && zeroCrossings <= 256)) {
    throw new RangeError(`resampler: expected 1 to 256 zero crossings, got ${zeroCrossings}`);
  }
  if (!(beta >= 0 && beta <= 20)) throw new RangeError(`resampler: expected a beta of 0 to 20, got ${beta}`);
  if (!(cutoff > 0 && cutoff <= 1)) throw new RangeError(`resampler: expected a cutoff above 0 up to 1, got ${cutoff}`);
  const divisor = greatestCommonDivisor(inputRate, outputRate);
  const up = outputRate / divisor;
  const down = inputRate / divisor;
  const stretch = Math.max(1, down / up);
  const reach = zeroCrossings * stretch;
  const delaySamples = Math.ceil(reach * up / down - 1e-9);
  const delay = delaySamples * down / up;
  const rows = Math.min(up, mostExactPhases);
  const taps = 4 * Math.ceil((Math.floor(delay + reach) + 1) / 4);
  const table2 = new Float64Array((up === rows ? rows : rows + 1) * taps);
  for (let row = 0; row * taps < table2.length; row++) {
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) {
      const distance = row / rows + (taps - 1 - tap) - delay;
      const weight = sinc(cutoff * distance / stretch) * kaiser(distance / reach, beta);
      table2[row * taps + tap] = weight;
      sum += weight;
    }
    for (let tap = 0; tap < taps; tap++) table2[row * taps + tap] /= sum;
  }
  return { up, down, taps, table: table2, rows, delaySamples };
}
function greatestCommonDivisor(a, b) {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}
function kaiser(x, beta) {
  return Math.abs(x) > 1 ? 0 : bessel(beta * Math.sqrt(1 - x * x)) / bessel(beta);
}
function bessel(x) {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-17; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

// packages/core/src/audio/resampler.ts
var blockSamples = 2048;
var Resampler = class {
  inputRate;
  outputRate;
  /** How late outputs are, in output samples: 32 (2 ms) for 48 to 16 kHz; 0 when the rates are equal. */
  delaySamples;
  #filter;
  /** `taps - 1` past inputs, then the block at hand. */
  #buffer;
  #samples = 0;
  /** Where the next output lies; see {@link ResamplerState}. */
  #skip = 0;
  #phase = 0;
  /** @throws RangeError if a rate or a quality figure is out of range */
  constructor(options) {
    const { inputRate, outputRate, quality } = options;
    for (const rate of [inputRate, outputRate]) {
      if (!Number.isInteger(rate) || rate < 8e3 || rate > 192e3) {
        throw new RangeError(`resampler: expected whole rates of 8000 to 192000 Hz, got ${rate}`);
      }
    }
    this.inputRate = inputRate;
    this.outputRate = outputRate;
    if (inputRate !== outputRate) {
      this.#filter = designPolyphase(inputRate, outputRate, { ...defaultResamplerQuality, ...quality });
    }
    this.delaySamples = this.#filter?.delaySamples ?? 0;
    this.#buffer = new Float64Array(this.#filter === void 0 ? 0 : this.#filter.taps - 1 + blockSamples);
  }
  /** Input samples since the stream began. */
  get samples() {
    return this.#samples;
  }
  /** Output samples that pushing `inputs` more would give. */
  outputsAfter(inputs) {
    if (this.#filter === void 0) return inputs;
    const { up, down } = this.#filter;
    const reach = (inputs - this.#skip) * up - this.#phase;
    return reach <= 0 ? 0 : Math.ceil(reach / down);
  }
  /**
   * Takes samples in and writes every output that they complete. Allocates nothing.
   *
   * @param input - mono samples, any count
   * @param output - room for {@link outputsAfter} of them
   * @returns outputs written
   * @throws DuplexError `AUDIO_INVALID` if a sample is NaN or infinite; nothing was taken in then
   * @throws RangeError if `output` has too little room; nothing was taken in then
   */
  push(input, output) {
    const expected = this.outputsAfter(input.length);
    checkRoom2(expected, output);
    checkFinite("resampler", input, this.#samples);
    if (this.#filter === void 0) output.set(input);
    else this.#take(this.#filter, input, output, expected);
    this.#samples += input.length;
    return expected;
  }
  /**
   * Ends the stream: writes the `delaySamples` outputs that are still inside, and starts anew.
   *
   * @param output - room for `delaySamples`
   * @returns outputs written
   * @throws RangeError if `output` has too little room; the stream goes on then
   */
  flush(output) {
    checkRoom2(this.delaySamples, output);
    if (this.#filter !== void 0) {
      const silence = new Float32Array(Math.ceil((this.delaySamples + 1) * this.#filter.down / this.#filter.up) + 1);
      this.#take(this.#filter, silence, output, this.delaySamples);
    }
    this.reset();
    return this.delaySamples;
  }
  /** Back to the beginning of a stream. */
  reset() {
    this.#buffer.fill(0);
    this.#samples = 0;
    this.#skip = 0;
    this.#phase = 0;
  }
  /** A copy of the state, for sessions that fork and rewind. */
  snapshot() {
    const { inputRate, outputRate } = this;
    const history = this.#buffer.slice(0, this.#past);
    return { inputRate, outputRate, samples: this.#samples, history, skip: this.#skip, phase: this.#phase };
  }
  /** Goes on from a state. @throws RangeError if it is of other rates or another quality */
  restore(state) {
    if (state.inputRate !== this.inputRate || state.outputRate !== this.outputRate) {
      throw new RangeError(
        `resampler: expected a state of ${this.inputRate} to ${this.outputRate} Hz, got ${state.inputRate} to ${state.outputRate} Hz`
      );
    }
    if (state.history.length !== this.#past) {
      throw new RangeError(
        `resampler: expected a state of ${this.#past} samples of history, got ${state.history.length}`
      );
    }
    this.#buffer.set(state.history);
    this.#samples = state.samples;
    this.#skip = state.skip;
    this.#phase = state.phase;
  }
  get #past() {
    return this.#filter === void 0 ? 0 : this.#filter.taps - 1;
  }
  /** Runs `input` through the filter until `count` outputs are written or the input is used up. */
  #take(filter, input, output, count) {
    const { up, down, taps } = filter;
    const exact = filter.rows === up;
    const past = taps - 1;
    const buffer = this.#buffer;
    let written = 0;
    for (let from = 0; from < input.length; from += blockSamples) {
      const block = Math.min(blockSamples, input.length - from);
      for (let i = 0; i < block; i++) buffer[past + i] = input[from + i];
      let skip = this.#skip;
      let phase = this.#phase;
      while (skip < block && written < count) {
        output[written++] = exact ? dot(filter.table, phase * taps, taps, buffer, skip) : between(filter, phase, buffer, skip);
        phase += down;
        const whole = Math.floor(phase / up);
        skip += whole;
        phase -= whole * up;
      }
      this.#skip = skip - block;
      this.#phase = phase;
      buffer.copyWithin(0, block, block + past);
    }
  }
};
function dot(table2, row, taps, buffer, at) {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let i = 0; i < taps; i += 4) {
    a += table2[row + i] * buffer[at + i];
    b += table2[row + i + 1] * buffer[at + i + 1];
    c += table2[row + i + 2] * buffer[at + i + 2];
    d += table2[row + i + 3] * buffer[at + i + 3];
  }
  return a + b + (c + d);
}
function between(filter, phase, buffer, at) {
  const { up, rows, taps, table: table2 } = filter;
  const row = Math.floor(phase * rows / up);
  const part = (phase * rows - row * up) / up;
  const low = dot(table2, row * taps, taps, buffer, at);
  const high = dot(table2, (row + 1) * taps, taps, buffer, at);
  return low + part * (high - low);
}
function checkRoom2(needed, output) {
  if (output.length < needed) {
    throw new RangeError(`resampler: expected room for ${needed} samples, got ${output.length}`);
  }
}

// packages/core/src/audio/vocoder.ts
var sourceFilterGeometry = {
  /** Hz. */
  sampleRate: 16e3,
  /** Mel bins of a frame. */
  melBins: 80,
  /** Levels of a mel bin. */
  levels: 16,
  /** Samples per frame. */
  hopSamples: 400,
  /** Sub-frames per frame, each with controls of its own. */
  subFrames: 2,
  /** Samples from one sub-frame to the next; its window is twice as long. */
  subHopSamples: 200,
  /** The second sub-frame of frame k is centred this many samples after sample 400 k, the first 200 samples earlier. */
  centreOffsetSamples: 100,
  /** Size of the Fourier transform that filters a sub-frame. */
  fftSize: 1024,
  /** Points of an envelope, 0 to 8000 Hz in equal steps. */
  envelopePoints: 65,
  /** Controls of a sub-frame: pitch, voicing, log amplitudes of the pulses, log amplitudes of the noise. */
  controlsPerSubFrame: 132,
  /** Controls of a frame. */
  controlsPerFrame: 264,
  /** Hz that the lowest pitch control stands for. */
  lowestPitch: 60,
  /** Octaves from the lowest to the highest pitch. */
  pitchOctaves: 3,
  /** Hz above which the pulses have no harmonics. */
  highestHarmonic: 7600,
  /** Log amplitudes are clamped to this range. */
  logAmplitude: { lowest: -12, highest: 1 },
  /** Samples above this are bent so that they stay within 1; speech at the assistant's level stays below 0.6. */
  limitFrom: 0.8
};

// packages/core/src/audio/vocoder-synthesis.ts
var { sampleRate, melBins, hopSamples, subFrames, subHopSamples, centreOffsetSamples, fftSize } = sourceFilterGeometry;
var { envelopePoints, controlsPerSubFrame, controlsPerFrame, lowestPitch, pitchOctaves, highestHarmonic, limitFrom } = sourceFilterGeometry;
var windowSamples = 2 * subHopSamples;
var bins = fftSize / 2;
var binsPerPoint = bins / (envelopePoints - 1);
var windowStart = (fftSize - windowSamples) / 2;
var reachSamples = hopSamples + centreOffsetSamples + fftSize / 2;
var framesToDieAway = Math.ceil((reachSamples - hopSamples) / hopSamples);
var noiseScale = Math.sqrt(3);
var SourceFilterSynthesis = class {
  /** Samples by which the PCM lags the frames. */
  latencySamples = hopSamples;
  #seed;
  #sample = 0;
  #sounding = false;
  #phase = 0;
  #pitch = 0;
  #framesToSilence = 0;
  #pulses = new Float64Array(subHopSamples);
  #noise = new Float64Array(subHopSamples);
  #pulsesBefore = new Float64Array(subHopSamples);
  #noiseBefore = new Float64Array(subHopSamples);
  #tail = new Float64Array(reachSamples);
  // Scratch of one frame, not state. The two sub-frames leave the inverse transform as its real and imaginary part.
  #fft = new ComplexFft(fftSize);
  #re = new Float64Array(fftSize);
  #im = new Float64Array(fftSize);
  #sumRe = new Float64Array(fftSize);
  #sumIm = new Float64Array(fftSize);
  #harmonic = new Float64Array(envelopePoints + 1);
  #breath = new Float64Array(envelopePoints + 1);
  #window = Float64Array.from(
    { length: windowSamples },
    (_, n) => 0.5 - 0.5 * Math.cos(2 * Math.PI * n / windowSamples)
  );
  /**
   * @param options.seed - of the noise, an integer 0 to 2^32 - 1; default 1
   * @throws RangeError if the seed is outside its range
   */
  constructor({ seed = 1 } = {}) {
    if (!Number.isInteger(seed) || seed < 0 || seed > 4294967295) {
      throw new RangeError(`source-filter synthesis: expected a seed of 0 to 4294967295, got ${seed}`);
    }
    this.#seed = seed;
  }
  /**
   * Makes the PCM of the next frames.
   *
   * @param controls - raw controls, shape `[frames, 264]`; those of silent frames are not looked at
   * @param levels - the dMel levels they were made from, shape `[frames, 80]`
   * @param out - receives the PCM, `[400 * frames]`
   * @throws DuplexError `SHAPE_MISMATCH` if the lengths do not belong together, `BACKEND_FAILED` if a control of a sounding
   *   frame is NaN; then nothing has been changed
   */
  render(controls, levels, out) {
    const frames = levels.length / melBins;
    if (!Number.isInteger(frames) || controls.length !== frames * controlsPerFrame || out.length !== frames * hopSamples) {
      throw new DuplexError(
        "SHAPE_MISMATCH",
        `source-filter synthesis: expected levels [frames, ${melBins}], controls [frames, ${controlsPerFrame}] and ${hopSamples} samples of PCM per frame, got ${levels.length}, ${controls.length} and ${out.length} values`
      );
    }
    for (let frame = 0; frame < frames; frame++) {
      if (sounds(levels, frame)) refuseNaN(controls, frame);
    }
    for (let frame = 0; frame < frames; frame++) {
      const sounding = sounds(levels, frame);
      if (sounding) this.#addFrame(controls, frame * controlsPerFrame);
      else {
        this.#sounding = false;
        this.#sample = this.#sample + hopSamples >>> 0;
      }
      this.#emit(out, frame * hopSamples);
      this.#framesToSilence = sounding ? framesToDieAway : Math.max(0, this.#framesToSilence - 1);
    }
  }
  /**
   * Ends the stream: gives the samples still to come and resets.
   *
   * @param out - receives the last PCM, `[400]`
   * @throws DuplexError `SHAPE_MISMATCH` if `out` has another length
   */
  flush(out) {
    if (out.length !== hopSamples) {
      throw new DuplexError(
        "SHAPE_MISMATCH",
        `source-filter synthesis: expected ${hopSamples} samples to flush into, got ${out.length}`
      );
    }
    this.#emit(out, 0);
    this.reset();
  }
  /** Forgets all sound and starts the noise anew. */
  reset() {
    this.#sample = 0;
    this.#sounding = false;
    this.#phase = 0;
    this.#pitch = 0;
    this.#framesToSilence = 0;
    this.#tail.fill(0);
  }
  /** A copy of the state; the synthesis may go on. */
  snapshot() {
    return {
      seed: this.#seed,
      sample: this.#sample,
      sounding: this.#sounding,
      phase: this.#phase,
      pitch: this.#pitch,
      framesToSilence: this.#framesToSilence,
      pulses: this.#pulses.slice(),
      noise: this.#noise.slice(),
      tail: this.#tail.slice()
    };
  }
  /**
   * Goes back to a state, also one of another instance: what follows is the same to the bit.
   *
   * @throws DuplexError `SHAPE_MISMATCH` if an array of the state has another length
   */
  restore(state) {
    const fits = state.pulses.length === subHopSamples && state.noise.length === subHopSamples;
    if (!fits || state.tail.length !== reachSamples) {
      throw new DuplexError("SHAPE_MISMATCH", "source-filter synthesis: the state to restore has another geometry");
    }
    this.#seed = state.seed;
    this.#sample = state.sample;
    this.#sounding = state.sounding;
    this.#phase = state.phase;
    this.#pitch = state.pitch;
    this.#framesToSilence = state.framesToSilence;
    this.#pulses.set(state.pulses);
    this.#noise.set(state.noise);
    this.#tail.set(state.tail);
  }
  // --- one frame ---
  #addFrame(controls, start) {
    this.#sumRe.fill(0);
    this.#sumIm.fill(0);
    for (let sub = 0; sub < subFrames; sub++) {
      const at = start + sub * controlsPerSubFrame;
      this.#advanceSource(lowestPitch * 2 ** (pitchOctaves * sigmoid(controls[at])));
      this.#transformSource();
      amplitudes(controls, at + 2, sigmoid(controls[at + 1]), this.#harmonic);
      amplitudes(controls, at + 2 + envelopePoints, 1, this.#breath);
      this.#filter(sub === 1);
    }
    this.#fft.inverse(this.#sumRe, this.#sumIm);
    this.#overlap(this.#sumRe, 0);
    this.#overlap(this.#sumIm, 1);
  }
  // Makes the second half of the window; the first half is what the sub-frame before made last.
  #advanceSource(pitch) {
    if (!this.#sounding) {
      this.#sounding = true;
      this.#phase = 0;
      this.#pitch = pitch;
      this.#makePulses(this.#pulses, pitch);
      this.#makeNoise(this.#noise, this.#sample);
    }
    const pulses = this.#pulsesBefore;
    const noise = this.#noiseBefore;
    this.#pulsesBefore = this.#pulses;
    this.#noiseBefore = this.#noise;
    this.#pulses = pulses;
    this.#noise = noise;
    this.#makePulses(pulses, pitch);
    this.#sample = this.#sample + subHopSamples >>> 0;
    this.#makeNoise(noise, this.#sample);
  }
  // Band-limited pulses of unit power, the pitch gliding from where it was. The sum of all cosines has a closed form; the
  // harmonic that is about to fit below the highest frequency fades in, so that a glide never clicks.
  #makePulses(out, pitch) {
    const glide = (pitch - this.#pitch) / subHopSamples;
    let phase = this.#phase;
    for (let i = 0; i < subHopSamples; i++) {
      const hertz = this.#pitch + glide * (i + 1);
      phase += hertz / sampleRate;
      if (phase >= 1) phase -= 1;
      const ratio = highestHarmonic / hertz;
      const whole = Math.floor(ratio);
      const half = Math.PI * phase;
      const sine = Math.sin(half);
      const argument = (2 * whole + 1) * half;
      const upperSine = Math.sin(argument);
      const next2 = Math.cos(argument) * Math.cos(half) - upperSine * sine;
      const series = Math.abs(sine) < 1e-4 ? whole : (upperSine / sine - 1) / 2;
      out[i] = (series + (ratio - whole) * next2) * Math.sqrt(2 / ratio);
    }
    this.#phase = phase;
    this.#pitch = pitch;
  }
  // Uniform noise of unit power: mulberry32 as a function of seed and sample number.
  #makeNoise(out, first) {
    let state = this.#seed + Math.imul(first, 1831565813) | 0;
    for (let i = 0; i < subHopSamples; i++) {
      state = state + 1831565813 | 0;
      let mixed = Math.imul(state ^ state >>> 15, state | 1);
      mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61) | 0;
      out[i] = (((mixed ^ mixed >>> 14) >>> 0) / 2147483648 - 1) * noiseScale;
    }
  }
  // Pulses go into the real part and noise into the imaginary part of one transform.
  #transformSource() {
    this.#re.fill(0);
    this.#im.fill(0);
    for (let i = 0; i < subHopSamples; i++) {
      const rise = this.#window[i];
      const fall = this.#window[subHopSamples + i];
      this.#re[windowStart + i] = this.#pulsesBefore[i] * rise;
      this.#im[windowStart + i] = this.#noiseBefore[i] * rise;
      this.#re[windowStart + subHopSamples + i] = this.#pulses[i] * fall;
      this.#im[windowStart + subHopSamples + i] = this.#noise[i] * fall;
    }
    this.#fft.forward(this.#re, this.#im);
  }
  // Separates the two spectra, weighs them, and adds their sum Y to the frame's spectrum: as Y, or as iY if `imaginary`.
  #filter(imaginary) {
    const re = this.#re;
    const im = this.#im;
    for (let bin = 0; bin <= bins; bin++) {
      const mirror = (fftSize - bin) % fftSize;
      const point = Math.floor(bin / binsPerPoint);
      const between2 = bin / binsPerPoint - point;
      const harmonic = this.#harmonic[point] + between2 * (this.#harmonic[point + 1] - this.#harmonic[point]);
      const breath = this.#breath[point] + between2 * (this.#breath[point + 1] - this.#breath[point]);
      const outRe = 0.5 * (harmonic * (re[bin] + re[mirror]) + breath * (im[bin] + im[mirror]));
      const outIm = 0.5 * (harmonic * (im[bin] - im[mirror]) + breath * (re[mirror] - re[bin]));
      this.#sumRe[bin] += imaginary ? -outIm : outRe;
      this.#sumIm[bin] += imaginary ? outRe : outIm;
      if (mirror === bin) continue;
      this.#sumRe[mirror] += imaginary ? outIm : outRe;
      this.#sumIm[mirror] += imaginary ? outRe : -outIm;
    }
  }
  // What the filter put before the next sample to leave comes too late and is dropped.
  #overlap(piece, sub) {
    const start = subHopSamples * (1 + sub) + centreOffsetSamples - fftSize / 2;
    for (let i = Math.max(0, -start); i < fftSize; i++) this.#tail[start + i] += piece[i];
  }
  #emit(out, at) {
    if (!this.#sounding && this.#framesToSilence === 0) {
      out.fill(0, at, at + hopSamples);
      return;
    }
    for (let i = 0; i < hopSamples; i++) out[at + i] = limit(this.#tail[i]);
    this.#tail.copyWithin(0, hopSamples);
    this.#tail.fill(0, reachSamples - hopSamples);
  }
};
function sounds(levels, frame) {
  for (let i = frame * melBins; i < (frame + 1) * melBins; i++) if (levels[i] !== 0) return true;
  return false;
}
function refuseNaN(controls, frame) {
  for (let i = frame * controlsPerFrame; i < (frame + 1) * controlsPerFrame; i++) {
    if (Number.isNaN(controls[i])) {
      throw new DuplexError(
        "BACKEND_FAILED",
        `source-filter synthesis: expected numbers, got NaN as control ${i - frame * controlsPerFrame} of frame ${frame}; the weights are damaged or the execution provider computes wrongly`,
        { details: { frame, control: i - frame * controlsPerFrame } }
      );
    }
  }
}
function limit(sample2) {
  const size = Math.abs(sample2);
  if (size <= limitFrom) return sample2;
  return Math.sign(sample2) * (limitFrom + (1 - limitFrom) * Math.tanh((size - limitFrom) / (1 - limitFrom)));
}
function sigmoid(x) {
  return 1 / (1 + Math.exp(-x));
}
function amplitudes(controls, start, gain, out) {
  const { lowest, highest } = sourceFilterGeometry.logAmplitude;
  for (let point = 0; point < envelopePoints; point++) {
    out[point] = gain * Math.exp(Math.min(highest, Math.max(lowest, controls[start + point])));
  }
  out[envelopePoints] = out[envelopePoints - 1];
}

// packages/core/src/audio/wav-format.ts
var readers = {
  uint8: (view, at) => (view.getUint8(at) - 128) / 128,
  int16: (view, at) => view.getInt16(at, true) / 32768,
  int24: (view, at) => (view.getUint8(at) | view.getInt16(at + 1, true) << 8) / 8388608,
  int32: (view, at) => view.getInt32(at, true) / 2147483648,
  float32: (view, at) => view.getFloat32(at, true),
  float64: (view, at) => view.getFloat64(at, true)
};
function sampleReader(coding) {
  return readers[coding];
}
var formatNames = {
  2: "Microsoft ADPCM",
  6: "A-law",
  7: "mu-law",
  17: "IMA ADPCM",
  49: "GSM 6.10",
  80: "MPEG layer 1 or 2",
  85: "MP3"
};
function parseWavFormat(view) {
  if (view.byteLength < 16) throw wavError(`expected a format chunk of 16 bytes or more, got ${view.byteLength}`);
  let tag = view.getUint16(0, true);
  const channels = view.getUint16(2, true);
  const sampleRate2 = view.getUint32(4, true);
  const frameBytes = view.getUint16(12, true);
  const bits = view.getUint16(14, true);
  if (tag === 65534) {
    if (view.byteLength < 40) {
      throw wavError(`expected an extensible format chunk of 40 bytes, got ${view.byteLength}`);
    }
    tag = view.getUint16(24, true);
  }
  if (channels === 0) throw wavError("expected 1 channel or more, got 0");
  if (sampleRate2 < 8e3 || sampleRate2 > 192e3) {
    throw wavError(`expected a rate of 8000 to 192000 Hz, got ${sampleRate2} Hz`);
  }
  const sampleBytes = frameBytes === 0 ? Math.ceil(bits / 8) : frameBytes / channels;
  if (bits === 0 || bits > 8 * sampleBytes) {
    throw wavError(
      `expected samples of 1 to ${8 * sampleBytes} bits in frames of ${frameBytes} bytes, got ${bits} bits`
    );
  }
  return { sampleRate: sampleRate2, channels, coding: codingOf(tag, sampleBytes), frameBytes: channels * sampleBytes };
}
function codingOf(tag, sampleBytes) {
  if (tag === 1 && sampleBytes === 1) return "uint8";
  if (tag === 1 && sampleBytes === 2) return "int16";
  if (tag === 1 && sampleBytes === 3) return "int24";
  if (tag === 1 && sampleBytes === 4) return "int32";
  if (tag === 3 && sampleBytes === 4) return "float32";
  if (tag === 3 && sampleBytes === 8) return "float64";
  const name = tag === 1 ? "integers" : tag === 3 ? "floats" : formatNames[tag] ?? `coding ${tag}`;
  throw wavError(
    `expected integers of 8, 16, 24 or 32 bits or floats of 32 or 64, got ${name} of ${8 * sampleBytes} bits; convert it, for example with ffmpeg -c:a pcm_s16le`
  );
}
function wavError(message, details = {}) {
  return new DuplexError("AUDIO_INVALID", `wav: ${message}`, { details });
}

// packages/core/src/audio/wav-reader.ts
function readWav(bytes) {
  const scanner = new WavScanner();
  let channels = [];
  scanner.push(bytes, (view, at, samples, format2, read2) => {
    channels = Array.from({ length: format2.channels }, () => new Float32Array(samples));
    const sampleBytes = format2.frameBytes / format2.channels;
    channels.forEach((channel, c) => {
      for (let i = 0; i < samples; i++) {
        channel[i] = finite(read2(view, at + i * format2.frameBytes + c * sampleBytes), i, c);
      }
    });
  });
  const end2 = scanner.end();
  const format = scanner.knownFormat();
  if (channels.length === 0) channels = Array.from({ length: format.channels }, () => new Float32Array(0));
  return { ...end2, sampleRate: format.sampleRate, channels, format };
}
function finite(value, sample2, channel) {
  if (value - value === 0) return value;
  throw wavError(`expected finite samples, got ${value} at sample ${sample2} of channel ${channel}`, {
    streamIndex: sample2,
    channel
  });
}
var WavScanner = class {
  format;
  /** Frames handed out before the span at hand. */
  samples = 0;
  #read = sampleReader("int16");
  #stage = "riff";
  /** Bytes that the stage at hand has collected, for headers and for a frame cut in two. */
  #held = new Uint8Array(64);
  #heldCount = 0;
  /** Bytes of this chunk still to come; Infinity when only the end of the file ends it. */
  #left = 0;
  /** Bytes taken in, and how many the header gives the file. */
  #position = 0;
  #riffBytes = 0;
  #isLong = false;
  #longDataBytes = 0;
  #padAfter = false;
  push(bytes, receive) {
    let at = 0;
    while (at < bytes.length) {
      const before = at;
      if (this.#stage === "data") at = this.#takeData(bytes, at, receive);
      else if (this.#stage === "skip") at = this.#takeSkip(bytes, at);
      else if (this.#stage === "pad") at = this.#takePad(bytes, at);
      else if (this.#stage === "done") at = bytes.length;
      else at = this.#takeHeader(bytes, at);
      this.#position += at - before;
    }
  }
  end() {
    if (this.#position === 0) throw wavError("expected a WAV file, got no bytes");
    if (this.format === void 0 || this.#stage !== "data" && this.#stage !== "done") {
      throw wavError(
        `expected a header and a data chunk, but the file ends after ${this.#position} bytes, within "${this.#stage}"`
      );
    }
    const truncated = this.#stage === "data" && (this.#heldCount > 0 || Number.isFinite(this.#left));
    return { samples: this.samples, truncated };
  }
  knownFormat() {
    if (this.format === void 0) throw wavError("expected a format chunk, got none");
    return this.format;
  }
  #takeHeader(bytes, at) {
    const needed = this.#stage === "riff" ? 12 : this.#stage === "chunk" ? 8 : this.#left;
    const end2 = this.#hold(bytes, at, needed);
    if (this.#heldCount < needed) return end2;
    const view = new DataView(this.#held.buffer, 0, needed);
    this.#heldCount = 0;
    if (this.#stage === "riff") this.#readRiff(view);
    else if (this.#stage === "chunk") this.#readChunk(view, end2 - at);
    else if (this.#stage === "format") this.#readFormat(view);
    else this.#readSizes(view);
    return end2;
  }
  #hold(bytes, at, needed) {
    if (this.#held.length < needed) {
      const larger = new Uint8Array(needed);
      larger.set(this.#held.subarray(0, this.#heldCount));
      this.#held = larger;
    }
    const end2 = Math.min(bytes.length, at + needed - this.#heldCount);
    for (let i = at; i < end2; i++) this.#held[this.#heldCount++] = bytes[i];
    return end2;
  }
  #readRiff(view) {
    const id = fourCharacters(view, 0);
    const kind = fourCharacters(view, 8);
    if (id === "RIFX") throw wavError("expected little-endian samples (RIFF), got a big-endian file (RIFX)");
    if (id !== "RIFF" && id !== "RF64" && id !== "BW64" || kind !== "WAVE") {
      throw wavError(`expected a file that begins with RIFF \u2026 WAVE, got "${id}" \u2026 "${kind}"`);
    }
    this.#isLong = id !== "RIFF";
    this.#riffBytes = view.getUint32(4, true) + 8;
    this.#stage = "chunk";
  }
  #readChunk(view, taken) {
    const id = fourCharacters(view, 0);
    const size = view.getUint32(4, true);
    this.#padAfter = size % 2 === 1;
    this.#left = size;
    if (id === "data") {
      if (this.format === void 0) throw wavError("expected a format chunk before the data chunk, got none");
      this.#stage = "data";
      this.#left = this.#dataBytes(size, this.#position + taken);
      if (this.#left === 0) this.#stage = "done";
    } else if (id === "fmt ") {
      if (size > 65536) throw wavError(`expected a format chunk of a few bytes, got ${size}`);
      if (size < 16) throw wavError(`expected a format chunk of 16 bytes or more, got ${size}`);
      this.#stage = "format";
    } else if (id === "ds64" && this.#isLong && size >= 24 && size <= 65536) {
      this.#stage = "sizes";
    } else if (size > 0) {
      this.#stage = "skip";
    }
  }
  /**
   * How many bytes of data there are. Programs that write to a pipe cannot go back and fill the length in: they leave 0
   * or about 2^31 or 2^32, and then the end of the file is the end of the data.
   */
  #dataBytes(size, position) {
    if (this.#isLong && size === 4294967295 && this.#longDataBytes > 0) return this.#longDataBytes;
    if (isPlaceholder(size)) return Number.POSITIVE_INFINITY;
    const moreFollows = this.#riffBytes > position && !isPlaceholder(this.#riffBytes - 8);
    return size === 0 && !moreFollows ? Number.POSITIVE_INFINITY : size;
  }
  #readFormat(view) {
    this.format = parseWavFormat(view);
    this.#read = sampleReader(this.format.coding);
    this.#endChunk();
  }
  #readSizes(view) {
    this.#longDataBytes = Number(view.getBigUint64(8, true));
    this.#endChunk();
  }
  #takeSkip(bytes, at) {
    const count = Math.min(bytes.length - at, this.#left);
    this.#left -= count;
    if (this.#left === 0) this.#endChunk();
    return at + count;
  }
  #endChunk() {
    this.#stage = this.#padAfter ? "pad" : "chunk";
  }
  /** A chunk of odd size is followed by a zero byte; some writers forget it, and a chunk's name never begins with 0. */
  #takePad(bytes, at) {
    this.#stage = "chunk";
    return bytes[at] === 0 ? at + 1 : at;
  }
  #takeData(bytes, at, receive) {
    const format = this.knownFormat();
    const { frameBytes } = format;
    let position = at;
    const end2 = Math.min(bytes.length, at + this.#left);
    if (this.#heldCount > 0) {
      position = this.#hold(bytes.subarray(0, end2), position, frameBytes);
      if (this.#heldCount === frameBytes) {
        this.#heldCount = 0;
        receive(new DataView(this.#held.buffer, 0, frameBytes), 0, 1, format, this.#read);
        this.samples++;
      }
    }
    const frames = Math.floor((end2 - position) / frameBytes);
    if (frames > 0) {
      receive(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), position, frames, format, this.#read);
      this.samples += frames;
      position += frames * frameBytes;
    }
    if (position < end2) position = this.#hold(bytes.subarray(0, end2), position, frameBytes);
    this.#left -= position - at;
    if (this.#left === 0) this.#stage = "done";
    return position;
  }
};
function isPlaceholder(size) {
  return size >= 4294963200 || size >= 2147479552 && size <= 2147483648;
}
function fourCharacters(view, at) {
  return String.fromCharCode(view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), view.getUint8(at + 3));
}

// packages/core/src/model/config.ts
function positionsPerTurn(layout) {
  return layout.textSlots + layout.patchSlots + layout.audioPositions + layout.outputPositions;
}

// packages/core/src/model/weight-shapes.ts
var controlTokens = 4;
function layerPrefix(layer) {
  return `model.language_model.layers.${layer}.`;
}
function attentionOf(config, layer) {
  return config.layerTypes[layer] === "sliding" ? config.sliding : config.global;
}
function weightShapes(config) {
  const H = config.hiddenSize;
  const shapes = /* @__PURE__ */ new Map();
  shapes.set("model.language_model.embed_tokens.weight", [config.vocabSize, H]);
  shapes.set("model.language_model.embed_tokens.embed_norm.weight", [H]);
  for (let layer = 0; layer < config.layerTypes.length; layer++) addLayer(shapes, config, layer);
  shapes.set("model.language_model.norm.weight", [H]);
  shapes.set("lm_head.weight", [config.vocabSize, H]);
  if (config.audio !== void 0) {
    const { melBins: melBins2, levels } = config.audio;
    shapes.set("model.audio_tower.embed_audio_tokens.embed_audio_tokens.weight", [melBins2 * levels, H]);
    shapes.set("model.audio_tower.norm.weight", [H]);
  }
  if (config.image !== void 0) {
    const { layers } = config.image;
    for (const [index, { inputWidth, outputWidth }] of layers.entries()) {
      const name = `model.vision_tower.encoder_layers.${index}`;
      shapes.set(`${name}.projection.weight`, [outputWidth, inputWidth]);
      if (index < layers.length - 1) shapes.set(`${name}.layer_norm.weight`, [outputWidth]);
    }
    shapes.set("model.vision_tower.final_norm.weight", [H]);
  }
  if (config.duplex !== void 0) addDuplex(shapes, config, config.duplex);
  return shapes;
}
function addLayer(shapes, config, layer) {
  const H = config.hiddenSize;
  const { heads, kvHeads, headDim, relativeExtent } = attentionOf(config, layer);
  const at = layerPrefix(layer);
  const kernel = config.convKernel;
  shapes.set(`${at}input_layernorm.weight`, [H]);
  shapes.set(`${at}self_attn.q_proj.weight`, [heads * headDim, H]);
  shapes.set(`${at}self_attn.k_proj.weight`, [kvHeads * headDim, H]);
  shapes.set(`${at}self_attn.v_proj.weight`, [kvHeads * headDim, H]);
  shapes.set(`${at}self_attn.r_proj.weight`, [heads * config.relativeDim, H]);
  shapes.set(`${at}self_attn.o_proj.weight`, [H, heads * headDim]);
  shapes.set(`${at}self_attn.k_sconv.conv1d.weight`, [kvHeads * headDim, 1, kernel]);
  shapes.set(`${at}self_attn.v_sconv.conv1d.weight`, [kvHeads * headDim, 1, kernel]);
  shapes.set(`${at}self_attn.q_norm.weight`, [headDim]);
  shapes.set(`${at}self_attn.k_norm.weight`, [headDim]);
  shapes.set(`${at}self_attn.rel_logits_proj.proj`, [config.relativeDim, relativeExtent]);
  shapes.set(`${at}attn_sconv.conv1d.weight`, [H, 1, kernel]);
  shapes.set(`${at}post_attention_layernorm.weight`, [H]);
  if (config.mlpTypes[layer] === "dense") {
    shapes.set(`${at}mlp.gate_proj.weight`, [config.denseWidth, H]);
    shapes.set(`${at}mlp.up_proj.weight`, [config.denseWidth, H]);
    shapes.set(`${at}mlp.down_proj.weight`, [H, config.denseWidth]);
    shapes.set(`${at}mlp.global_scale`, [1]);
  } else {
    const { experts: E, sharedExperts: S, expertWidth: F } = config;
    shapes.set(`${at}mlp.gate.weight`, [E + S, H]);
    shapes.set(`${at}mlp.gate.global_scale`, [1]);
    shapes.set(`${at}mlp.gate.e_score_correction_bias`, [E]);
    shapes.set(`${at}mlp.experts.gate_up_proj`, [E, 2 * F, H]);
    shapes.set(`${at}mlp.experts.down_proj`, [E, H, F]);
    if (S > 0) {
      shapes.set(`${at}mlp.shared_experts.gate_proj`, [S, F, H]);
      shapes.set(`${at}mlp.shared_experts.up_proj`, [S, F, H]);
      shapes.set(`${at}mlp.shared_experts.down_proj`, [S, H, F]);
    }
  }
  shapes.set(`${at}mlp_sconv.conv1d.weight`, [H, 1, kernel]);
}
function addDuplex(shapes, config, duplex2) {
  const H = config.hiddenSize;
  const { framesPerPosition, melBins: melBins2, levels } = duplex2.speech;
  const speech2 = framesPerPosition * melBins2 * levels;
  shapes.set("microturn.heard_table.weight", [config.vocabSize, H]);
  shapes.set("microturn.control_table.weight", [controlTokens, H]);
  shapes.set("microturn.speech_table.weight", [speech2, H]);
  shapes.set("microturn.output_norm.weight", [H]);
  shapes.set("microturn.heard_head.weight", [config.vocabSize, H]);
  shapes.set("microturn.control_head.weight", [controlTokens, H]);
  shapes.set("microturn.speech_head.0.weight", [H, H]);
  shapes.set("microturn.speech_head.0.bias", [H]);
  shapes.set("microturn.speech_head.2.weight", [speech2, H]);
  shapes.set("microturn.speech_head.2.bias", [speech2]);
  if (duplex2.vocoder === void 0) return;
  const { width, blocks, kernel, subFrames: subFrames2, envelopePoints: envelopePoints2 } = duplex2.vocoder;
  const controls = subFrames2 * (2 + 2 * envelopePoints2);
  shapes.set("microturn.vocoder.in.weight", [width, melBins2]);
  shapes.set("microturn.vocoder.in.bias", [width]);
  for (let block = 0; block < blocks; block++) {
    shapes.set(`microturn.vocoder.conv.${block}.weight`, [width, width, kernel]);
    shapes.set(`microturn.vocoder.conv.${block}.bias`, [width]);
    shapes.set(`microturn.vocoder.proj.${block}.weight`, [width, width]);
    shapes.set(`microturn.vocoder.proj.${block}.bias`, [width]);
  }
  shapes.set("microturn.vocoder.out.weight", [controls, width]);
  shapes.set("microturn.vocoder.out.bias", [controls]);
}

// packages/core/src/graph/quantise.ts
function quantise(matrix, rows, columns, bits, blockSize = 32) {
  const zero = 1 << bits - 1;
  const blocks = Math.ceil(columns / blockSize);
  const blob = blockSize * bits / 8;
  const data = new Uint8Array(rows * blocks * blob);
  const scales = new Float32Array(rows * blocks);
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) {
      const start = row * columns + block * blockSize;
      const end2 = Math.min(start + blockSize, (row + 1) * columns);
      let extreme = 0;
      for (let i = start; i < end2; i++) if (Math.abs(matrix[i]) > Math.abs(extreme)) extreme = matrix[i];
      const scale = Math.fround(extreme / -zero);
      scales[row * blocks + block] = scale;
      const inverse = scale === 0 ? 0 : 1 / scale;
      const at = (row * blocks + block) * blob;
      for (let i = 0; i < blockSize; i++) {
        const value = start + i < end2 ? Math.round(matrix[start + i] * inverse) + zero : zero;
        const level = Math.min(2 * zero - 1, Math.max(0, value));
        if (bits === 8) data[at + i] = level;
        else data[at + (i >> 1)] |= level << (i & 1) * 4;
      }
    }
  }
  return { rows, columns, bits, blockSize, data, scales };
}

// packages/core/src/graph/build-context.ts
var BuildContext = class _BuildContext {
  constructor(g, config, weights, options) {
    this.g = g;
    this.config = config;
    this.weights = weights;
    this.options = options;
    this.shapes = weightShapes(config);
  }
  g;
  config;
  weights;
  options;
  shapes;
  /** The same context with another emitter: the body of an `If`. */
  inside(g) {
    return new _BuildContext(g, this.config, this.weights, this.options);
  }
  /** Elements of a weight of the configuration. */
  array(name) {
    return this.weights.float32(name, this.shapeOf(name));
  }
  shapeOf(name) {
    const shape = this.shapes.get(name);
    if (shape === void 0) throw new Error(`graph: the configuration has no weight "${name}"`);
    if (name === "lm_head.weight" && this.weights.shape(name)?.[0] === this.config.unpaddedVocabSize) {
      return [this.config.unpaddedVocabSize ?? shape[0], shape[1]];
    }
    return shape;
  }
  /** A weight as it is stored, as a float32 constant. */
  tensor(name) {
    return this.g.weight(name, () => ({ type: "float32", shape: this.shapeOf(name), data: this.array(name) }));
  }
  /** A stored weight `[out, in]` as a matrix. */
  matrix(name) {
    const [rows, columns] = this.shapeOf(name);
    return { name, rows, columns, data: () => this.array(name) };
  }
  /** Several stored weights with the same inputs, one below the other: one multiplication instead of several. */
  stacked(name, parts) {
    const columns = this.shapeOf(parts[0]).at(-1) ?? 1;
    const rows = parts.reduce(
      (sum, part) => sum + this.shapeOf(part).slice(0, -1).reduce((a, b) => a * b, 1),
      0
    );
    const data = () => {
      const result = new Float32Array(rows * columns);
      let offset = 0;
      for (const part of parts) {
        const array = this.array(part);
        result.set(array, offset);
        offset += array.length;
      }
      return result;
    };
    return { name, rows, columns, data };
  }
  /** x `[..., columns]` times the transposed matrix: `[..., rows]`, in the weight type of this graph. */
  linear(x, matrix) {
    const { g } = this;
    const { weightType, accuracyLevel } = this.options;
    if (weightType === "float32") return this.exactLinear(x, matrix);
    const bits = weightType === "int8" ? 8 : 4;
    const block = 32;
    const blocks = Math.ceil(matrix.columns / block);
    const quantised = once(() => quantise(matrix.data(), matrix.rows, matrix.columns, bits, block));
    const data = g.weight(`${matrix.name}.q${bits}`, () => ({
      type: "uint8",
      shape: [matrix.rows, blocks, block * bits / 8],
      data: quantised().data
    }));
    const scales = g.weight(`${matrix.name}.s${bits}`, () => ({
      type: "float32",
      shape: [matrix.rows * blocks],
      data: quantised().scales
    }));
    const attributes = { K: matrix.columns, N: matrix.rows, bits, block_size: block, accuracy_level: accuracyLevel };
    return g.op("MatMulNBits", [x, data, scales], attributes, "com.microsoft");
  }
  /** As `linear`, always in float32: for small matrices whose errors would decide things, such as the router. */
  exactLinear(x, matrix) {
    const transposed = this.g.weight(`${matrix.name}.t`, () => ({
      type: "float32",
      shape: [matrix.columns, matrix.rows],
      data: transpose(matrix.data(), matrix.rows, matrix.columns)
    }));
    return this.g.matmul(x, transposed);
  }
  /** RMSNorm over the last axis with a stored weight. */
  norm(x, name, epsilon = this.config.rmsNormEpsilon) {
    return this.g.rmsNorm(x, this.tensor(name), epsilon);
  }
};
function transpose(matrix, rows, columns) {
  const result = new Float32Array(matrix.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = matrix[row * columns + column];
  }
  return result;
}
function once(make) {
  let made;
  return () => {
    made ??= make();
    return made;
  };
}

// packages/core/src/graph/short-convolution.ts
function shortConvolution(c, x, state, count, names) {
  const { g } = c;
  const kernel = c.config.convKernel;
  const taps = g.weight(`${names.join("+")}.taps`, () => {
    const channels = names.reduce((sum, name) => sum + c.shapeOf(name)[0], 0);
    const data = new Float32Array(kernel * channels);
    let first = 0;
    for (const name of names) {
      const weight = c.array(name);
      const own = weight.length / kernel;
      for (let channel = 0; channel < own; channel++) {
        for (let tap = 0; tap < kernel; tap++) data[tap * channels + first + channel] = weight[channel * kernel + tap];
      }
      first += own;
    }
    return { type: "float32", shape: [kernel, channels], data };
  });
  const history = g.concat([state, x], 1);
  const renewed = g.slice(history, 1, count, count + kernel - 1);
  if (count === 1) {
    return { output: g.add(g.sum(g.mul(history, taps), [1], true), x), state: renewed };
  }
  const windows = Int32Array.from({ length: count * kernel }, (_, i) => Math.floor(i / kernel) + i % kernel);
  const unfolded = g.gather(history, g.ints(windows, [count, kernel]), 1);
  return { output: g.add(g.sum(g.mul(unfolded, taps), [2]), x), state: renewed };
}

// packages/core/src/graph/attention.ts
var hidden = -1e9;
function attention(c, layer, x, state, plan) {
  const { g, config } = c;
  const { heads, kvHeads, headDim: D, relativeExtent } = attentionOf(config, layer);
  const { count: S, total: N, rows: R, temperature } = plan;
  const group = heads / kvHeads;
  const at = `${layerPrefix(layer)}self_attn.`;
  const names = ["q", "k", "v", "r"].map((part) => `${at}${part}_proj.weight`);
  const projected = c.linear(x, c.stacked(`${at}qkvr`, names));
  const [queryPart, keyValuePart, relativePart] = g.split(projected, 2, [
    heads * D,
    2 * kvHeads * D,
    heads * config.relativeDim
  ]);
  const convolved = shortConvolution(c, keyValuePart, state.convolution, S, [
    `${at}k_sconv.conv1d.weight`,
    `${at}v_sconv.conv1d.weight`
  ]);
  const [keyPart, valuePart] = g.split(convolved.output, 2, [kvHeads * D, kvHeads * D]);
  const scale = g.weight(`${at}q_norm.scaled`, () => {
    const weight = c.array(`${at}q_norm.weight`);
    return { type: "float32", shape: [D], data: weight.map((value2) => value2 / D) };
  });
  let query = g.rmsNorm(g.reshape(queryPart, [-1, S, heads, D]), scale, config.rmsNormEpsilon);
  if (temperature !== void 0) query = g.mul(query, temperature);
  query = g.reshape(headsFirst(c, query, S, heads, D), [-1, kvHeads, group * S, D]);
  const normalisedKey = c.norm(g.reshape(keyPart, [-1, S, kvHeads, D]), `${at}k_norm.weight`);
  const key = headsFirst(c, normalisedKey, S, kvHeads, D);
  const value = headsFirst(c, g.reshape(valuePart, [-1, S, kvHeads, D]), S, kvHeads, D);
  const newKeys = state.newKeys === void 0 ? key : g.concat([state.newKeys, key], 2);
  const newValues = state.newValues === void 0 ? value : g.concat([state.newValues, value], 2);
  const profiles = g.weight(`${at}relative.padded`, () => {
    const proj = c.array(`${at}rel_logits_proj.proj`);
    const width = relativeExtent + 2;
    const data = new Float32Array(config.relativeDim * width);
    for (let row = 0; row < config.relativeDim; row++) {
      data.set(proj.subarray(row * relativeExtent, (row + 1) * relativeExtent), row * width);
    }
    return { type: "float32", shape: [config.relativeDim, width], data };
  });
  const mask = new Float32Array(relativeExtent + 2);
  mask[relativeExtent + 1] = hidden;
  let relative = g.reshape(relativePart, [-1, S, heads, config.relativeDim]);
  if (temperature !== void 0) relative = g.mul(relative, temperature);
  relative = headsFirst(c, relative, S, heads, config.relativeDim);
  const byDistance = g.add(g.matmul(relative, profiles), g.floats(mask, [relativeExtent + 2]));
  const columns = g.op("Expand", [plan.columns, g.sizes([1, heads, 1, 1])]);
  const bias = g.op("GatherElements", [byDistance, columns], { axis: 3 });
  const scores2 = g.concat(
    [g.matmul(query, g.transpose(state.ringKeys, [0, 1, 3, 2])), g.matmul(query, g.transpose(newKeys, [0, 1, 3, 2]))],
    3
  );
  const share2 = g.softmax(g.add(scores2, g.reshape(bias, [-1, kvHeads, group * S, R + N])));
  const [ringShare, newShare] = g.split(share2, 3, [R, N]);
  const mixed = g.add(g.matmul(ringShare, state.ringValues), g.matmul(newShare, newValues));
  const joined = positionsFirst(c, g.reshape(mixed, [-1, heads, S, D]), S, heads, D);
  return {
    output: c.linear(joined, c.matrix(`${at}o_proj.weight`)),
    state: {
      ringKeys: state.ringKeys,
      ringValues: state.ringValues,
      newKeys,
      newValues,
      convolution: convolved.state
    }
  };
}
function headsFirst(c, x, S, heads, D) {
  return S === 1 ? c.g.reshape(x, [-1, heads, 1, D]) : c.g.transpose(x, [0, 2, 1, 3]);
}
function positionsFirst(c, x, S, heads, D) {
  return c.g.reshape(S === 1 ? x : c.g.transpose(x, [0, 2, 1, 3]), [-1, S, heads * D]);
}

// packages/core/src/graph/mlp.ts
function denseMlp(c, layer, x) {
  const at = `${layerPrefix(layer)}mlp.`;
  const gateUp = c.stacked(`${at}gate_up`, [`${at}gate_proj.weight`, `${at}up_proj.weight`]);
  const activated = swiglu(c.g, c.linear(x, gateUp), c.config.denseWidth);
  const [scale] = c.array(`${at}global_scale`);
  const down = c.matrix(`${at}down_proj.weight`);
  const scaled2 = { ...down, name: `${at}down_scaled`, data: () => down.data().map((value) => value * scale) };
  return c.linear(activated, scaled2);
}
function swiglu(g, gateUp, width, axis = -1) {
  const [gate, up] = g.split(gateUp, axis, [width, width]);
  return g.mul(g.silu(gate), up);
}

// packages/core/src/graph/experts.ts
function mixtureOfExperts(c, layer, x, positions) {
  const { g, config } = c;
  const at = `${layerPrefix(layer)}mlp.`;
  const tokens = g.reshape(x, [-1, config.hiddenSize]);
  const routing = g.scope("router", () => route(c, at, tokens));
  const scale = g.float(config.routeScale * c.array(`${at}gate.global_scale`)[0]);
  const form = c.options.experts;
  const mixed = g.scope(form, () => {
    if (form === "dense") return everyExpert(c, at, tokens, routing);
    const shared = sharedExperts(c, at, tokens, routing);
    if (form === "if") return expertsOnDemand(c, at, tokens, routing, shared);
    const routed = gatheredExperts(c, at, tokens, routing);
    return shared === void 0 ? routed : g.add(routed, shared);
  });
  return {
    output: g.reshape(g.mul(mixed, scale), [-1, positions, config.hiddenSize]),
    load: g.sum(g.reshape(routing.spread, [-1, positions, config.experts]), [1])
  };
}
function route(c, at, tokens) {
  const { g, config } = c;
  const { experts: E, expertsPerToken: K, sharedExperts: S } = config;
  const logits = c.exactLinear(tokens, c.matrix(`${at}gate.weight`));
  const [routed, shared] = S > 0 ? g.split(logits, 1, [E, S]) : [logits, void 0];
  const scores2 = g.add(g.op("Sigmoid", [routed]), c.tensor(`${at}gate.e_score_correction_bias`));
  const [, chosen] = g.ops("TopK", [scores2, g.sizes([K])], 2, { axis: 1, largest: 1, sorted: 1 });
  const chosenLogits = g.op("GatherElements", [routed, chosen], { axis: 1 });
  const weighed = shared === void 0 ? chosenLogits : g.concat([chosenLogits, shared], 1);
  const logSigmoid = g.op("Neg", [g.op("Softplus", [g.op("Neg", [weighed])])]);
  const shares = g.softmax(logSigmoid);
  const [share2, sharedShare] = S > 0 ? g.split(shares, 1, [K, S]) : [shares, void 0];
  const spread2 = g.op("ScatterElements", [g.mul(routed, g.float(0)), chosen, share2], { axis: 1 });
  return { chosen, share: share2, spread: spread2, ...sharedShare === void 0 ? {} : { sharedShare } };
}
function sharedExperts(c, at, tokens, routing) {
  const { g } = c;
  const { sharedExperts: S, expertWidth: F } = c.config;
  if (routing.sharedShare === void 0) return void 0;
  const names = [`${at}shared_experts.gate_proj`, `${at}shared_experts.up_proj`];
  const activated = swiglu(g, c.linear(tokens, c.stacked(`${at}shared.gate_up`, names)), S * F);
  const weighed = weighWide(g, activated, routing.sharedShare, S, F);
  return c.linear(weighed, sideBySide(c, `${at}shared_experts.down_proj`, `${at}shared.down`, S, F));
}
function expertsOnDemand(c, at, tokens, routing, shared) {
  const { g } = c;
  const { experts: E, expertWidth: F, hiddenSize: H } = c.config;
  const one = new Array(E).fill(1);
  const used = g.op("Greater", [g.op("ReduceMax", [routing.spread, g.sizes([0])], { keepdims: 0 }), g.float(0)]);
  const conditions = g.split(used, 0, one);
  const columns = g.split(routing.spread, 1, one);
  let sum = shared ?? g.mul(tokens, g.float(0));
  for (let expert = 0; expert < E; expert++) {
    const before = sum;
    sum = g.if(
      conditions[expert],
      "float32",
      (body) => {
        const inner = c.inside(body);
        const column = body.reshape(columns[expert], [-1]);
        const rows = body.reshape(body.op("NonZero", [column]), [-1]);
        const mine = body.gather(tokens, rows, 0);
        const weight = body.reshape(body.gather(column, rows, 0), [-1, 1]);
        const gateUp = inner.linear(mine, oneExpert(c, `${at}experts.gate_up_proj`, expert, 2 * F, H));
        const activated = body.mul(swiglu(body, gateUp, F), weight);
        const result = inner.linear(activated, oneExpert(c, `${at}experts.down_proj`, expert, H, F));
        return body.op("ScatterND", [before, body.reshape(rows, [-1, 1]), result], { reduction: "add" });
      },
      () => before
    );
  }
  return sum;
}
function gatheredExperts(c, at, tokens, routing) {
  const { g } = c;
  const { expertsPerToken: K, expertWidth: F, hiddenSize: H } = c.config;
  const gateUp = chosenMatrices(c, `${at}experts.gate_up_proj`, routing.chosen, 2 * F, H);
  const column = g.reshape(tokens, [-1, 1, H, 1]);
  const activated = swiglu(g, g.matmul(gateUp, column), F, 2);
  const weighed = g.mul(activated, g.reshape(routing.share, [-1, K, 1, 1]));
  const down = chosenMatrices(c, `${at}experts.down_proj`, routing.chosen, H, F);
  return g.reshape(g.sum(g.matmul(down, weighed), [1]), [-1, H]);
}
function everyExpert(c, at, tokens, routing) {
  const { g } = c;
  const { experts: E, expertWidth: F, hiddenSize: H } = c.config;
  const stacked = c.stacked(`${at}experts.gate_up`, [`${at}experts.gate_up_proj`]);
  const perExpert = g.reshape(c.linear(tokens, stacked), [-1, E, 2 * F]);
  const activated = g.reshape(swiglu(g, perExpert, F), [-1, E * F]);
  const weighed = weighWide(g, activated, routing.spread, E, F);
  const routed = c.linear(weighed, sideBySide(c, `${at}experts.down_proj`, `${at}experts.down`, E, F));
  const shared = sharedExperts(c, at, tokens, routing);
  return g.reshape(shared === void 0 ? routed : g.add(routed, shared), [-1, H]);
}
function weighWide(g, activated, shares, count, F) {
  if (count === 1) return g.mul(activated, shares);
  const split = g.reshape(activated, [-1, count, F]);
  return g.reshape(g.mul(split, g.reshape(shares, [-1, count, 1])), [-1, count * F]);
}
function oneExpert(c, name, expert, rows, columns) {
  const size = rows * columns;
  return {
    name: `${name}.${expert}`,
    rows,
    columns,
    data: () => c.array(name).subarray(expert * size, (expert + 1) * size)
  };
}
function sideBySide(c, name, as, count, F) {
  const H = c.config.hiddenSize;
  const data = () => {
    const source = c.array(name);
    const result = new Float32Array(H * count * F);
    for (let expert = 0; expert < count; expert++) {
      for (let row = 0; row < H; row++) {
        const start = (expert * H + row) * F;
        result.set(source.subarray(start, start + F), row * count * F + expert * F);
      }
    }
    return result;
  };
  return { name: as, rows: H, columns: count * F, data };
}
function chosenMatrices(c, name, chosen, rows, columns) {
  const { g } = c;
  const E = c.config.experts;
  if (c.options.weightType === "float32") return g.gather(c.tensor(name), chosen, 0);
  const bits = c.options.weightType === "int8" ? 8 : 4;
  const block = 32;
  const blocks = Math.ceil(columns / block);
  let made;
  const quantised = () => {
    made ??= quantise(c.array(name), E * rows, columns, bits, block);
    return made;
  };
  const data = g.weight(`${name}.g${bits}`, () => ({
    type: "uint8",
    shape: [E, rows, blocks * block * bits / 8],
    data: quantised().data
  }));
  const scales = g.weight(`${name}.gs${bits}`, () => ({
    type: "float32",
    shape: [E, rows, blocks],
    data: quantised().scales
  }));
  const attributes = { bits, block_size: block, gather_axis: 0, quantize_axis: 2 };
  const gathered = g.op("GatherBlockQuantized", [data, chosen, scales], attributes, "com.microsoft");
  return columns === blocks * block ? gathered : g.slice(gathered, 3, 0, columns);
}

// packages/core/src/graph/ring.ts
function ringRows({ positionsPerTurn: positionsPerTurn2, sinkTurns, ringTurns }) {
  return positionsPerTurn2 * (sinkTurns + ringTurns);
}
function biasColumns(g, turn, geometry, extent, first, count) {
  const { positionsPerTurn: P, sinkTurns, ringTurns, window } = geometry;
  const turns = sinkTurns + ringTurns;
  const perRow = g.reshape(turn, [-1, 1]);
  const parts = [];
  if (sinkTurns > 0) parts.push(g.sub(perRow, g.ints(range(sinkTurns), [1, sinkTurns])));
  const since = g.sub(
    perRow,
    g.ints(
      Array.from(range(ringTurns), (slot) => sinkTurns + 1 + slot),
      [1, ringTurns]
    )
  );
  const written = g.less(g.int(-1), since);
  const rounds = g.div(since, g.int(ringTurns));
  const modulo = g.sub(since, g.mul(rounds, g.int(ringTurns)));
  parts.push(g.where(written, g.add(modulo, g.int(1)), g.int(0)));
  const ago = g.reshape(g.concat(parts, 1), [-1, turns, 1]);
  const offsets = g.ints(range(P), [1, 1, P]);
  const turnStartDistance = g.reshape(g.sub(g.mul(ago, g.int(P)), offsets), [-1, 1, turns * P]);
  const queries = g.ints(range(count, first), [1, count, 1]);
  const distance = g.add(turnStartDistance, queries);
  const column = g.where(g.less(distance, g.int(extent)), distance, g.int(extent));
  const seenAgo = g.reshape(g.less(g.int(0), ago), [-1, turns, 1]);
  const seenRows = g.reshape(g.op("And", [seenAgo, allTrue(g, P)]), [-1, 1, turns * P]);
  let visible;
  if (window === void 0) {
    visible = seenRows;
  } else {
    const reach = new Int32Array(turns * P).fill(window);
    reach.fill(2 ** 31 - 1, 0, sinkTurns * P);
    visible = g.op("And", [seenRows, g.less(distance, g.ints(reach, [1, 1, turns * P]))]);
  }
  const old = g.where(visible, column, g.int(extent + 1));
  const total = first + count;
  const recent = new Int32Array(count * total);
  for (let query = 0; query < count; query++) {
    for (let key = 0; key < total; key++) {
      const apart = first + query - key;
      const hidden2 = apart < 0 || window !== void 0 && apart >= window;
      recent[query * total + key] = hidden2 ? extent + 1 : Math.min(apart, extent);
    }
  }
  const zeroPerRow = g.reshape(g.mul(turn, g.int(0)), [-1, 1, 1]);
  const all = g.concat([old, g.add(zeroPerRow, g.ints(recent, [1, count, total]))], 2);
  return g.reshape(all, [-1, 1, count, turns * P + total]);
}
function updatedRing(g, ring, rows, turn, geometry, heads, headDim) {
  const { positionsPerTurn: P, sinkTurns, ringTurns } = geometry;
  const turns = sinkTurns + ringTurns;
  const later = g.sub(turn, g.int(sinkTurns));
  const place = g.sub(later, g.mul(g.div(later, g.int(ringTurns)), g.int(ringTurns)));
  const slot = g.where(g.less(turn, g.int(sinkTurns)), turn, g.add(place, g.int(sinkTurns)));
  const here = g.equal(g.reshape(slot, [-1, 1, 1, 1, 1]), g.ints(range(turns), [1, 1, turns, 1, 1]));
  const slots = g.reshape(ring, [-1, heads, turns, P, headDim]);
  const placed = g.where(here, g.reshape(rows, [-1, heads, 1, P, headDim]), slots);
  return g.reshape(placed, [-1, heads, turns * P, headDim]);
}
function range(count, first = 0) {
  return Int32Array.from({ length: count }, (_, i) => first + i);
}
function allTrue(g, count) {
  return g.cast(g.ints(new Int32Array(count).fill(1), [1, 1, count]), "bool");
}

// packages/core/src/graph/decoder.ts
var Decoder = class {
  constructor(c, options) {
    this.c = c;
    this.options = options;
    const { g, config } = c;
    this.turn = g.stateInput({ input: "turn", type: "int32", shape: [], update: { kind: "counter" } });
    const rings = config.layerTypes.map((_, layer) => {
      const { kvHeads, headDim } = attentionOf(config, layer);
      const geometry = this.geometry(layer);
      const ring = (name) => g.stateInput({
        input: `${name}${layer}`,
        output: `${name}${layer}_new`,
        type: "float32",
        shape: [kvHeads, ringRows(geometry), headDim],
        update: options.state === "whole" ? { kind: "replace" } : {
          kind: "ring",
          axis: 1,
          rowsPerTurn: geometry.positionsPerTurn,
          sinkTurns: geometry.sinkTurns,
          ringTurns: geometry.ringTurns
        }
      });
      return { ringKeys: ring("k"), ringValues: ring("v") };
    });
    const widths = config.layerTypes.flatMap((_, layer) => {
      const { kvHeads, headDim } = attentionOf(config, layer);
      return [2 * kvHeads * headDim, config.hiddenSize, config.hiddenSize];
    });
    const packed = g.stateInput({
      input: "conv",
      output: "conv_new",
      type: "float32",
      shape: [config.convKernel - 1, widths.reduce((a, b) => a + b, 0)],
      update: { kind: "replace" }
    });
    const histories = g.split(packed, 2, widths);
    for (const [layer, ring] of rings.entries()) {
      const [convolution, afterAttention, afterMlp] = histories.slice(3 * layer, 3 * layer + 3);
      this.layers.push({ attention: { ...ring, convolution }, afterAttention, afterMlp });
    }
  }
  c;
  options;
  /** Runs so far, int32 `[B]`. */
  turn;
  layers = [];
  /** Shares that the positions so far gave each expert, one `[B, E]` per mixture layer. */
  loads = /* @__PURE__ */ new Map();
  geometry(layer) {
    return this.c.config.layerTypes[layer] === "sliding" ? this.options.sliding : this.options.global;
  }
  /**
   * Runs positions `first … first + count - 1` of this micro-turn through all layers.
   *
   * @param x - embedded inputs, `[B, count, H]`
   * @returns final hidden states, normalised and divided by the muP divisor, `[B, count, H]`
   */
  pass(x, first, count) {
    const { c } = this;
    const { g, config } = c;
    const plans = this.plans(first, count);
    let hidden2 = x;
    for (const [layer, state] of this.layers.entries()) {
      g.scope(`layer${layer}`, () => {
        const at = layerPrefix(layer);
        const plan = plans[config.layerTypes[layer]];
        if (plan === void 0) throw new Error(`graph: no plan for layer ${layer}`);
        const attended = g.scope(
          "attention",
          () => attention(c, layer, c.norm(hidden2, `${at}input_layernorm.weight`), state.attention, plan)
        );
        state.attention = attended.state;
        const mixed = shortConvolution(c, attended.output, state.afterAttention, count, [
          `${at}attn_sconv.conv1d.weight`
        ]);
        state.afterAttention = mixed.state;
        hidden2 = g.add(hidden2, mixed.output);
        const normalised3 = c.norm(hidden2, `${at}post_attention_layernorm.weight`);
        const transformed = g.scope("mlp", () => this.mlp(layer, normalised3, count));
        const convolved = shortConvolution(c, transformed, state.afterMlp, count, [`${at}mlp_sconv.conv1d.weight`]);
        state.afterMlp = convolved.state;
        hidden2 = g.add(hidden2, convolved.output);
      });
    }
    const normalised2 = c.norm(hidden2, "model.language_model.norm.weight");
    return config.mupDivisor === 1 ? normalised2 : g.div(normalised2, g.float(config.mupDivisor));
  }
  mlp(layer, x, count) {
    const { c } = this;
    if (c.config.mlpTypes[layer] === "dense") return denseMlp(c, layer, x);
    const { output, load } = mixtureOfExperts(c, layer, x, count);
    const before = this.loads.get(layer);
    this.loads.set(layer, before === void 0 ? load : c.g.add(before, load));
    return output;
  }
  /** What all layers of a kind share in this pass. */
  plans(first, count) {
    const { c, options, turn } = this;
    const { g, config } = c;
    const plan = (kind) => g.scope(kind, () => {
      const geometry = options[kind];
      const columns = biasColumns(g, turn, geometry, config[kind].relativeExtent, first, count);
      const shared = { count, total: first + count, rows: ringRows(geometry), columns };
      if (kind === "sliding" || config.logScaling === void 0) return shared;
      const { floor, alpha } = config.logScaling;
      const start = g.mul(g.cast(turn, "float32"), g.float(options.positionsPerTurn));
      const numbers = Float32Array.from({ length: count }, (_, i) => first + i + 1);
      const ratio = g.div(g.add(g.reshape(start, [-1, 1]), g.floats(numbers, [1, count])), g.float(floor));
      const growth = g.op("Log", [g.op("Max", [ratio, g.float(1)])]);
      const temperature = g.add(g.mul(growth, g.float(alpha)), g.float(1));
      return { ...shared, temperature: g.reshape(temperature, [-1, count, 1, 1]) };
    });
    return {
      ...config.layerTypes.includes("sliding") ? { sliding: plan("sliding") } : {},
      ...config.layerTypes.includes("global") ? { global: plan("global") } : {}
    };
  }
  /** Mean share of each expert over the positions of this micro-turn, `[B, mixture layers, E]`; undefined without mixtures. */
  expertLoad() {
    const { g, config } = this.c;
    if (this.loads.size === 0) return void 0;
    const rows = [...this.loads.values()].map((load) => g.reshape(load, [-1, 1, config.experts]));
    return g.mul(g.concat(rows, 1), g.float(1 / this.options.positionsPerTurn));
  }
  /** Emits the renewed state. Every position of the micro-turn must have passed. */
  finish() {
    const { c, options } = this;
    const { g, config } = c;
    g.scope("state", () => {
      const histories = [];
      for (const [layer, { attention: kept, afterAttention, afterMlp }] of this.layers.entries()) {
        const { kvHeads, headDim } = attentionOf(config, layer);
        for (const [name, ring, rows] of [
          ["k", kept.ringKeys, kept.newKeys],
          ["v", kept.ringValues, kept.newValues]
        ]) {
          if (rows === void 0) throw new Error("graph: finish before the first pass");
          const value = options.state === "rows" ? rows : updatedRing(g, ring, rows, this.turn, this.geometry(layer), kvHeads, headDim);
          g.stateOutput(`${name}${layer}_new`, value);
        }
        histories.push(kept.convolution, afterAttention, afterMlp);
      }
      g.stateOutput("conv_new", g.concat(histories, 2));
    });
  }
};

// packages/core/src/graph/embeddings.ts
var towerEpsilon = 1e-6;
function embedText(c, ids) {
  const rows = c.g.gather(c.tensor("model.language_model.embed_tokens.weight"), ids, 0);
  return c.norm(rows, "model.language_model.embed_tokens.embed_norm.weight");
}
function embedAudio(c, levels) {
  const { g, config } = c;
  if (config.audio === void 0) throw new Error("graph: the configuration has no audio");
  const sum = bagOfLevels(
    c,
    levels,
    "model.audio_tower.embed_audio_tokens.embed_audio_tokens.weight",
    config.audio.melBins,
    config.audio.levels,
    2
  );
  return g.rmsNorm(sum, c.tensor("model.audio_tower.norm.weight"), towerEpsilon);
}
function bagOfLevels(c, levels, table2, bins2, levelCount, axis) {
  const { g } = c;
  const starts = Int32Array.from({ length: bins2 }, (_, bin) => bin * levelCount);
  const rows = g.gather(c.tensor(table2), g.add(levels, g.ints(starts, [bins2])), 0);
  return g.sum(rows, [axis]);
}
function embedPatches(c, patches, count) {
  const { g, config } = c;
  if (config.image === void 0) throw new Error("graph: the configuration has no image");
  const { patchSize: patchSize2, temporalPatchSize, channels, layers } = config.image;
  let [time, size, depth] = [temporalPatchSize, patchSize2, channels];
  let x = g.reshape(patches, [-1, time, size, size, depth]);
  for (const [index, { foldTime, foldSpace, outputWidth }] of layers.entries()) {
    if (foldTime > 1 || foldSpace > 1) {
      const [t, s] = [time / foldTime, size / foldSpace];
      x = g.reshape(x, [-1, t, foldTime, s, foldSpace, s, foldSpace, depth]);
      x = g.transpose(x, [0, 1, 3, 5, 2, 4, 6, 7]);
      [time, size, depth] = [t, s, depth * foldTime * foldSpace * foldSpace];
      x = g.reshape(x, [-1, time, size, size, depth]);
    }
    const name = `model.vision_tower.encoder_layers.${index}`;
    x = c.linear(x, c.matrix(`${name}.projection.weight`));
    depth = outputWidth;
    if (index < layers.length - 1) {
      x = g.op("Gelu", [c.norm(x, `${name}.layer_norm.weight`, towerEpsilon)], { approximate: "none" });
    }
  }
  const pooled = g.reshape(x, [-1, count, config.hiddenSize]);
  return g.rmsNorm(pooled, c.tensor("model.vision_tower.final_norm.weight"), towerEpsilon);
}

// packages/core/src/graph/onnx-writer.ts
var onnxType = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9 };
function writeModel(graph, options) {
  const model = new Message();
  model.integer(1, 10);
  model.text(2, options.producer);
  model.message(7, graphMessage(graph));
  for (const [domain, version] of [
    ["", options.opset],
    ["com.microsoft", 1]
  ]) {
    const set = new Message();
    set.text(1, domain);
    set.integer(2, version);
    model.message(8, set);
  }
  return model.finish();
}
function graphMessage(graph) {
  const message = new Message();
  for (const node of graph.nodes) message.message(1, nodeMessage(node));
  message.text(2, graph.name);
  for (const constant of graph.constants) message.message(5, tensorMessage(constant));
  for (const value of graph.inputs) message.message(11, valueMessage(value));
  for (const value of graph.outputs) message.message(12, valueMessage(value));
  return message;
}
function nodeMessage(node) {
  const message = new Message();
  for (const input of node.inputs) message.text(1, input);
  for (const output of node.outputs) message.text(2, output);
  message.text(3, node.name);
  message.text(4, node.op);
  for (const [name, value] of Object.entries(node.attributes)) message.message(5, attributeMessage(name, value));
  if (node.domain !== "") message.text(7, node.domain);
  return message;
}
function attributeMessage(name, value) {
  const message = new Message();
  message.text(1, name);
  if (typeof value === "number") {
    message.integer(3, value);
    message.integer(20, 2);
  } else if (typeof value === "string") {
    message.text(4, value);
    message.integer(20, 3);
  } else if ("graph" in value) {
    message.message(6, graphMessage(value.graph));
    message.integer(20, 5);
  } else if ("float" in value) {
    message.float(2, value.float);
    message.integer(20, 1);
  } else {
    for (const item of value) message.integer(8, item);
    message.integer(20, 7);
  }
  return message;
}
function tensorMessage(tensor) {
  const message = new Message();
  for (const size of tensor.shape) message.integer(1, size);
  message.integer(2, onnxType[tensor.type]);
  message.text(8, tensor.name);
  if (tensor.external === void 0) {
    message.bytes(9, tensor.bytes);
    return message;
  }
  const { path, offset } = tensor.external;
  for (const [key, value] of [
    ["location", path],
    ["offset", String(offset)],
    ["length", String(tensor.bytes.length)]
  ]) {
    const entry = new Message();
    entry.text(1, key);
    entry.text(2, value);
    message.message(13, entry);
  }
  message.integer(14, 1);
  return message;
}
function valueMessage(value) {
  const tensor = new Message();
  tensor.integer(1, onnxType[value.type]);
  if (value.shape !== void 0) {
    const shape = new Message();
    for (const size of value.shape) {
      const dimension = new Message();
      if (size === -1) dimension.text(2, "batch");
      else dimension.integer(1, size);
      shape.message(1, dimension);
    }
    tensor.message(2, shape);
  }
  const type = new Message();
  type.message(1, tensor);
  const message = new Message();
  message.text(1, value.name);
  message.message(2, type);
  return message;
}
var utf8 = new TextEncoder();
var Message = class {
  chunks = [];
  length = 0;
  integer(field, value) {
    this.varint(field * 8);
    this.varint(value);
  }
  float(field, value) {
    this.varint(field * 8 + 5);
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    this.push(bytes);
  }
  text(field, value) {
    this.bytes(field, utf8.encode(value));
  }
  bytes(field, value) {
    this.varint(field * 8 + 2);
    this.varint(value.length);
    this.push(value);
  }
  message(field, value) {
    this.varint(field * 8 + 2);
    this.varint(value.length);
    for (const chunk of value.chunks) this.push(chunk);
  }
  finish() {
    const result = new Uint8Array(this.length);
    let offset = 0;
    for (const chunk of this.chunks) {
      result.set(chunk, offset);
      offset += chunk.length;
    }
    return result;
  }
  /** Seven bits a byte, lowest first. A negative number is written as its 64-bit two's complement: ten bytes. */
  varint(value) {
    const bytes = [];
    let rest = BigInt.asUintN(64, BigInt(value));
    do {
      const low = Number(rest & 127n);
      rest >>= 7n;
      bytes.push(rest === 0n ? low : low | 128);
    } while (rest !== 0n);
    this.push(Uint8Array.from(bytes));
  }
  push(chunk) {
    this.chunks.push(chunk);
    this.length += chunk.length;
  }
};

// packages/core/src/graph/emitter.ts
var opset = 23;
var inlineLimitBytes = 1 << 30;
var Emitter = class _Emitter {
  shared;
  nodes = [];
  inputs = [];
  outputs = [];
  state = [];
  path = [];
  constructor(parent) {
    this.shared = parent?.shared ?? { constants: /* @__PURE__ */ new Map(), byContent: /* @__PURE__ */ new Map(), next: 0 };
  }
  /** Names the nodes made inside `build`, for profiles and error messages of the runtime. */
  scope(name, build) {
    this.path.push(name);
    try {
      return build();
    } finally {
      this.path.pop();
    }
  }
  // Inputs, outputs, state
  /** Declares an input; -1 in the shape is the batch. */
  input(name, type, shape) {
    this.inputs.push({ name, type, shape });
    return name;
  }
  /** Declares an output that carries `value`. */
  output(name, value, type, shape) {
    this.outputs.push({ name, type, shape });
    this.emit("Identity", [value], 1, {}, "", [name]);
  }
  /** Declares a piece of state and gives the graph input that carries it. */
  stateInput(spec) {
    this.state.push(spec);
    return spec.input;
  }
  /** Gives the new value (or the new rows) of a piece of state that was declared before. */
  stateOutput(name, value) {
    this.emit("Identity", [value], 1, {}, "", [name]);
  }
  // Constants
  /** A float32 constant. Equal constants are stored once. */
  floats(values2, shape) {
    return this.constant("float32", shape, bytesOf(Float32Array.from(values2)));
  }
  float(value) {
    return this.floats([value], []);
  }
  ints(values2, shape) {
    return this.constant("int32", shape, bytesOf(Int32Array.from(values2)));
  }
  int(value) {
    return this.ints([value], []);
  }
  /** A list of sizes, axes or offsets, which operators want as int64. */
  sizes(values2) {
    return this.constant("int64", [values2.length], bytesOf(BigInt64Array.from(values2.map(BigInt))));
  }
  /** A named weight; a second call with the same name gives the first one without making it again. */
  weight(name, make) {
    if (!this.shared.constants.has(name)) {
      const { type, shape, data } = make();
      this.shared.constants.set(name, { name, type, shape, bytes: bytesOf(data) });
    }
    return name;
  }
  constant(type, shape, bytes) {
    const content = `${type} [${shape}] ${bytes.length <= 4096 ? bytes.join(",") : `#${this.shared.next}`}`;
    const known = this.shared.byContent.get(content);
    if (known !== void 0) return known;
    const name = `constant_${this.shared.next++}`;
    this.shared.byContent.set(content, name);
    this.shared.constants.set(name, { name, type, shape, bytes });
    return name;
  }
  // Operators
  /** Any operator with one output. */
  op(op, inputs, attributes = {}, domain = "") {
    return this.emit(op, inputs, 1, attributes, domain)[0];
  }
  /** Any operator with several outputs. */
  ops(op, inputs, outputs, attributes = {}) {
    return this.emit(op, inputs, outputs, attributes, "");
  }
  add(a, b) {
    return this.op("Add", [a, b]);
  }
  sub(a, b) {
    return this.op("Sub", [a, b]);
  }
  mul(a, b) {
    return this.op("Mul", [a, b]);
  }
  div(a, b) {
    return this.op("Div", [a, b]);
  }
  matmul(a, b) {
    return this.op("MatMul", [a, b]);
  }
  where(condition, yes, no) {
    return this.op("Where", [condition, yes, no]);
  }
  less(a, b) {
    return this.op("Less", [a, b]);
  }
  equal(a, b) {
    return this.op("Equal", [a, b]);
  }
  cast(x, type) {
    return this.op("Cast", [x], { to: onnxType[type] });
  }
  /** One size may be -1. */
  reshape(x, shape) {
    return this.op("Reshape", [x, this.sizes(shape)]);
  }
  transpose(x, order) {
    return this.op("Transpose", [x], { perm: order });
  }
  concat(parts, axis) {
    return parts.length === 1 ? parts[0] : this.op("Concat", parts, { axis });
  }
  /** Cuts into parts of explicit sizes. */
  split(x, axis, sizes) {
    return sizes.length === 1 ? [x] : this.ops("Split", [x, this.sizes(sizes)], sizes.length, { axis });
  }
  /** Elements `start … end - 1` of an axis. */
  slice(x, axis, start, end2) {
    return this.op("Slice", [x, this.sizes([start]), this.sizes([end2]), this.sizes([axis])]);
  }
  gather(table2, indices, axis) {
    return this.op("Gather", [table2, indices], { axis });
  }
  sum(x, axes, keepAxes = false) {
    return this.op("ReduceSum", [x, this.sizes(axes)], { keepdims: keepAxes ? 1 : 0 });
  }
  softmax(x) {
    return this.op("Softmax", [x], { axis: -1 });
  }
  /** x / sqrt(mean(x^2) + epsilon) * weight over the last axis. */
  rmsNorm(x, weight, epsilon) {
    return this.op("SimplifiedLayerNormalization", [x, weight], {
      axis: -1,
      epsilon: { float: epsilon },
      stash_type: 1
    });
  }
  /** x * sigmoid(x). */
  silu(x) {
    return this.mul(x, this.op("Sigmoid", [x]));
  }
  /** One output of whichever branch the condition (one bool) chooses; the other branch is not run. */
  if(condition, type, yes, no) {
    const branch = (name, build) => {
      const body = new _Emitter(this);
      body.path.push(...this.path, name);
      const result = body.op("Identity", [build(body)]);
      return { graph: { name, nodes: body.nodes, constants: [], inputs: [], outputs: [{ name: result, type }] } };
    };
    return this.op("If", [condition], { then_branch: branch("then", yes), else_branch: branch("else", no) });
  }
  emit(op, inputs, outputs, attributes, domain, names) {
    const number = this.shared.next++;
    const results = names ?? Array.from({ length: outputs }, (_, i) => `value_${number}${outputs > 1 ? `_${i}` : ""}`);
    const name = [...this.path, `${op}_${number}`].join("/");
    this.nodes.push({ name, op, domain, inputs, outputs: results, attributes });
    return [...results];
  }
  /** The finished graph. */
  finish(name) {
    const inputs = [
      ...this.inputs,
      ...this.state.map(({ input, type, shape }) => ({ name: input, type, shape: [-1, ...shape] }))
    ];
    const outputs = [...this.outputs];
    for (const { output, type } of this.state) if (output !== void 0) outputs.push({ name: output, type });
    const constants = [...this.shared.constants.values()];
    const total = constants.reduce((sum, constant) => sum + constant.bytes.length, 0);
    const { inline, files } = total <= inlineLimitBytes ? { inline: constants, files: [] } : moveOut(constants);
    const onnx = writeModel(
      { name, nodes: this.nodes, constants: inline, inputs, outputs },
      { opset, producer: "microturn" }
    );
    return {
      onnx,
      ...files.length > 0 ? { externalData: files } : {},
      inputs: this.inputs,
      outputs: this.outputs,
      state: this.state
    };
  }
};
function moveOut(constants) {
  const groups = [];
  const inline = [];
  let size = Number.POSITIVE_INFINITY;
  for (const constant of constants) {
    if (constant.bytes.length < 4096) {
      inline.push(constant);
      continue;
    }
    if (size + constant.bytes.length > inlineLimitBytes) {
      groups.push([]);
      size = 0;
    }
    groups[groups.length - 1].push(constant);
    size += constant.bytes.length;
  }
  const files = groups.map((group, index) => {
    const path = `weights-${index}.bin`;
    const data = new Uint8Array(group.reduce((sum, constant) => sum + constant.bytes.length, 0));
    let offset = 0;
    for (const constant of group) {
      data.set(constant.bytes, offset);
      inline.push({ ...constant, external: { path, offset } });
      offset += constant.bytes.length;
    }
    return { path, data };
  });
  return { inline, files };
}
function bytesOf(data) {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

// packages/core/src/graph/heads.ts
function languageLogits(c, hidden2) {
  const { vocabSize, unpaddedVocabSize = vocabSize, hiddenSize } = c.config;
  const stored = c.matrix("lm_head.weight");
  const used = {
    ...stored,
    name: "lm_head.used",
    rows: unpaddedVocabSize,
    data: () => stored.data().subarray(0, unpaddedVocabSize * hiddenSize)
  };
  return c.linear(hidden2, used);
}
function heardLogits(c, hidden2) {
  return c.linear(hidden2, c.matrix("microturn.heard_head.weight"));
}
function controlLogits(c, hidden2) {
  return c.exactLinear(hidden2, c.matrix("microturn.control_head.weight"));
}
function speechLogits(c, hidden2) {
  const { g } = c;
  const inner = g.add(
    c.linear(hidden2, c.matrix("microturn.speech_head.0.weight")),
    c.tensor("microturn.speech_head.0.bias")
  );
  const activated = g.op("Gelu", [inner], { approximate: "none" });
  return g.add(
    c.linear(activated, c.matrix("microturn.speech_head.2.weight")),
    c.tensor("microturn.speech_head.2.bias")
  );
}

// packages/core/src/graph/sampling.ts
function prepareTemperature(g, temperature) {
  const column = g.reshape(temperature, [-1, 1]);
  const samples = g.less(g.float(0), column);
  return { divisor: g.where(samples, column, g.float(1)), samples };
}
var triangularLimit = 64;
function sample(g, logits, random, { divisor, samples }, channels, categories) {
  const greedy = g.cast(g.op("ArgMax", [logits], { axis: 2, keepdims: 0 }), "int32");
  const probabilities = g.softmax(g.div(logits, g.reshape(divisor, [-1, 1, 1])));
  const cumulative = runningSum(g, probabilities, categories);
  const total = g.slice(cumulative, 2, categories - 1, categories);
  const threshold = g.mul(g.reshape(random, [-1, channels, 1]), total);
  const passed = g.sum(g.cast(g.op("LessOrEqual", [cumulative, threshold]), "float32"), [2]);
  const drawn = g.cast(g.op("Min", [passed, g.float(categories - 1)]), "int32");
  return g.where(samples, drawn, greedy);
}
function runningSum(g, x, categories) {
  if (categories > triangularLimit) return g.op("CumSum", [x, g.int(2)]);
  const triangle = new Float32Array(categories * categories);
  for (let from = 0; from < categories; from++) triangle.fill(1, from * categories + from, (from + 1) * categories);
  return g.matmul(x, g.floats(triangle, [categories, categories]));
}

// packages/core/src/graph/vocoder-graph.ts
function vocoderNetwork(c, levels, frames) {
  const { g } = c;
  const duplex2 = c.config.duplex;
  if (duplex2?.vocoder === void 0) throw new Error("graph: the configuration has no vocoder");
  const { width, blocks, kernel } = duplex2.vocoder;
  const history = kernel - 1;
  const packed = g.stateInput({
    input: "vocoder",
    output: "vocoder_new",
    type: "float32",
    shape: [history, blocks * width],
    update: { kind: "replace" }
  });
  const histories = g.split(packed, 2, new Array(blocks).fill(width));
  const windows = Int32Array.from({ length: frames * kernel }, (_, i) => Math.floor(i / kernel) + i % kernel);
  const at = "microturn.vocoder.";
  const centred = g.sub(g.mul(g.cast(levels, "float32"), g.float(2 / (duplex2.speech.levels - 1))), g.float(1));
  let hidden2 = g.add(c.exactLinear(centred, c.matrix(`${at}in.weight`)), c.tensor(`${at}in.bias`));
  const renewed = [];
  for (let block = 0; block < blocks; block++) {
    const past = g.concat([histories[block], hidden2], 1);
    renewed.push(g.slice(past, 1, frames, frames + history));
    const unfolded = g.reshape(g.gather(past, g.ints(windows, [frames, kernel]), 1), [-1, frames, kernel * width]);
    const taps = g.weight(`${at}conv.${block}.unfolded`, () => {
      const weight = c.array(`${at}conv.${block}.weight`);
      const data = new Float32Array(weight.length);
      for (let out = 0; out < width; out++) {
        for (let input = 0; input < width; input++) {
          for (let tap = 0; tap < kernel; tap++) {
            data[(tap * width + input) * width + out] = weight[(out * width + input) * kernel + tap];
          }
        }
      }
      return { type: "float32", shape: [kernel * width, width], data };
    });
    const convolved = g.add(g.matmul(unfolded, taps), c.tensor(`${at}conv.${block}.bias`));
    const activated = g.op("Gelu", [convolved], { approximate: "none" });
    const projected = g.add(
      c.exactLinear(activated, c.matrix(`${at}proj.${block}.weight`)),
      c.tensor(`${at}proj.${block}.bias`)
    );
    hidden2 = g.add(hidden2, projected);
  }
  g.stateOutput("vocoder_new", g.concat(renewed, 2));
  return g.add(c.exactLinear(hidden2, c.matrix(`${at}out.weight`)), c.tensor(`${at}out.bias`));
}

// packages/core/src/graph/duplex-graph.ts
var controlToken = { none: 0, listen: 1, speak: 2, delegate: 3 };
function buildDuplexGraph(config, weights, options) {
  const { target, weightType = "float32", accuracyLevel = 4, debug = false } = options;
  const layout = config.duplex;
  if (layout === void 0 || config.audio === void 0) {
    throw new TypeError("buildDuplexGraph: expected a configuration with duplex and audio, got a plain language model");
  }
  const g = new Emitter();
  const c = new BuildContext(g, config, weights, { experts: target.experts, weightType, accuracyLevel });
  const P = positionsPerTurn(layout);
  const O = layout.outputPositions;
  const { framesPerPosition: F, melBins: melBins2, levels } = layout.speech;
  const channels = F * melBins2;
  const decoder = new Decoder(c, {
    positionsPerTurn: P,
    sliding: {
      positionsPerTurn: P,
      sinkTurns: 0,
      ringTurns: Math.ceil((config.slidingWindow - 1) / P),
      window: config.slidingWindow
    },
    global: {
      positionsPerTurn: P,
      sinkTurns: layout.sinkPositions / P,
      ringTurns: Math.ceil((layout.globalWindow - 1) / P),
      window: layout.globalWindow
    },
    state: target.state
  });
  const random = g.input("random", "float32", [-1, O, 3 + channels]);
  const temperature = prepareTemperature(g, g.input("temperature", "float32", [-1]));
  const force = g.reshape(g.input("force_control", "int32", [-1]), [-1, 1]);
  const packed = g.stateInput({
    input: "previous",
    output: "previous_new",
    type: "int32",
    shape: [3 + channels],
    update: { kind: "replace" }
  });
  let bag = previousBag(g, packed, decoder.turn, channels);
  const yields = [];
  for (let output = 0; output < O; output++) {
    g.scope(`output${output}`, () => {
      const embedded = embedBag(c, bag, layout);
      const first = output === 0;
      const x = first ? g.concat([...inputPositions(c, layout), embedded], 1) : embedded;
      const count = first ? P - O + 1 : 1;
      const hidden2 = decoder.pass(x, first ? 0 : P - O + output, count);
      const last = count === 1 ? hidden2 : g.slice(hidden2, 1, count - 1, count);
      const draws = g.reshape(g.slice(random, 1, output, output + 1), [-1, 3 + channels]);
      const yielded = yieldOf(c, last, draws, temperature, force, layout);
      yields.push(yielded);
      bag = yielded;
    });
  }
  decoder.finish();
  g.stateOutput("previous_new", g.concat([bag.text, bag.heard, bag.control, bag.levels], 1));
  const joined = (key) => g.concat(
    yields.map((one) => one[key]),
    1
  );
  for (const key of ["text", "heard", "control"]) g.output(key, joined(key), "int32", [-1, O]);
  const speech2 = g.reshape(
    g.concat(
      yields.map((one) => one.levels),
      1
    ),
    [-1, O, channels]
  );
  g.output("speech", speech2, "int32", [-1, O, channels]);
  const load = decoder.expertLoad();
  if (load !== void 0) {
    const mixtures = config.mlpTypes.filter((type) => type === "experts").length;
    g.output("expert_load", load, "float32", [-1, mixtures, config.experts]);
  }
  if (layout.vocoder !== void 0) {
    const { subFrames: subFrames2, envelopePoints: envelopePoints2 } = layout.vocoder;
    const controls = g.scope("vocoder", () => vocoderNetwork(c, g.reshape(speech2, [-1, O * F, melBins2]), O * F));
    g.output("vocoder_controls", controls, "float32", [-1, O * F, subFrames2 * (2 + 2 * envelopePoints2)]);
  }
  if (debug) {
    const V = config.unpaddedVocabSize ?? config.vocabSize;
    const logits = (key, width) => {
      const all = g.concat(
        yields.map((one) => one.logits[key]),
        1
      );
      g.output(`${key}_logits`, g.reshape(all, [-1, O, ...width]), "float32", [-1, O, ...width]);
    };
    logits("text", [V]);
    logits("heard", [config.vocabSize]);
    logits("control", [controlTokens]);
    logits("speech", [channels, levels]);
  }
  return g.finish("microturn-duplex");
}
function previousBag(g, packed, turn, channels) {
  const [text2, heard, stored, levels] = g.split(packed, 1, [1, 1, 1, channels]);
  const started = g.less(g.int(0), g.reshape(turn, [-1, 1]));
  return { text: text2, heard, control: g.where(started, stored, g.int(controlToken.listen)), levels };
}
function embedBag(c, bag, { speech: speech2 }) {
  const { g } = c;
  const text2 = g.gather(c.tensor("model.language_model.embed_tokens.weight"), bag.text, 0);
  const heard = g.gather(c.tensor("microturn.heard_table.weight"), bag.heard, 0);
  const said = g.gather(c.tensor("microturn.control_table.weight"), bag.control, 0);
  const bins2 = speech2.framesPerPosition * speech2.melBins;
  const frames = bagOfLevels(c, bag.levels, "microturn.speech_table.weight", bins2, speech2.levels, 1);
  const sum = g.add(g.add(g.add(text2, heard), said), g.reshape(frames, [-1, 1, c.config.hiddenSize]));
  return c.norm(sum, "microturn.output_norm.weight");
}
function inputPositions(c, layout) {
  const { g, config } = c;
  const parts = [];
  if (layout.textSlots > 0) parts.push(embedText(c, g.input("text_slots", "int32", [-1, layout.textSlots])));
  if (layout.patchSlots > 0 && config.image !== void 0) {
    const { temporalPatchSize, patchSize: patchSize2, channels } = config.image;
    const shape = [-1, layout.patchSlots, temporalPatchSize, patchSize2, patchSize2, channels];
    const seen = embedPatches(c, g.input("patches", "float32", shape), layout.patchSlots);
    const present = g.reshape(g.input("patch_present", "float32", [-1, layout.patchSlots]), [-1, layout.patchSlots, 1]);
    const empty = embedText(c, g.ints([0], [1, 1]));
    parts.push(g.where(g.less(g.float(0.5), present), seen, empty));
  }
  const bins2 = config.audio?.melBins ?? 0;
  parts.push(embedAudio(c, g.input("dmel", "int32", [-1, layout.audioPositions, bins2])));
  return parts;
}
function yieldOf(c, hidden2, draws, temperature, force, { speech: speech2 }) {
  const { g, config } = c;
  const channels = speech2.framesPerPosition * speech2.melBins;
  const [textDraw, heardDraw, controlDraw, speechDraw] = g.split(draws, 1, [1, 1, 1, channels]);
  const logits = {
    text: g.scope("text", () => languageLogits(c, hidden2)),
    heard: g.scope("heard", () => heardLogits(c, hidden2)),
    control: g.scope("control", () => controlLogits(c, hidden2)),
    speech: g.scope("speech", () => g.reshape(speechLogits(c, hidden2), [-1, channels, speech2.levels]))
  };
  const spoken = sample(g, logits.text, textDraw, temperature, 1, config.unpaddedVocabSize ?? config.vocabSize);
  const heard = sample(g, logits.heard, heardDraw, temperature, 1, config.vocabSize);
  const free2 = sample(g, logits.control, controlDraw, temperature, 1, controlTokens);
  const levels = sample(g, logits.speech, speechDraw, temperature, channels, speech2.levels);
  const decided = g.where(g.less(g.int(0), force), force, free2);
  const listens = g.equal(decided, g.int(controlToken.listen));
  return {
    text: g.where(listens, g.int(0), spoken),
    heard,
    control: decided,
    levels: g.where(listens, g.int(0), levels),
    logits
  };
}

// packages/core/src/model/check-weights.ts
function checkWeights(config, weights, name) {
  const problems = [];
  for (const [weight, shape] of weightShapes(config)) {
    const got = weights.shape(weight);
    if (got === void 0) {
      problems.push(`"${weight}" [${shape}] is missing`);
      continue;
    }
    const unpadded = weight === "lm_head.weight" && got[0] === config.unpaddedVocabSize;
    const expected = unpadded ? [got[0], ...shape.slice(1)] : shape;
    if (got.length !== expected.length || got.some((size, axis) => size !== expected[axis])) {
      problems.push(`"${weight}" is [${got}], expected [${shape}]`);
    }
  }
  if (problems.length === 0) return;
  const more = problems.length > 5 ? ` and ${problems.length - 5} more` : "";
  throw new DuplexError(
    "MODEL_INVALID",
    `weights of ${name}: ${problems.slice(0, 5).join("; ")}${more}; use the weight file that belongs to this config`
  );
}

// packages/core/src/model/fields.ts
var Fields = class _Fields {
  /**
   * @param where - of the object, for messages, for example `config.duplex`
   * @throws DuplexError `MODEL_INVALID` if the value is not an object
   */
  constructor(value, where) {
    this.where = where;
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(where, "an object", value);
    this.record = value;
  }
  where;
  asked = /* @__PURE__ */ new Set();
  record;
  has(name) {
    return Object.hasOwn(this.record, name) && this.record[name] !== void 0;
  }
  /** The raw value of a field, or undefined. */
  value(name) {
    this.asked.add(name);
    return this.has(name) ? this.record[name] : void 0;
  }
  /** An integer in a range. */
  count(name, least, most2) {
    const value = this.value(name);
    if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most2) {
      throw this.invalid(name, `an integer ${least} to ${most2}`, value);
    }
    return value;
  }
  /** A finite number in a range. */
  number(name, least, most2) {
    const value = this.value(name);
    if (typeof value !== "number" || !Number.isFinite(value) || value < least || value > most2) {
      throw this.invalid(name, `a number ${least} to ${most2}`, value);
    }
    return value;
  }
  /** A string that a pattern matches, of at most 10,000 characters. */
  text(name, pattern = /^/, expected = "a string") {
    const value = this.value(name);
    if (typeof value !== "string" || value.length > 1e4 || !pattern.test(value))
      throw this.invalid(name, expected, value);
    return value;
  }
  /** One of some values. */
  choice(name, values2) {
    const value = this.value(name);
    const found = values2.find((one) => one === value);
    if (found === void 0)
      throw this.invalid(name, `one of ${values2.map((one) => JSON.stringify(one)).join(", ")}`, value);
    return found;
  }
  /** A list, each item read by `read`. */
  list(name, least, most2, read2) {
    const value = this.value(name);
    if (!Array.isArray(value) || value.length < least || value.length > most2) {
      throw this.invalid(
        name,
        `a list of ${least} to ${most2} items`,
        Array.isArray(value) ? `${value.length} items` : value
      );
    }
    return value.map((item, index) => read2(item, `${this.where}.${name}[${index}]`));
  }
  /** An object inside this one. */
  object(name) {
    return new _Fields(this.value(name), `${this.where}.${name}`);
  }
  /** Refuses fields that were not asked for. */
  done() {
    const unknown = Object.keys(this.record).filter((name) => !this.asked.has(name));
    if (unknown.length === 0) return;
    const known = [...this.asked].sort().join(", ");
    throw new DuplexError(
      "MODEL_INVALID",
      `${this.where}: unknown field ${JSON.stringify(unknown[0])}; known are ${known}. Correct it, or update @microturn/core if the model is newer`,
      { details: { field: `${this.where}.${unknown[0]}` } }
    );
  }
  invalid(name, expected, got) {
    return invalid(`${this.where}.${name}`, expected, got);
  }
};
function invalid(field, expected, got) {
  const text2 = got === void 0 ? "nothing" : typeof got === "string" ? got : JSON.stringify(got);
  const shown = text2.length > 100 ? `${text2.slice(0, 100)}\u2026` : text2;
  return new DuplexError(
    "MODEL_INVALID",
    `${field}: expected ${expected}, got ${shown}; correct the model's configuration`,
    {
      details: { field }
    }
  );
}

// packages/core/src/model/validate-config.ts
var most = 1 << 24;
var mostLayers = 1024;
function validateConfig(value, where = "config") {
  const fields = new Fields(value, where);
  const layerTypes = fields.list(
    "layerTypes",
    1,
    mostLayers,
    (item, at) => oneOf(item, at, ["sliding", "global"])
  );
  const mlpTypes = fields.list("mlpTypes", 1, mostLayers, (item, at) => oneOf(item, at, ["dense", "experts"]));
  if (mlpTypes.length !== layerTypes.length) {
    throw fields.invalid("mlpTypes", `one entry per layer (${layerTypes.length})`, `${mlpTypes.length} entries`);
  }
  const vocabSize = fields.count("vocabSize", 1, most);
  const hiddenSize = fields.count("hiddenSize", 1, most);
  const experts = fields.count("experts", 1, 65536);
  const config = {
    hiddenSize,
    vocabSize,
    ...fields.has("unpaddedVocabSize") ? { unpaddedVocabSize: fields.count("unpaddedVocabSize", 1, vocabSize) } : {},
    rmsNormEpsilon: fields.number("rmsNormEpsilon", 0, 1),
    layerTypes,
    mlpTypes,
    global: attention2(fields.object("global")),
    sliding: attention2(fields.object("sliding")),
    slidingWindow: fields.count("slidingWindow", 1, most),
    relativeDim: fields.count("relativeDim", 1, 65536),
    ...fields.has("logScaling") ? { logScaling: logScaling(fields.object("logScaling")) } : {},
    convKernel: fields.count("convKernel", 2, 64),
    denseWidth: fields.count("denseWidth", 1, most),
    expertWidth: fields.count("expertWidth", 1, most),
    experts,
    expertsPerToken: fields.count("expertsPerToken", 1, experts),
    sharedExperts: fields.count("sharedExperts", 0, 1024),
    routeScale: fields.number("routeScale", -1e6, 1e6),
    mupDivisor: fields.number("mupDivisor", 1e-6, 1e6),
    ...fields.has("audio") ? { audio: audio(fields.object("audio")) } : {},
    ...fields.has("image") ? { image: image(fields.object("image"), hiddenSize) } : {},
    ...fields.has("duplex") ? { duplex: duplex(fields.object("duplex")) } : {}
  };
  fields.done();
  if (config.duplex !== void 0) checkLayout(config, config.duplex, where);
  return config;
}
function oneOf(item, at, values2) {
  const found = values2.find((value) => value === item);
  if (found === void 0) throw invalid(at, `one of ${values2.join(", ")}`, item);
  return found;
}
function attention2(fields) {
  const shape = {
    heads: fields.count("heads", 1, 65536),
    kvHeads: fields.count("kvHeads", 1, 65536),
    headDim: fields.count("headDim", 1, 65536),
    relativeExtent: fields.count("relativeExtent", 1, most)
  };
  fields.done();
  if (shape.heads % shape.kvHeads !== 0)
    throw fields.invalid("kvHeads", `a divisor of heads (${shape.heads})`, shape.kvHeads);
  return shape;
}
function logScaling(fields) {
  const scaling = { floor: fields.number("floor", 1, 1e9), alpha: fields.number("alpha", 0, 1e3) };
  fields.done();
  return scaling;
}
function audio(fields) {
  const shape = { melBins: fields.count("melBins", 1, 4096), levels: fields.count("levels", 2, 256) };
  fields.done();
  return shape;
}
function image(fields, hiddenSize) {
  const patchSize2 = fields.count("patchSize", 1, 4096);
  const temporalPatchSize = fields.count("temporalPatchSize", 1, 64);
  const channels = fields.count("channels", 1, 16);
  const layers = fields.list("layers", 1, 32, (item, at) => {
    const layer = new Fields(item, at);
    const result = {
      foldTime: layer.count("foldTime", 1, 64),
      foldSpace: layer.count("foldSpace", 1, 4096),
      inputWidth: layer.count("inputWidth", 1, most),
      outputWidth: layer.count("outputWidth", 1, most)
    };
    layer.done();
    return result;
  });
  fields.done();
  let [time, size, depth] = [temporalPatchSize, patchSize2, channels];
  for (const [index, layer] of layers.entries()) {
    const at = `layers[${index}]`;
    if (time % layer.foldTime !== 0) throw fields.invalid(`${at}.foldTime`, `a divisor of ${time}`, layer.foldTime);
    if (size % layer.foldSpace !== 0) throw fields.invalid(`${at}.foldSpace`, `a divisor of ${size}`, layer.foldSpace);
    const width = depth * layer.foldTime * layer.foldSpace * layer.foldSpace;
    if (layer.inputWidth !== width)
      throw fields.invalid(`${at}.inputWidth`, `${width}, what the folds give`, layer.inputWidth);
    time /= layer.foldTime;
    size /= layer.foldSpace;
    depth = layer.outputWidth;
  }
  if (time !== 1 || size !== 1)
    throw fields.invalid("layers", "folds down to one point", `${time} x ${size} x ${size}`);
  if (depth !== hiddenSize) throw fields.invalid("layers", `a last outputWidth of hiddenSize (${hiddenSize})`, depth);
  return { patchSize: patchSize2, temporalPatchSize, channels, layers };
}
function duplex(fields) {
  const speechFields = fields.object("speech");
  const layout = {
    turnDurationMs: fields.count("turnDurationMs", 1, 1e4),
    textSlots: fields.count("textSlots", 0, 4096),
    patchSlots: fields.count("patchSlots", 0, 4096),
    audioPositions: fields.count("audioPositions", 1, 4096),
    outputPositions: fields.count("outputPositions", 1, 256),
    globalWindow: fields.count("globalWindow", 1, most),
    sinkPositions: fields.count("sinkPositions", 0, most),
    speech: {
      framesPerPosition: speechFields.count("framesPerPosition", 1, 64),
      melBins: speechFields.count("melBins", 1, 4096),
      levels: speechFields.count("levels", 2, 256)
    },
    ...fields.has("vocoder") ? { vocoder: vocoder(fields.object("vocoder")) } : {}
  };
  speechFields.done();
  fields.done();
  return layout;
}
function vocoder(fields) {
  const shape = {
    width: fields.count("width", 1, 65536),
    blocks: fields.count("blocks", 1, 64),
    kernel: fields.count("kernel", 2, 64),
    subFrames: fields.count("subFrames", 1, 64),
    envelopePoints: fields.count("envelopePoints", 1, 65536)
  };
  fields.done();
  return shape;
}
function checkLayout(config, layout, where) {
  const P = positionsPerTurn(layout);
  const whole = (name, size) => {
    if (size % P !== 0) throw invalid(`${where}.${name}`, `a whole number of micro-turns of ${P} positions`, size);
  };
  whole("slidingWindow", config.slidingWindow);
  whole("duplex.globalWindow", layout.globalWindow);
  whole("duplex.sinkPositions", layout.sinkPositions);
  if (config.audio === void 0)
    throw invalid(`${where}.audio`, "the shape of the audio input (duplex needs it)", void 0);
  if (layout.patchSlots > 0 && config.image === void 0) {
    throw invalid(`${where}.image`, "the patch tower (duplex.patchSlots is not 0)", void 0);
  }
}

// packages/core/src/model/manifest.ts
var relativePath = /^(?!.*(?:^|\/)\.{0,2}(?:\/|$))[^\\:\0]+$/;
function parseManifest(json) {
  let value;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new DuplexError("MODEL_INVALID", "microturn.json: not JSON; download the model again", { cause });
  }
  const fields = new Fields(value, "microturn.json");
  const files = fields.object("files");
  const codecs = fields.object("codecs");
  const manifest = {
    formatVersion: fields.choice("formatVersion", [1]),
    name: fields.text("name", /./, "a name"),
    version: fields.text("version", /./, "a version"),
    description: fields.text("description"),
    license: fields.text("license", /./, "an SPDX expression"),
    config: validateConfig(fields.value("config")),
    files: {
      weights: files.list("weights", 1, 4096, file),
      tokenizer: file(files.value("tokenizer"), "microturn.json.files.tokenizer")
    },
    codecs: {
      input: codecs.text("input", /./, "the name of a preset"),
      speech: speech(codecs.object("speech")),
      ...codecs.has("image") ? { image: imageSize(codecs.object("image")) } : {}
    },
    ...fields.has("evaluation") ? { evaluation: evaluation(fields.value("evaluation")) } : {}
  };
  files.done();
  codecs.done();
  fields.done();
  const paths = [...manifest.files.weights, manifest.files.tokenizer].map(({ path }) => path);
  const twice = paths.find((path, index) => paths.indexOf(path) !== index);
  if (twice !== void 0) throw invalid("microturn.json.files", "different files", `${twice} twice`);
  return manifest;
}
function file(value, where) {
  const fields = new Fields(value, where);
  const result = {
    path: fields.text("path", relativePath, "a relative path with / inside the model's folder"),
    bytes: fields.count("bytes", 0, Number.MAX_SAFE_INTEGER),
    sha256: fields.text("sha256", /^[0-9a-f]{64}$/, "64 lower-case hexadecimal digits")
  };
  fields.done();
  return result;
}
function speech(fields) {
  const result = {
    preset: fields.choice("preset", ["dmel-speech"]),
    sampleRate: fields.count("sampleRate", 8e3, 96e3),
    windowSamples: fields.count("windowSamples", 1, 65536),
    hopSamples: fields.count("hopSamples", 1, 65536),
    fftSize: fields.count("fftSize", 1, 65536),
    low: fields.number("low", -20, 20),
    step: fields.number("step", 1e-3, 20)
  };
  fields.done();
  return result;
}
function imageSize(fields) {
  const size = { width: fields.count("width", 1, 16384), height: fields.count("height", 1, 16384) };
  fields.done();
  return size;
}
function evaluation(value) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid("microturn.json.evaluation", "an object", value);
  }
  return value;
}

// packages/core/src/tensor.ts
function elementCount(shape) {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}
function allocate(type, count) {
  if (type === "float32") return new Float32Array(count);
  if (type === "int32") return new Int32Array(count);
  return new Uint8Array(count);
}
function checkTensor(operation, spec, tensor, batch) {
  const expected = spec.shape.map((size) => size === -1 ? batch : size);
  if (tensor === void 0) {
    throw new DuplexError("SHAPE_MISMATCH", `${operation}: input "${spec.name}" ${spec.type} [${expected}] is missing`);
  }
  const same = tensor.shape.length === expected.length && tensor.shape.every((size, axis) => size === expected[axis]);
  if (!same || tensor.type !== spec.type || tensor.data.length !== elementCount(expected)) {
    throw new DuplexError(
      "SHAPE_MISMATCH",
      `${operation}: input "${spec.name}" must be ${spec.type} [${expected}], got ${tensor.type} [${tensor.shape}] with ${tensor.data.length} elements`
    );
  }
}

// packages/core/src/model/safetensors.ts
var maxHeaderBytes = 1e8;
var storages = {
  F32: { type: "float32", bytes: 4 },
  F16: { type: "float16", bytes: 2 },
  BF16: { type: "bfloat16", bytes: 2 },
  I32: { type: "int32", bytes: 4 },
  U8: { type: "uint8", bytes: 1 }
};
function readSafetensors(file2, name = "weights.safetensors") {
  const invalid2 = (problem, cause) => new DuplexError("MODEL_INVALID", `readSafetensors: ${name}: ${problem}; download or export the file again`, {
    cause,
    details: { file: name }
  });
  if (file2.length < 8) throw invalid2(`expected a header length of 8 bytes, got ${file2.length} bytes in all`);
  const length = new DataView(file2.buffer, file2.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes))
    throw invalid2(`header of ${length} bytes is over the limit of ${maxHeaderBytes}`);
  const start = 8 + Number(length);
  if (start > file2.length) throw invalid2(`header of ${length} bytes, but the file has ${file2.length}: it is cut`);
  let header;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(file2.subarray(8, start)));
  } catch (cause) {
    throw invalid2("header is not JSON", cause);
  }
  if (!isRecord(header)) throw invalid2("header is not a JSON object");
  const metadata = {};
  const tensors = /* @__PURE__ */ new Map();
  const spans = [];
  for (const [tensor, entry] of Object.entries(header)) {
    if (tensor === "__metadata__") {
      if (!isRecord(entry)) throw invalid2("__metadata__ is not an object");
      for (const [key, value] of Object.entries(entry)) {
        if (typeof value !== "string") throw invalid2(`__metadata__.${key} is not a string`);
        metadata[key] = value;
      }
      continue;
    }
    if (!isRecord(entry)) throw invalid2(`entry of tensor "${tensor}" is not an object`);
    const storage = typeof entry.dtype === "string" ? storages[entry.dtype] : void 0;
    if (storage === void 0) {
      const known = Object.keys(storages).join(", ");
      throw invalid2(`tensor "${tensor}": unknown dtype ${JSON.stringify(entry.dtype)}, expected one of ${known}`);
    }
    const shape = countList(entry.shape);
    const offsets = countList(entry.data_offsets);
    if (shape === void 0) throw invalid2(`tensor "${tensor}": shape is not a list of counts`);
    if (offsets === void 0 || offsets.length !== 2)
      throw invalid2(`tensor "${tensor}": data_offsets are not two counts`);
    const [begin, end2] = offsets;
    const size = elementCount(shape) * storage.bytes;
    if (end2 < begin || start + end2 > file2.length) {
      throw invalid2(`tensor "${tensor}": bytes ${begin} to ${end2} lie outside the ${file2.length - start} data bytes`);
    }
    if (end2 - begin !== size) {
      throw invalid2(
        `tensor "${tensor}": ${entry.dtype} [${shape}] needs ${size} bytes, data_offsets give ${end2 - begin}`
      );
    }
    spans.push({ begin, end: end2, tensor });
    tensors.set(tensor, { type: storage.type, shape, bytes: file2.subarray(start + begin, start + end2) });
  }
  spans.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  for (const { begin, end: end2, tensor } of spans) {
    if (begin < covered) throw invalid2(`tensor "${tensor}" overlaps another one`);
    if (begin > covered) throw invalid2(`bytes ${covered} to ${begin} belong to no tensor`);
    covered = end2;
  }
  if (start + covered !== file2.length) throw invalid2(`${file2.length - start - covered} bytes after the last tensor`);
  if (duplicateKey(file2.subarray(8, start), tensors.size + ("__metadata__" in header ? 1 : 0))) {
    throw invalid2("a tensor name occurs twice in the header");
  }
  return { tensors, metadata };
}
function joinShards(shards) {
  const joined = /* @__PURE__ */ new Map();
  for (const shard of shards) {
    for (const [name, tensor] of shard.tensors) {
      if (joined.has(name)) {
        throw new DuplexError(
          "MODEL_INVALID",
          `joinShards: tensor "${name}" of ${shard.name} is also in an earlier shard; each tensor belongs in one`
        );
      }
      joined.set(name, tensor);
    }
  }
  return joined;
}
function isRecord(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
function countList(value) {
  if (!Array.isArray(value) || value.length > 16) return void 0;
  const valid = value.every((item) => Number.isSafeInteger(item) && item >= 0);
  return valid && Number.isSafeInteger(elementCount(value)) ? value : void 0;
}
function duplicateKey(json, different) {
  const quote = 34;
  const backslash = 92;
  let depth = 0;
  let keys = 0;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i];
    if (byte === quote) {
      for (i++; i < json.length && json[i] !== quote; i++) if (json[i] === backslash) i++;
    } else if (byte === 123 || byte === 91) depth++;
    else if (byte === 125 || byte === 93) depth--;
    else if (byte === 58 && depth === 1) keys++;
  }
  return keys !== different;
}

// packages/core/src/model/tokenizer.ts
var specialTokens = { pad: 0, end: 1, unknown: 2 };
var maxTokens = 1e6;
var unknownText = "[?]";
var Tokenizer = class _Tokenizer {
  /**
   * @param tokens - by id; the first three are `<pad>`, `<end>`, `<unk>`
   * @throws DuplexError `MODEL_INVALID` if the vocabulary is not one
   */
  constructor(tokens) {
    this.tokens = tokens;
    const invalid2 = (problem) => new DuplexError("MODEL_INVALID", `tokenizer: ${problem}; export the tokenizer again`);
    if (tokens.length < 3 || tokens.length > maxTokens) {
      throw invalid2(`expected 3 to ${maxTokens} tokens, got ${tokens.length}`);
    }
    for (const [id, token] of ["<pad>", "<end>", "<unk>"].entries()) {
      if (tokens[id] !== token) throw invalid2(`token ${id} must be "${token}", got ${JSON.stringify(tokens[id])}`);
    }
    for (const [id, token] of tokens.entries()) {
      if (typeof token !== "string" || token === "" || /\s/.test(token)) {
        throw invalid2(`token ${id} must be a word without spaces, got ${JSON.stringify(token)}`);
      }
      if (this.ids.has(token)) throw invalid2(`token "${token}" occurs twice, as ${this.ids.get(token)} and ${id}`);
      this.ids.set(token, id);
    }
  }
  tokens;
  ids = /* @__PURE__ */ new Map();
  /** Reads the contents of a tokenizer file. @throws DuplexError `MODEL_INVALID` */
  static parse(json) {
    let file2;
    try {
      file2 = JSON.parse(json);
    } catch (cause) {
      throw new DuplexError("MODEL_INVALID", "tokenizer: not JSON; download the model again", { cause });
    }
    const { version, tokens } = typeof file2 === "object" && file2 !== null ? file2 : {};
    if (version !== 1 || !Array.isArray(tokens)) {
      throw new DuplexError(
        "MODEL_INVALID",
        `tokenizer: expected {"version": 1, "tokens": [...]}, got version ${JSON.stringify(version)}; update @microturn/core or export again`
      );
    }
    return new _Tokenizer(tokens);
  }
  /** The id of a token, or undefined. */
  id(token) {
    return this.ids.get(token);
  }
  /**
   * Token ids of a text: lower-cased, punctuation dropped. A word without a token is spelled if the vocabulary has all its
   * characters, else it becomes `<unk>`.
   */
  encode(text2) {
    const ids = [];
    for (const word of text2.toLowerCase().match(/[\p{L}\p{N}']+/gu) ?? []) {
      const whole = this.ids.get(word);
      if (whole !== void 0) {
        ids.push(whole);
        continue;
      }
      const characters = Array.from(word, (character) => this.ids.get(`+${character}`));
      if (characters.every((id) => id !== void 0)) ids.push(...characters);
      else ids.push(specialTokens.unknown);
    }
    return ids;
  }
  /** Text of token ids. @throws RangeError if an id is outside the vocabulary */
  decode(ids) {
    const decoder = this.decoder();
    let text2 = "";
    for (const id of ids) text2 += decoder.push(id);
    return text2.trimStart();
  }
  /** A decoder for tokens that come one by one. */
  decoder() {
    return new TokenDecoder(this.tokens);
  }
};
var TokenDecoder = class {
  constructor(tokens) {
    this.tokens = tokens;
  }
  tokens;
  inWord = false;
  /**
   * Text that a token adds, with its leading space; "" for `<pad>` and `<end>`. Characters follow each other without
   * spaces until a word or `<end>` comes.
   *
   * @throws RangeError if the id is outside the vocabulary
   */
  push(id) {
    const token = this.tokens[id];
    if (token === void 0)
      throw new RangeError(`decode: token ${id} is outside the vocabulary of ${this.tokens.length}`);
    if (id === specialTokens.pad) return "";
    const spelled = token.length > 1 && token.startsWith("+");
    const continues = this.inWord && spelled;
    this.inWord = spelled;
    if (id === specialTokens.unknown) return ` ${unknownText}`;
    if (token.startsWith("<") && token.endsWith(">")) return "";
    if (spelled) return continues ? token.slice(1) : ` ${token.slice(1)}`;
    return ` ${token}`;
  }
  /** Forgets what came before. */
  reset() {
    this.inWord = false;
  }
  /** Whether the last token was a character, which the next one may continue. */
  snapshot() {
    return this.inWord;
  }
  restore(inWord) {
    this.inWord = inWord;
  }
};

// packages/core/src/model/weights.ts
function createWeights(tensors) {
  return {
    names: [...tensors.keys()],
    shape: (name) => tensors.get(name)?.shape,
    float32(name, shape) {
      const stored = tensors.get(name);
      if (stored === void 0) {
        throw new DuplexError(
          "MODEL_INVALID",
          `weights: "${name}" [${shape}] is missing; the configuration and the weight file do not belong together`
        );
      }
      if (stored.shape.length !== shape.length || stored.shape.some((size, axis) => size !== shape[axis])) {
        throw new DuplexError(
          "MODEL_INVALID",
          `weights: "${name}" must have shape [${shape}], got [${stored.shape}]; the configuration and the weight file do not belong together`
        );
      }
      return widen(name, stored);
    }
  };
}
function widen(name, { type, bytes }) {
  switch (type) {
    case "float32":
      if (bytes.byteOffset % 4 === 0) return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
      return new Float32Array(new Uint8Array(bytes).buffer);
    case "bfloat16": {
      const halves = halvesOf(bytes);
      const bits = new Uint32Array(halves.length);
      for (let i = 0; i < halves.length; i++) bits[i] = halves[i] << 16;
      return new Float32Array(bits.buffer);
    }
    case "float16": {
      const halves = halvesOf(bytes);
      const result = new Float32Array(halves.length);
      for (let i = 0; i < halves.length; i++) result[i] = widenHalf(halves[i]);
      return result;
    }
    default:
      throw new DuplexError("MODEL_INVALID", `weights: "${name}" must hold floating-point numbers, got ${type}`);
  }
}
function halvesOf(bytes) {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : new Uint8Array(bytes);
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.length / 2);
}
function widenHalf(bits) {
  const sign = bits & 32768 ? -1 : 1;
  const exponent = bits >> 10 & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

// packages/core/src/model/load.ts
var manifestPath = "microturn.json";
async function loadModel(source, options = {}) {
  const { signal, onProgress } = options;
  const manifest = parseManifest(decodeText(source, manifestPath, await read(source, manifestPath, signal)));
  const files = [...manifest.files.weights, manifest.files.tokenizer];
  const total = files.reduce((sum, file2) => sum + file2.bytes, 0);
  let done = 0;
  const contents = /* @__PURE__ */ new Map();
  onProgress?.({ stage: "read", done, total });
  for (const file2 of files) {
    const bytes = await read(source, file2.path, signal);
    await checkFile(source, file2, bytes);
    contents.set(file2.path, bytes);
    done += file2.bytes;
    onProgress?.({ stage: "read", done, total });
  }
  const content = (file2) => contents.get(file2.path) ?? new Uint8Array(0);
  onProgress?.({ stage: "check", done: 0, total: 1 });
  const shards = manifest.files.weights.map((file2) => ({
    name: `${source.name}/${file2.path}`,
    tensors: readSafetensors(content(file2), `${source.name}/${file2.path}`).tensors
  }));
  const weights = createWeights(joinShards(shards));
  checkWeights(manifest.config, weights, source.name);
  const tokenizer = Tokenizer.parse(
    decodeText(source, manifest.files.tokenizer.path, content(manifest.files.tokenizer))
  );
  const known = manifest.config.unpaddedVocabSize ?? manifest.config.vocabSize;
  if (tokenizer.tokens.length > known) {
    throw new DuplexError(
      "MODEL_INVALID",
      `loadModel: ${source.name}: the tokenizer has ${tokenizer.tokens.length} tokens, config.vocabSize is ${known}; export both together`
    );
  }
  onProgress?.({ stage: "check", done: 1, total: 1 });
  return { manifest, config: manifest.config, weights, tokenizer };
}
async function read(source, path, signal) {
  const aborted2 = () => new DuplexError("ABORTED", `loadModel: ${source.name}: aborted before ${path} was read`, { cause: signal?.reason });
  if (signal?.aborted) throw aborted2();
  try {
    const bytes = await source.read(path, signal === void 0 ? {} : { signal });
    if (signal?.aborted) throw aborted2();
    return bytes;
  } catch (cause) {
    if (DuplexError.is(cause)) throw cause;
    if (signal?.aborted) throw aborted2();
    throw new DuplexError(
      "MODEL_INVALID",
      `loadModel: ${source.name}: ${path} cannot be read; check that the model is complete and download it again`,
      { cause, details: { file: path } }
    );
  }
}
async function checkFile(source, file2, bytes) {
  const invalid2 = (problem) => new DuplexError("MODEL_INVALID", `loadModel: ${source.name}: ${file2.path} ${problem}; download the model again`, {
    details: { file: file2.path }
  });
  if (bytes.length !== file2.bytes) {
    throw invalid2(
      `has ${bytes.length} bytes, the manifest says ${file2.bytes}: it is ${bytes.length < file2.bytes ? "cut" : "another file"}`
    );
  }
  const hash = await sha256(bytes);
  if (hash !== file2.sha256) throw invalid2(`was altered: SHA-256 is ${hash}, the manifest says ${file2.sha256}`);
}
async function sha256(bytes) {
  const own = bytes.buffer instanceof ArrayBuffer ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length) : bytes.slice();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", own));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
function decodeText(source, path, bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new DuplexError("MODEL_INVALID", `loadModel: ${source.name}: ${path} is not UTF-8 text; download it again`, {
      cause
    });
  }
}

// packages/core/src/session/check-turn-input.ts
function checkTurnInput(input, capabilities) {
  const { audio: audio2, turns, images, text: text2 } = input;
  const { inputSampleRate, turnDurationMs, inputs } = capabilities;
  if (!Number.isInteger(turns) || turns < 1)
    throw new RangeError(`step: turns must be a whole number from 1 on, got ${turns}`);
  const samples = turns * Math.round(inputSampleRate * turnDurationMs / 1e3);
  if (audio2.length !== samples) {
    throw new DuplexError(
      "SHAPE_MISMATCH",
      `step: expected ${samples} samples for ${turns} micro-turns of ${turnDurationMs} ms at ${inputSampleRate} Hz, got ${audio2.length}`
    );
  }
  checkFinite("step", audio2, 0);
  if (images.length > 0 && !inputs.includes("video") || text2.length > 0 && !inputs.includes("text")) {
    throw new DuplexError(
      "UNSUPPORTED",
      `step: expected an engine that takes ${images.length > 0 ? "video" : "text"}, this one takes ${inputs.join(", ")}`
    );
  }
}

// packages/core/src/session/clock.ts
var systemClock = {
  now: () => performance.now(),
  setTimer(callback, atMs) {
    const timer = setTimeout(callback, Math.max(0, atMs - performance.now()));
    return () => clearTimeout(timer);
  }
};

// node_modules/eventemitter3/index.mjs
var import_index = __toESM(require_eventemitter3(), 1);

// packages/core/src/session/input-buffer.ts
var InputBuffer = class {
  #ring;
  #start;
  #end;
  /**
   * @param capacity - samples it can hold
   * @param position - position of the first sample to come
   */
  constructor(capacity, position = 0) {
    this.#ring = new Float32Array(capacity);
    this.#start = position;
    this.#end = position;
  }
  /** Samples held. */
  get length() {
    return this.#end - this.#start;
  }
  /** Samples that still fit. */
  get room() {
    return this.#ring.length - this.length;
  }
  /** Copies samples in. @throws RangeError if they do not fit */
  write(samples) {
    if (samples.length > this.room) {
      throw new RangeError(`input buffer: expected at most ${this.room} samples, got ${samples.length}`);
    }
    const at = this.#end % this.#ring.length;
    const upToWrap = Math.min(samples.length, this.#ring.length - at);
    this.#ring.set(samples.subarray(0, upToWrap), at);
    this.#ring.set(samples.subarray(upToWrap), 0);
    this.#end += samples.length;
  }
  /** Copies `count` samples from `position` on into a new array and frees all before their end; what is missing at the end is 0. */
  take(position, count) {
    if (position < this.#start)
      throw new RangeError(`input buffer: position ${position} is gone, ${this.#start} is the first`);
    const out = new Float32Array(count);
    const there = Math.max(0, Math.min(count, this.#end - position));
    const at = position % this.#ring.length;
    const upToWrap = Math.min(there, this.#ring.length - at);
    out.set(this.#ring.subarray(at, at + upToWrap));
    out.set(this.#ring.subarray(0, there - upToWrap), upToWrap);
    this.#start = Math.min(this.#end, position + count);
    return out;
  }
  /** Forgets everything and goes on at `position`. */
  reset(position) {
    this.#start = position;
    this.#end = position;
  }
};

// packages/core/src/session/audio-input.ts
var AudioInput = class {
  #options;
  #buffer;
  #writes = [];
  #resampler;
  #resampled = new Float32Array(0);
  #pumping = false;
  constructor(options) {
    this.#options = options;
    this.#buffer = new InputBuffer(options.capacity, options.position);
  }
  /** Samples held, at the engine's rate. */
  get held() {
    return this.#buffer.length;
  }
  /**
   * Takes samples; all of them or none. Resolves once the session has room for more.
   *
   * They are copied before this returns, unless there is no room and they are more than can be held at all: then they are
   * read piece by piece and must not change until the promise resolves.
   *
   * @throws DuplexError `AUDIO_INVALID`, `INPUT_OVERFLOW`, before anything was taken
   */
  write(samples, sampleRate2) {
    checkFinite("writing audio (refused whole)", samples, 0);
    const { capacity, sampleRate: rate } = this.#options;
    const backlog = this.#writes.reduce(
      (sum, write) => sum + (write.samples.length - write.done) / write.sampleRate,
      0
    );
    const backlogMs = 1e3 * (backlog + samples.length / sampleRate2);
    const capacityMs = 1e3 * capacity / rate;
    if (backlog > 0 && backlogMs > capacityMs) {
      throw new DuplexError(
        "INPUT_OVERFLOW",
        `writing audio: expected the writer to wait while ${capacityMs.toFixed(0)} ms are held, got ${(1e3 * samples.length / sampleRate2).toFixed(0)} ms more on top of ${(1e3 * this.held / rate + 1e3 * backlog).toFixed(0)} ms; all that was written before is kept, this write was refused whole: await each write, pipe into session.audio, or raise maxQueuedMs`,
        { details: { heldMs: 1e3 * this.held / rate, waitingMs: 1e3 * backlog } }
      );
    }
    return new Promise((resolve2, reject) => {
      const write = { samples, sampleRate: sampleRate2, done: 0, resolve: resolve2, reject };
      this.#writes.push(write);
      this.pump();
      const left = write.samples.length - write.done;
      if (left > 0 && 1e3 * left / sampleRate2 <= capacityMs) {
        const index = this.#writes.indexOf(write);
        if (index >= 0) this.#writes[index] = { ...write, samples: samples.slice(write.done), done: 0 };
      }
    });
  }
  /** Moves what fits from the waiting writes into the ring, then ends the writes that need to wait no longer. */
  pump() {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#moveOne()) ;
    } finally {
      this.#pumping = false;
    }
    while (this.#buffer.length <= this.#options.highWater) {
      const write = this.#writes[0];
      if (write === void 0 || write.done < write.samples.length) return;
      this.#writes.shift();
      write.resolve();
    }
  }
  /** Moves a piece of the first write that is not all in; false when there is none, or no room. */
  #moveOne() {
    const write = this.#writes.find(({ samples: samples2, done: done2 }) => done2 < samples2.length);
    if (write === void 0) return false;
    const piece = this.#pieceThatFits(write);
    if (piece === 0) return false;
    const { samples, done } = write;
    write.done += piece;
    this.#accept(samples.subarray(done, done + piece), write.sampleRate);
    return true;
  }
  /** Resolves when every write so far is in the ring; then the last samples inside the resampler follow. */
  async finish() {
    while (this.#writes.length > 0) {
      await new Promise((resolve2, reject) => {
        this.#writes.push({
          samples: new Float32Array(0),
          sampleRate: this.#options.sampleRate,
          done: 0,
          resolve: resolve2,
          reject
        });
      });
    }
    this.#flush();
  }
  /** A new array with the samples of one step. See {@link InputBuffer.take}. */
  take(position, count) {
    return this.#buffer.take(position, count);
  }
  /** Forgets all samples and goes on at `position`; waiting writes are over. */
  reset(position) {
    this.#buffer.reset(position);
    this.#resampler = void 0;
    for (const write of this.#writes.splice(0)) write.resolve();
  }
  /** Rejects all waiting writes. */
  end(error) {
    for (const write of this.#writes.splice(0)) write.reject(error);
  }
  #pieceThatFits({ samples, sampleRate: sampleRate2, done }) {
    const left = samples.length - done;
    if (sampleRate2 === this.#options.sampleRate) return Math.min(left, this.#buffer.room);
    const room = Math.floor((this.#buffer.room - 512) * sampleRate2 / this.#options.sampleRate);
    return room >= Math.min(left, sampleRate2 / 100) ? Math.min(left, room, sampleRate2) : 0;
  }
  #accept(samples, sampleRate2) {
    if (this.#resampler !== void 0 && this.#resampler.inputRate !== sampleRate2) this.#flush();
    const { sampleRate: outputRate } = this.#options;
    if (sampleRate2 === outputRate) {
      this.#store(samples);
      return;
    }
    this.#resampler ??= new Resampler({ inputRate: sampleRate2, outputRate });
    const out = this.#scratch(this.#resampler.outputsAfter(samples.length));
    this.#store(out.subarray(0, this.#resampler.push(samples, out)));
  }
  /** Another rate, or the end: what is still inside the resampler follows. */
  #flush() {
    if (this.#resampler === void 0) return;
    const out = this.#scratch(this.#resampler.delaySamples);
    const tail = out.subarray(0, this.#resampler.flush(out));
    this.#resampler = void 0;
    this.#store(tail);
  }
  #scratch(length) {
    if (this.#resampled.length < length) this.#resampled = new Float32Array(length);
    return this.#resampled;
  }
  #store(samples) {
    if (samples.length === 0) return;
    this.#buffer.write(samples);
    this.#options.onSamples(samples.length);
  }
};

// packages/core/src/session/delivery.ts
var nothing = { entering: [], stale: [], waiting: [] };
function planDeliveries(pending, nowMs, quiet) {
  if (pending.length === 0) return nothing;
  const entering = [];
  const stale = [];
  const waiting = [];
  for (const delivery of pending) {
    const { policy } = delivery;
    if (typeof policy === "object" && nowMs - delivery.sinceMs > policy.maxAgeMs) stale.push(delivery);
    else if (policy === "now" || policy === "silent" || quiet) entering.push(delivery);
    else waiting.push(delivery);
  }
  return { entering, stale, waiting };
}
function deliveryText(delivery) {
  const text2 = { source: "background", text: delivery.text };
  return delivery.policy === "silent" ? { ...text2, silent: true } : text2;
}
function checkDeliveryPolicy(policy) {
  if (policy === "now" || policy === "when-quiet" || policy === "silent") return;
  if (typeof policy !== "object" || policy === null || policy.kind !== "drop-if-stale") {
    throw new TypeError(
      `deliver: policy must be "now", "when-quiet", "silent" or { kind: "drop-if-stale", maxAgeMs }, got ${JSON.stringify(policy)}`
    );
  }
  if (!(policy.maxAgeMs >= 0)) throw new RangeError(`deliver: maxAgeMs must be at least 0, got ${policy.maxAgeMs}`);
}

// packages/core/src/session/open-engine.ts
function openEngine(options, settings) {
  const { engine: engine2, signal, onProgress } = options;
  const { clock, seed, temperature, openTimeoutMs } = settings;
  return new Promise((resolve2, reject) => {
    const controller = new AbortController();
    let settled = false;
    const giveUp = (error) => {
      if (settled) return;
      settle2();
      controller.abort(error);
      reject(error);
    };
    const abort = () => giveUp(new DuplexError("ABORTED", "DuplexSession.open: its signal was aborted", { cause: signal?.reason }));
    const cancelTimer = clock.setTimer(
      () => giveUp(
        new DuplexError(
          "OPEN_TIMEOUT",
          `DuplexSession.open: expected the engine to open within ${openTimeoutMs} ms; call engine.load() first, or raise openTimeoutMs`,
          { details: { openTimeoutMs } }
        )
      ),
      clock.now() + openTimeoutMs
    );
    const settle2 = () => {
      settled = true;
      cancelTimer();
      signal?.removeEventListener("abort", abort);
    };
    if (signal?.aborted) {
      abort();
      return;
    }
    signal?.addEventListener("abort", abort, { once: true });
    const progress = onProgress === void 0 ? {} : { onProgress };
    engine2.open({ seed, temperature, signal: controller.signal, ...progress }).then(
      (session) => {
        if (settled) session.close().catch(() => {
        });
        else {
          settle2();
          resolve2(session);
        }
      },
      (error) => {
        if (settled) return;
        settle2();
        reject(error);
      }
    );
  });
}

// packages/core/src/session/schedule.ts
var scheduleRate = 1.001;
var jitter = 0.5;
var defaultPauseMs = 2e3;
function acceptAudio(state, samples, nowMs) {
  const { turnSamples, turnDurationMs, pauseMs } = state.rules;
  const received = state.received + samples;
  const complete = Math.floor(received / turnSamples);
  const paused = nowMs - state.lastAudioMs > pauseMs;
  const capturedMs = Math.min(turnDurationMs, samples / turnSamples * turnDurationMs);
  const startMs = nowMs - capturedMs - state.received % turnSamples / turnSamples * turnDurationMs;
  const anchor = state.anchor === void 0 || paused ? { turn: state.complete, atMs: startMs + turnDurationMs / scheduleRate } : state.anchor;
  const added = complete - state.complete;
  const arrivals = added === 0 ? state.arrivals : [...state.arrivals, ...new Array(added).fill(nowMs)];
  return { ...state, received, complete, arrivals, anchor, lastAudioMs: nowMs };
}
function releaseMs(state, turn) {
  const { turnDurationMs, pace } = state.rules;
  const { arrivals, anchor, next: next2 } = state;
  const arrival = arrivals[Math.min(turn - next2, arrivals.length - 1)] ?? Number.NEGATIVE_INFINITY;
  if (pace === "as-fast-as-input" || anchor === void 0) return arrival;
  const scheduled = anchor.atMs + (turn - anchor.turn) * turnDurationMs / scheduleRate;
  return Math.max(arrival, scheduled - jitter * turnDurationMs);
}
function dueMs(state, turn) {
  if (state.rules.pace === "as-fast-as-input") return Number.POSITIVE_INFINITY;
  return releaseMs(state, turn) + state.rules.budgetMs;
}
function readyTurns(state, nowMs) {
  const waiting = state.complete - state.next;
  if (state.rules.pace === "as-fast-as-input") return waiting;
  let ready = 0;
  while (ready < waiting && releaseMs(state, state.next + ready) <= nowMs) ready++;
  return ready;
}

// packages/core/src/session/reducer.ts
var quietTurns = 3;
var maxConversationEntries = 256;
var maxEntryLength = 2e3;
function reduce(state, input) {
  if (state.phase === "ended") return { state, effects: [] };
  switch (input.type) {
    case "audio":
      return advance(acceptAudio(state, input.samples, input.nowMs), input.nowMs);
    case "image":
      return only({ ...state, images: [...state.images, input.image].slice(-state.rules.maxImages) });
    case "text":
      return only({ ...state, text: [...state.text, { source: "user", text: input.text }] });
    case "deliver": {
      const delivery = {
        id: input.id,
        text: input.text,
        policy: input.policy,
        sinceMs: state.received / state.rules.turnSamples * state.rules.turnDurationMs
      };
      return only({ ...state, deliveries: [...state.deliveries, delivery] });
    }
    case "interrupt":
      return interrupt(state);
    case "finish":
      return advance(finish(state, input.tailTurns, input.nowMs), input.nowMs);
    case "hold":
      return only({ ...state, holds: state.holds + 1 });
    case "release":
      return advance({ ...state, holds: Math.max(0, state.holds - 1) }, input.nowMs);
    case "tick":
      return advance(state, input.nowMs);
    case "step-done":
      return stepDone(state, input.output, input.audio, input.nowMs);
    case "fail":
      return end(state, "error", [], input.error);
    case "rewind":
      return rewind(state, input.turn, input.speaking);
    case "close":
      return end(state, "closed");
  }
}
function only(state) {
  return { state, effects: [] };
}
function advance(state, nowMs, effects = []) {
  if (state.running !== void 0) return watch(state, state.running, nowMs, effects);
  if (state.holds > 0) return { state, effects };
  const waiting = state.complete - state.next;
  if (waiting === 0) return state.phase === "finishing" ? end(state, "finished", effects) : { state, effects };
  const ready = readyTurns(state, nowMs);
  if (ready === 0) return { state, effects: [...effects, { type: "wake", atMs: releaseMs(state, state.next) }] };
  return startStep(state, ready, nowMs, effects);
}
function watch(state, running, nowMs, effects = []) {
  if (state.rules.deadline !== "strict" || running.firstDueMs === Number.POSITIVE_INFINITY) return { state, effects };
  if (nowMs < running.firstDueMs) return { state, effects: [...effects, { type: "wake", atMs: running.firstDueMs }] };
  return end(state, "error", effects, lateError(state, running, nowMs));
}
function startStep(state, ready, nowMs, effects) {
  const { rules, next: next2 } = state;
  const behind = nowMs >= dueMs(state, next2);
  const imagesIn = (turns2) => state.images.filter((image2) => image2.timeMs < (next2 + turns2) * rules.turnDurationMs);
  const shed = behind && rules.deadline === "shed-video" && imagesIn(ready).length > 0;
  const merge = behind && !shed && rules.deadline !== "strict";
  const turns = merge ? ready : 1;
  const taken = imagesIn(shed ? ready : turns);
  const startMs = (next2 + turns - 1) * rules.turnDurationMs;
  const deliveries = planDeliveries(state.deliveries, startMs, next2 + turns - 1 - state.lastVoice > quietTurns);
  const plan = {
    index: next2 + turns - 1,
    turns,
    fromSample: next2 * rules.turnSamples,
    images: shed ? [] : taken,
    droppedImages: shed ? taken.length : 0,
    text: [...state.text, ...deliveries.entering.map(deliveryText)],
    deliveries: deliveries.entering.map((delivery) => delivery.id),
    forceListen: state.interrupted
  };
  const running = {
    plan,
    startedMs: nowMs,
    firstDueMs: dueMs(state, next2),
    lastDueMs: dueMs(state, plan.index)
  };
  const remaining = state.complete - plan.index - 1;
  const after = {
    ...state,
    next: plan.index + 1,
    arrivals: state.arrivals.slice(Math.min(turns, state.arrivals.length - Math.min(1, remaining))),
    running,
    images: state.images.filter((image2) => !taken.includes(image2)),
    text: [],
    deliveries: deliveries.waiting,
    interrupted: false
  };
  const started = [
    ...effects,
    ...deliveries.stale.map(
      (delivery) => emit({
        type: "delivery",
        turnIndex: plan.index,
        timeMs: startMs,
        id: delivery.id,
        outcome: { kind: "dropped", reason: "stale" }
      })
    ),
    emit({ type: "turn-start", turnIndex: plan.index, timeMs: next2 * rules.turnDurationMs, turns }),
    { type: "step", plan }
  ];
  return watch(after, running, nowMs, started);
}
function stepDone(state, output, audio2, nowMs) {
  const { running, rules } = state;
  if (running === void 0) return only(state);
  const { plan } = running;
  const at = { turnIndex: plan.index, timeMs: (plan.index + 1) * rules.turnDurationMs };
  const effects = [];
  const yielded = output.yielded === true && !plan.forceListen;
  const fence = yielded ? state.fence + 1 : state.fence;
  const records = turnRecords(state, running, output, audio2, nowMs, { fence, yielded });
  const late = nowMs > running.firstDueMs;
  if (late || plan.droppedImages > 0) {
    effects.push(
      emit({
        type: "turn-late",
        ...at,
        lateMs: Math.max(0, nowMs - running.firstDueMs),
        skippedTurns: plan.turns - 1,
        droppedImages: plan.droppedImages,
        queuedTurns: state.complete - state.next
      })
    );
  }
  for (const id of plan.deliveries) {
    effects.push(emit({ type: "delivery", ...at, id, outcome: { kind: "entered", turnIndex: plan.index } }));
  }
  if (output.heard !== "") effects.push(emit({ type: "heard-delta", ...at, text: output.heard }));
  if (yielded) {
    effects.push(emit({ type: "yield", ...at, fence }), emit({ type: "flush", ...at, fence, reason: "yield" }));
  }
  if (output.text !== "") effects.push(emit({ type: "text-delta", ...at, text: output.text }));
  const { speech: speech2 } = output;
  const silent = isSilent(speech2);
  effects.push(emit({ type: "speech", ...at, pcm: speech2, sampleRate: rules.outputSampleRate, silent, fence }));
  const conversation = converse(state.conversation, plan, output);
  if (output.delegation !== void 0) {
    effects.push(emit({ type: "delegation", ...at, task: output.delegation.task, conversation }));
  }
  for (const turn of records) {
    effects.push(
      emit({ type: "turn-end", turnIndex: turn.index, timeMs: (turn.index + 1) * rules.turnDurationMs, turn })
    );
  }
  const speaking = output.decision === "speak" && !yielded;
  const voice = speaking || output.heard !== "";
  const after = {
    ...state,
    running: void 0,
    fence,
    speaking,
    lastVoice: voice ? plan.index : state.lastVoice,
    conversation
  };
  if (late && rules.deadline === "strict") return end(after, "error", effects, lateError(state, running, nowMs));
  return { state: after, effects: [...effects, { type: "proceed" }] };
}
function turnRecords(state, { plan, startedMs, firstDueMs, lastDueMs }, output, audio2, nowMs, { fence, yielded }) {
  const { turnSamples, turnDurationMs, budgetMs, outputTurnSamples } = state.rules;
  const first = plan.index - plan.turns + 1;
  const { encodeMs, waitMs, runMs, decodeMs } = output.timing;
  const stepMs = nowMs - startedMs;
  const sessionMs = Math.max(0, stepMs - encodeMs - waitMs - runMs - decodeMs);
  return Array.from({ length: plan.turns }, (_, i) => {
    const index = first + i;
    const last = index === plan.index;
    const startMs = index * turnDurationMs;
    const due = last ? lastDueMs : firstDueMs;
    const slackMs = due === Number.POSITIVE_INFINITY ? budgetMs - stepMs : due - nowMs;
    const timing = {
      ...{ encodeMs, waitMs, runMs, decodeMs },
      ...{ stepTurns: plan.turns, stepMs, sessionMs, slackMs, late: due !== Number.POSITIVE_INFINITY && slackMs < 0 }
    };
    const input = {
      audio: plan.turns === 1 ? audio2 : audio2.subarray(i * turnSamples, (i + 1) * turnSamples),
      paddedSamples: Math.min(turnSamples, Math.max(0, (index + 1) * turnSamples - state.received)),
      images: plan.images.filter(
        (image2) => image2.timeMs < startMs + turnDurationMs && (i === 0 || image2.timeMs >= startMs)
      ),
      text: last ? plan.text : [],
      deliveries: last ? plan.deliveries : [],
      forceListen: !last || plan.forceListen
    };
    if (!last) {
      const silence = new Float32Array(outputTurnSamples);
      const skipped = {
        decision: "listen",
        speech: silence,
        text: "",
        heard: "",
        yielded: false,
        skipped: true
      };
      return { index, startMs, input, timing, output: { ...skipped, fence: state.fence } };
    }
    const { decision, speech: speech2, text: text2, heard, delegation, inside } = output;
    return {
      ...{ index, startMs, input, timing },
      output: {
        ...{ decision, speech: speech2, text: text2, heard, yielded, fence, skipped: false },
        ...delegation === void 0 ? {} : { delegation }
      },
      ...inside === void 0 ? {} : { inside }
    };
  });
}
function converse(before, plan, output) {
  let entries = before;
  for (const { source, text: text2 } of plan.text) entries = say(entries, source, text2, plan.index);
  entries = say(entries, "user", output.heard, plan.index);
  return say(entries, "assistant", output.text, plan.index);
}
function say(entries, speaker, text2, turnIndex) {
  if (text2 === "") return entries;
  const last = entries.at(-1);
  if (last?.speaker === speaker && last.text.length + text2.length < maxEntryLength) {
    return [...entries.slice(0, -1), { ...last, text: `${last.text} ${text2}` }];
  }
  return [...entries, { speaker, text: text2.slice(0, maxEntryLength), turnIndex }].slice(-maxConversationEntries);
}
function interrupt(state) {
  const at = { turnIndex: state.next, timeMs: state.next * state.rules.turnDurationMs };
  const fence = state.fence + 1;
  const flush = emit({ type: "flush", ...at, fence, reason: "interrupt" });
  return { state: { ...state, interrupted: true, fence, speaking: false }, effects: [flush] };
}
function finish(state, tailTurns, nowMs) {
  if (state.phase !== "open") return state;
  const { turnSamples, turnDurationMs } = state.rules;
  const complete = Math.ceil(state.received / turnSamples) + tailTurns;
  const arrivals = complete > state.complete ? [...state.arrivals, nowMs] : state.arrivals;
  const anchor = state.anchor ?? { turn: state.complete, atMs: nowMs + turnDurationMs };
  return { ...state, phase: "finishing", complete, arrivals, anchor };
}
function rewind(state, turn, speaking) {
  const { turnSamples, turnDurationMs } = state.rules;
  const at = { turnIndex: turn, timeMs: turn * turnDurationMs };
  const fence = state.fence + 1;
  const after = {
    ...state,
    received: turn * turnSamples,
    complete: turn,
    next: turn,
    arrivals: [],
    anchor: void 0,
    lastAudioMs: Number.NEGATIVE_INFINITY,
    images: [],
    deliveries: state.deliveries.map((delivery) => ({ ...delivery, sinceMs: Math.min(delivery.sinceMs, at.timeMs) })),
    interrupted: false,
    fence,
    speaking,
    lastVoice: Math.min(state.lastVoice, turn - 1),
    conversation: state.conversation.filter((entry) => entry.turnIndex < turn)
  };
  return {
    state: after,
    effects: [emit({ type: "rewind", ...at }), emit({ type: "flush", ...at, fence, reason: "rewind" })]
  };
}
function end(state, reason, effects = [], error) {
  const at = { turnIndex: state.next, timeMs: state.next * state.rules.turnDurationMs };
  const entering = state.running?.plan.deliveries ?? [];
  const lost = [...entering, ...state.deliveries.map((delivery) => delivery.id)];
  return {
    state: { ...state, phase: "ended", running: void 0, images: [], text: [], deliveries: [], arrivals: [] },
    effects: [
      ...effects,
      ...lost.map((id) => emit({ type: "delivery", ...at, id, outcome: { kind: "dropped", reason: "session-end" } })),
      ...error === void 0 ? [] : [emit({ type: "error", ...at, error })],
      emit({ type: "session-end", ...at, reason }),
      { type: "end", reason, ...error === void 0 ? {} : { error } }
    ]
  };
}
function lateError(state, { plan, firstDueMs, startedMs }, nowMs) {
  const lateMs = nowMs - firstDueMs;
  return new DuplexError(
    "TURN_LATE",
    `micro-turn ${plan.index}: expected its output within ${state.rules.budgetMs} ms of its last input sample, it is ${lateMs.toFixed(1)} ms later than that and has been running for ${(nowMs - startedMs).toFixed(1)} ms; use a faster backend, or the deadline policy "catch-up"`,
    { details: { turnIndex: plan.index, lateMs, stepMs: nowMs - startedMs, budgetMs: state.rules.budgetMs } }
  );
}
function isSilent(pcm) {
  for (let i = 0; i < pcm.length; i++) if (pcm[i] !== 0) return false;
  return true;
}
function emit(event) {
  return { type: "emit", event };
}

// packages/core/src/session/rewind-history.ts
var RewindHistory = class {
  /** Micro-turns between two checkpoints. */
  #every;
  #reach;
  #checkpoints = [];
  #steps = [];
  #turnDurationMs;
  /** @param turns - micro-turns that can be gone back at least; `every` - micro-turns between two checkpoints */
  constructor({ turns, every, turnDurationMs }) {
    this.#reach = turns;
    this.#every = every;
    this.#turnDurationMs = turnDurationMs;
  }
  /** The earliest micro-turn that can be gone back to; undefined before the first checkpoint. */
  get earliest() {
    return this.#checkpoints[0]?.turn;
  }
  /** Whether a checkpoint is wanted before micro-turn `turn`. */
  wantsCheckpoint(turn) {
    const last = this.#checkpoints.at(-1);
    return last === void 0 || turn - last.turn >= this.#every;
  }
  addStep(input, speaking) {
    this.#steps.push({ input, speaking });
  }
  addCheckpoint(checkpoint) {
    this.#checkpoints.push(checkpoint);
    const oldest = checkpoint.turn - this.#reach;
    while (this.#checkpoints.length > 1 && this.#checkpoints[1].turn <= oldest) this.#checkpoints.shift();
    const { turn } = this.#checkpoints[0];
    while (this.#steps.length > 0 && this.#steps[0].input.index < turn) this.#steps.shift();
  }
  /**
   * Brings the engine back to the border before micro-turn `turn`: restores the checkpoint before it and repeats the
   * inputs since. Within a merged step the micro-turns before the border stay silent, as they were.
   *
   * @returns whether the assistant held the floor there
   */
  async goBack(engine2, turn) {
    const checkpoint = this.#checkpoints.findLast((one) => one.turn <= turn);
    if (checkpoint === void 0) throw new RangeError(`rewind: micro-turn ${turn} is out of reach`);
    await engine2.restore(checkpoint.snapshot);
    const again = this.#steps.filter(({ input }) => input.index >= checkpoint.turn && firstTurn(input) < turn);
    let speaking = checkpoint.speaking;
    const steps = this.#steps.filter(({ input }) => input.index < checkpoint.turn);
    for (const step of again) {
      const input = step.input.index < turn ? step.input : this.#partOf(step.input, turn - firstTurn(step.input));
      await engine2.step(input);
      speaking = step.input === input ? step.speaking : false;
      steps.push({ input, speaking });
    }
    this.#checkpoints = this.#checkpoints.filter((one) => one.turn <= turn);
    this.#steps = steps;
    return speaking;
  }
  /** The first `turns` micro-turns of a merged step. Text enters a merged step at its end, so there is none. */
  #partOf(input, turns) {
    const samples = input.audio.length / input.turns;
    const index = firstTurn(input) + turns - 1;
    return {
      ...{ index, turns },
      audio: input.audio.subarray(0, turns * samples),
      images: input.images.filter((image2) => image2.timeMs < (index + 1) * this.#turnDurationMs),
      text: [],
      forceListen: true
    };
  }
};
function firstTurn(input) {
  return input.index - input.turns + 1;
}

// packages/core/src/session/session-options.ts
var maxTailMs = 6e5;
function settle(options) {
  const { clock = systemClock, deadline = "catch-up", pace = "realtime", seed = 0, temperature = 0 } = options;
  const { openTimeoutMs = 6e4, maxQueuedMs = 1e4, maxBufferedTurns = 64, tailMs = 3e3, rewindMs = 0 } = options;
  const { budgetMs, sampleRate: sampleRate2 } = options;
  if (typeof options.engine?.open !== "function") {
    throw new TypeError("DuplexSession.open: engine must be an Engine, for example localEngine({ model, backend })");
  }
  oneOf2("deadline", deadline, ["catch-up", "shed-video", "strict"]);
  oneOf2("pace", pace, ["realtime", "as-fast-as-input"]);
  inRange("seed", seed, 0, 4294967295);
  if (!Number.isInteger(seed)) throw new RangeError(`DuplexSession.open: seed must be a whole number, got ${seed}`);
  inRange("temperature", temperature, 0, 2);
  inRange("openTimeoutMs", openTimeoutMs, 1, Number.MAX_SAFE_INTEGER);
  inRange("maxQueuedMs", maxQueuedMs, 1e3, 36e5);
  inRange("maxBufferedTurns", maxBufferedTurns, 1, 1e6);
  checkTailMs("DuplexSession.open", tailMs);
  inRange("rewindMs", rewindMs, 0, 36e5);
  if (budgetMs !== void 0) inRange("budgetMs", budgetMs, 1, 6e4);
  if (sampleRate2 !== void 0) checkSampleRate("DuplexSession.open", sampleRate2);
  return {
    ...{ clock, deadline, pace, budgetMs, seed, temperature, openTimeoutMs },
    ...{ sampleRate: sampleRate2, maxQueuedMs, maxBufferedTurns, tailMs, rewindMs }
  };
}
function checkSampleRate(operation, sampleRate2) {
  if (!Number.isInteger(sampleRate2) || sampleRate2 < 8e3 || sampleRate2 > 192e3) {
    throw new RangeError(
      `${operation}: sampleRate must be a whole number of Hz from 8000 to 192000, got ${sampleRate2}`
    );
  }
}
function checkTailMs(operation, tailMs) {
  if (!(tailMs >= 0 && tailMs <= maxTailMs)) {
    throw new RangeError(`${operation}: tailMs must be 0 \u2026 ${maxTailMs}, got ${tailMs}`);
  }
}
function oneOf2(name, value, allowed) {
  if (!allowed.includes(value)) {
    throw new TypeError(
      `DuplexSession.open: ${name} must be one of ${allowed.join(", ")}, got ${JSON.stringify(value)}`
    );
  }
}
function inRange(name, value, low, high) {
  if (!(value >= low && value <= high)) {
    throw new RangeError(`DuplexSession.open: ${name} must be ${low} \u2026 ${high}, got ${value}`);
  }
}

// packages/core/src/session/session-state.ts
function initialState(rules, from = {
  turn: 0,
  fence: 0,
  speaking: false,
  conversation: []
}) {
  return {
    rules,
    phase: "open",
    received: from.turn * rules.turnSamples,
    complete: from.turn,
    next: from.turn,
    arrivals: [],
    anchor: void 0,
    lastAudioMs: Number.NEGATIVE_INFINITY,
    running: void 0,
    holds: 0,
    images: [],
    text: [],
    deliveries: [],
    interrupted: false,
    fence: from.fence,
    speaking: from.speaking,
    lastVoice: from.turn - 1,
    conversation: from.conversation
  };
}

// packages/core/src/session/trace.ts
function packExactly(pcm) {
  let silent = true;
  for (let i = 0; i < pcm.length; i++) {
    const scaled2 = pcm[i] * 32768;
    if (scaled2 !== 0) silent = false;
    if (!Number.isInteger(scaled2) || scaled2 < -32768 || scaled2 > 32767) return pcm.slice();
  }
  return silent ? void 0 : Int16Array.from(pcm, (value) => value * 32768);
}
function packForListening(pcm) {
  return pcm.some((sample2) => sample2 !== 0) ? floatToInt16(pcm) : void 0;
}
function fingerprint(pcm) {
  const words2 = new Uint32Array(pcm.buffer, pcm.byteOffset, pcm.length);
  let a = 2654435769;
  let b = 2246822507;
  for (let i = 0; i < words2.length; i++) {
    a = Math.imul(a ^ words2[i], 16777619);
    a = a << 13 | a >>> 19;
    b = Math.imul(b + words2[i], 3432918353);
    b ^= b >>> 15;
  }
  return [a, b].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

// packages/core/src/session/trace-recorder.ts
function recordTrace(session, options = {}) {
  const { maxMs = 36e5, images = true } = options;
  if (!(maxMs > 0)) throw new RangeError(`recordTrace: maxMs must be positive, got ${maxMs}`);
  const { capabilities, settings } = session;
  const maxTurns = Math.ceil(maxMs / capabilities.turnDurationMs);
  const startedAt = (/* @__PURE__ */ new Date()).toISOString();
  const turns = [];
  let truncated = false;
  let experts;
  const stopTurns = session.on("turn-end", ({ turn }) => {
    truncated ||= turns.length >= maxTurns;
    if (truncated) return;
    experts ??= turn.inside?.expertShape;
    turns.push(traceTurn(turn, images));
  });
  const stopRewinds = session.on("rewind", ({ turnIndex }) => {
    while (turns.length > 0 && turns[turns.length - 1].index >= turnIndex) turns.pop();
  });
  return {
    trace() {
      const { turnDurationMs, inputSampleRate, outputSampleRate, deterministic, identity } = capabilities;
      const { seed, temperature, deadline, pace, budgetMs = turnDurationMs } = settings;
      const header = {
        ...{
          startedAt,
          firstTurn: turns[0]?.index ?? session.firstTurn,
          turnDurationMs,
          inputSampleRate,
          outputSampleRate
        },
        ...{ seed, temperature, deadline, pace, budgetMs, deterministic, truncated },
        ...identity === void 0 ? {} : { engine: identity },
        ...experts === void 0 ? {} : { experts }
      };
      return { header, turns: [...turns] };
    },
    stop() {
      stopTurns();
      stopRewinds();
    }
  };
}
function traceTurn({ index, startMs, input, output, timing, inside }, images) {
  const audio2 = packExactly(input.audio);
  const speech2 = packForListening(output.speech);
  const { decision, text: text2, heard, delegation, yielded, skipped, fence } = output;
  const { controls, dmel, expertLoad } = inside ?? {};
  return {
    ...{ index, startMs, timing },
    input: {
      ...audio2 === void 0 ? {} : { audio: audio2 },
      paddedSamples: input.paddedSamples,
      images: images ? input.images : [],
      text: input.text,
      forceListen: input.forceListen
    },
    output: {
      ...{ decision, text: text2, heard, yielded, skipped, fence },
      ...delegation === void 0 ? {} : { delegation: delegation.task },
      ...speech2 === void 0 ? {} : { speech: speech2 },
      speechFingerprint: fingerprint(output.speech)
    },
    ...controls === void 0 ? {} : { controls: controls.slice() },
    ...dmel === void 0 ? {} : { dmel: dmel.slice() },
    ...expertLoad === void 0 ? {} : { expertLoad: Uint8Array.from(expertLoad, (share2) => Math.round(255 * Math.max(0, Math.min(1, share2)))) }
  };
}

// packages/core/src/session/turn-queue.ts
var TurnQueue = class {
  #options;
  #items = [];
  #waiting = [];
  #ended;
  #full = false;
  constructor(options) {
    this.#options = options;
  }
  /** Hands over an item. */
  push(item) {
    if (this.#ended !== void 0) return;
    const reader = this.#waiting.shift();
    if (reader !== void 0) {
      reader.resolve({ done: false, value: item });
      return;
    }
    const { capacity, onFull } = this.#options;
    if (this.#items.length >= capacity && onFull === void 0) {
      this.end(
        new DuplexError(
          "INPUT_OVERFLOW",
          `reading micro-turns: the reader is ${capacity} micro-turns behind, and a live session does not wait; the ${capacity} are delivered, later ones are not: do less between two reads, or raise maxBufferedTurns`
        )
      );
      return;
    }
    this.#items.push(item);
    if (!this.#full && this.#items.length >= capacity) {
      this.#full = true;
      onFull?.();
    }
  }
  /** No more items; `error` is thrown to the reader after those that are there. */
  end(error) {
    if (this.#ended !== void 0) return;
    this.#ended = error === void 0 ? {} : { error };
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const reader of waiting) {
      if (error === void 0) reader.resolve({ done: true, value: void 0 });
      else reader.reject(error);
    }
    if (waiting.length > 0) this.#ended = {};
  }
  next() {
    const item = this.#items.shift();
    if (item !== void 0) {
      if (this.#full) {
        this.#full = false;
        this.#options.onRoom?.();
      }
      return Promise.resolve({ done: false, value: item });
    }
    if (this.#ended !== void 0) {
      const { error } = this.#ended;
      this.#ended = {};
      return error === void 0 ? Promise.resolve({ done: true, value: void 0 }) : Promise.reject(error);
    }
    return new Promise((resolve2, reject) => this.#waiting.push({ resolve: resolve2, reject }));
  }
  return() {
    this.#items.length = 0;
    this.end();
    if (this.#full) {
      this.#full = false;
      this.#options.onRoom?.();
    }
    this.#options.onReturn();
    return Promise.resolve({ done: true, value: void 0 });
  }
  [Symbol.asyncIterator]() {
    return this;
  }
};

// packages/core/src/session/duplex-session.ts
var closeTimeoutMs = 5e3;
var maxPendingText = 65536;
var maxPendingDeliveries = 256;
var maxPendingImages = 16;
var DuplexSession = class _DuplexSession {
  /** What the engine can do. */
  capabilities;
  /** How this session was opened, defaults included. */
  settings;
  /** The micro-turn that the session began with: 0, or that of the snapshot it was opened from. */
  firstTurn;
  /**
   * Where audio goes: mono PCM at `settings.sampleRate` (default the engine's input rate). Its promises keep a writer from
   * running ahead. Closing it means `finish()`; aborting it means `close()`. It errors with `SESSION_CLOSED` when the
   * session ends first.
   */
  audio;
  /** Resolves with the reason when the session has ended; never rejects. */
  ended;
  #options;
  #engine;
  #emitter = new import_index.default();
  #input;
  #turnSamples;
  #queues = /* @__PURE__ */ new Set();
  #deliveries = /* @__PURE__ */ new Map();
  #history;
  #recorder;
  #state;
  #inbox = [];
  #dispatching = false;
  #announced = false;
  #nextDelivery = 1;
  #wake;
  #idle = [];
  #exclusive = Promise.resolve();
  #finishing;
  #error;
  #engineClosed;
  #endStream = () => {
  };
  #resolveEnded = () => {
  };
  #stopListening = () => {
  };
  /**
   * Opens a session; loads the engine first if need be. Settles within `openTimeoutMs`.
   *
   * @throws TypeError or RangeError for an option out of its range
   * @throws DuplexError `OPEN_TIMEOUT`, `ABORTED`, and whatever the engine's `open` throws
   */
  static async open(options) {
    const settings = settle(options);
    const engine2 = await openEngine(options, settings);
    try {
      if (settings.rewindMs > 0) requireSnapshots(engine2.capabilities, "rewindMs");
      if (options.from !== void 0) {
        requireSnapshots(engine2.capabilities, "from");
        await engine2.restore(options.from.engine);
      }
      const session = new _DuplexSession(options, settings, engine2);
      if (session.#history !== void 0) await session.#checkpoint(session.#history);
      return session;
    } catch (error) {
      engine2.close().catch(() => {
      });
      throw error;
    }
  }
  constructor(options, settings, engine2) {
    const { capabilities } = engine2;
    const { turnDurationMs, inputSampleRate, outputSampleRate } = capabilities;
    this.capabilities = capabilities;
    this.settings = settings;
    this.firstTurn = options.from?.turn ?? 0;
    this.#options = options;
    this.#engine = engine2;
    this.#turnSamples = Math.round(inputSampleRate * turnDurationMs / 1e3);
    this.#state = initialState(
      {
        turnSamples: this.#turnSamples,
        turnDurationMs,
        outputSampleRate,
        outputTurnSamples: Math.round(outputSampleRate * turnDurationMs / 1e3),
        budgetMs: settings.budgetMs ?? turnDurationMs,
        deadline: settings.deadline,
        pace: settings.pace,
        pauseMs: defaultPauseMs,
        maxImages: maxPendingImages
      },
      options.from
    );
    this.#input = new AudioInput({
      sampleRate: inputSampleRate,
      capacity: Math.round(settings.maxQueuedMs * inputSampleRate / 1e3),
      highWater: 2 * this.#turnSamples,
      position: this.firstTurn * this.#turnSamples,
      onSamples: (samples) => this.#dispatch({ type: "audio", samples, nowMs: settings.clock.now() })
    });
    this.audio = new WritableStream({
      start: (controller) => {
        this.#endStream = (error) => controller.error(error);
      },
      write: (samples) => this.writeAudio(samples),
      close: () => this.finish(),
      abort: () => this.close()
    });
    this.ended = new Promise((resolve2) => {
      this.#resolveEnded = resolve2;
    });
    if (settings.rewindMs > 0) {
      const every = Math.max(1, Math.round(1e3 / turnDurationMs));
      const turns = Math.ceil(settings.rewindMs / turnDurationMs);
      this.#history = new RewindHistory({ turns, every, turnDurationMs });
    }
    const { trace = false, signal } = options;
    if (trace !== false) this.#recorder = recordTrace(this, trace === true ? {} : trace);
    if (signal !== void 0) {
      const abort = () => this.#fail(new DuplexError("ABORTED", "session: its signal was aborted", { cause: signal.reason }));
      signal.addEventListener("abort", abort, { once: true });
      this.#stopListening = () => signal.removeEventListener("abort", abort);
      if (signal.aborted) abort();
    }
    settings.clock.setTimer(() => this.#announce(), settings.clock.now());
  }
  /** The micro-turn that comes next. */
  get turnIndex() {
    return this.#state.next;
  }
  /** The session clock: input samples since open, in ms (rule 1). */
  get timeMs() {
    return this.#state.received / this.#turnSamples * this.capabilities.turnDurationMs;
  }
  /** Audio that waits for its micro-turn, ms. */
  get queuedMs() {
    return 1e3 * this.#input.held / this.capabilities.inputSampleRate;
  }
  /** Whether the session has ended. */
  get closed() {
    return this.#state.phase === "ended";
  }
  // --- listening ---
  /**
   * Calls `handler` for every event of a type. A handler that throws does not disturb the session: its error surfaces as an
   * uncaught one, as for any event target.
   *
   * @returns removes the handler
   */
  on(type, handler) {
    const guarded = (...args) => {
      try {
        handler(...args);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    };
    this.#emitter.on(type, guarded);
    return () => this.#emitter.off(type, guarded);
  }
  /**
   * Reads the micro-turns from now on, one record each. Every record that was made is delivered before the end; an error
   * of the session is thrown after them. See `maxBufferedTurns` for readers that are slow.
   */
  [Symbol.asyncIterator]() {
    const offline = this.settings.pace === "as-fast-as-input";
    const queue = new TurnQueue({
      capacity: this.settings.maxBufferedTurns,
      ...offline ? { onFull: () => this.#dispatch({ type: "hold" }), onRoom: () => this.#release() } : {},
      onReturn: () => this.#queues.delete(queue)
    });
    if (this.closed) queue.end(this.#error);
    else this.#queues.add(queue);
    return queue;
  }
  // --- input ---
  /**
   * Takes audio of any length; all of it or none. The returned promise resolves when the session has room for more: wait
   * for it when the source can wait, ignore it when it cannot (its rejection is then told by `input-refused` only).
   *
   * @param samples - mono PCM in [-1, 1]; copied, unless more than `maxQueuedMs` (then leave it unchanged until it resolves)
   * @param options.sampleRate - Hz, 8000 to 192000; default `settings.sampleRate`, else the engine's. May change between writes
   * @throws DuplexError `AUDIO_INVALID`, `INPUT_OVERFLOW`, `SESSION_CLOSED`
   */
  writeAudio(samples, { sampleRate: sampleRate2 } = {}) {
    const written = this.#writeAudio(
      samples,
      sampleRate2 ?? this.settings.sampleRate ?? this.capabilities.inputSampleRate
    );
    written.catch(() => {
    });
    return written;
  }
  async #writeAudio(samples, sampleRate2) {
    if (!(samples instanceof Float32Array))
      throw new TypeError("writeAudio: samples must be a Float32Array of mono PCM");
    checkSampleRate("writeAudio", sampleRate2);
    this.#requireOpen("writeAudio");
    try {
      await this.#input.write(samples, sampleRate2);
    } catch (error) {
      if (DuplexError.is(error) && !this.closed) {
        this.#announce();
        this.#emit({ type: "input-refused", turnIndex: this.turnIndex, timeMs: this.timeMs, error });
      }
      throw error;
    }
  }
  /**
   * Shows the model an image. It enters the micro-turn that covers `timeMs`, or the next one if that has begun; at most
   * 16 wait, then the oldest goes.
   *
   * @param frame - RGB or RGBA; copied. `timeMs` on the session clock, default now
   * @throws DuplexError `IMAGE_INVALID`, `UNSUPPORTED` if the model sees nothing, `SESSION_CLOSED`
   */
  writeImage(frame) {
    this.#requireOpen("writeImage");
    this.#requireInput("writeImage", "video");
    const { data, width, height, timeMs = this.timeMs } = frame;
    const pixels = width * height;
    const whole = Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0;
    if (!whole || data.length !== 3 * pixels && data.length !== 4 * pixels || !Number.isFinite(timeMs)) {
      throw new DuplexError(
        "IMAGE_INVALID",
        `writeImage: expected ${width} x ${height} pixels of 3 or 4 bytes at a finite time, got ${data.length} bytes at ${timeMs} ms`
      );
    }
    this.#dispatch({ type: "image", image: { data: data.slice(), width, height, timeMs } });
  }
  /**
   * Gives the model text that the user typed; it enters the next micro-turn.
   *
   * @throws DuplexError `UNSUPPORTED` if the model reads no text, `INPUT_OVERFLOW` beyond 64 Ki characters waiting, `SESSION_CLOSED`
   */
  sendText(text2) {
    this.#requireOpen("sendText");
    this.#requireInput("sendText", "text");
    if (typeof text2 !== "string" || text2 === "")
      throw new TypeError("sendText: text must be a string that is not empty");
    const waiting = this.#state.text.reduce((sum, one) => sum + one.text.length, 0);
    if (waiting + text2.length > maxPendingText) {
      throw new DuplexError(
        "INPUT_OVERFLOW",
        `sendText: expected at most ${maxPendingText} characters waiting, got ${waiting} + ${text2.length}; send less, or wait for the next micro-turn`
      );
    }
    this.#dispatch({ type: "text", text: text2 });
  }
  /**
   * Brings a result of the background into the conversation (rule 6).
   *
   * @param policy - when it enters; default `when-quiet`
   * @returns what became of it: the micro-turn it entered, or why it never will
   * @throws DuplexError `UNSUPPORTED` if the model reads no text, `INPUT_OVERFLOW` beyond 256 waiting, `SESSION_CLOSED`
   */
  deliver(result, policy = "when-quiet") {
    this.#requireOpen("deliver");
    this.#requireInput("deliver", "text");
    checkDeliveryPolicy(policy);
    if (typeof result !== "string" || result === "")
      throw new TypeError("deliver: result must be a string that is not empty");
    if (result.length > maxPendingText || this.#deliveries.size >= maxPendingDeliveries) {
      throw new DuplexError(
        "INPUT_OVERFLOW",
        `deliver: expected at most ${maxPendingDeliveries} results waiting, of ${maxPendingText} characters each, got ${this.#deliveries.size} and ${result.length} characters`
      );
    }
    const id = this.#nextDelivery++;
    return new Promise((resolve2) => {
      this.#deliveries.set(id, resolve2);
      this.#dispatch({ type: "deliver", id, text: result, policy });
    });
  }
  /** Silences the assistant: queued sound is flushed now, and the next micro-turn listens. */
  interrupt() {
    this.#requireOpen("interrupt");
    this.#dispatch({ type: "interrupt" });
  }
  // --- ending ---
  /**
   * Ends the input: waiting writes are taken, the last micro-turn is padded with silence, the model hears `tailMs` of
   * silence in which it may answer, then the session ends. Resolves at the end; closing `session.audio` does the same.
   *
   * @param options.tailMs - 0 … 600 000, rounded up to whole micro-turns; default `settings.tailMs`
   * @throws DuplexError whatever ended the session before its time
   */
  async finish({ tailMs = this.settings.tailMs } = {}) {
    checkTailMs("finish", tailMs);
    this.#finishing ??= this.#finish(Math.ceil(tailMs / this.capabilities.turnDurationMs));
    await this.#finishing;
  }
  async #finish(tailTurns) {
    if (!this.closed) {
      await this.#input.finish();
      this.#dispatch({ type: "finish", tailTurns, nowMs: this.settings.clock.now() });
    }
    const reason = await this.ended;
    if (this.#error !== void 0) throw this.#error;
    if (reason === "closed") throw closedError("finish");
  }
  /** Ends the session now; what it gave so far stays readable. Always resolves; double close is fine (rule 9). */
  async close() {
    this.#dispatch({ type: "close" });
    await this.ended;
    await this.#engineClosed;
  }
  [Symbol.asyncDispose]() {
    return this.close();
  }
  // --- state (rule 10) ---
  /**
   * The state at the next border between two micro-turns. Input after that border is not in it.
   *
   * @throws DuplexError `UNSUPPORTED` if the engine has no snapshots, `SESSION_CLOSED`
   */
  async snapshot() {
    requireSnapshots(this.capabilities, "snapshot");
    return this.#atBorder("snapshot", () => this.#snapshot());
  }
  async #snapshot() {
    const engine2 = await this.#engine.snapshot();
    const { next: next2, fence, speaking, conversation } = this.#state;
    return { turn: next2, engine: engine2, fence, speaking, conversation };
  }
  /**
   * A second session that shares this one's past and goes its own way from the next border on. It starts with no input
   * waiting: the first sample it gets is the first of micro-turn `fork.turnIndex`.
   *
   * @param options - what differs from this session's options
   * @throws DuplexError as {@link snapshot} and `open`; the engine needs room for one more session
   */
  async fork(options = {}) {
    const from = await this.snapshot();
    return _DuplexSession.open({ ...this.#options, trace: false, ...options, from });
  }
  /**
   * Goes back to the border before micro-turn `turn`: what came after it never happened for the model. Waiting input is
   * dropped, queued sound is flushed, and the session clock continues from that border.
   *
   * @throws RangeError if `turn` is not a past border within `rewindMs`
   * @throws DuplexError `UNSUPPORTED` without the option `rewindMs`, `SESSION_CLOSED`
   */
  rewind(turn) {
    const history = this.#history;
    if (history === void 0) {
      return Promise.reject(
        new DuplexError("UNSUPPORTED", "rewind: the session keeps no history; open it with the option rewindMs")
      );
    }
    return this.#atBorder("rewind", async () => {
      const { next: next2 } = this.#state;
      const earliest = history.earliest ?? next2;
      if (!Number.isInteger(turn) || turn < earliest || turn > next2) {
        throw new RangeError(`rewind: turn must be a whole number from ${earliest} to ${next2}, got ${turn}`);
      }
      const speaking = await history.goBack(this.#engine, turn);
      this.#input.reset(turn * this.#turnSamples);
      this.#dispatch({ type: "rewind", turn, speaking });
    });
  }
  /**
   * The trace so far.
   *
   * @throws DuplexError `UNSUPPORTED` without the option `trace`
   */
  trace() {
    if (this.#recorder === void 0) {
      throw new DuplexError("UNSUPPORTED", "trace: nothing is recorded; open the session with { trace: true }");
    }
    return this.#recorder.trace();
  }
  // --- the shell ---
  /** Feeds the reducer and does what it asks. Handlers may call back in: what they cause comes after what is under way. */
  #dispatch(input) {
    this.#inbox.push(input);
    if (this.#dispatching) return;
    this.#dispatching = true;
    try {
      for (let next2 = this.#inbox.shift(); next2 !== void 0; next2 = this.#inbox.shift()) {
        const { state, effects } = reduce(this.#state, next2);
        this.#state = state;
        for (const effect of effects) this.#perform(effect);
      }
    } finally {
      this.#dispatching = false;
    }
    if (this.#state.running === void 0) for (const resolve2 of this.#idle.splice(0)) resolve2();
  }
  #perform(effect) {
    switch (effect.type) {
      case "step":
        void this.#step(effect.plan);
        break;
      case "wake":
        this.#wakeAt(effect.atMs);
        break;
      case "emit":
        this.#announce();
        this.#emit(effect.event);
        break;
      case "proceed":
        this.#dispatch({ type: "tick", nowMs: this.settings.clock.now() });
        break;
      case "end":
        this.#end(effect.reason, effect.error);
        break;
    }
  }
  async #step(plan) {
    const { index, turns, images, text: text2, forceListen } = plan;
    const audio2 = this.#input.take(plan.fromSample, turns * this.#turnSamples);
    const input = { index, turns, audio: audio2, images, text: text2, forceListen };
    try {
      const output = await this.#engine.step(input);
      const { outputTurnSamples } = this.#state.rules;
      if (output.speech.length !== outputTurnSamples) {
        throw new DuplexError(
          "SHAPE_MISMATCH",
          `step: expected ${outputTurnSamples} samples of speech from the engine, got ${output.speech.length}`
        );
      }
      const nowMs = this.settings.clock.now();
      const history = this.#history;
      history?.addStep(input, output.decision === "speak" && output.yielded !== true);
      const checkpoint = history?.wantsCheckpoint(index + 1) === true;
      if (checkpoint) this.#dispatch({ type: "hold" });
      this.#dispatch({ type: "step-done", output, audio: audio2, nowMs });
      if (checkpoint && history !== void 0) {
        if (!this.closed) await this.#checkpoint(history);
        this.#release();
      }
    } catch (error) {
      this.#fail(asDuplexError(error));
    }
    this.#input.pump();
  }
  #wakeAt(atMs) {
    if (this.#wake?.atMs === atMs) return;
    this.#wake?.cancel();
    const cancel = this.settings.clock.setTimer(() => {
      this.#wake = void 0;
      this.#dispatch({ type: "tick", nowMs: this.settings.clock.now() });
    }, atMs);
    this.#wake = { atMs, cancel };
  }
  #announce() {
    if (this.#announced) return;
    this.#announced = true;
    const { firstTurn: firstTurn2, capabilities } = this;
    const timeMs = firstTurn2 * capabilities.turnDurationMs;
    this.#emit({ type: "session-start", turnIndex: firstTurn2, timeMs, capabilities });
  }
  #emit(event) {
    if (event.type === "speech") this.#emitter.emit("speech", event.pcm, event);
    else this.#emitter.emit.call(this.#emitter, event.type, event);
    if (event.type === "turn-end") for (const queue of this.#queues) queue.push(event.turn);
    if (event.type === "delivery") {
      this.#deliveries.get(event.id)?.(event.outcome);
      this.#deliveries.delete(event.id);
    }
  }
  #end(reason, error) {
    this.#error = error;
    this.#wake?.cancel();
    this.#stopListening();
    const closed = closedError("writeAudio", error);
    this.#input.end(closed);
    this.#endStream(closed);
    for (const queue of this.#queues) queue.end(error);
    this.#queues.clear();
    this.#engineClosed = this.#closeEngine();
    this.#resolveEnded(reason);
  }
  /** Closes the engine's side; an engine that does not answer is left behind. */
  #closeEngine() {
    const { clock } = this.settings;
    return new Promise((resolve2) => {
      const cancel = clock.setTimer(resolve2, clock.now() + closeTimeoutMs);
      const done = () => {
        cancel();
        resolve2();
      };
      this.#engine.close().then(done, done);
    });
  }
  #fail(error) {
    this.#dispatch({ type: "fail", error });
  }
  #release() {
    this.#dispatch({ type: "release", nowMs: this.settings.clock.now() });
  }
  /** Runs `action` between two steps, alone. */
  #atBorder(operation, action) {
    const run = async () => {
      this.#requireOpen(operation);
      this.#dispatch({ type: "hold" });
      try {
        if (this.#state.running !== void 0) await new Promise((resolve2) => this.#idle.push(resolve2));
        this.#requireOpen(operation);
        return await action();
      } finally {
        this.#release();
        this.#input.pump();
      }
    };
    const result = this.#exclusive.then(run, run);
    this.#exclusive = result.catch(() => {
    });
    return result;
  }
  async #checkpoint(history) {
    const { next: next2, speaking } = this.#state;
    history.addCheckpoint({ turn: next2, snapshot: await this.#engine.snapshot(), speaking });
  }
  #requireOpen(operation) {
    if (this.closed) throw closedError(operation, this.#error);
  }
  #requireInput(operation, kind) {
    const { inputs } = this.capabilities;
    if (inputs.includes(kind)) return;
    throw new DuplexError(
      "UNSUPPORTED",
      `${operation}: expected an engine that takes ${kind}, this one takes ${inputs.join(", ")}; ask session.capabilities.inputs first`
    );
  }
};
function requireSnapshots(capabilities, operation) {
  if (capabilities.snapshots) return;
  throw new DuplexError(
    "UNSUPPORTED",
    `${operation}: this engine cannot take snapshots; ask session.capabilities.snapshots first`
  );
}
function closedError(operation, cause) {
  const why = cause === void 0 ? "" : " by an error (see cause)";
  return new DuplexError(
    "SESSION_CLOSED",
    `${operation}: the session has ended${why}; open another`,
    cause === void 0 ? {} : { cause }
  );
}
function asDuplexError(error) {
  if (DuplexError.is(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new DuplexError("BACKEND_FAILED", `step: the engine failed: ${message}`, { cause: error });
}

// packages/core/src/vision/image.ts
function bytesPerPixel(operation, image2) {
  const { data, width, height } = image2;
  const pixels = width * height;
  if (Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0) {
    if (data.length === 3 * pixels) return 3;
    if (data.length === 4 * pixels) return 4;
  }
  throw new DuplexError(
    "IMAGE_INVALID",
    `${operation}: expected width x height pixels of 3 or 4 bytes, got ${width} x ${height} with ${data.length} bytes`,
    { details: { width, height, bytes: data.length } }
  );
}

// packages/core/src/vision/scale-image.ts
var ImageScaler = class {
  fromWidth;
  fromHeight;
  filter;
  /** The last result, RGB, valid until the next call. */
  #result;
  #columns;
  #rows;
  /** Rows of the source at the new width. */
  #between;
  /** One row of sums. */
  #sums;
  /** @throws RangeError if a size is not a positive whole number */
  constructor(from, to, filter) {
    for (const size of [from.width, from.height, to.width, to.height]) {
      if (!Number.isInteger(size) || size < 1) {
        throw new RangeError(`scale: expected whole sizes of 1 or more, got ${size}`);
      }
    }
    this.fromWidth = from.width;
    this.fromHeight = from.height;
    this.filter = filter;
    this.#columns = weigh(from.width, to.width, filter);
    this.#rows = weigh(from.height, to.height, filter);
    this.#between = new Float32Array(from.height * to.width * 3);
    this.#sums = new Float64Array(to.width * 3);
    this.#result = { data: new Uint8Array(to.width * to.height * 3), width: to.width, height: to.height };
  }
  /**
   * Scales one image.
   *
   * @returns RGB pixels, valid until the next call
   * @throws RangeError if the image is not of the size this scaler is for
   * @throws DuplexError `IMAGE_INVALID` if its data does not fit its size
   */
  scale(image2) {
    const step = bytesPerPixel("scale", image2);
    if (image2.width !== this.fromWidth || image2.height !== this.fromHeight) {
      throw new RangeError(
        `scale: expected an image of ${this.fromWidth} x ${this.fromHeight}, got ${image2.width} x ${image2.height}`
      );
    }
    this.#scaleRows(image2.data, step);
    this.#scaleColumns();
    return this.#result;
  }
  #scaleRows(data, step) {
    const { first, count, weights, most: most2 } = this.#columns;
    const toWidth = this.#result.width;
    const between2 = this.#between;
    const rounded = this.filter === "lanczos";
    let to = 0;
    for (let y = 0; y < this.fromHeight; y++) {
      const row = y * this.fromWidth * step;
      for (let x = 0; x < toWidth; x++) {
        let red = 0;
        let green = 0;
        let blue = 0;
        let from = row + first[x] * step;
        const end2 = x * most2 + count[x];
        for (let k = x * most2; k < end2; k++, from += step) {
          const weight = weights[k];
          red += weight * data[from];
          green += weight * data[from + 1];
          blue += weight * data[from + 2];
        }
        between2[to] = rounded ? toByte(red) : red;
        between2[to + 1] = rounded ? toByte(green) : green;
        between2[to + 2] = rounded ? toByte(blue) : blue;
        to += 3;
      }
    }
  }
  #scaleColumns() {
    const { first, count, weights, most: most2 } = this.#rows;
    const { data, height } = this.#result;
    const between2 = this.#between;
    const sums = this.#sums;
    const length = sums.length;
    for (let y = 0; y < height; y++) {
      sums.fill(0);
      for (let k = 0; k < count[y]; k++) {
        const weight = weights[y * most2 + k];
        const from = (first[y] + k) * length;
        for (let i = 0; i < length; i++) sums[i] += weight * between2[from + i];
      }
      for (let i = 0; i < length; i++) data[y * length + i] = toByte(sums[i]);
    }
  }
};
function toByte(value) {
  return Math.max(0, Math.min(255, Math.floor(value + 0.5)));
}
function weigh(from, to, filter) {
  const scale = from / to;
  const stretch = Math.max(1, scale);
  const reach = filter === "area" ? scale / 2 : 3 * stretch;
  const most2 = Math.ceil(2 * reach) + 2;
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  const weights = new Float64Array(to * most2);
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale;
    const begin = Math.max(0, filter === "area" ? Math.floor(centre - reach + 1e-9) : Math.floor(centre - reach + 0.5));
    const end2 = Math.min(from, filter === "area" ? Math.ceil(centre + reach - 1e-9) : Math.floor(centre + reach + 0.5));
    let sum = 0;
    for (let j = begin; j < end2; j++) {
      const weight = filter === "area" ? Math.min(j + 1, centre + reach) - Math.max(j, centre - reach) : lanczos3((j + 0.5 - centre) / stretch);
      weights[i * most2 + j - begin] = weight;
      sum += weight;
    }
    for (let k = 0; k < end2 - begin; k++) weights[i * most2 + k] /= sum;
    first[i] = begin;
    count[i] = end2 - begin;
  }
  if (filter === "lanczos") roundTo16Bits(weights);
  return { first, count, most: most2, weights };
}
function roundTo16Bits(weights) {
  let largest = 0;
  for (const weight of weights) largest = Math.max(largest, weight);
  let places = 0;
  while (places < 22 && Math.floor(0.5 + largest * 2 ** (places + 1)) < 2 ** 15) places++;
  const unit = 2 ** places;
  for (let i = 0; i < weights.length; i++) weights[i] = Math.floor(weights[i] * unit + 0.5) / unit;
}
function lanczos3(x) {
  if (x === 0) return 1;
  if (Math.abs(x) >= 3) return 0;
  const angle = Math.PI * x;
  return 3 * Math.sin(angle) * Math.sin(angle / 3) / (angle * angle);
}

// packages/core/src/vision/patches.ts
var patchSize = 40;
var clipMean = Object.freeze([0.48145466, 0.4578275, 0.40821073]);
var clipStd = Object.freeze([0.26862954, 0.26130258, 0.27577711]);
var momentValues = patchSize * patchSize * 3;
var mostTokens = 65536;
function patchGrid(width, height) {
  return { rows: Math.ceil(height / patchSize), cols: Math.floor(width / patchSize) + 1 };
}
var PatchEncoder = class {
  #options;
  #scaler;
  #values = new Float32Array(0);
  #plan;
  #planned = { width: 0, height: 0 };
  /** @throws RangeError if an option is out of range, or `size` alone is beyond `maxPatchTokens` */
  constructor(options = {}) {
    const { size, longEdgeScale, longEdgeCap, maxPatchTokens } = options;
    if (longEdgeScale !== void 0 && !(longEdgeScale > 0 && longEdgeScale <= 64)) {
      throw new RangeError(`patches: expected a longEdgeScale above 0 up to 64, got ${longEdgeScale}`);
    }
    checkWhole("longEdgeCap", longEdgeCap);
    checkWhole("maxPatchTokens", maxPatchTokens);
    checkWhole("size.width", size?.width);
    checkWhole("size.height", size?.height);
    if (size !== void 0 && longEdgeScale !== void 0) {
      throw new TypeError("patches: expected size or longEdgeScale, got both");
    }
    if (size !== void 0) {
      const { rows, cols } = patchGrid(size.width, size.height);
      if (rows * cols > (maxPatchTokens ?? mostTokens)) {
        throw new RangeError(
          `patches: expected a size of at most ${maxPatchTokens ?? mostTokens} patches, got ${size.width} x ${size.height}, which has ${rows * cols}`
        );
      }
    }
    this.#options = options;
  }
  /**
   * What an image of this size becomes.
   *
   * @throws RangeError if a size is not a positive whole number
   * @throws DuplexError `IMAGE_INVALID` if it becomes more than 65,536 patches and no budget is set
   */
  plan(width, height) {
    if (this.#plan !== void 0 && this.#planned.width === width && this.#planned.height === height) return this.#plan;
    checkWhole("width", width);
    checkWhole("height", height);
    const plan = planPatches(width, height, this.#options);
    this.#plan = plan;
    this.#planned = { width, height };
    return plan;
  }
  /**
   * Cuts an image, or two moments of a video.
   *
   * @param first - the image, or the earlier moment
   * @param second - the later moment; left out, a still image fills both
   * @returns patches; `values` is valid until the next call
   * @throws DuplexError `IMAGE_INVALID` if the data of an image does not fit its size, the moments differ in size after
   *   scaling, or there are too many patches
   */
  encode(first, second) {
    bytesPerPixel("patches", first);
    const plan = this.plan(first.width, first.height);
    if (second !== void 0) {
      bytesPerPixel("patches", second);
      const other = planPatches(second.width, second.height, this.#options);
      if (other.width !== plan.width || other.height !== plan.height) {
        throw new DuplexError(
          "IMAGE_INVALID",
          `patches: expected two moments of one size, got ${plan.width} x ${plan.height} and ${other.width} x ${other.height} after scaling; pair frames of one camera setting`
        );
      }
    }
    const length = plan.tokens * 2 * momentValues;
    if (this.#values.length !== length) this.#values = new Float32Array(length);
    cutImage(this.#fit(first, plan), 0, plan, this.#values);
    if (second !== void 0) cutImage(this.#fit(second, plan), 1, plan, this.#values);
    else repeatMoment(plan.tokens, this.#values);
    return { ...plan, values: this.#values };
  }
  #fit(image2, plan) {
    if (image2.width === plan.width && image2.height === plan.height) return image2;
    const filter = this.#options.longEdgeScale === void 0 ? "area" : "lanczos";
    if (this.#scaler?.fromWidth !== image2.width || this.#scaler.fromHeight !== image2.height) {
      this.#scaler = new ImageScaler(image2, plan, filter);
    }
    return this.#scaler.scale(image2);
  }
};
function planPatches(width, height, options) {
  const { size, longEdgeScale, longEdgeCap = 2048, maxPatchTokens } = options;
  if (size !== void 0) return planOf(size.width, size.height);
  const longEdge = Math.max(width, height);
  let ratio = 1;
  if (longEdgeScale !== void 0) {
    ratio = Math.min(longEdge * longEdgeScale, Math.max(longEdgeCap, longEdge)) / longEdge;
  }
  const wished = planOf(scaled(width, ratio), scaled(height, ratio));
  if (maxPatchTokens !== void 0 && wished.tokens > maxPatchTokens) {
    return fitBudget(width, height, Math.max(wished.width, wished.height), maxPatchTokens);
  }
  if (wished.tokens > mostTokens) {
    throw new DuplexError(
      "IMAGE_INVALID",
      `patches: expected an image of at most ${mostTokens} patches, got ${width} x ${height}, which has ${wished.tokens}; set maxPatchTokens`
    );
  }
  return wished;
}
function fitBudget(width, height, tooLong, budget) {
  const longEdge = Math.max(width, height);
  const at = (side) => planOf(scaled(width, side / longEdge), scaled(height, side / longEdge));
  let fits = 1;
  let above = tooLong;
  while (above - fits > 1) {
    const middle = fits + above >> 1;
    if (at(middle).tokens <= budget) fits = middle;
    else above = middle;
  }
  return at(fits);
}
function scaled(side, ratio) {
  return Math.max(1, Math.floor(side * ratio + 0.5));
}
function planOf(width, height) {
  const { rows, cols } = patchGrid(width, height);
  return { width, height, rows, cols, tokens: rows * cols };
}
var normalised = Float32Array.from({ length: 257 * 3 }, (_, i) => {
  const byte = Math.floor(i / 3) - 1;
  return (byte / 255 - clipMean[i % 3]) / clipStd[i % 3];
});
function cutImage(image2, moment, plan, values2) {
  const { data, width, height } = image2;
  const step = bytesPerPixel("patches", image2);
  const table2 = normalised;
  for (let row = 0; row < plan.rows; row++) {
    for (let col = 0; col < plan.cols; col++) {
      const left = col * patchSize;
      const inside = Math.min(patchSize, width - left);
      let to = (2 * (row * plan.cols + col) + moment) * momentValues;
      for (let y = row * patchSize; y < (row + 1) * patchSize; y++) {
        const pixels = y < height ? inside : 0;
        let from = (y * width + left) * step;
        for (let x = 0; x < pixels; x++) {
          values2[to] = table2[3 * data[from] + 3];
          values2[to + 1] = table2[3 * data[from + 1] + 4];
          values2[to + 2] = table2[3 * data[from + 2] + 5];
          to += 3;
          from += step;
        }
        for (let x = pixels; x < patchSize; x++) {
          values2[to] = table2[0];
          values2[to + 1] = table2[1];
          values2[to + 2] = table2[2];
          to += 3;
        }
      }
    }
  }
}
function repeatMoment(tokens, values2) {
  for (let token = 0; token < tokens; token++) {
    const first = 2 * token * momentValues;
    values2.copyWithin(first + momentValues, first, first + momentValues);
  }
}
function checkWhole(name, value) {
  if (value !== void 0 && (!Number.isInteger(value) || value < 1)) {
    throw new RangeError(`patches: expected ${name} to be a whole number of 1 or more, got ${value}`);
  }
}

// packages/core/src/session/random.ts
var SeededRandom = class {
  #state = new Uint32Array(4);
  /** @param seed - 0 … 2^32 - 1 */
  constructor(seed) {
    if (!Number.isInteger(seed) || seed < 0 || seed > 4294967295) {
      throw new RangeError(`seed must be an integer 0 \u2026 4294967295, got ${seed}`);
    }
    let mixed = seed;
    for (let i = 0; i < 3; i++) {
      mixed = mixed + 2654435769 | 0;
      let z = mixed ^ mixed >>> 16;
      z = Math.imul(z, 569420461);
      z ^= z >>> 15;
      z = Math.imul(z, 1935289751);
      this.#state[i] = z ^ z >>> 15;
    }
    this.#state[3] = 1;
    for (let i = 0; i < 12; i++) this.next();
  }
  /** The next number. */
  next() {
    const s = this.#state;
    const sum = s[0] + s[1] + s[3] >>> 0;
    s[3] += 1;
    s[0] = s[1] ^ s[1] >>> 9;
    s[1] = s[2] + (s[2] << 3);
    s[2] = (s[2] << 21 | s[2] >>> 11) + sum;
    return (sum >>> 8) / 16777216;
  }
  /** Fills a stretch of an array. */
  fill(out, from, count) {
    for (let i = from; i < from + count; i++) out[i] = this.next();
  }
  /** A copy of the state. */
  snapshot() {
    return this.#state.slice();
  }
  restore(state) {
    this.#state.set(state);
  }
};

// packages/core/src/session/word-stream.ts
var WordStream = class {
  #tokenizer;
  /** A word whose spelling goes on. */
  #spelling = "";
  constructor(tokenizer) {
    this.#tokenizer = tokenizer;
  }
  /**
   * The words that the tokens of a micro-turn complete, with single spaces between them. A spelled word is complete with
   * the next word, with `<end>`, or with a micro-turn in which its spelling does not go on.
   *
   * @param ids - tokens of all output positions, oldest first
   */
  turn(ids) {
    const words2 = [];
    let spelled = false;
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i];
      if (id === specialTokens.pad) continue;
      const token = this.#tokenizer.tokens[id] ?? "";
      if (token.length > 1 && token.startsWith("+")) {
        this.#spelling += token.slice(1);
        spelled = true;
        continue;
      }
      this.#complete(words2);
      const text2 = this.#tokenizer.decode([id]);
      if (text2 !== "") words2.push(text2);
    }
    if (!spelled) this.#complete(words2);
    return words2.length === 0 ? "" : words2.join(" ");
  }
  /** Forgets a word that is being spelled. */
  reset() {
    this.#spelling = "";
  }
  snapshot() {
    return this.#spelling;
  }
  restore(spelling) {
    this.#spelling = spelling;
  }
  #complete(words2) {
    if (this.#spelling !== "") words2.push(this.#spelling);
    this.#spelling = "";
  }
};

// packages/core/src/session/local-session.ts
var maxWaitingTokens = 4096;
var maxTaskLength = 500;
var LocalSession = class {
  capabilities;
  #model;
  #row;
  #temperature;
  #onClose;
  #encoder;
  #synthesis;
  #random;
  #patchEncoder;
  #text;
  #heard;
  #floor = { speaking: false, ended: true, asked: "" };
  #waitingTokens = [];
  /** Levels of the micro-turns of a step, `[turns, frames, bins]`; grows with the longest merged step. */
  #levels;
  #step;
  #closed;
  constructor(model, row, options) {
    this.capabilities = model.capabilities;
    this.#model = model;
    this.#row = row;
    this.#temperature = options.temperature;
    this.#onClose = options.onClose;
    this.#encoder = new DmelEncoder(model.dmel);
    this.#synthesis = new SourceFilterSynthesis({ seed: options.seed });
    this.#random = new SeededRandom(options.seed);
    this.#patchEncoder = model.capabilities.inputs.includes("video") ? new PatchEncoder(model.patches) : void 0;
    this.#text = new WordStream(model.tokenizer);
    this.#heard = new WordStream(model.tokenizer);
    this.#levels = new Uint8Array(this.#levelsPerTurn);
  }
  async step(input) {
    this.#requireIdle("step");
    checkTurnInput(input, this.capabilities);
    const startedMs = performance.now();
    const patches = this.#encodeImages(input);
    this.#takeText(input);
    const levels = input.turns * this.#levelsPerTurn;
    if (this.#levels.length < levels) this.#levels = new Uint8Array(levels);
    this.#encoder.push(input.audio, this.#levels.subarray(0, levels));
    const encodeMs = performance.now() - startedMs;
    return new Promise((resolve2, reject) => {
      const step = {
        ...{ row: this.#row, input, patches, encodeMs, done: 0, waitMs: 0, runMs: 0, decodeMs: 0 },
        ...{ text: [], heard: [], yielded: false, speaks: false, delegates: false },
        write: (inputs) => this.#writeInputs(step, inputs),
        read: (outputs, runMs, waitMs) => this.#readOutputs(step, outputs, runMs, waitMs),
        resolve: (output) => {
          this.#step = void 0;
          resolve2(output);
        },
        fail: (error) => {
          this.#step = void 0;
          reject(error);
        }
      };
      this.#step = step;
      this.#model.batch.submit(step);
    });
  }
  async snapshot() {
    this.#requireIdle("snapshot");
    const data = {
      owner: this.#model,
      state: await this.#model.batch.state.read(this.#row),
      encoder: this.#encoder.snapshot(),
      synthesis: this.#synthesis.snapshot(),
      random: this.#random.snapshot(),
      temperature: this.#temperature,
      text: this.#text.snapshot(),
      heard: this.#heard.snapshot(),
      floor: this.#floor,
      waitingTokens: [...this.#waitingTokens]
    };
    return { engine: `local ${this.#model.name}`, data };
  }
  async restore(snapshot) {
    this.#requireIdle("restore");
    const memory = snapshot.data;
    if (memory?.owner !== this.#model) {
      throw new DuplexError(
        "UNSUPPORTED",
        `restore: expected a snapshot of this engine, got one of "${snapshot.engine}"; a snapshot holds for the engine that made it, until that is closed`
      );
    }
    const { state, encoder, synthesis, random, temperature, text: text2, heard, floor, waitingTokens } = memory;
    await this.#model.batch.state.write(this.#row, state);
    this.#encoder.restore(encoder);
    this.#synthesis.restore(synthesis);
    this.#random.restore(random);
    this.#temperature = temperature;
    this.#text.restore(text2);
    this.#heard.restore(heard);
    this.#floor = floor;
    this.#waitingTokens = [...waitingTokens];
  }
  close() {
    this.#closed ??= this.#close();
    return this.#closed;
  }
  async #close() {
    const step = this.#step;
    if (step !== void 0) {
      this.#model.batch.withdraw(step);
      step.fail(new DuplexError("SESSION_CLOSED", "step: the session was closed meanwhile"));
    }
    this.#onClose(this);
    await this.#model.batch.giveBack(this.#row);
  }
  // --- input ---
  get #levelsPerTurn() {
    return this.#model.layout.audioPositions * this.#model.dmel.melBins;
  }
  /** Values of the patches of each micro-turn of the step that has an image. Throws before anything has changed. */
  #encodeImages({ images, turns, index }) {
    if (images.length === 0 || this.#patchEncoder === void 0) return [];
    const { turnDurationMs } = this.capabilities;
    const byTurn = Array.from({ length: turns }, () => []);
    for (const image2 of images) {
      const turn = Math.floor(image2.timeMs / turnDurationMs) - (index - turns + 1);
      byTurn[Math.max(0, Math.min(turns - 1, turn))].push(image2);
    }
    const encoder = this.#patchEncoder;
    return byTurn.map((shown) => {
      if (shown.length === 0) return void 0;
      const { values: values2 } = shown.length === 1 ? encoder.encode(shown[0]) : encoder.encode(shown[0], shown[shown.length - 1]);
      return turns === 1 ? values2 : values2.slice();
    });
  }
  #takeText({ text: text2 }) {
    if (text2.length === 0) return;
    for (const { text: words2 } of text2) this.#waitingTokens.push(...this.#model.tokenizer.encode(words2));
    this.#waitingTokens = this.#waitingTokens.slice(-maxWaitingTokens);
  }
  #writeInputs(step, inputs) {
    const { layout } = this.#model;
    const levels = this.#levelsPerTurn;
    const dmel = rowOf(inputs.dmel, this.#row);
    const offset = step.done * levels;
    for (let i = 0; i < levels; i++) dmel[i] = this.#levels[offset + i];
    if (inputs.patches !== void 0) {
      const values2 = step.patches[step.done];
      const present = rowOf(inputs.patch_present, this.#row);
      const patches = rowOf(inputs.patches, this.#row);
      const size = patches.length / layout.patchSlots;
      present.fill(0);
      if (values2 !== void 0) {
        const count = Math.min(layout.patchSlots, values2.length / size);
        patches.set(values2.subarray(0, count * size));
        present.fill(1, 0, count);
      }
    }
    const last = step.done === step.input.turns - 1;
    if (inputs.text_slots !== void 0) {
      const slots = rowOf(inputs.text_slots, this.#row).fill(specialTokens.pad);
      if (last) slots.set(this.#waitingTokens.splice(0, slots.length));
    }
    if (this.#temperature > 0) {
      const random = rowOf(inputs.random, this.#row);
      for (let i = 0; i < random.length; i++) random[i] = this.#random.next();
    }
    inputs.temperature.data[this.#row] = this.#temperature;
    const forced = !last || step.input.forceListen === true;
    inputs.force_control.data[this.#row] = forced ? controlToken.listen : 0;
  }
  // --- output ---
  /** Takes the outputs of one micro-turn; ends the step with its last. */
  #readOutputs(step, outputs, runMs, waitMs) {
    const startedMs = performance.now();
    const { input } = step;
    step.done++;
    step.runMs += runMs;
    step.waitMs += waitMs;
    const last = step.done === input.turns;
    const forced = !last || input.forceListen === true;
    const text2 = rowOf(outputs.text, this.#row);
    const control = rowOf(outputs.control, this.#row);
    const heard = this.#heard.turn(rowOf(outputs.heard, this.#row));
    if (heard !== "") step.heard.push(heard);
    if (forced) {
      this.#text.reset();
      this.#floor = { ...this.#floor, speaking: false, ended: true };
    } else {
      const said = this.#text.turn(text2);
      if (said !== "") step.text.push(said);
    }
    if (heard !== "")
      this.#floor = { ...this.#floor, asked: `${this.#floor.asked} ${heard}`.trim().slice(-maxTaskLength) };
    if (!forced) this.#followFloor(step, text2, control);
    const speech2 = new Float32Array(this.capabilities.outputSampleRate * this.capabilities.turnDurationMs / 1e3);
    const levels = rowOf(outputs.speech, this.#row);
    this.#synthesis.render(rowOf(outputs.vocoder_controls, this.#row), levels, speech2);
    if (forced) speech2.fill(0);
    const inside = last ? this.#inside(step, outputs, control) : void 0;
    step.decodeMs += performance.now() - startedMs;
    if (inside === void 0) return true;
    const delegation = step.delegates ? { delegation: { task: this.#floor.asked } } : {};
    step.resolve({
      decision: step.speaks ? "speak" : "listen",
      yielded: step.yielded,
      speech: speech2,
      text: step.text.join(" "),
      heard: step.heard.join(" "),
      ...delegation,
      timing: { encodeMs: step.encodeMs, waitMs: step.waitMs, runMs: step.runMs, decodeMs: step.decodeMs },
      inside
    });
    return false;
  }
  /** Goes through the output positions: who speaks, who gave up the floor in mid-reply, what is handed over. */
  #followFloor(step, text2, control) {
    let { speaking, ended, asked } = this.#floor;
    for (let position = 0; position < control.length; position++) {
      const token = control[position];
      if (token === controlToken.delegate) step.delegates = this.capabilities.delegation;
      if (token === controlToken.speak) {
        step.speaks = true;
        if (!speaking) {
          speaking = true;
          ended = false;
        }
      }
      if (text2[position] === specialTokens.end) ended = true;
      else if (text2[position] !== specialTokens.pad) ended = false;
      if (token === controlToken.listen && speaking) {
        speaking = false;
        if (!ended) step.yielded = true;
      }
    }
    if (speaking && !this.#floor.speaking && !step.delegates) asked = "";
    this.#floor = { speaking, ended, asked };
  }
  #inside(step, outputs, control) {
    const levels = this.#levelsPerTurn;
    const offset = (step.input.turns - 1) * levels;
    const dmel = packLevels(this.#levels.subarray(offset, offset + levels));
    const inside = { dmel, controls: Uint8Array.from(control) };
    const load = outputs.expert_load;
    if (load === void 0) return inside;
    const [, layers, experts] = load.shape;
    return { ...inside, expertLoad: rowOf(load, this.#row).slice(), expertShape: [layers, experts] };
  }
  #requireIdle(operation) {
    if (this.#closed !== void 0) {
      throw new DuplexError("SESSION_CLOSED", `${operation}: the session is closed; open another`);
    }
    if (this.#step !== void 0) throw new TypeError(`${operation}: a step is under way; await it first`);
  }
};
function rowOf(tensor, row) {
  const size = tensor.data.length / tensor.shape[0];
  return tensor.data.subarray(row * size, (row + 1) * size);
}

// packages/core/src/session/row-batch.ts
var rowBlock = 4;
var RowBatch = class _RowBatch {
  state;
  #executable;
  #inputs;
  #active;
  #waiting = /* @__PURE__ */ new Map();
  #free;
  #running;
  constructor(executable, state, sessions2) {
    this.state = state;
    this.#executable = executable;
    this.#active = new Uint8Array(state.batch);
    this.#free = Array.from({ length: sessions2 }, (_, row) => row);
    const inputs = {};
    for (const { name, type, shape: batched } of executable.graph.inputs) {
      const shape = batched.map((size) => size === -1 ? state.batch : size);
      inputs[name] = { type, shape, data: allocate(type, elementCount(shape)) };
    }
    this.#inputs = inputs;
  }
  /**
   * @param sessions - rows needed
   * @param maxBatch - of the backend
   */
  static async create(executable, sessions2, maxBatch) {
    const rows = sessions2 === 1 ? 1 : Math.min(maxBatch, rowBlock * Math.ceil(sessions2 / rowBlock));
    return new _RowBatch(executable, await executable.createState(rows), sessions2);
  }
  /**
   * Runs two micro-turns with the same input in all rows, twice, and compares the bits: whether the results of a session
   * depend on nothing but its input. Also gets the slow first runs over with. Rows are fresh afterwards.
   */
  async rowsAgree() {
    const first = await this.#probe();
    const second = await this.#probe();
    const rows = [...first, ...second];
    return rows.every((row) => row.every((value, i) => Object.is(value, rows[0][i])));
  }
  /** Everything that each row gives in two micro-turns of noise. */
  async #probe() {
    const { batch } = this.state;
    const rows = Array.from({ length: batch }, () => []);
    for (let row = 0; row < batch; row++) await this.state.reset(row);
    for (let turn = 0; turn < 2; turn++) {
      const random = new SeededRandom(turn);
      for (const [name, { data, type }] of Object.entries(this.#inputs)) {
        const size = data.length / batch;
        for (let i = 0; i < size; i++) {
          const value = name === "dmel" ? Math.floor(16 * random.next()) : type === "float32" ? random.next() : 0;
          for (let row = 0; row < batch; row++) data[row * size + i] = name === "temperature" ? 0 : value;
        }
      }
      const { outputs } = await this.#executable.run(this.#inputs, this.state);
      for (const { data } of Object.values(outputs)) {
        const size = data.length / batch;
        for (let row = 0; row < batch; row++) rows[row].push(...data.subarray(row * size, (row + 1) * size));
      }
    }
    for (let row = 0; row < batch; row++) await this.state.reset(row);
    for (const { data } of Object.values(this.#inputs)) data.fill(0);
    return rows;
  }
  /** Takes a row and makes it fresh; undefined when all are taken. */
  async take() {
    const row = this.#free.shift();
    if (row === void 0) return void 0;
    try {
      await this.state.reset(row);
    } catch (error) {
      this.#free.unshift(row);
      throw error;
    }
    return row;
  }
  /** Gives a row back, once no run uses it any more. */
  async giveBack(row) {
    await this.#running?.catch(() => {
    });
    this.#free.push(row);
    this.#free.sort((a, b) => a - b);
  }
  /** Runs a job as soon as the device is free, together with every other that waits then. */
  submit(job) {
    this.#waiting.set(job, performance.now());
    this.#running ??= this.#run();
  }
  /** Takes a job back; a run that it is part of already goes on without it. */
  withdraw(job) {
    this.#waiting.delete(job);
  }
  async dispose() {
    await this.#running?.catch(() => {
    });
    await this.state.dispose();
  }
  async #run() {
    if (this.state.batch > 1) await nextTask();
    while (this.#waiting.size > 0) {
      const jobs = [...this.#waiting.keys()];
      try {
        this.#active.fill(0);
        for (const job of jobs) {
          this.#active[job.row] = 1;
          job.write(this.#inputs);
        }
        const { outputs, runMs } = await this.#executable.run(this.#inputs, this.state, { active: this.#active });
        for (const job of jobs) this.#read(job, outputs, runMs);
      } catch (error) {
        const failed = DuplexError.is(error) ? error : new DuplexError("BACKEND_FAILED", "step: the backend failed to run the graph", { cause: error });
        for (const job of jobs) {
          if (this.#waiting.delete(job)) job.fail(failed);
        }
      }
    }
    this.#running = void 0;
  }
  #read(job, outputs, runMs) {
    const sinceMs = this.#waiting.get(job);
    if (sinceMs === void 0) return;
    const nowMs = performance.now();
    try {
      if (job.read(outputs, runMs, Math.max(0, nowMs - sinceMs - runMs))) this.#waiting.set(job, performance.now());
      else this.#waiting.delete(job);
    } catch (error) {
      this.#waiting.delete(job);
      job.fail(error);
    }
  }
};
function nextTask() {
  return new Promise((resolve2) => {
    if (typeof setImmediate === "function") setImmediate(resolve2);
    else setTimeout(resolve2, 0);
  });
}

// packages/core/src/session/local-engine.ts
function localEngine(options) {
  const { maxSessions = 1 } = options;
  if (!Number.isInteger(maxSessions) || maxSessions < 1) {
    throw new RangeError(`localEngine: maxSessions must be a whole number from 1 on, got ${maxSessions}`);
  }
  return new LocalEngine(options, maxSessions);
}
var LocalEngine = class {
  #options;
  #maxSessions;
  #sessions = /* @__PURE__ */ new Set();
  #loading;
  #closed;
  constructor(options, maxSessions) {
    this.#options = options;
    this.#maxSessions = maxSessions;
  }
  async load(options = {}) {
    return (await this.#load("load", options)).model.capabilities;
  }
  async open(options = {}) {
    const { seed = 0, temperature = 0, signal } = options;
    if (!(temperature >= 0 && temperature <= 2)) {
      throw new RangeError(`open: temperature must be 0 \u2026 2, got ${temperature}`);
    }
    const { model } = await this.#load("open", options);
    const row = await model.batch.take();
    if (row === void 0) {
      throw new DuplexError(
        "UNSUPPORTED",
        `open: expected at most ${this.#maxSessions} sessions at once; close one, or raise maxSessions of localEngine`
      );
    }
    try {
      this.#requireOpen("open");
      if (signal?.aborted) throw new DuplexError("ABORTED", "open: its signal was aborted", { cause: signal.reason });
      const session = new LocalSession(model, row, {
        ...{ seed, temperature },
        onClose: (closed) => this.#sessions.delete(closed)
      });
      this.#sessions.add(session);
      return session;
    } catch (error) {
      await model.batch.giveBack(row);
      throw error;
    }
  }
  close() {
    this.#closed ??= this.#close();
    return this.#closed;
  }
  async #close() {
    this.#loading?.abort(new DuplexError("SESSION_CLOSED", "load: the engine was closed meanwhile"));
    await Promise.all([...this.#sessions].map((session) => session.close()));
    const loading = this.#loading;
    if (loading === void 0) return;
    const freed = loading.result.then(free, () => {
    });
    if (loading.done) await freed;
  }
  async #load(operation, { signal, onProgress }) {
    this.#requireOpen(operation);
    if (this.#loading === void 0 || this.#loading.failed) {
      this.#loading = new SharedLoad((abort, progress) => loadLocal(this.#options, this.#maxSessions, abort, progress));
    }
    return this.#loading.wait(operation, signal, onProgress);
  }
  #requireOpen(operation) {
    if (this.#closed !== void 0) throw new DuplexError("SESSION_CLOSED", `${operation}: the engine is closed`);
  }
};
async function free({ model, executable, ownBackend }) {
  await model.batch.dispose().catch(() => {
  });
  await executable.dispose().catch(() => {
  });
  await ownBackend?.close().catch(() => {
  });
}
async function loadLocal({ model: given, backend: from, weights }, maxSessions, signal, onProgress) {
  const stop = () => {
    if (signal.aborted) throw signal.reason;
  };
  const model = "read" in given ? await loadModel(given, { signal, onProgress }) : given;
  const layout = checkModel(model);
  const own = typeof from === "function";
  const backend2 = await (own ? from() : from);
  try {
    stop();
    const { capabilities } = backend2;
    if (maxSessions > capabilities.maxBatch) {
      throw new RangeError(
        `localEngine: maxSessions must be at most ${capabilities.maxBatch} on this backend, got ${maxSessions}`
      );
    }
    const weightType = weights ?? capabilities.target.weights[0] ?? "float32";
    onProgress({ stage: "build", done: 0, total: 1 });
    const graph = buildDuplexGraph(model.config, model.weights, { target: capabilities.target, weightType });
    onProgress({ stage: "build", done: 1, total: 1 });
    stop();
    onProgress({ stage: "start", done: 0, total: 1 });
    const executable = await backend2.load(graph, { signal });
    const batch = await RowBatch.create(executable, maxSessions, capabilities.maxBatch);
    stop();
    const deterministic = await batch.rowsAgree();
    onProgress({ stage: "start", done: 1, total: 1 });
    const { manifest, tokenizer } = model;
    const { codecs } = manifest;
    return {
      executable,
      ownBackend: own ? backend2 : void 0,
      model: {
        ...{ name: `${manifest.name} ${manifest.version}`, layout, tokenizer, batch },
        dmel: dmelPreset(codecs.input),
        patches: codecs.image === void 0 ? { maxPatchTokens: Math.max(1, layout.patchSlots) } : { size: codecs.image },
        capabilities: engineCapabilities(model, layout, backend2, { weights: weightType, maxSessions, deterministic })
      }
    };
  } catch (error) {
    if (own) await backend2.close().catch(() => {
    });
    throw error;
  }
}
function checkModel({ config, manifest }) {
  const { duplex: duplex2 } = config;
  const invalid2 = (problem) => new DuplexError("MODEL_INVALID", `localEngine: ${manifest.name}: ${problem}; use another model`);
  if (duplex2 === void 0 || config.audio === void 0) {
    throw invalid2("expected an interaction model (config.duplex and config.audio), got a plain language model");
  }
  const { speech: speech2, vocoder: vocoder2, audioPositions, outputPositions, turnDurationMs } = duplex2;
  const dmel = dmelPreset(manifest.codecs.input);
  const turnSamples = dmel.sampleRate * turnDurationMs / 1e3;
  if (dmel.framing !== "causal" || turnSamples !== audioPositions * dmel.hopSamples || dmel.melBins !== config.audio.melBins) {
    throw invalid2(
      `expected ${audioPositions} causal frames of ${config.audio.melBins} bins per ${turnDurationMs} ms, ${dmel.name} gives ${turnSamples / dmel.hopSamples} of ${dmel.melBins}`
    );
  }
  const geometry = sourceFilterGeometry;
  const speechSamples = geometry.sampleRate * turnDurationMs / 1e3;
  if (vocoder2 === void 0 || vocoder2.subFrames !== geometry.subFrames || vocoder2.envelopePoints !== geometry.envelopePoints || speech2.melBins !== geometry.melBins || speech2.levels !== geometry.levels || outputPositions * speech2.framesPerPosition * geometry.hopSamples !== speechSamples) {
    throw invalid2(
      `expected a source-filter vocoder and ${speechSamples / geometry.hopSamples} speech frames of ${geometry.melBins} bins per ${turnDurationMs} ms`
    );
  }
  return duplex2;
}
function engineCapabilities({ manifest, config }, layout, { capabilities: { provider, device, canCloneState } }, { weights, maxSessions, deterministic }) {
  const { files, codecs, name, version } = manifest;
  const sees = layout.patchSlots > 0 && config.image !== void 0;
  const reads = layout.textSlots > 0;
  return {
    turnDurationMs: layout.turnDurationMs,
    inputSampleRate: dmelPreset(codecs.input).sampleRate,
    outputSampleRate: codecs.speech.sampleRate,
    inputs: ["audio", ...sees ? ["video"] : [], ...reads ? ["text"] : []],
    outputs: ["audio", "text", "heard"],
    decisions: true,
    // A result can only come back through text slots.
    delegation: reads,
    snapshots: canCloneState,
    deterministic,
    maxSessions,
    identity: {
      model: `${name} ${version}`,
      files: Object.fromEntries([...files.weights, files.tokenizer].map(({ path, sha256: sha2562 }) => [path, sha2562])),
      backend: `${provider} ${weights}, ${device}`
    }
  };
}
var SharedLoad = class {
  result;
  done = false;
  failed = false;
  #controller = new AbortController();
  #listeners = /* @__PURE__ */ new Set();
  #waiting = 0;
  constructor(load) {
    this.result = load(this.#controller.signal, (progress) => {
      for (const listener of this.#listeners) listener(progress);
    });
    this.result.then(
      () => {
        this.done = true;
      },
      () => {
        this.failed = true;
      }
    );
  }
  abort(reason) {
    if (!this.done) this.#controller.abort(reason);
  }
  wait(operation, signal, onProgress) {
    return new Promise((resolve2, reject) => {
      this.#waiting++;
      let here = true;
      const leave = () => {
        if (here) this.#waiting--;
        here = false;
        signal?.removeEventListener("abort", abort);
        if (onProgress !== void 0) this.#listeners.delete(onProgress);
      };
      const abort = () => {
        leave();
        const error = new DuplexError("ABORTED", `${operation}: its signal was aborted`, { cause: signal?.reason });
        if (this.#waiting === 0) {
          this.failed ||= !this.done;
          this.abort(error);
        }
        reject(error);
      };
      if (onProgress !== void 0) this.#listeners.add(onProgress);
      if (signal?.aborted) {
        abort();
        return;
      }
      signal?.addEventListener("abort", abort, { once: true });
      this.result.then(
        (result) => {
          leave();
          resolve2(result);
        },
        (error) => {
          leave();
          reject(error);
        }
      );
    });
  }
};

// packages/backend-node/src/model-folder.ts
var chunkBytes = 16 << 20;
function modelFolder(location) {
  const place = typeof location === "string" ? location : fileURLToPath(location);
  let folder;
  return {
    name: place,
    async read(path, { signal } = {}) {
      const inside = checkInside(place, path);
      folder ??= findFolder(place);
      return readFile(join(await folder, inside), path, place, signal);
    }
  };
}
function checkInside(place, path) {
  const parts = path.split("/");
  const strange = path === "" || isAbsolute(path) || path.includes("\\") || path.includes("\0") || path.includes(":");
  if (strange || parts.some((part) => part === ".." || part === "." || part === "")) {
    throw new DuplexError(
      "MODEL_INVALID",
      `modelFolder: ${place} names the file ${JSON.stringify(path)}; a model's files must lie in its own folder`
    );
  }
  return join(...parts);
}
async function findFolder(place) {
  const candidates = [resolve(place)];
  if (/^(@[\w.~-]+\/)?[\w~-][\w.~-]*$/.test(place)) {
    const lookup = createRequire(join(process.cwd(), "package.json")).resolve.paths(place) ?? [];
    candidates.push(...lookup.map((modules) => join(modules, place)));
  }
  for (const candidate of candidates) {
    const info = await stat(candidate).catch(() => void 0);
    if (info?.isDirectory()) return candidate;
  }
  throw new DuplexError(
    "MODEL_INVALID",
    `modelFolder: there is no folder or installed package ${JSON.stringify(place)}; looked in ${candidates.join(", ")}`
  );
}
async function readFile(full, path, place, signal) {
  checkSignal(signal);
  let file2;
  try {
    file2 = await open(full, "r");
    const info = await file2.stat();
    if (!info.isFile()) throw new Error("it is not a file");
    const bytes = new Uint8Array(info.size);
    let offset = 0;
    while (offset < bytes.length) {
      checkSignal(signal);
      const { bytesRead } = await file2.read(bytes, offset, Math.min(chunkBytes, bytes.length - offset), offset);
      if (bytesRead === 0) break;
      offset += bytesRead;
    }
    return bytes.subarray(0, offset);
  } catch (cause) {
    if (DuplexError.is(cause)) throw cause;
    const reason = cause.code === "ENOENT" ? "is missing" : `cannot be read (${messageOf(cause)})`;
    throw new DuplexError(
      "MODEL_INVALID",
      `modelFolder: ${path} ${reason} in ${place}; copy the model again or reinstall its package`,
      { cause }
    );
  } finally {
    await file2?.close();
  }
}
function checkSignal(signal) {
  if (signal?.aborted)
    throw new DuplexError("ABORTED", "modelFolder: the caller's signal fired", { cause: signal.reason });
}
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

// packages/backend-node/src/node-backend.ts
import { availableParallelism, cpus } from "node:os";
import { Worker } from "node:worker_threads";

// packages/backend-node/src/device-graphs.ts
function deviceGraphs(state) {
  const pieces = state.filter((spec) => spec.update.kind !== "counter");
  const value = (prefix, { input, type, shape }, rows) => ({
    name: `${prefix}_${input}`,
    type,
    shape: [rows, ...shape]
  });
  const node = (op, inputs, output, attributes = {}) => ({
    name: output,
    op,
    domain: "",
    inputs,
    outputs: [output],
    attributes
  });
  const bytes = (data) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const ranks = [...new Set(pieces.map((spec) => spec.shape.length + 1))];
  const maskShape = (rank) => BigInt64Array.from([-1n, ...Array(rank - 1).fill(1n)]);
  const options = { opset: 21, producer: "microturn" };
  const old = pieces.map((spec) => value("old", spec, -1));
  return {
    merge: writeModel(
      {
        name: "merge-rows",
        nodes: [
          ...ranks.map((rank) => node("Reshape", ["mask", `mask_shape_${rank}`], `mask_${rank}`)),
          ...pieces.map(
            (spec) => node(
              "Where",
              [`mask_${spec.shape.length + 1}`, `new_${spec.input}`, `old_${spec.input}`],
              `out_${spec.input}`
            )
          )
        ],
        constants: ranks.map((rank) => ({
          name: `mask_shape_${rank}`,
          type: "int64",
          shape: [rank],
          bytes: bytes(maskShape(rank))
        })),
        // New tensors may have one row for all: their batch has a size of its own, left to the runtime.
        inputs: [
          { name: "mask", type: "bool", shape: [-1] },
          ...old,
          ...pieces.map(({ input, type }) => ({ name: `new_${input}`, type }))
        ],
        outputs: pieces.map(({ input, type }) => ({ name: `out_${input}`, type }))
      },
      options
    ),
    read: writeModel(
      {
        name: "read-row",
        nodes: pieces.map(({ input }) => node("Gather", [`old_${input}`, "row"], `out_${input}`, { axis: 0 })),
        constants: [],
        inputs: [{ name: "row", type: "int32", shape: [1] }, ...old],
        outputs: pieces.map((spec) => value("out", spec, 1))
      },
      options
    )
  };
}

// packages/backend-node/src/packing.ts
var alignment = 64;
function feedLayout(inputs, batch) {
  const entries = [];
  let byteOffset = 0;
  for (const { name, type, shape: specShape } of inputs) {
    const shape = specShape.map((size) => size === -1 ? batch : size);
    const length = shape.reduce((product, size) => product * size, 1);
    entries.push({ name, type, shape, byteOffset, length });
    byteOffset += Math.ceil(length * bytesPerElement(type) / alignment) * alignment;
  }
  return { byteLength: byteOffset, entries };
}
function viewOf(buffer, type, byteOffset, length) {
  if (type === "float32") return new Float32Array(buffer, byteOffset, length);
  if (type === "int32") return new Int32Array(buffer, byteOffset, length);
  return new Uint8Array(buffer, byteOffset, length);
}
function bytesPerElement(type) {
  return type === "float32" || type === "int32" ? 4 : 1;
}

// packages/backend-node/src/node-executable.ts
var NodeExecutable = class {
  constructor(shared, id, graph) {
    this.shared = shared;
    this.id = id;
    this.graph = graph;
    this.#inputNames = new Set(graph.inputs.map((spec) => spec.name));
  }
  shared;
  id;
  graph;
  #disposed = false;
  #layout;
  /** Feed buffers that came back from the worker, for reuse. */
  #spare = [];
  #inputNames;
  async createState(batch) {
    this.assertOpen("createState");
    const { maxBatch, connection } = this.shared;
    if (!Number.isInteger(batch) || batch < 1 || batch > maxBatch) {
      throw new RangeError(`createState: batch must be an integer of 1 to ${maxBatch} (maxBatch), got ${batch}`);
    }
    const state = this.shared.nextId();
    await connection.request({ kind: "create-state", executable: this.id, state, batch });
    return new NodeState(this.shared, this, state, batch);
  }
  async run(feeds, state, { active } = {}) {
    this.assertOpen("run");
    if (!(state instanceof NodeState) || state.executable !== this) {
      throw new TypeError("run: the state was made by another executable; use createState of this one");
    }
    state.assertOpen("run");
    const { batch } = state;
    if (active !== void 0 && active.length !== batch) {
      throw new DuplexError(
        "SHAPE_MISMATCH",
        `run: "active" must have ${batch} bytes, one per row, got ${active.length}`
      );
    }
    for (const name of Object.keys(feeds)) {
      if (!this.#inputNames.has(name)) {
        const known = [...this.#inputNames].join(", ");
        throw new DuplexError("SHAPE_MISMATCH", `run: the graph has no input "${name}"; its inputs are ${known}`);
      }
    }
    for (const spec of this.graph.inputs) checkTensor("run", spec, feeds[spec.name], batch);
    const buffer = this.#pack(feeds, batch);
    const answer = await this.shared.connection.request(
      { kind: "run", executable: this.id, state: state.id, feeds: buffer, active: active?.slice() },
      [buffer]
    );
    this.#spare.push(answer.feeds);
    const outputs = {};
    this.graph.outputs.forEach(({ name, type, shape }, index) => {
      outputs[name] = { type, shape: shape.map((size) => size === -1 ? batch : size), data: answer.outputs[index] };
    });
    return { outputs, runMs: answer.runMs };
  }
  async dispose() {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#spare = [];
    await settleClosed(this.shared.connection.request({ kind: "dispose-executable", executable: this.id }));
  }
  /** @throws DuplexError `SESSION_CLOSED` after `dispose` */
  assertOpen(operation) {
    if (this.#disposed) throw new DuplexError("SESSION_CLOSED", `${operation}: the executable was disposed`);
  }
  #pack(feeds, batch) {
    if (this.#layout?.batch !== batch) {
      this.#layout = { batch, layout: feedLayout(this.graph.inputs, batch) };
      this.#spare = [];
    }
    const { layout } = this.#layout;
    let buffer = this.#spare.pop();
    while (buffer !== void 0 && buffer.byteLength !== layout.byteLength) buffer = this.#spare.pop();
    buffer ??= new ArrayBuffer(layout.byteLength);
    for (const { name, type, byteOffset, length } of layout.entries) {
      viewOf(buffer, type, byteOffset, length).set(feeds[name].data);
    }
    return buffer;
  }
};
var NodeState = class _NodeState {
  constructor(shared, executable, id, batch) {
    this.shared = shared;
    this.executable = executable;
    this.id = id;
    this.batch = batch;
  }
  shared;
  executable;
  id;
  batch;
  #disposed = false;
  async read(row) {
    this.#check("read", row);
    const data = await this.shared.connection.request({ kind: "read-row", ...this.#address(), row });
    const tensors = {};
    this.executable.graph.state.forEach(({ input, type, shape }, index) => {
      tensors[input] = { type, shape: [...shape], data: data[index] };
    });
    return { tensors };
  }
  async write(row, snapshot) {
    this.#check("write", row);
    const specs = this.executable.graph.state;
    for (const { input, type, shape } of specs) {
      checkTensor("write", { name: input, type, shape }, snapshot.tensors[input], this.batch);
    }
    const data = specs.map((spec) => snapshot.tensors[spec.input].data);
    await this.shared.connection.request({ kind: "write-row", ...this.#address(), row, data });
  }
  async reset(row) {
    this.#check("reset", row);
    await this.shared.connection.request({ kind: "write-row", ...this.#address(), row, data: void 0 });
  }
  async clone() {
    this.assertOpen("clone");
    const state = this.shared.nextId();
    const { executable, state: from } = this.#address();
    await this.shared.connection.request({ kind: "clone-state", executable, from, state });
    return new _NodeState(this.shared, this.executable, state, this.batch);
  }
  async dispose() {
    if (this.#disposed) return;
    this.#disposed = true;
    await settleClosed(this.shared.connection.request({ kind: "dispose-state", ...this.#address() }));
  }
  /** @throws DuplexError `SESSION_CLOSED` after `dispose` of the state or its executable */
  assertOpen(operation) {
    this.executable.assertOpen(operation);
    if (this.#disposed) throw new DuplexError("SESSION_CLOSED", `${operation}: the state was disposed`);
  }
  #check(operation, row) {
    this.assertOpen(operation);
    if (!Number.isInteger(row) || row < 0 || row >= this.batch) {
      throw new RangeError(`${operation}: row must be an integer of 0 to ${this.batch - 1}, got ${row}`);
    }
  }
  #address() {
    return { executable: this.executable.id, state: this.id };
  }
};
async function settleClosed(freed) {
  try {
    await freed;
  } catch (error) {
    if (!DuplexError.is(error, "SESSION_CLOSED") && !DuplexError.is(error, "BACKEND_FAILED")) throw error;
  }
}

// packages/backend-node/src/probe-graph.ts
function probeGraph() {
  const value = (name) => ({ name, type: "float32", shape: [2, 2] });
  return writeModel(
    {
      name: "probe",
      nodes: [{ name: "product", op: "MatMul", domain: "", inputs: ["a", "b"], outputs: ["c"], attributes: {} }],
      constants: [],
      inputs: [value("a"), value("b")],
      outputs: [value("c")]
    },
    { opset: 21, producer: "microturn" }
  );
}

// packages/backend-node/src/providers.ts
var nodeProviders = ["cuda", "webgpu", "cpu"];
var targets = {
  cpu: { experts: "if", state: "rows", weights: ["int8", "float32"] },
  // Control flow would stall the device once per expert. State crosses the bus (no device binding for CUDA in Node), so
  // only new rows come back.
  cuda: { experts: "gather", state: "rows", weights: ["float32"] },
  webgpu: { experts: "gather", state: "whole", weights: ["float32"] }
};
var cudaInstallCommand = "npm rebuild onnxruntime-node --foreground-scripts --onnxruntime-node-install=cuda12";
function howToGet(provider, platform, arch) {
  if (provider === "cuda") {
    if (platform !== "linux" || arch !== "x64") {
      return `onnxruntime-node has CUDA for linux-x64 only (this is ${platform}-${arch}); use webgpu or cpu here`;
    }
    return `run \`${cudaInstallCommand}\` in your project, and have an NVIDIA driver, the CUDA 12 runtime (cudart, cublas, cublasLt, cufft, curand) and cuDNN 9 on the library path`;
  }
  if (provider === "webgpu") {
    if (platform === "linux") {
      return "install a Vulkan 1.1 driver for your GPU and the loader libvulkan1; without a GPU set VK_ICD_FILENAMES to SwiftShader's vk_swiftshader_icd.json (slow, for tests)";
    }
    return platform === "win32" ? "update the GPU driver (Direct3D 12)" : "a GPU with Metal is needed";
  }
  return `reinstall onnxruntime-node; it has binaries for linux (glibc 2.28 or later), win32 and darwin-arm64 (this is ${platform}-${arch})`;
}
var installFix = "add the line `onnxruntime-node-install=skip` to .npmrc (its install script fails where its download is unreachable) and run `npm install onnxruntime-node@1.30.0`";

// packages/backend-node/src/state-specs.ts
function checkStateSpecs(graph) {
  const invalid2 = (message) => new DuplexError("MODEL_INVALID", `load: ${message}`);
  const counters = graph.state.filter((spec) => spec.update.kind === "counter");
  if (counters.length > 1) throw invalid2(`a graph has at most one counter, this one has ${counters.length}`);
  for (const spec of counters) {
    if (spec.type !== "int32" || spec.shape.some((size) => size !== 1)) {
      throw invalid2(`counter "${spec.input}" must be an int32 scalar per row, got ${spec.type} [${spec.shape}]`);
    }
  }
  const named = new Set(graph.outputs.map((spec) => spec.name));
  for (const { input, output, shape, update } of graph.state) {
    if (output !== void 0 && named.has(output)) throw invalid2(`"${output}" is both an output and a state output`);
    if (update.kind !== "counter" && output === void 0) throw invalid2(`state "${input}" has no output to renew it`);
    if (update.kind !== "ring") continue;
    const { axis, rowsPerTurn, sinkTurns, ringTurns } = update;
    if (counters.length === 0) throw invalid2(`ring "${input}" needs a counter to go by`);
    const whole = [axis, rowsPerTurn, sinkTurns, ringTurns].every((value) => Number.isInteger(value) && value >= 0);
    if (!whole || rowsPerTurn === 0 || ringTurns === 0 || !(shape[axis] >= (sinkTurns + ringTurns) * rowsPerTurn)) {
      throw invalid2(
        `ring "${input}" [${shape}] cannot hold (${sinkTurns} sink + ${ringTurns} ring turns) x ${rowsPerTurn} rows on axis ${axis}`
      );
    }
  }
}

// packages/backend-node/src/telemetry.ts
import { isMainThread } from "node:worker_threads";
var variable = "ORT_DISABLE_TELEMETRY";
function disableTelemetry() {
  if (process.env[variable] !== void 0) return;
  if (!isMainThread) {
    throw new DuplexError(
      "UNSUPPORTED",
      `nodeBackend: telemetry of ONNX Runtime cannot be turned off from a worker thread; start the process with ${variable}=1, call nodeBackend on the main thread, or pass telemetry: true`
    );
  }
  process.env[variable] = "1";
}

// packages/backend-node/src/worker-connection.ts
var WorkerConnection = class {
  /** @param closeGraceMs - time the worker has to free its sessions on close before it is ended, and then to end */
  constructor(worker, closeGraceMs = 5e3) {
    this.worker = worker;
    this.closeGraceMs = closeGraceMs;
    let fault;
    worker.on("message", (reply) => this.#settle(reply));
    worker.on("messageerror", (error) => this.#fail(crashed(error)));
    worker.on("error", (error) => {
      fault = error;
      this.#fail(crashed(error));
    });
    this.#ended = new Promise((resolve2) => {
      worker.on("exit", (code) => {
        this.#fail(crashed(fault, code));
        resolve2();
      });
    });
    worker.unref();
  }
  worker;
  closeGraceMs;
  #pending = /* @__PURE__ */ new Map();
  #ended;
  #next = 0;
  /** Why nothing can be asked any more. */
  #failure;
  #closing;
  /** Sends a request. @throws DuplexError with the worker's code; `BACKEND_FAILED` if it ends first; `SESSION_CLOSED` after `close` */
  request(request, transfer = []) {
    if (this.#failure !== void 0) return Promise.reject(this.#failure);
    return new Promise((resolve2, reject) => {
      const id = this.#next++;
      const envelope = { id, request };
      this.worker.postMessage(envelope, transfer);
      if (this.#pending.size === 0) this.worker.ref();
      this.#pending.set(id, { resolve: resolve2, reject });
    });
  }
  /** Sends a request whose outcome nobody waits for, such as freeing something. */
  tell(request) {
    this.request(request).catch(() => void 0);
  }
  /** Rejects what is open with `SESSION_CLOSED`, frees the worker's sessions and ends it. Always resolves. */
  close() {
    this.#closing ??= this.#close();
    return this.#closing;
  }
  async #close() {
    const crashedBefore = this.#failure !== void 0;
    this.#fail(new DuplexError("SESSION_CLOSED", "the backend was closed"));
    if (!crashedBefore) {
      this.worker.ref();
      const envelope = { id: this.#next++, request: { kind: "close" } };
      this.worker.postMessage(envelope);
      if (await within(this.closeGraceMs, this.#ended)) return;
    }
    await within(this.closeGraceMs, this.worker.terminate());
    this.worker.unref();
  }
  #settle(reply) {
    const pending = this.#pending.get(reply.id);
    if (pending === void 0) return;
    this.#pending.delete(reply.id);
    if (this.#pending.size === 0) this.worker.unref();
    if ("fault" in reply) pending.reject(new DuplexError(reply.fault.code, reply.fault.message));
    else pending.resolve(reply.value);
  }
  /** The first failure stays; everything open is rejected with it. */
  #fail(error) {
    if (this.#failure !== void 0) return;
    this.#failure = error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    this.worker.unref();
  }
};
function crashed(error, exitCode) {
  const reason = error instanceof Error ? error.message : `exit code ${exitCode}`;
  return new DuplexError(
    "BACKEND_FAILED",
    `the backend's worker thread ended unexpectedly (${reason}); close this backend and make a new one`,
    { cause: error }
  );
}
async function within(ms, promise) {
  let timer;
  const late = new Promise((resolve2) => {
    timer = setTimeout(() => resolve2(false), ms);
  });
  const settled = promise.then(
    () => true,
    () => true
  );
  const result = await Promise.race([settled, late]);
  clearTimeout(timer);
  return result;
}

// packages/backend-node/src/worker-location.ts
import { existsSync } from "node:fs";
function builtFile(name) {
  const beside = new URL(name, import.meta.url);
  return existsSync(beside) ? beside : new URL(`../dist/${name}`, import.meta.url);
}

// packages/backend-node/src/node-backend.ts
async function nodeBackend(options = {}) {
  return startBackend(options, builtFile("worker.js"));
}
async function startBackend(options, workerFile) {
  const {
    providers = ["cpu"],
    threads = Math.min(4, availableParallelism()),
    spinning = false,
    deviceId = 0,
    maxBatch = 64,
    target = {},
    telemetry = false
  } = options;
  if (providers.length === 0) throw new RangeError("nodeBackend: providers is empty; name at least one");
  for (const provider of providers) {
    if (!nodeProviders.includes(provider)) {
      throw new RangeError(`nodeBackend: unknown provider "${provider}"; known are ${nodeProviders.join(", ")}`);
    }
  }
  checkInteger("threads", threads, 1, 256);
  checkInteger("deviceId", deviceId, 0, 255);
  checkInteger("maxBatch", maxBatch, 1, 4096);
  if (!telemetry) disableTelemetry();
  const connection = new WorkerConnection(new Worker(workerFile, { name: "microturn-backend", execArgv: [] }));
  let trials;
  try {
    trials = await connection.request({ kind: "start", providers, threads, spinning, deviceId, probe: probeGraph() });
  } catch (error) {
    await connection.close();
    throw new DuplexError("BACKEND_UNAVAILABLE", `nodeBackend: ${messageOf2(error)}; ${installFix}`, { cause: error });
  }
  const passedOver = trials.flatMap(
    ({ provider, reason }) => reason === void 0 ? [] : [{ provider, reason, fix: howToGet(provider, process.platform, process.arch) }]
  );
  const used = trials.find((trial) => trial.reason === void 0)?.provider;
  if (used === void 0) {
    await connection.close();
    throw new DuplexError("BACKEND_UNAVAILABLE", unavailable(passedOver), { details: { providers: passedOver } });
  }
  const capabilities = {
    provider: used,
    device: deviceName(used, threads, deviceId),
    target: { ...targets[used], ...target },
    maxBatch,
    canCloneState: true
  };
  return new OrtBackend(connection, capabilities, passedOver);
}
var OrtBackend = class {
  constructor(connection, capabilities, passedOver) {
    this.capabilities = capabilities;
    this.passedOver = passedOver;
    let next2 = 0;
    this.#shared = { connection, maxBatch: capabilities.maxBatch, nextId: () => next2++ };
  }
  capabilities;
  passedOver;
  #shared;
  #closed = false;
  async load(graph, { signal } = {}) {
    if (this.#closed) throw new DuplexError("SESSION_CLOSED", "load: the backend was closed");
    if (signal?.aborted) throw aborted(signal);
    checkStateSpecs(graph);
    const { connection, nextId } = this.#shared;
    const executable = nextId();
    const { onnx, externalData = [], inputs, outputs, state } = graph;
    const { provider, target } = this.capabilities;
    const onDevice = provider === "webgpu" && target.state === "whole" && state.some((spec) => spec.update.kind !== "counter");
    const loading = connection.request({
      kind: "load",
      executable,
      onnx,
      externalData,
      inputs,
      outputs,
      state,
      ...onDevice ? { device: deviceGraphs(state) } : {}
    });
    await abortable(loading, signal, () => connection.tell({ kind: "dispose-executable", executable }));
    return new NodeExecutable(this.#shared, executable, graph);
  }
  async close() {
    this.#closed = true;
    await this.#shared.connection.close();
  }
  [Symbol.asyncDispose]() {
    return this.close();
  }
};
async function abortable(work, signal, cleanUp) {
  if (signal === void 0) {
    await work;
    return;
  }
  await new Promise((resolve2, reject) => {
    const onAbort = () => {
      cleanUp();
      reject(aborted(signal));
    };
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(() => resolve2(), reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
function aborted(signal) {
  return new DuplexError("ABORTED", "load: the caller's signal fired", { cause: signal.reason });
}
function unavailable(failures) {
  const lines = failures.map(({ provider, reason, fix }) => `${provider}: ${reason}; to get it, ${fix}`);
  return `nodeBackend: none of the providers asked for works here.
${lines.join("\n")}`;
}
function deviceName(provider, threads, deviceId) {
  if (provider === "cuda") return `CUDA device ${deviceId}`;
  if (provider === "webgpu") return "default WebGPU adapter (Dawn)";
  return `${cpus()[0]?.model.trim() || process.arch}, ${threads} ${threads === 1 ? "thread" : "threads"}`;
}
function checkInteger(name, value, low, high) {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new RangeError(`nodeBackend: ${name} must be an integer of ${low} to ${high}, got ${value}`);
  }
}
function messageOf2(error) {
  return error instanceof Error ? error.message : String(error);
}

// packages/mini/src/index.ts
var mini = miniAt(new URL("..", import.meta.url));
function miniAt(base) {
  const folder = new URL(base);
  return {
    name: "mini",
    async read(path, { signal } = {}) {
      checkAborted(path, signal);
      const url = fileUrl(folder, path);
      return url.protocol === "file:" ? readFromDisk(url, path, signal) : readFromNet(url, path, signal);
    }
  };
}
function fileUrl(folder, path) {
  const url = new URL(path, folder);
  const inside = url.origin === folder.origin && url.href.startsWith(folder.href) && !path.startsWith("/");
  if (!inside || path === "") {
    throw new DuplexError("MODEL_INVALID", `mini: expected the path of a file in the model's folder, got "${path}"`);
  }
  return url;
}
async function readFromDisk(url, path, signal) {
  const { readFile: readFile5 } = await import("node:fs/promises");
  try {
    return await readFile5(url, signal === void 0 ? {} : { signal });
  } catch (cause) {
    checkAborted(path, signal);
    throw new DuplexError("MODEL_INVALID", `mini: "${path}" is missing or cannot be read; reinstall @microturn/mini`, {
      cause,
      details: { path }
    });
  }
}
async function readFromNet(url, path, signal) {
  let response;
  try {
    response = await fetch(url, signal === void 0 ? {} : { signal });
  } catch (cause) {
    checkAborted(path, signal);
    throw new DuplexError("MODEL_INVALID", `mini: "${path}" cannot be fetched from ${url.origin}; check the network`, {
      cause,
      details: { path }
    });
  }
  if (!response.ok) {
    throw new DuplexError(
      "MODEL_INVALID",
      `mini: "${path}" is not at ${url.href} (status ${response.status}); serve the files of @microturn/mini there`,
      { details: { path, status: response.status } }
    );
  }
  return new Uint8Array(await response.arrayBuffer());
}
function checkAborted(path, signal) {
  if (signal?.aborted) {
    throw new DuplexError("ABORTED", `mini: reading "${path}" was aborted by its caller`, { cause: signal.reason });
  }
}

// benchmarks/src/behaviour/cases.ts
import { readdir, readFile as readFile2 } from "node:fs/promises";
import { join as join2 } from "node:path";
async function readCases(folder, rows) {
  const cases2 = [];
  const names = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of names.filter((one) => one.isDirectory()).sort((a, b) => a.name.localeCompare(b.name))) {
    if (rows !== void 0 && !rows.includes(entry.name)) continue;
    for (const file2 of (await readdir(join2(folder, entry.name))).filter((name) => name.endsWith(".json")).sort()) {
      const path = join2(folder, entry.name, file2);
      const truth = JSON.parse(await readFile2(path, "utf8"));
      cases2.push({ ...truth, wav: path.replace(/\.json$/, ".wav") });
    }
  }
  if (cases2.length === 0) {
    throw new Error(
      `no evaluation cases in ${folder}; make them with: cd training && python -m microturn_training.cases`
    );
  }
  return cases2;
}

// benchmarks/src/behaviour/play.ts
import { readFile as readFile3 } from "node:fs/promises";
async function play(one, engine2) {
  var _stack = [];
  try {
    const wav = readWav(new Uint8Array(await readFile3(one.wav)));
    const session = __using(_stack, await DuplexSession.open({
      engine: engine2,
      pace: "as-fast-as-input",
      tailMs: 0,
      sampleRate: wav.sampleRate
    }), true);
    const { turnDurationMs, outputSampleRate } = session.capabilities;
    const turns = [];
    const reading = (async () => {
      for await (const turn of session) turns.push(turn);
    })();
    const perTurn = wav.sampleRate * turnDurationMs / 1e3;
    for (let start = 0; start < wav.samples.length; start += perTurn) {
      const startMs = 1e3 * start / wav.sampleRate;
      if (one.color !== void 0) {
        for (const timeMs of [startMs + turnDurationMs / 4, startMs + 3 * turnDurationMs / 4]) {
          session.writeImage({ ...picture(one.color, startMs), timeMs });
        }
      }
      await session.writeAudio(wav.samples.subarray(start, start + perTurn));
    }
    await session.finish();
    await reading;
    const unit = outputSampleRate * turnDurationMs / 1e3;
    const played = new Float32Array((turns.length + 1) * unit);
    for (const turn of turns) played.set(turn.output.speech, (turn.index + 1) * unit);
    return { turns, turnMs: turnDurationMs, played, sampleRate: outputSampleRate };
  } catch (_) {
    var _error = _, _hasError = true;
  } finally {
    var _promise = __callDispose(_stack, _error, _hasError);
    _promise && await _promise;
  }
}
function picture(color, ms) {
  const [width, height] = [39, 40];
  let rgb = [0, 0, 0];
  for (const change of color) if (change.ms <= ms) rgb = change.rgb;
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) data[i] = rgb[i % 3];
  return { data, width, height };
}

// benchmarks/src/behaviour/score.ts
var soundLevel = 0.01;
var joinMs = 120;
var silenceMs = 400;
function stretches(played, sampleRate2) {
  const step = sampleRate2 / 100;
  const found = [];
  for (let start = 0; start + step <= played.length; start += step) {
    let energy = 0;
    for (let i = start; i < start + step; i++) energy += played[i] * played[i];
    if (Math.sqrt(energy / step) < soundLevel) continue;
    const startMs = 1e3 * start / sampleRate2;
    const last = found.at(-1);
    if (last !== void 0 && startMs - last.endMs < joinMs) last.endMs = startMs + 10;
    else found.push({ startMs, endMs: startMs + 10 });
  }
  return found;
}
function words(text2) {
  return text2.toLowerCase().replace(/[^a-z0-9' <>]/g, " ").split(" ").filter((word) => word !== "" && word !== "<end>");
}
function wordErrors(expected, got) {
  let row = got.map((_, i) => i + 1);
  row.unshift(0);
  expected.forEach((word, i) => {
    const next2 = [i + 1];
    got.forEach((other, j) => {
      next2.push(Math.min(row[j + 1] + 1, next2[j] + 1, row[j] + (word === other ? 0 : 1)));
    });
    row = next2;
  });
  return row[got.length];
}
function score(one, performance2) {
  const { turns, turnMs } = performance2;
  const sound = stretches(performance2.played, performance2.sampleRate);
  const said = words(turns.map((turn) => turn.output.text).join(" "));
  const heard = words(turns.map((turn) => turn.output.heard).join(" "));
  const expected = words(one.expected.text ?? "");
  const last = one.events.at(-1);
  const base = {
    ...{ id: one.id, row: one.row, noise: one.noise, voice: last?.voice ?? "none" },
    ...{ heldPhrasing: last?.heldPhrasing ?? false, said: said.join(" "), heard: heard.join(" ") }
  };
  const same = (a, b) => a.length === b.length && a.every((word, i) => word === b[i]);
  const right = same(said, expected);
  if (one.row === "transcript") {
    const truth = words(one.expected.heard ?? "");
    return { ...base, words: truth.length, wordErrors: wordErrors(truth, heard), right: same(truth, heard) };
  }
  if (last === void 0 || one.row === "silence")
    return { ...base, right: sound.length === 0, falseAlarm: sound.length > 0 };
  if (one.row.startsWith("yield")) {
    const wasSpeaking = sound.some((s) => s.startMs < last.onsetMs + 200 && s.endMs > last.onsetMs - 400);
    let silentAt = last.onsetMs;
    for (const s of sound) if (s.endMs > silentAt && s.startMs < silentAt + silenceMs) silentAt = s.endMs;
    const listening = turns.find((turn) => turn.startMs + turnMs > last.onsetMs && turn.output.decision === "listen");
    const after = listening === void 0 ? [] : turns.filter((turn) => turn.index >= listening.index);
    const reply2 = words(after.map((turn) => turn.output.text).join(" "));
    const yieldMs = silentAt - last.onsetMs;
    return { ...base, wasSpeaking, yieldMs, yieldAfterEndMs: silentAt - last.endMs, right: same(reply2, expected) };
  }
  if (one.row === "hold") {
    return { ...base, wasSpeaking: sound.some((s) => s.startMs < last.onsetMs && s.endMs > last.onsetMs - 400), right };
  }
  const reply = sound.find((s) => s.endMs > last.endMs);
  const early = sound.some((s) => s.startMs < last.endMs);
  const took = !early && reply !== void 0 && reply.startMs - last.endMs <= 3e3;
  const common = { ...base, right, early, took };
  const timed = took && reply !== void 0 ? { ...common, latencyMs: reply.startMs - last.endMs } : common;
  if (one.row === "time") {
    const { dueMs: dueMs2, paceMs = 0 } = one.expected;
    const starts = sound.filter((s) => s.startMs >= last.endMs).map((s) => s.startMs);
    const errorsMs = dueMs2 === void 0 ? starts.slice(1).map((start, i) => start - starts[i] - paceMs) : starts.slice(1, 2).map((start) => start - dueMs2);
    return { ...timed, errorsMs };
  }
  const { changeMs } = one.expected;
  if (changeMs !== void 0) {
    const reaction = sound.find((s) => s.startMs >= changeMs);
    const now = turns.find((turn) => words(turn.output.text).includes("now"));
    const falseAlarm = now !== void 0 && now.startMs < changeMs - turnMs;
    return { ...timed, falseAlarm, ...reaction && right ? { reactionMs: reaction.startMs - changeMs } : {} };
  }
  return timed;
}

// benchmarks/src/behaviour/table.ts
var percent = (share2) => `${(100 * share2).toFixed(1)} %`;
function share(scores2, holds) {
  return scores2.length === 0 ? "none" : percent(scores2.filter(holds).length / scores2.length);
}
function spread(values2, unit = " ms") {
  const sorted = values2.filter((value) => value !== void 0).sort((a, b) => a - b);
  if (sorted.length === 0) return "none";
  const at = (p) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))]);
  return `${at(0.5)} / ${at(0.9)}${unit}`;
}
function figures(row, scores2) {
  const right = `right reply ${share(scores2, (s) => s.right === true)}`;
  const latency = `latency median / p90 ${spread(scores2.map((s) => s.latencyMs))}`;
  switch (row) {
    case "take":
    case "out-of-domain":
      return `take-over ${share(scores2, (s) => s.took === true)}, ${latency}, too early ${share(scores2, (s) => s.early === true)}, ${right}`;
    case "wait":
      return `take-over in the pause ${share(scores2, (s) => s.early === true)}, ${latency}, ${right}`;
    case "yield-stop":
    case "yield-barge": {
      const speaking = scores2.filter((s) => s.wasSpeaking === true);
      return `was speaking ${share(scores2, (s) => s.wasSpeaking === true)}, silence from onset median / p90 ${spread(speaking.map((s) => s.yieldMs))}, from end ${spread(speaking.map((s) => s.yieldAfterEndMs))}, then ${right}`;
    }
    case "hold":
      return `told word-exact to the end ${share(scores2, (s) => s.right === true)}, was speaking ${share(scores2, (s) => s.wasSpeaking === true)}`;
    case "transcript": {
      const errors = scores2.reduce((sum, s) => sum + (s.wordErrors ?? 0), 0);
      return `word error rate ${percent(errors / scores2.reduce((sum, s) => sum + (s.words ?? 0), 0))}, whole recording exact ${share(scores2, (s) => s.right === true)}`;
    }
    case "silence":
      return `silent ${share(scores2, (s) => s.falseAlarm === false)}`;
    case "time":
      return `${right}, |error| median / p90 ${spread(scores2.flatMap((s) => (s.errorsMs ?? []).map(Math.abs)))}`;
    case "color":
      return `${right}, reaction median / p90 ${spread(scores2.map((s) => s.reactionMs))}, false alarms ${share(scores2, (s) => s.falseAlarm === true)}`;
    default:
      return right;
  }
}
function table(scores2) {
  const rows = [];
  for (const behaviour of [...new Set(scores2.map((s) => s.row))]) {
    const all = scores2.filter((s) => s.row === behaviour);
    const add = (condition, some) => {
      if (some.length > 0) rows.push({ behaviour, condition, count: some.length, figures: figures(behaviour, some) });
    };
    add("all", all);
    for (const noise of ["clean", "20dB", "10dB"])
      add(
        noise,
        all.filter((s) => s.noise === noise)
      );
    const held = all.filter((s) => s.heldPhrasing);
    if (held.length < all.length) add("held-out phrasings", held);
  }
  return rows;
}
function markdown(rows) {
  const lines = rows.map(
    (row) => `| ${row.condition === "all" ? `**${row.behaviour}**` : ""} | ${row.condition} | ${row.count} | ${row.figures} |`
  );
  return ["| Behaviour | Condition | Cases | Figures |", "|---|---|---|---|", ...lines].join("\n");
}

// benchmarks/src/behaviour/eval.ts
var { values } = parseArgs({
  options: {
    cases: { type: "string", default: "training/work/cases" },
    rows: { type: "string" },
    model: { type: "string" },
    weights: { type: "string", default: "float32" },
    sessions: { type: "string", default: "8" },
    out: { type: "string", default: "benchmarks/results/behaviour" },
    card: { type: "string" }
  }
});
var cases = await readCases(values.cases, values.rows?.split(","));
var backend = await nodeBackend();
var sessions = Number(values.sessions);
var engine = localEngine({
  model: values.model === void 0 ? mini : modelFolder(values.model),
  backend,
  weights: values.weights,
  maxSessions: sessions
});
await mkdir(values.out, { recursive: true });
var scores = [];
var next = 0;
await Promise.all(
  Array.from({ length: sessions }, async () => {
    while (next < cases.length) {
      const one = cases[next++];
      const result = score(one, await play(one, engine));
      scores.push(result);
      await writeFile(
        join3(values.out, `${one.id}.json`),
        `${JSON.stringify({ ...result, expected: one.expected }, null, 1)}
`
      );
      if (process.stderr.isTTY || scores.length % 50 === 0)
        process.stderr.write(`${scores.length} of ${cases.length} cases
`);
    }
  })
);
await engine.close();
await backend.close();
scores.sort((a, b) => a.id.localeCompare(b.id));
var text = markdown(table(scores));
var voices = [...new Set(scores.map((s) => s.voice))].filter((voice) => voice !== "none").sort();
var summary = `${text}

${cases.length} cases, ${values.weights} weights; voices: ${voices.join(", ")}.`;
console.log(summary);
await writeFile(join3(values.out, "scores.json"), `${JSON.stringify(scores, null, 1)}
`);
if (values.card !== void 0) {
  const card = await readFile4(values.card, "utf8");
  const marked = /<!-- eval -->[\s\S]*<!-- \/eval -->/;
  if (!marked.test(card)) throw new Error(`${values.card} has no <!-- eval --> \u2026 <!-- /eval --> markers`);
  await writeFile(
    values.card,
    card.replace(marked, () => `<!-- eval -->

${summary}

<!-- /eval -->`)
  );
}
