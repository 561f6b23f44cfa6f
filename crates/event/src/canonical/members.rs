//! Walking and rewriting the members of canonical text without parsing it again.
//!
//! Hashes and signatures cover a canonical object without some of its members. The text of a canonical object
//! without some members is canonical too, so leaving them out of the text is all that is needed.

/// The members of a canonical object: key (still escaped, without quotes) and the text of the value.
///
/// The text must have been written by this crate; of any other text the walk ends where it stops being canonical.
pub(crate) fn members(object: &str) -> Members<'_> {
    Members {
        rest: object.strip_prefix('{').unwrap_or(""),
    }
}

/// The text of one member's value.
pub(crate) fn member<'a>(object: &'a str, key: &str) -> Option<&'a str> {
    members(object)
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value)
}

/// Iterator of [`members`].
pub(crate) struct Members<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, rest) = self.rest.split_at_checked(string_len(self.rest)?)?;
        let rest = rest.strip_prefix(':')?;
        let (value, rest) = rest.split_at_checked(value_len(rest)?)?;
        self.rest = rest.strip_prefix(',').unwrap_or("");
        Some((key.strip_prefix('"')?.strip_suffix('"')?, value))
    }
}

/// The length of the string literal at the start of the text, quotes included.
fn string_len(text: &str) -> Option<usize> {
    let mut bytes = text.bytes().enumerate();
    if bytes.next()?.1 != b'"' {
        return None;
    }
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some(at + 1),
            b'\\' => {
                bytes.next()?;
            }
            _ => {}
        }
    }
    None
}

/// The length of the value at the start of the text.
fn value_len(text: &str) -> Option<usize> {
    match text.as_bytes().first()? {
        b'"' => string_len(text),
        b'{' | b'[' => nested_len(text),
        _ => text.bytes().position(|byte| matches!(byte, b',' | b'}' | b']')),
    }
}

fn nested_len(text: &str) -> Option<usize> {
    let mut open = 0usize;
    let mut in_string = false;
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' if in_string => {
                bytes.next()?;
            }
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => open += 1,
            b'}' | b']' if !in_string => {
                open = open.checked_sub(1)?;
                if open == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// An object that is written member by member, in ascending order of keys.
pub(crate) struct ObjectWriter {
    out: String,
}

impl ObjectWriter {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        let mut out = String::with_capacity(bytes);
        out.push('{');
        Self { out }
    }

    /// Adds a member whose key is already escaped and whose value is already canonical.
    pub(crate) fn raw(&mut self, key: &str, value: &str) {
        self.key(key);
        self.out.push_str(value);
    }

    fn key(&mut self, key: &str) {
        if self.out.len() > 1 {
            self.out.push(',');
        }
        self.out.push('"');
        self.out.push_str(key);
        self.out.push_str("\":");
    }

    pub(crate) fn finish(mut self) -> String {
        self.out.push('}');
        self.out
    }
}

/// The object without the members whose key is in `left_out`.
pub(crate) fn without(object: &str, left_out: &[&str]) -> String {
    let mut writer = ObjectWriter::with_capacity(object.len());
    for (key, value) in members(object).filter(|(key, _)| !left_out.contains(key)) {
        writer.raw(key, value);
    }
    writer.finish()
}

/// The object with one member set, put in its place.
pub(crate) fn with_member(object: &str, key: &str, value: &str) -> String {
    let mut writer = ObjectWriter::with_capacity(object.len() + key.len() + value.len() + 4);
    let mut pending = Some(value);
    for (name, old) in members(object) {
        if name >= key
            && let Some(value) = pending.take()
        {
            writer.raw(key, value);
        }
        if name != key {
            writer.raw(name, old);
        }
    }
    if let Some(value) = pending {
        writer.raw(key, value);
    }
    writer.finish()
}
