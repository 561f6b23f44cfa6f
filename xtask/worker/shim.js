// The Worker's entry: joins the wasm module's exports to the classes that the runtime expects.
//
// A trap (a Rust panic, a stack overflow, no more memory) makes the wasm instance unusable; the next call gets a
// fresh instance, in which no Rust object of the old one exists. So every Durable Object class here is a thin
// JavaScript object that makes its Rust part again when the instance has changed. What a Rust part holds in memory is
// lost with it, as at an eviction; what a committed turn wrote is not.
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import * as wasm from "./index.js";

// Frames of Rust code are many and short.
Error.stackTraceLimit = 50;

const instance = wasm.__worker_init_state();

// The instance that answers at present.
let present = instance.instanceId;

// The calls whose Rust futures live in the present instance, by the function that fails them.
const pending = new Set();

// Sees to it that an instance answers. Whether the present one has ended only the glue knows: what is thrown may be an
// error of any class. It lets no call into an instance that has ended, but makes a fresh one first, or throws.
function renew(error) {
  try {
    wasm.__worker_init_state();
  } catch {
    wasm.__wbg_reset_state();
  }
  // The start function of an instance counts this up.
  if (instance.instanceId === present) return;
  present = instance.instanceId;
  // No future of an ended instance is ever polled again: its callers are told now, or they would wait for ever.
  for (const fail of pending) fail(error ?? new Error("the instance has ended"));
  pending.clear();
}

// What is thrown in a task that the Rust executor runs later reaches no caller, only this event.
addEventListener("error", (event) => renew(event.error));

async function guarded(call) {
  renew();
  const { promise: ended, reject: fail } = Promise.withResolvers();
  pending.add(fail);
  try {
    return await Promise.race([call(), ended]);
  } catch (error) {
    renew(error);
    throw error;
  } finally {
    pending.delete(fail);
  }
}

const EVENTS = ["fetch", "alarm", "webSocketMessage", "webSocketClose", "webSocketError"];

// Wraps one class that `wasm-bindgen` exported; the build appends a line for each.
function durableObject(Rust) {
  const shell = class extends DurableObject {
    #rust;
    #madeIn;

    constructor(ctx, env) {
      super(ctx, env);
      renew();
      this.rust();
    }

    rust() {
      if (this.#madeIn !== present) {
        this.#rust = new Rust(this.ctx, this.env);
        this.#madeIn = present;
      }
      return this.#rust;
    }
  };
  for (const event of EVENTS.filter((event) => event in Rust.prototype)) {
    shell.prototype[event] = function (...args) {
      return guarded(() => this.rust()[event](...args));
    };
  }
  return shell;
}

class Entry extends WorkerEntrypoint {}

for (const event of ["fetch", "scheduled", "queue"].filter((event) => event in wasm)) {
  Entry.prototype[event] = function (subject) {
    return guarded(() => wasm[event](subject, this.env, this.ctx));
  };
}

export default Entry;
