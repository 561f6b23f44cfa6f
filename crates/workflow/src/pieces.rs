//! A large JSON object, read as it arrives: the elements of some of its lists one by one, other members whole if they are
//! wanted, and all else passed over. No more than one piece is held.

/// The longest piece, in bytes: an event, however it is written, with whatever lies beside it in `unsigned`.
pub(crate) const PIECE_MAX_BYTES: usize = 512 * 1024;

/// A piece of the object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// An element of the list of this name.
    Element(&'static str, String),
    /// A member of this name.
    Member(&'static str, String),
}

/// What is no JSON object, or has a piece that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer is no JSON object, or has a part that is too long")]
pub(crate) struct Malformed;

/// Where the reader stands.
#[derive(Clone, Copy, Debug)]
enum At {
    /// Before the object.
    Start,
    /// Before a name, or the object's end.
    Name,
    /// After a member.
    Comma,
    /// Before an element of a list, or its end.
    Element(&'static str),
    /// After an element.
    ElementComma(&'static str),
    /// In a value.
    Value(Purpose, Scan),
    /// After the object.
    End,
}

/// What a value is for.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    Element(&'static str),
    Member(&'static str),
    /// Passed over, and not held.
    Nothing,
}

/// How far a value was looked through: it ends where brackets close, or where a scalar does.
#[derive(Clone, Copy, Debug, Default)]
struct Scan {
    len: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
    is_scalar: bool,
}

/// The reader.
pub(crate) struct Pieces {
    lists: &'static [&'static str],
    members: &'static [&'static str],
    held: Vec<u8>,
    /// How much of what is held was read.
    read: usize,
    at: At,
}

impl Pieces {
    /// A reader that gives the elements of these lists and these members.
    pub(crate) const fn new(lists: &'static [&'static str], members: &'static [&'static str]) -> Self {
        Self {
            lists,
            members,
            held: Vec::new(),
            read: 0,
            at: At::Start,
        }
    }

    /// Takes the next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.held.drain(..self.read);
        self.read = 0;
        self.held.extend_from_slice(bytes);
    }

    /// Whether the object has come to its end.
    pub(crate) const fn is_whole(&self) -> bool {
        matches!(self.at, At::End)
    }

    /// The next piece; `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`Malformed`].
    pub(crate) fn next(&mut self) -> Result<Option<Piece>, Malformed> {
        loop {
            let step = match self.at {
                At::Value(purpose, scan) => match self.value(purpose, scan)? {
                    Step::Piece(piece) => return Ok(Some(piece)),
                    Step::On => true,
                    Step::More => false,
                },
                _ => self.step()?,
            };
            if !step {
                return Ok(None);
            }
        }
    }

    /// Reads one sign between values; `false` when more bytes are needed.
    fn step(&mut self) -> Result<bool, Malformed> {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.read += 1;
        }
        let Some(byte) = self.peek() else {
            return Ok(false);
        };
        match (self.at, byte) {
            (At::Start, b'{') => self.skip_to(At::Name),
            (At::Name, b'"') => return self.name(),
            (At::Name | At::Comma, b'}') => self.skip_to(At::End),
            (At::Comma, b',') => self.skip_to(At::Name),
            (At::Element(_) | At::ElementComma(_), b']') => self.skip_to(At::Comma),
            (At::ElementComma(list), b',') => self.skip_to(At::Element(list)),
            (At::Element(list), _) => self.at = At::Value(Purpose::Element(list), Scan::default()),
            _ => return Err(Malformed),
        }
        Ok(true)
    }

    fn peek(&self) -> Option<u8> {
        self.held.get(self.read).copied()
    }

    fn skip_to(&mut self, at: At) {
        self.read += 1;
        self.at = at;
    }

    /// Reads a name, the colon, and, of a list, the bracket.
    fn name(&mut self) -> Result<bool, Malformed> {
        let rest = self.held.get(self.read..).unwrap_or_default();
        let mut scan = Scan::default();
        if !scan.go_on(rest) {
            return self.more(rest.len());
        }
        let name = rest.get(..scan.len).unwrap_or_default();
        let name: String = serde_json::from_slice(name).map_err(|_| Malformed)?;
        let mut after = rest.iter().enumerate().skip(scan.len);
        let mut next = || after.find(|(_, byte)| !byte.is_ascii_whitespace());
        let (Some((_, colon)), Some((begin, first))) = (next(), next()) else {
            return self.more(rest.len());
        };
        if *colon != b':' {
            return Err(Malformed);
        }
        let known = |names: &'static [&'static str]| names.iter().copied().find(|known| *known == name);
        let (skipped, at) = match (known(self.lists), known(self.members)) {
            (Some(list), _) if *first == b'[' => (begin + 1, At::Element(list)),
            (Some(_), _) => return Err(Malformed),
            (None, Some(member)) => (begin, At::Value(Purpose::Member(member), Scan::default())),
            (None, None) => (begin, At::Value(Purpose::Nothing, Scan::default())),
        };
        self.read += skipped;
        self.at = at;
        Ok(true)
    }

    fn more(&self, held: usize) -> Result<bool, Malformed> {
        if held > PIECE_MAX_BYTES || self.held.len() > 2 * PIECE_MAX_BYTES {
            return Err(Malformed);
        }
        Ok(false)
    }

    /// Looks further through a value.
    fn value(&mut self, purpose: Purpose, mut scan: Scan) -> Result<Step, Malformed> {
        let rest = self.held.get(self.read..).unwrap_or_default();
        let ended = scan.go_on(rest);
        if matches!(purpose, Purpose::Nothing) {
            self.read += scan.len;
            scan.len = 0;
            self.at = if ended {
                At::Comma
            } else {
                At::Value(purpose, scan)
            };
            return Ok(if ended { Step::On } else { Step::More });
        }
        if scan.len > PIECE_MAX_BYTES {
            return Err(Malformed);
        }
        if !ended {
            self.at = At::Value(purpose, scan);
            return Ok(Step::More);
        }
        let text = rest.get(..scan.len).unwrap_or_default();
        let text = String::from_utf8(text.to_vec()).map_err(|_| Malformed)?;
        self.read += scan.len;
        Ok(Step::Piece(match purpose {
            Purpose::Element(list) => {
                self.at = At::ElementComma(list);
                Piece::Element(list, text)
            }
            Purpose::Member(_) | Purpose::Nothing => {
                self.at = At::Comma;
                let name = if let Purpose::Member(name) = purpose {
                    name
                } else {
                    ""
                };
                Piece::Member(name, text)
            }
        }))
    }
}

enum Step {
    Piece(Piece),
    On,
    More,
}

impl Scan {
    /// Looks at the bytes after those that were looked at; whether the value ends among them.
    fn go_on(&mut self, value: &[u8]) -> bool {
        for byte in value.iter().skip(self.len) {
            if self.ends_before(*byte) {
                return true;
            }
            self.len += 1;
            if self.ends_with(*byte) {
                return true;
            }
        }
        false
    }

    /// Whether a number or a word ends before this byte, which is none of theirs.
    const fn ends_before(&self, byte: u8) -> bool {
        self.is_scalar && !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.'))
    }

    const fn ends_with(&mut self, byte: u8) -> bool {
        if self.in_string {
            self.in_string = self.escaped || byte != b'"';
            self.escaped = !self.escaped && byte == b'\\';
            return !self.in_string && self.depth == 0;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            _ => self.is_scalar = self.depth == 0,
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, chunk: usize) -> Result<(Vec<Piece>, bool), Malformed> {
        let mut pieces = Pieces::new(&["state", "auth_chain"], &["event", "n"]);
        let mut found = Vec::new();
        for bytes in text.as_bytes().chunks(chunk) {
            pieces.push(bytes);
            while let Some(piece) = pieces.next()? {
                found.push(piece);
            }
        }
        Ok((found, pieces.is_whole()))
    }

    /// However the answer is cut, its pieces are the same.
    #[test]
    fn pieces_come_out_of_any_chunks() {
        let text = r#" { "origin" : "a}]\"", "state" :[ {"a":"]},\\\""} , {"b":[1,{}]}], "x":[[1],{"y":2}],
            "n":-12 ,"auth_chain":[],"event":{"c":null},"last":true } "#;
        let expected = vec![
            Piece::Element("state", r#"{"a":"]},\\\""}"#.to_owned()),
            Piece::Element("state", r#"{"b":[1,{}]}"#.to_owned()),
            Piece::Member("n", "-12".to_owned()),
            Piece::Member("event", r#"{"c":null}"#.to_owned()),
        ];
        for chunk in [1, 2, 3, 7, 1_000] {
            let (found, whole) = read(text, chunk).unwrap();
            assert_eq!(found, expected, "in chunks of {chunk}");
            assert!(whole);
        }
    }

    #[test]
    fn what_is_cut_off_is_not_whole() {
        for text in ["", "{", r#"{"state":[{"a":1}"#, r#"{"state":[]"#] {
            assert!(!read(text, 5).unwrap().1, "{text}");
        }
    }

    #[test]
    fn what_is_no_object_is_malformed() {
        for text in ["[", "1", r#"{"state":{}}"#, r#"{"a" 1}"#, r#"{"a":1;}"#, "{]"] {
            assert!(read(text, 4).is_err(), "{text}");
        }
    }

    /// Junk without end is not held.
    #[test]
    fn a_piece_has_a_limit() {
        let long = "x".repeat(PIECE_MAX_BYTES + 1);
        assert!(read(&format!(r#"{{"event":"{long}"}}"#), 65_536).is_err());
        assert!(read(&format!(r#"{{"state":["{long}"#), 65_536).is_err());
        assert!(read(&format!(r#"{{"{long}{long}"#), 65_536).is_err());
        let passed_over = read(&format!(r#"{{"other":"{long}","n":1}}"#), 65_536).unwrap();
        assert_eq!(passed_over.0.len(), 1);
    }
}
