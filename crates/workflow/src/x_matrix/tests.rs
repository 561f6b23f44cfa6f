//! spec: `server-server-api §request-authentication`

use std::collections::BTreeMap;

use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};
use selvage_event::{ServerName, SigningKey};
use serde_json::value::RawValue;

use super::*;

fn headers(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(AUTHORIZATION, value.parse().unwrap());
    }
    headers
}

/// Origin, destination, and the signatures by key.
type Read = (String, Option<String>, Vec<(String, String)>);

fn read(values: &[&str]) -> Result<Read, XMatrixError> {
    XMatrix::from_headers(&headers(values)).map(|read| {
        let destination = read.destination.map(|name| name.to_string());
        (
            read.origin.to_string(),
            destination,
            read.signatures.into_iter().collect(),
        )
    })
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    let pair = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
    all.iter().map(pair).collect()
}

#[test]
fn headers_are_read_however_they_are_written() {
    let whole = Ok((
        "a.org:8448".to_owned(),
        Some("b.org".to_owned()),
        pairs(&[("ed25519:1", "x+/=")]),
    ));
    for header in [
        r#"X-Matrix origin="a.org:8448",destination="b.org",key="ed25519:1",sig="x+/=""#,
        "X-Matrix origin=a.org:8448,destination=b.org,key=ed25519:1,sig=x+/=",
        r#"x-matrix  Origin = "a.org:8448" , DESTINATION="b.org",	key=ed25519:1,sig="x+/=","#,
        r#"X-Matrix unknown="a,b=c",origin=a.org:8448,destination=b.org,key="ed25519:\1",sig="x+/=""#,
    ] {
        assert_eq!(read(&[header]), whole, "{header}");
    }
    let old = read(&["X-Matrix origin=a.org,key=ed25519:1,sig=x"]).unwrap();
    assert_eq!(old.1, None);
}

#[test]
fn there_may_be_one_for_each_key() {
    let one = "X-Matrix origin=a.org,key=ed25519:1,sig=x";
    let two = "X-Matrix origin=a.org,key=ed25519:2,sig=y";
    let read_both = read(&["Bearer abc", one, two]).unwrap();
    assert_eq!(read_both.2, pairs(&[("ed25519:1", "x"), ("ed25519:2", "y")]));
    for other in [
        "X-Matrix origin=b.org,key=ed25519:2,sig=y",
        "X-Matrix origin=a.org,destination=c.org,key=ed25519:2,sig=y",
    ] {
        assert_eq!(read(&[one, other]), Err(XMatrixError::Contradictory));
    }
}

#[test]
fn what_says_nothing_is_refused() {
    assert_eq!(read(&[]), Err(XMatrixError::Missing));
    assert_eq!(read(&["Bearer abc"]), Err(XMatrixError::Missing));
    for header in [
        "X-Matrix",
        "X-Matrix ",
        "X-Matrix nonsense",
        "X-Matrix origin=a.org,key=ed25519:1",
        "X-Matrix origin=a.org,sig=x",
        "X-Matrix key=ed25519:1,sig=x",
        "X-Matrix origin=a b,key=ed25519:1,sig=x",
        "X-Matrix origin=,key=ed25519:1,sig=x",
        "X-Matrix origin=a.org,origin=b.org,key=ed25519:1,sig=x",
        r#"X-Matrix origin="a.org,key=ed25519:1,sig=x"#,
        r#"X-Matrix origin="a.org"b,key=ed25519:1,sig=x"#,
        "X-Matrix origin=a.org,destination=!,key=ed25519:1,sig=x",
    ] {
        assert_eq!(read(&[header]), Err(XMatrixError::Malformed), "{header}");
    }
}

struct Scene {
    key: SigningKey,
    us: ServerName,
    them: ServerName,
}

impl Scene {
    fn new() -> Self {
        Self {
            key: SigningKey::from_seed("ed25519:1", &[7; 32]).unwrap(),
            us: ServerName::parse("us.org").unwrap(),
            them: ServerName::parse("them.org").unwrap(),
        }
    }

    fn claim(&self, uri: &str, body: Option<&str>) -> XMatrix {
        let signed = Signed::new(&Method::PUT, uri, &self.them, &self.us, body);
        let header = signed.header(&self.key, &self.them, &self.us).unwrap();
        XMatrix::from_headers(&headers(&[header.to_str().unwrap()])).unwrap()
    }

    fn keys(&self) -> BTreeMap<String, selvage_event::PublicKey> {
        BTreeMap::from([("ed25519:1".to_owned(), self.key.public_key(0))])
    }
}

#[test]
fn a_signature_is_good_for_one_request() {
    let scene = Scene::new();
    let claim = scene.claim("/a?b=%2F", Some("{\"c\":1}"));
    let good = |method: &Method, uri: &str, origin: &ServerName, destination: &ServerName, body| {
        Signed::new(method, uri, origin, destination, body).is_by(&claim, &scene.keys())
    };
    let (us, them) = (&scene.us, &scene.them);
    let body = Some("{\"c\":1}");
    assert!(good(&Method::PUT, "/a?b=%2F", them, us, body));
    assert!(!good(&Method::POST, "/a?b=%2F", them, us, body));
    assert!(!good(&Method::PUT, "/a?b=/", them, us, body));
    assert!(!good(&Method::PUT, "/a", them, us, body));
    assert!(!good(&Method::PUT, "/a?b=%2F", us, us, body));
    assert!(!good(&Method::PUT, "/a?b=%2F", them, them, body));
    assert!(!good(&Method::PUT, "/a?b=%2F", them, us, Some("{\"c\":2}")));
    assert!(!good(&Method::PUT, "/a?b=%2F", them, us, None));
}

#[test]
fn unknown_keys_are_passed_over_and_wrong_signatures_are_not() {
    let scene = Scene::new();
    let signed = Signed::new(&Method::PUT, "/a", &scene.them, &scene.us, None);
    let good = scene.claim("/a", None);
    let with = |key_id: &str| {
        let mut claim = good.clone();
        claim.signatures.insert(key_id.to_owned(), "AAAA".to_owned());
        claim
    };
    assert!(signed.is_by(&with("ed25519:unknown"), &scene.keys()));
    assert!(!signed.is_by(&with("ed25519:1"), &scene.keys()));
    assert!(!signed.is_by(&good, &BTreeMap::new()));
}

/// The form that is signed is the canonical one of an object, whatever the order of its members.
#[test]
fn what_is_signed_is_canonical() {
    let scene = Scene::new();
    let text = |body: Option<&str>| Signed::new(&Method::PUT, "/é\"", &scene.them, &scene.us, body).0;
    for body in [None, Some("{}")] {
        let object = selvage_event::canonical::parse_object(text(body).as_bytes()).unwrap();
        assert_eq!(
            selvage_event::canonical::to_canonical(&object).unwrap(),
            text(body)
        );
    }
}

fn canonical(text: &str) -> Result<String, NoCanonicalForm> {
    let raw: Box<RawValue> = serde_json::from_str(text).unwrap();
    canonical_body(&raw)
}

#[test]
fn bodies_have_one_form() {
    let body = r#" { "b" : [ 1 , {"d":2,"c":"\u00e9\u0001"} ], "a": 1.50, "a": 0.1, "\u00e9": null } "#;
    assert_eq!(
        canonical(body).unwrap(),
        "{\"a\":0.1,\"b\":[1,{\"c\":\"é\\u0001\",\"d\":2}],\"é\":null}"
    );
    assert_eq!(canonical("{}").unwrap(), "{}");
    assert!(canonical("[]").is_err());
    assert!(canonical("1").is_err());
}

/// A transaction may be large, its events may not.
#[test]
fn large_bodies_are_lists_of_what_is_small() {
    let event = format!("{{\"b\":\"{}\",\"a\":1}}", "x".repeat(60_000));
    let many = format!("{{\"pdus\":[{}]}}", vec![event.as_str(); 50].join(","));
    let form = canonical(&many).unwrap();
    assert_eq!(form.len(), many.len());
    assert!(form.starts_with("{\"pdus\":[{\"a\":1,\"b\":\"x"));
    let large = "x".repeat(400_001);
    for body in [
        format!("{{\"a\":\"{large}\"}}"),
        format!("{{\"a\":[\"{large}\"]}}"),
        format!("{{\"a\":{{\"b\":\"{large}\"}}}}"),
        format!(
            "{{{}}}",
            (0..65)
                .map(|n| format!("\"{n}\":0"))
                .collect::<Vec<_>>()
                .join(",")
        ),
    ] {
        assert!(canonical(&body).is_err());
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(130), "]".repeat(130));
    assert!(serde_json::from_str::<Box<RawValue>>(&deep).map_or(true, |raw| canonical_body(&raw).is_err()));
}
