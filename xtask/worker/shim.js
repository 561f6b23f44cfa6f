// The Worker's entry: joins the wasm module's exports to the classes that the runtime expects.
//
// A trap (a Rust panic) makes the wasm instance unusable; the next call gets a fresh instance, in which no
// Rust object of the old one exists. So every Durable Object class here is a thin JavaScript object that
// makes its Rust part again when the instance has changed. What a Rust part holds in memory is lost with it,
// as at an eviction; what a committed turn wrote is not.
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import * as wasm from "./index.js";

// Frames of Rust code are many and short.
Error.stackTraceLimit = 50;

const instance = wasm.__worker_init_state();

// The calls whose Rust futures live in the present instance, by the function that fails them.
const pending = new Set();

function renewAfterTrap() {
  if (!instance.criticalError) return;
  instance.criticalError = false;
  // Its start function counts `instance.instanceId` up.
  wasm.__wbg_reset_state();
}

// No future of a trapped instance is ever polled again: its callers are told now, or they would wait for ever.
function onTrap(error) {
  if (!(error instanceof WebAssembly.RuntimeError)) return;
  instance.criticalError = true;
  for (const fail of pending) fail(error);
  pending.clear();
}

// A trap in a task that the Rust executor runs later reaches no caller, only this event.
addEventListener("error", (event) => onTrap(event.error));

async function guarded(call) {
  const { promise: trapped, reject: fail } = Promise.withResolvers();
  pending.add(fail);
  try {
    return await Promise.race([call(), trapped]);
  } catch (error) {
    onTrap(error);
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
      this.rust();
    }

    rust() {
      renewAfterTrap();
      if (this.#madeIn !== instance.instanceId) {
        this.#rust = new Rust(this.ctx, this.env);
        this.#madeIn = instance.instanceId;
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
    return guarded(() => {
      renewAfterTrap();
      return wasm[event](subject, this.env, this.ctx);
    });
  };
}

export default Entry;
