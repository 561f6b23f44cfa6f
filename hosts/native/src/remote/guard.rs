//! Which addresses other servers may have. A server's name is written by strangers, and so is what DNS says of it: without
//! this, any event could make this server talk to the router, the database or the cloud's metadata service beside it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Judges the addresses that are about to be connected to.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    allow_private: bool,
    exceptions: Vec<IpAddr>,
}

impl Guard {
    /// Refuses what is not public, unless all private addresses are allowed, or this one is an exception.
    pub(super) const fn new(allow_private: bool, exceptions: Vec<IpAddr>) -> Self {
        Self {
            allow_private,
            exceptions,
        }
    }

    /// Passes an address, or says what it is that makes it no address of another server.
    pub(super) fn check(&self, address: IpAddr) -> Result<(), &'static str> {
        if self.allow_private || self.exceptions.contains(&address) {
            return Ok(());
        }
        let special = match address {
            IpAddr::V4(address) => special_v4(address),
            IpAddr::V6(address) => special_v6(address),
        };
        special.map_or(Ok(()), Err)
    }
}

/// What is special about an address: the registry of RFC 6890, as of 2025, of what is not reached from everywhere.
fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    const BLOCKS: [(u32, u32, &str); 15] = [
        block4([0, 0, 0, 0], 8, "an unspecified address"),
        block4([10, 0, 0, 0], 8, PRIVATE),
        block4([100, 64, 0, 0], 10, "an address inside a provider's network"),
        block4([127, 0, 0, 0], 8, LOOPBACK),
        block4([169, 254, 0, 0], 16, LINK_LOCAL),
        block4([172, 16, 0, 0], 12, PRIVATE),
        block4([192, 0, 0, 0], 24, RESERVED),
        block4([192, 0, 2, 0], 24, DOCUMENTATION),
        block4([192, 88, 99, 0], 24, RESERVED),
        block4([192, 168, 0, 0], 16, PRIVATE),
        block4([198, 18, 0, 0], 15, "an address for benchmarks"),
        block4([198, 51, 100, 0], 24, DOCUMENTATION),
        block4([203, 0, 113, 0], 24, DOCUMENTATION),
        block4([224, 0, 0, 0], 4, MULTICAST),
        block4([240, 0, 0, 0], 4, RESERVED),
    ];
    let bits = address.to_bits();
    let found = BLOCKS.iter().find(|(first, mask, _)| bits & mask == *first);
    found.map(|(_, _, what)| *what)
}

/// Of IPv6 only the global unicast block is in use, and parts of that are special too. Where an IPv4 address is written
/// into one of IPv6, that one counts.
fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    const GLOBAL: (u128, u128, &str) = block6([0x2000, 0], 3, "");
    const BLOCKS: [(u128, u128, &str); 9] = [
        block6([0xfc00, 0], 7, PRIVATE),
        block6([0xfe80, 0], 10, LINK_LOCAL),
        block6([0xfec0, 0], 10, PRIVATE),
        block6([0xff00, 0], 8, MULTICAST),
        // Teredo and other assignments that are no hosts.
        block6([0x2001, 0], 23, RESERVED),
        block6([0x2001, 0x0db8], 32, DOCUMENTATION),
        block6([0x3fff, 0], 20, DOCUMENTATION),
        block6([0x5f00, 0], 16, RESERVED),
        block6([0x0100, 0], 64, RESERVED),
    ];
    if address.is_loopback() {
        return Some(LOOPBACK);
    }
    if let Some(inner) = embedded(address) {
        return special_v4(inner);
    }
    let within = |(first, mask, _): &(u128, u128, &str)| address.to_bits() & mask == *first;
    let found = BLOCKS.iter().find(|block| within(block));
    let outside = (!within(&GLOBAL)).then_some(RESERVED);
    found.map(|(_, _, what)| *what).or(outside)
}

/// The IPv4 address in one of IPv6: mapped (`::ffff:0:0/96`), compatible (`::/96`), translated (`64:ff9b::/96`, and
/// `::ffff:0:0:0/96`) or tunnelled (`2002::/16`).
const fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let (high, low) = match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => (high, low),
        _ => return None,
    };
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    Some(Ipv4Addr::new(a, b, c, d))
}

const LOOPBACK: &str = "a loopback address";
const PRIVATE: &str = "a private address";
const LINK_LOCAL: &str = "a link-local address";
const DOCUMENTATION: &str = "an address for documentation";
const MULTICAST: &str = "a multicast address";
const RESERVED: &str = "a reserved address";

const fn block4(first: [u8; 4], bits: u32, what: &'static str) -> (u32, u32, &'static str) {
    (u32::from_be_bytes(first), u32::MAX << (32 - bits), what)
}

const fn block6(first: [u16; 2], bits: u32, what: &'static str) -> (u128, u128, &'static str) {
    let [a, b] = first;
    let first = Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0);
    (first.to_bits(), u128::MAX << (128 - bits), what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str) -> Result<(), &'static str> {
        Guard::new(false, Vec::new()).check(address.parse().unwrap())
    }

    #[test]
    fn servers_have_public_addresses() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00::1",
            "2001:200::1",
            "64:ff9b::101:101",
            "::ffff:1.1.1.1",
            "2002:101:101::1",
            "3fff:1000::1",
        ] {
            assert_eq!(check(address), Ok(()), "{address}");
        }
    }

    #[test]
    fn others_are_refused_however_they_are_written() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::2",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:c0a8:101::1",
            "3fff::1",
            "5f00::1",
            "4000::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(check(address).is_err(), "{address}");
            assert_eq!(
                Guard::new(true, Vec::new()).check(address.parse().unwrap()),
                Ok(()),
                "{address}"
            );
        }
        assert_eq!(check("127.0.0.1"), Err(LOOPBACK));
        assert_eq!(check("::ffff:192.168.0.1"), Err(PRIVATE));
    }
}
