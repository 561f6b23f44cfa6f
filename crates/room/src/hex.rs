//! Bytes as hexadecimal digits.

use std::fmt::Write;

use selvage_object::Fault;

/// The digits of some bytes, in lower case.
pub(crate) fn write(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut digits, byte| {
            // Writing into a string cannot fail.
            let _ = write!(digits, "{byte:02x}");
            digits
        })
}

/// The bytes of some digits, in either case.
pub(crate) fn read(digits: &str) -> Result<Vec<u8>, Fault> {
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    };
    let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(byte).collect();
    bytes.ok_or_else(|| Fault::corrupt("digits that are not hexadecimal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive() {
        assert_eq!(write(&[0, 171, 255]), "00abff");
        assert_eq!(read("00ABff").unwrap(), [0, 171, 255]);
        assert!(read("0").is_err() && read("0g").is_err());
    }
}
