//! The compiler refuses to make an event's types but by the step before each, so that nothing can be stored that was not checked
//! and authorised. Each shortcut is given to the compiler beside a way that is open.

// Clippy knows only functions marked as tests for tests, not those they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// What the compiler says to a literal with private fields.
const PRIVATE: &str = "E0451";
/// What it says to a function that is not public.
const NOT_PUBLIC: &str = "E0624";
/// What it says to a type that is another.
const OTHER_TYPE: &str = "E0308";

/// The crate as it was built for this test: whichever build of it the compiler takes.
fn built(folder: &Path) -> PathBuf {
    let is_build = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libselvage_event-") && name.ends_with(".rlib")
    };
    let entries = std::fs::read_dir(folder).unwrap();
    let mut builds: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(is_build)
        .collect();
    builds.sort_by_key(|path| std::fs::metadata(path).unwrap().modified().unwrap());
    let open = "pub fn id(event: &AuthorisedEvent) -> &EventId { event.event().event_id() }";
    let takes = |path: &PathBuf| compile(folder, path, open).is_ok();
    let taken = builds.into_iter().rev().find(takes);
    taken.expect("an open way compiles with some build")
}

/// Compiles a few lines that use the crate; what the compiler says, when it refuses.
fn compile(folder: &Path, build: &Path, lines: &str) -> Result<(), String> {
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("one_way_in");
    std::fs::create_dir_all(&scratch).unwrap();
    let source = scratch.join("lib.rs");
    let text = format!("#![allow(dead_code, unused_imports)]\nuse selvage_event::*;\n{lines}\n");
    std::fs::write(&source, text).unwrap();
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(compiler)
        .args([
            "--edition=2024",
            "--crate-type=lib",
            "--crate-name=shortcut",
            "--emit=metadata",
        ])
        .arg("--out-dir")
        .arg(&scratch)
        .arg("-L")
        .arg(format!("dependency={}", folder.display()))
        .arg("--extern")
        .arg(format!("selvage_event={}", build.display()))
        .arg(&source)
        .output()
        .expect("the compiler runs");
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn the_compiler_refuses_every_shortcut() {
    let program = std::env::current_exe().unwrap();
    let folder = program.parent().unwrap();
    let build = built(folder);
    let shortcuts = [
        (
            "unchecked",
            PRIVATE,
            "fn f(event: Event) -> CheckedEvent { CheckedEvent { event, unsigned: Map::new(), was_redacted: false } }",
        ),
        (
            "not authorised",
            PRIVATE,
            "fn f(checked: CheckedEvent) -> AuthorisedEvent { AuthorisedEvent { checked } }",
        ),
        (
            "past the auth events",
            PRIVATE,
            "fn f(checked: CheckedEvent) -> ChainAuthorised { ChainAuthorised { checked } }",
        ),
        (
            "past the state before",
            PRIVATE,
            "fn f(checked: CheckedEvent) -> StateAuthorised { StateAuthorised { checked } }",
        ),
        (
            "as the past",
            PRIVATE,
            "fn f(checked: CheckedEvent) -> HistoricalEvent { HistoricalEvent { checked } }",
        ),
        (
            "as an outlier",
            PRIVATE,
            "fn f(checked: CheckedEvent) -> OutlierEvent { OutlierEvent { checked } }",
        ),
        (
            "as if verified",
            NOT_PUBLIC,
            "fn f(event: Event) -> CheckedEvent { CheckedEvent::verified(event, Map::new(), false) }",
        ),
        (
            "as if built here",
            NOT_PUBLIC,
            "fn f(text: String) { let _ = CheckedEvent::from_built(text, RoomVersion::V12); }",
        ),
        (
            "one for another",
            OTHER_TYPE,
            "fn f(outlier: ChainAuthorised) -> AuthorisedEvent { outlier }",
        ),
    ];
    for (what, code, lines) in shortcuts {
        let said = compile(folder, &build, lines).expect_err(what);
        assert!(said.contains(code), "{what}: {said}");
    }
}
