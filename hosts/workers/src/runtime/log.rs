//! Structured logs: each event of `tracing` is one JSON object on the console. Neither secrets nor what people wrote may
//! enter them: names of objects, error codes and the program's own words only.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Writes what is at least a warning, with the fields of the spans around it.
#[derive(Default)]
struct Console;

thread_local! {
    static SPANS: RefCell<Spans> = RefCell::default();
}

#[derive(Default)]
struct Spans {
    last: u64,
    open: BTreeMap<u64, (usize, Map<String, Value>)>,
    entered: Vec<u64>,
}

/// Begins to log, and makes panics say where they happened before the instance ends.
pub(crate) fn start() {
    // Fails only when there is one already.
    let _ = tracing::subscriber::set_global_default(Console);
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(
            at = place,
            why = panic.payload_as_str().unwrap_or_default(),
            "panic"
        );
    }));
}

impl Subscriber for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() || *metadata.level() <= Level::WARN
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        span.record(&mut fields);
        SPANS.with_borrow_mut(|spans| {
            spans.last += 1;
            spans.open.insert(spans.last, (1, fields.0));
            Id::from_u64(spans.last)
        })
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        SPANS.with_borrow_mut(|spans| {
            if let Some((_, map)) = spans.open.get_mut(&span.into_u64()) {
                let mut fields = Fields(std::mem::take(map));
                values.record(&mut fields);
                *map = fields.0;
            }
        });
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        SPANS.with_borrow(|spans| {
            let around = spans.entered.iter().filter_map(|id| spans.open.get(id));
            fields.0.extend(around.flat_map(|(_, map)| map.clone()));
        });
        event.record(&mut fields);
        let level = event.metadata().level();
        fields.0.insert("level".to_owned(), Value::from(level.as_str()));
        let line = Value::Object(fields.0).to_string();
        match *level {
            Level::ERROR => worker::console_error!("{line}"),
            _ => worker::console_warn!("{line}"),
        }
    }

    fn enter(&self, span: &Id) {
        SPANS.with_borrow_mut(|spans| spans.entered.push(span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        SPANS.with_borrow_mut(|spans| {
            let left = spans.entered.iter().rposition(|id| *id == span.into_u64());
            left.map(|index| spans.entered.remove(index))
        });
    }

    fn clone_span(&self, span: &Id) -> Id {
        SPANS.with_borrow_mut(|spans| {
            if let Some((users, _)) = spans.open.get_mut(&span.into_u64()) {
                *users += 1;
            }
        });
        span.clone()
    }

    fn try_close(&self, span: Id) -> bool {
        SPANS.with_borrow_mut(|spans| {
            let Some((users, _)) = spans.open.get_mut(&span.into_u64()) else {
                return false;
            };
            *users = users.saturating_sub(1);
            let last = *users == 0;
            if last {
                spans.open.remove(&span.into_u64());
            }
            last
        })
    }
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0
            .insert(field.name().to_owned(), Value::from(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), Value::from(value));
    }
}
