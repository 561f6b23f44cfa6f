//! The tokens that name places: `s<seq>_<typing>` a place in a user's log, `t<pos>` one in a room's timeline.

use selvage_event::RoomId;
use selvage_protocol::user::{RoomPosition, Seen, Session};

use crate::{ApiError, Gateway, Host};

/// The sync token of what its holder has seen.
pub(super) fn sync_token(seen: Seen) -> String {
    format!("s{}_{}", seen.seq, seen.typing)
}

/// What the holder of a sync token has seen.
///
/// # Errors
/// `M_INVALID_PARAM`.
pub(super) fn parse_sync_token(token: &str) -> Result<Seen, ApiError> {
    let parts = token.strip_prefix('s').and_then(|rest| rest.split_once('_'));
    let seen = parts.and_then(|(seq, typing)| {
        Some(Seen {
            seq: number(seq)?,
            typing: number(typing)?,
        })
    });
    seen.ok_or_else(|| ApiError::invalid_param("not a sync token"))
}

/// The token of a position in a room's timeline, which may be negative.
pub(super) fn room_token(pos: i64) -> String {
    format!("t{pos}")
}

fn parse_room_token(token: &str) -> Option<i64> {
    let digits = token.strip_prefix('t')?;
    number::<u64>(digits.strip_prefix('-').unwrap_or(digits))?;
    digits.parse().ok()
}

/// Digits and nothing else, not even a plus sign.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

/// The position in a room that a token of either kind names; `None` without one, and for a sync token so old that the
/// user's log does not reach back to it.
///
/// # Errors
/// `M_INVALID_PARAM` for other texts.
pub(super) async fn resolve<H: Host>(
    gateway: &Gateway<H>,
    session: &Session,
    room_id: &RoomId,
    token: Option<&str>,
) -> Result<Option<i64>, ApiError> {
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    if let Some(pos) = parse_room_token(token) {
        return Ok(Some(pos));
    }
    let seq = parse_sync_token(token)
        .map_err(|_| ApiError::invalid_param("not a token of this server"))?
        .seq;
    let command = RoomPosition {
        room_id: room_id.to_string(),
        seq,
    };
    Ok(gateway.ask_user(&session.user_id, command).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_their_text_form() {
        let seen = Seen {
            seq: 12,
            typing: u64::MAX,
        };
        assert_eq!(parse_sync_token(&sync_token(seen)).unwrap(), seen);
        for pos in [0, 7, -7, i64::MAX, i64::MIN] {
            assert_eq!(parse_room_token(&room_token(pos)), Some(pos));
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "s",
            "s1",
            "s1_",
            "s_1",
            "s1_2_3",
            "s-1_2",
            "s+1_2",
            "s1_2 ",
            "x1_2",
            "s99999999999999999999_1",
        ] {
            assert!(parse_sync_token(text).is_err(), "{text}");
        }
        for text in ["", "t", "t-", "t--1", "t+1", "t1 ", "1", "t99999999999999999999"] {
            assert_eq!(parse_room_token(text), None, "{text}");
        }
    }
}
