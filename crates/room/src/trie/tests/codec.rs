//! Encoding, and refusing whatever it would not have written.

use super::{
    decode::{DecodeError, decode},
    encode::encode,
    *,
};

/// Bytes of the parts that the page of the module names.
fn bytes(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

const HASHED: [u8; 33] = [0; 33];

/// The encodings are fixed for ever: databases hold them.
#[test]
fn encodings_are_as_documented() {
    let mut store = Memory::default();
    let state = State::EMPTY
        .set(&mut store, "m.room.name", "", "$old:example.org")
        .unwrap();
    let expected = bytes(&[
        &[1, 0],
        &[11],
        b"m.room.name",
        &[1],
        &[0],
        &[17],
        b"$old:example.org",
    ]);
    assert_eq!(store.nodes.get(&state.root()).unwrap(), &expected);
    assert_eq!(state.root(), NodeId::of(&expected));
    let hashed = format!("${}", "A".repeat(43));
    let state = State::EMPTY.set(&mut store, "t", "key", &hashed).unwrap();
    let expected = bytes(&[&[1, 0], &[1], b"t", &[1], &[3], b"key", &HASHED]);
    assert_eq!(store.nodes.get(&state.root()).unwrap(), &expected);
    assert_eq!(state.get(&store, "t", "key").unwrap(), Some(hashed));
}

/// Roots of known states, computed apart from this code from the module's page alone: a change of hashing, order, shape
/// or encoding would show here.
#[test]
fn roots_are_fixed_for_ever() {
    let mut store = Memory::default();
    let roots = [16, 1_000].map(|members| state_of(&mut store, &room(members)).root().to_string());
    assert_eq!(
        roots,
        [
            "709878d6f9db6fd65052fcaf5814eb66",
            "7b319ba12a9d41e4188eee4c4704e4f1"
        ]
    );
}

#[test]
fn event_ids_come_back_as_they_were() {
    let mut store = Memory::default();
    let last = "A".repeat(42);
    let ids = [
        String::new(),
        "$".to_owned(),
        event_id(5),
        format!("${last}B"),  // stray bits in the last character
        format!("${last}A="), // padding
        format!("${}+{}", "A".repeat(20), "A".repeat(22)), // the alphabet of room version 3
        format!("#{last}A"),
        "$143273582443PhrSn:example.org".to_owned(),
        "é".repeat(22),
    ];
    for id in &ids {
        let state = State::EMPTY.set(&mut store, "t", "", id).unwrap();
        assert_eq!(state.get(&store, "t", "").unwrap().as_ref(), Some(id));
    }
}

/// An entry whose event id is a hash; its state key has fewer than 256 bytes.
fn entry(key: &[u8]) -> Vec<u8> {
    let length = u8::try_from(key.len()).unwrap();
    let length = if length < 128 {
        vec![length]
    } else {
        vec![length | 128, 1]
    };
    bytes(&[&length, key, &HASHED])
}

/// Two state keys in the order of their hashes.
fn ordered() -> [&'static str; 2] {
    let mut keys = ["a", "b"];
    keys.sort_by_key(|key| order_key("t", key));
    keys
}

#[test]
fn a_bucket_has_one_form() {
    let [first, second] = ordered().map(|key| entry(key.as_bytes()));
    let t: &[u8] = &[1, b't'];
    let refused = [
        (bytes(&[]), DecodeError::Truncated),
        (bytes(&[&[1]]), DecodeError::Truncated),
        (bytes(&[&[2, 0], t, &[1], &first]), DecodeError::Format),
        (bytes(&[&[1, 2], t, &[1], &first]), DecodeError::Format),
        (bytes(&[&[1, 0]]), DecodeError::Truncated),
        (bytes(&[&[1, 0], t, &[0]]), DecodeError::Number),
        (bytes(&[&[1, 0], t, &[2], &first]), DecodeError::Truncated),
        (bytes(&[&[1, 0], t, &[1], &first, &[1]]), DecodeError::Truncated),
        (bytes(&[&[1, 0], t, &[2], &second, &first]), DecodeError::Order),
        (bytes(&[&[1, 0], t, &[2], &first, &first]), DecodeError::Order),
        (
            bytes(&[&[1, 0], t, &[1], &first, t, &[1], &second]),
            DecodeError::Order,
        ),
        (
            bytes(&[&[1, 0], &[0x81, 0, b't'], &[1], &first]),
            DecodeError::Number,
        ),
        (bytes(&[&[1, 0], &[0xff, 0xff, 0xff, 0x7f]]), DecodeError::Number),
        (bytes(&[&[1, 0], &[0x80; 11]]), DecodeError::Number),
        (bytes(&[&[1, 0], &[0xff; 9], &[2]]), DecodeError::Number),
        (bytes(&[&[1, 0], &[1, 0xff], &[1], &first]), DecodeError::Text),
        (
            bytes(&[&[1, 0], t, &[1, 0, 45], event_id(1).as_bytes()]),
            DecodeError::Text,
        ),
    ];
    for (bytes, error) in refused {
        assert_eq!(decode(&bytes), Err(error), "{bytes:?}");
    }
    let accepted = bytes(&[&[1, 0], t, &[2], &first, &second]);
    assert_eq!(encode(&decode(&accepted).unwrap()), accepted);
}

#[test]
fn a_bucket_holds_no_more_than_a_bucket() {
    let group = |count: usize, length: usize| {
        let mut keys: Vec<String> = (0..count).map(|at| format!("{at:0length$}")).collect();
        keys.sort_by_key(|key| order_key("t", key));
        let entries: Vec<u8> = keys.iter().flat_map(|key| entry(key.as_bytes())).collect();
        bytes(&[&[1, 0], &[1, b't'], &[u8::try_from(count).unwrap()], &entries])
    };
    assert_eq!(decode(&group(16, 2)).map(|node| node.entry_count()), Ok(16));
    assert_eq!(decode(&group(17, 2)), Err(DecodeError::Overfull));
    // An entry is 1 byte of type, its state key, and 32 bytes of event id: 16 * 256 bytes fill a bucket.
    assert_eq!(decode(&group(16, 223)).map(|node| node.entry_count()), Ok(16));
    assert_eq!(decode(&group(16, 224)), Err(DecodeError::Overfull));
}

#[test]
fn a_branch_has_one_form() {
    let child = |entries: &[u8]| bytes(&[&[7; 16], entries]);
    let (one, many) = (child(&[1]), child(&[0xe8, 7]));
    let refused = [
        (bytes(&[&[1, 1]]), DecodeError::Truncated),
        (bytes(&[&[1, 1, 0], &[0, 0, 0, 0]]), DecodeError::Branch),
        (bytes(&[&[1, 1, 0], &[4, 0, 0, 0], &one]), DecodeError::Branch),
        (bytes(&[&[1, 1, 0], &[3, 0, 0, 0], &one]), DecodeError::Truncated),
        (
            bytes(&[&[1, 1, 0], &[3, 0, 0, 0], &one, &many, &[0]]),
            DecodeError::Trailing,
        ),
        (
            bytes(&[&[1, 1, 0], &[3, 0, 0, 0], &one, &child(&[0])]),
            DecodeError::Number,
        ),
        (
            bytes(&[&[1, 1, 0], &[3, 0, 0, 0], &one, &child(&[0x81, 0])]),
            DecodeError::Number,
        ),
        (
            bytes(&[
                &[1, 1, 0],
                &[3, 0, 0, 0],
                &one,
                &child(&bytes(&[&[0xff; 9], &[1]])),
            ]),
            DecodeError::Number,
        ),
        (
            bytes(&[&[1, 1, 1, 32], &[3, 0, 0, 0], &one, &many]),
            DecodeError::Branch,
        ),
        (
            bytes(&[&[1, 1, 64], &[0; 64], &[3, 0, 0, 0], &one, &many]),
            DecodeError::Branch,
        ),
    ];
    for (bytes, error) in refused {
        assert_eq!(decode(&bytes), Err(error), "{bytes:?}");
    }
    let accepted = bytes(&[&[1, 1, 2, 31, 0], &[1, 0, 0, 0x80], &one, &many]);
    let node = decode(&accepted).unwrap();
    assert_eq!((node.entry_count(), node.child_ids().count()), (1_001, 2));
    assert_eq!(encode(&node), accepted);
}

/// A few random edits.
fn damaged(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len() + 1);
        match random.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.next().to_le_bytes()[0]),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 if at < bytes.len() => bytes[at] = random.next().to_le_bytes()[0],
            _ if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            _ => bytes.push(0),
        }
    }
    bytes
}

/// Damaged bytes are refused, or are what some other node encodes to; there is no third way, and no panic.
#[test]
fn decoding_is_the_inverse_of_encoding_on_any_bytes() {
    let mut store = Memory::default();
    for members in [3, 40, 1_500] {
        state_of(&mut store, &room(members));
    }
    let mut random = Random(2);
    let (mut refused, mut accepted) = (0, 0);
    for encoding in store.nodes.values() {
        assert_eq!(&encode(&decode(encoding).unwrap()), encoding);
        for _ in 0..40 {
            let bytes = damaged(&mut random, encoding);
            match decode(&bytes) {
                Ok(node) => {
                    assert_eq!(encode(&node), bytes);
                    accepted += 1;
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(
        refused > 1_000 && accepted > 1_000,
        "{refused} refused, {accepted} accepted"
    );
}

#[test]
fn noise_is_refused() {
    let mut random = Random(4);
    for _ in 0..20_000 {
        let noise: Vec<u8> = (0..random.below(60))
            .map(|_| random.next().to_le_bytes()[0])
            .collect();
        let headed = [&[1, random.next().to_le_bytes()[0] & 1], noise.as_slice()].concat();
        for bytes in [noise, headed] {
            if let Ok(node) = decode(&bytes) {
                assert_eq!(encode(&node), bytes);
            }
        }
    }
}
