use super::*;

fn user(text: &str) -> Result<(), IdError> {
    UserId::parse(text).map(|_| ())
}

#[test]
fn users_follow_the_historical_grammar() {
    for good in [
        "@a:b",
        "@:b",
        "@A B\u{1}é:b",
        "@a:b:8448",
        "@a:[::1]:80",
        "@a:b_c",
        "@a:b:99999",
        "@a!#$:x",
    ] {
        assert_eq!(user(good), Ok(()), "{good}");
    }
    for (bad, why) in [
        ("a:b", IdError::Sigil),
        ("", IdError::Sigil),
        ("@a", IdError::NoServerName),
        ("@a:", IdError::ServerName),
        ("@a\0:b", IdError::Localpart),
        ("@a:b c", IdError::ServerName),
        ("@a:b:", IdError::ServerName),
        ("@a:b:123456", IdError::ServerName),
        ("@a:[::1", IdError::ServerName),
        ("@a:b:x", IdError::ServerName),
    ] {
        assert_eq!(user(bad), Err(why), "{bad}");
    }
}

#[test]
fn ids_end_at_255_bytes() {
    let name = |len: usize| format!("@{}:b", "a".repeat(len - 3));
    assert_eq!(user(&name(255)), Ok(()));
    assert_eq!(user(&name(256)), Err(IdError::TooLong));
    let wide = format!("@{}:b", "é".repeat(127));
    assert_eq!(user(&wide), Err(IdError::TooLong), "bytes count, not characters");
}

#[test]
fn parts_of_ids() {
    let id = UserId::parse("@alice:example.org:8448").unwrap();
    assert_eq!((id.localpart(), id.domain()), ("alice", "example.org:8448"));
    assert_eq!(
        (id.server_name().host(), id.server_name().port()),
        ("example.org", Some(8448))
    );
    assert!(ServerName::parse("[::1]:80").unwrap().is_ip_literal());
    assert!(ServerName::parse("1.2.3.4").unwrap().is_ip_literal());
    assert!(!ServerName::parse("1.2.3.400").unwrap().is_ip_literal());
    let alias = RoomAlias::parse("#room:x").unwrap();
    assert_eq!((alias.localpart(), alias.domain()), ("room", "x"));
}

#[test]
fn new_localparts_are_strict() {
    assert_eq!(UserId::check_new_localpart("a.b_c=d-e/f+0"), Ok(()));
    assert_eq!(UserId::check_new_localpart(""), Err(IdError::Empty));
    for bad in ["A", "é", "a b", "a:b", "#"] {
        assert_eq!(UserId::check_new_localpart(bad), Err(IdError::Localpart), "{bad}");
    }
}

#[test]
fn room_and_create_ids_differ_in_the_sigil_only() {
    let room = RoomId::parse("!abc").unwrap();
    assert_eq!(room.to_create_event_id(), "$abc");
    assert_eq!(room.to_create_event_id().to_room_id(), room);
    assert_eq!(room.domain(), None);
    assert_eq!(RoomId::parse("!a:b:1").unwrap().domain(), Some("b:1"));
    assert_eq!(RoomId::parse("!"), Err(IdError::Empty));
}

#[test]
fn serde_checks_what_it_reads() {
    assert_eq!(
        serde_json::to_string(&UserId::parse("@a:b").unwrap()).unwrap(),
        r#""@a:b""#
    );
    assert!(serde_json::from_str::<EventId>(r#""$x""#).is_ok());
    assert!(serde_json::from_str::<EventId>(r#""x""#).is_err());
}
