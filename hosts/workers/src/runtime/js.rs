//! Parts of the runtime that the `worker` crate does not bind.

use js_sys::Promise;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// A Durable Object's storage.
    pub(crate) type Storage;

    /// Runs `body` in a savepoint, which is rolled back when `body` throws or traps.
    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    pub(crate) fn transaction_sync(
        this: &Storage,
        body: &mut dyn FnMut() -> Result<JsValue, JsValue>,
    ) -> Result<JsValue, JsValue>;

    /// Sets the alarm to milliseconds since 1970. The write is part of the transaction of the writes before it.
    #[wasm_bindgen(method, catch, js_name = setAlarm)]
    pub(crate) fn set_alarm(this: &Storage, at_ms: f64) -> Result<Promise, JsValue>;
}
