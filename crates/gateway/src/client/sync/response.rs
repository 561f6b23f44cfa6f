//! The answer: what is the user's, then room by room.

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, future, stream};
use selvage_protocol::user::{AccountDatum, Seen, Session};
use serde::Serialize;

use super::form::{Events, account_data, typed};
use super::room::{Part, Section};
use crate::client::filter::Filter;
use crate::client::position::sync_token;
use crate::client::push_rules;
use crate::{ApiError, BodyError, Chunks, MaybeSend};

/// What is the user's and no room's.
#[derive(Serialize)]
pub(super) struct Head {
    next_batch: String,
    account_data: Events,
    device_lists: Empty,
    device_one_time_keys_count: Empty,
    device_unused_fallback_key_types: [(); 0],
    presence: Events,
    to_device: Events,
}

#[derive(Serialize)]
struct Empty {}

impl Head {
    /// What the user object said, with the push rules where the client knows nothing yet.
    pub(super) fn new(
        next: Seen,
        session: &Session,
        data: Vec<AccountDatum>,
        filter: &Filter,
        with_push_rules: bool,
    ) -> Result<Self, ApiError> {
        let mut events = account_data(&filter.account_data, "", data)?;
        if with_push_rules && filter.account_data.wants_type(push_rules::ACCOUNT_DATA) {
            events.push(typed(
                push_rules::ACCOUNT_DATA,
                &push_rules::content(&session.user_id)?,
            )?);
        }
        Ok(Self {
            next_batch: sync_token(next),
            account_data: Events { events },
            device_lists: Empty {},
            device_one_time_keys_count: Empty {},
            device_unused_fallback_key_types: [],
            presence: Events::default(),
            to_device: Events::default(),
        })
    }

    /// Whether the client learns nothing from it.
    pub(super) const fn is_empty(&self) -> bool {
        self.account_data.events.is_empty()
    }
}

/// Writes the answer at once. The parts come by section.
pub(super) fn whole(head: &Head, parts: &[Part]) -> Result<Vec<u8>, ApiError> {
    let mut writer = Writer::new();
    let mut out = writer.opening(head).map_err(ApiError::internal)?;
    for part in parts {
        writer.part(&mut out, part).map_err(ApiError::internal)?;
    }
    writer.closing(&mut out);
    Ok(out)
}

/// Writes the answer as its parts come, which they do by section.
pub(super) fn chunks(
    head: &Head,
    parts: impl Stream<Item = Result<Part, ApiError>> + MaybeSend + 'static,
) -> Result<Chunks, ApiError> {
    let mut writer = Writer::new();
    let opening = writer.opening(head).map_err(ApiError::internal)?;
    let parts = parts.map_ok(Some).chain(stream::once(future::ready(Ok(None))));
    let written = parts.map(move |part| {
        let mut out = Vec::new();
        match part.map_err(|error| BodyError(error.to_string()))? {
            Some(part) => writer
                .part(&mut out, &part)
                .map_err(|error| BodyError(error.to_string()))?,
            None => writer.closing(&mut out),
        }
        Ok(Bytes::from(out))
    });
    Ok(Box::pin(
        stream::once(future::ready(Ok(Bytes::from(opening)))).chain(written),
    ))
}

/// Writes all sections in their order, whether or not rooms are in them.
struct Writer {
    section: Section,
    begun: bool,
}

impl Writer {
    const fn new() -> Self {
        Self {
            section: Section::FIRST,
            begun: false,
        }
    }

    fn opening(&self, head: &Head) -> serde_json::Result<Vec<u8>> {
        let mut out = serde_json::to_vec(head)?;
        out.pop();
        out.extend_from_slice(b",\"rooms\":{\"");
        out.extend_from_slice(self.section.name().as_bytes());
        out.extend_from_slice(b"\":{");
        Ok(out)
    }

    fn part(&mut self, out: &mut Vec<u8>, part: &Part) -> serde_json::Result<()> {
        while self.section < part.section && self.next_section(out) {}
        if self.begun {
            out.push(b',');
        }
        self.begun = true;
        serde_json::to_writer(&mut *out, &part.room_id)?;
        out.push(b':');
        out.extend_from_slice(&part.json);
        Ok(())
    }

    /// Closes the section and opens the next; does nothing after the last.
    fn next_section(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(next) = self.section.next() else {
            return false;
        };
        self.section = next;
        self.begun = false;
        out.extend_from_slice(b"},\"");
        out.extend_from_slice(next.name().as_bytes());
        out.extend_from_slice(b"\":{");
        true
    }

    fn closing(&mut self, out: &mut Vec<u8>) {
        while self.next_section(out) {}
        out.extend_from_slice(b"}}}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn head() -> Head {
        let session = serde_json::from_value(json!({ "user_id": "@a:b", "device_id": "D" })).unwrap();
        let data = vec![AccountDatum {
            kind: "x".to_owned(),
            content: serde_json::from_str("{}").unwrap(),
        }];
        Head::new(
            Seen { seq: 1, typing: 2 },
            &session,
            data,
            &Filter::default(),
            false,
        )
        .unwrap()
    }

    fn part(section: Section, room_id: &str) -> Part {
        Part {
            section,
            room_id: room_id.to_owned(),
            json: b"{\"k\":1}".to_vec(),
        }
    }

    fn written(parts: &[Part]) -> Value {
        serde_json::from_slice(&whole(&head(), parts).unwrap()).unwrap()
    }

    #[test]
    fn rooms_stand_in_their_sections() {
        let parts = [
            part(Section::Join, "!a"),
            part(Section::Join, "!\"b"),
            part(Section::Leave, "!c"),
        ];
        let answer = written(&parts);
        let room = json!({ "k": 1 });
        assert_eq!(
            answer["rooms"],
            json!({ "invite": {}, "join": { "!a": room, "!\"b": room }, "knock": {}, "leave": { "!c": room } })
        );
        assert_eq!(answer["next_batch"], "s1_2");
        assert_eq!(
            answer["account_data"]["events"],
            json!([{ "type": "x", "content": {} }])
        );
    }

    #[test]
    fn an_answer_without_rooms_is_whole_too() {
        assert_eq!(
            written(&[])["rooms"],
            json!({ "invite": {}, "join": {}, "knock": {}, "leave": {} })
        );
        let only = written(&[part(Section::Invite, "!i")]);
        assert_eq!(only["rooms"]["invite"]["!i"]["k"], 1);
    }

    #[test]
    fn chunks_make_the_same_answer_and_end_at_an_error() {
        let parts = || vec![Ok(part(Section::Join, "!a")), Ok(part(Section::Leave, "!c"))];
        let collect = |parts: Vec<_>| {
            let chunks = chunks(&head(), stream::iter(parts)).unwrap();
            future::FutureExt::now_or_never(chunks.try_fold(Vec::new(), |mut all, chunk: Bytes| {
                all.extend_from_slice(&chunk);
                future::ready(Ok(all))
            }))
            .unwrap()
        };
        let expected = whole(&head(), &[part(Section::Join, "!a"), part(Section::Leave, "!c")]).unwrap();
        assert_eq!(collect(parts()), Ok(expected));
        let mut broken = parts();
        broken.push(Err(ApiError::not_found("gone")));
        assert_eq!(collect(broken), Err(BodyError("M_NOT_FOUND: gone".to_owned())));
    }
}
