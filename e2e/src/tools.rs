//! Where the programs are that the tests start, and what to do when one is missing.
//!
//! Each is named by an environment variable; without it, it is looked for where a build or `cargo xtask setup` puts it.
//! A missing program fails the test: nothing is skipped silently.

use std::env;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace around this package")
        .to_owned()
}

/// The directory of the programs that `cargo xtask setup` installs (`SELVAGE_SETUP`).
pub fn setup() -> PathBuf {
    env::var_os("SELVAGE_SETUP").map_or_else(|| root().join(".setup"), PathBuf::from)
}

/// The native server (`SELVAGE_NATIVE_BIN`), by default the one built beside this test.
pub fn native() -> PathBuf {
    let built = env::current_exe()
        .ok()
        .and_then(|test| Some(test.parent()?.parent()?.join("selvage")));
    found(
        "SELVAGE_NATIVE_BIN",
        built.unwrap_or_default(),
        "build it: cargo build -p selvage",
    )
}

/// The directory of the built Worker (`SELVAGE_WORKER_DIST`).
pub fn worker_dist() -> PathBuf {
    let built = root().join("hosts/workers/dist");
    found("SELVAGE_WORKER_DIST", built, "build it: cargo xtask worker build")
}

/// `workerd`, the Workers runtime (`SELVAGE_WORKERD`).
pub fn workerd() -> PathBuf {
    let installed = setup().join("bin/workerd");
    found(
        "SELVAGE_WORKERD",
        installed,
        "install it: cargo xtask setup worker-tools",
    )
}

/// `wrangler`, the Workers development tool (`SELVAGE_WRANGLER`), a script for [`node`].
pub fn wrangler() -> PathBuf {
    let installed = setup().join("bin/wrangler");
    found(
        "SELVAGE_WRANGLER",
        installed,
        "install it: cargo xtask setup worker-tools",
    )
}

/// Node 22 or later (`SELVAGE_NODE`).
pub fn node() -> PathBuf {
    found(
        "SELVAGE_NODE",
        setup().join("bin/node"),
        "install it: cargo xtask setup worker-tools",
    )
}

/// A Python that has `drivers/python/requirements.txt` installed (`SELVAGE_PYTHON`).
pub fn python() -> PathBuf {
    found(
        "SELVAGE_PYTHON",
        setup().join("python/bin/python"),
        "install it: cargo xtask setup",
    )
}

/// A Python that has Synapse installed (`SELVAGE_SYNAPSE_PYTHON`).
pub fn synapse_python() -> PathBuf {
    found(
        "SELVAGE_SYNAPSE_PYTHON",
        setup().join("synapse/bin/python"),
        "install Synapse into a venv and name it",
    )
}

/// The script that drives matrix-nio.
pub fn python_driver() -> PathBuf {
    drivers().join("python/driver.py")
}

/// The script that drives matrix-js-sdk.
pub fn js_driver() -> PathBuf {
    let sdk = drivers().join("js/node_modules/matrix-js-sdk");
    assert!(
        sdk.exists(),
        "{} is missing; install it: cd e2e/drivers/js && npm ci",
        sdk.display()
    );
    drivers().join("js/driver.js")
}

fn drivers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("drivers")
}

fn found(variable: &str, default: PathBuf, remedy: &str) -> PathBuf {
    let path = env::var_os(variable).map_or(default, PathBuf::from);
    assert!(
        path.exists(),
        "{} is missing; {remedy}, or set {variable}",
        path.display()
    );
    path
}
