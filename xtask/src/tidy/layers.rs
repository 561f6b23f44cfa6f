//! Dependencies point down only: what each package may know of the others.

use anyhow::Result;

use super::{Finding, tree::Package, tree::Tree};

/// A package and those that it may depend on.
struct Layer {
    package: &'static str,
    may: &'static [&'static str],
}

const EVENT: &str = "selvage-event";
const OBJECT: &str = "selvage-object";
const PROTOCOL: &str = "selvage-protocol";
const ROOM: &str = "selvage-room";
const USER: &str = "selvage-user";
const SERVER: &str = "selvage-server";
const DESTINATION: &str = "selvage-destination";
const DIRECTORY: &str = "selvage-directory";
const APPSERVICE: &str = "selvage-appservice";
const WORKFLOW: &str = "selvage-workflow";
const GATEWAY: &str = "selvage-gateway";
const SQLITE: &str = "selvage-sqlite";
const SIM: &str = "selvage-sim";
const CONFORMANCE: &str = "selvage-conformance";

/// The crates that run on both hosts, unchanged and without I/O. The gateway and the workflows are async and
/// are not among them.
pub(super) const CORE: [&str; 9] = [
    EVENT,
    OBJECT,
    PROTOCOL,
    ROOM,
    USER,
    SERVER,
    DESTINATION,
    DIRECTORY,
    APPSERVICE,
];

const BELOW_OBJECTS: &[&str] = &[EVENT, OBJECT, PROTOCOL];
const BELOW_GATEWAY: &[&str] = &[EVENT, OBJECT, PROTOCOL, WORKFLOW];
const BELOW_HOSTS: &[&str] = &[
    EVENT,
    OBJECT,
    PROTOCOL,
    ROOM,
    USER,
    SERVER,
    DESTINATION,
    DIRECTORY,
    APPSERVICE,
    WORKFLOW,
    GATEWAY,
    SQLITE,
    CONFORMANCE,
];

/// A package that is not here has no place yet, and that is a finding too.
const LAYERS: &[Layer] = &[
    Layer {
        package: EVENT,
        may: &[],
    },
    Layer {
        package: OBJECT,
        may: &[],
    },
    Layer {
        package: PROTOCOL,
        may: &[OBJECT],
    },
    Layer {
        package: ROOM,
        may: BELOW_OBJECTS,
    },
    Layer {
        package: USER,
        may: BELOW_OBJECTS,
    },
    Layer {
        package: SERVER,
        may: BELOW_OBJECTS,
    },
    Layer {
        package: DESTINATION,
        may: BELOW_OBJECTS,
    },
    Layer {
        package: DIRECTORY,
        may: BELOW_OBJECTS,
    },
    Layer {
        package: APPSERVICE,
        may: BELOW_OBJECTS,
    },
    Layer {
        package: WORKFLOW,
        may: BELOW_OBJECTS,
    },
    Layer {
        package: GATEWAY,
        may: BELOW_GATEWAY,
    },
    Layer {
        package: SQLITE,
        may: &[OBJECT],
    },
    // It holds a program that is the native host with probes, and what a host does with rooms is told by the simulator.
    Layer {
        package: CONFORMANCE,
        may: &[EVENT, OBJECT, PROTOCOL, ROOM, GATEWAY, "selvage", SIM],
    },
    Layer {
        package: "selvage",
        may: BELOW_HOSTS,
    },
    Layer {
        package: "selvage-workers",
        may: BELOW_HOSTS,
    },
    Layer {
        package: "selvage-sim",
        may: BELOW_HOSTS,
    },
    Layer {
        package: "selvage-network",
        may: &[EVENT, OBJECT, PROTOCOL, WORKFLOW, GATEWAY, SIM],
    },
    Layer {
        package: "selvage-e2e",
        may: &[],
    },
    Layer {
        package: "selvage-bench",
        may: &[],
    },
    Layer {
        package: "xtask",
        may: &[],
    },
    Layer {
        package: "xtask-bindgen",
        may: &[],
    },
];

/// What tests of any package may use besides: a real database, the simulator, and the suite that tests hosts.
const MAY_IN_TESTS: &[&str] = &[EVENT, OBJECT, PROTOCOL, SQLITE, CONFORMANCE, SIM];

/// Those that ask objects without knowing them; their tests ask real ones.
const ASKING: &[&str] = &[WORKFLOW, GATEWAY];

fn may(layer: &Layer, name: &str, dev: bool) -> bool {
    let in_tests = if ASKING.contains(&layer.package) {
        BELOW_HOSTS
    } else {
        MAY_IN_TESTS
    };
    layer.may.contains(&name) || (dev && in_tests.contains(&name))
}

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    Ok(tree.packages.iter().flat_map(check_package).collect())
}

fn check_package(package: &Package) -> Vec<Finding> {
    let Some(layer) = LAYERS.iter().find(|layer| layer.package == package.name) else {
        let message = "has no place in the layers: add it to `LAYERS` in xtask/src/tidy/layers.rs";
        return vec![Finding::new(&package.name, message)];
    };
    let broken = package
        .dependencies
        .iter()
        .filter(|dependency| !may(layer, &dependency.name, dependency.dev));
    broken
        .map(|dependency| Finding::new(&package.name, forbidden(layer, &dependency.name)))
        .collect()
}

fn forbidden(layer: &Layer, name: &str) -> String {
    let allowed = if layer.may.is_empty() {
        "none of them".to_owned()
    } else {
        layer.may.join(", ")
    };
    format!("depends on {name}; of the project's own packages it may depend on: {allowed}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::Dependency;

    fn package(name: &str, dependencies: &[(&str, bool)]) -> Package {
        let dependency = |&(name, dev): &(&str, bool)| Dependency {
            name: name.to_owned(),
            dev,
        };
        Package {
            name: name.to_owned(),
            dependencies: dependencies.iter().map(dependency).collect(),
            ..Package::default()
        }
    }

    #[test]
    fn down_is_allowed() {
        assert_eq!(
            check_package(&package(
                ROOM,
                &[(EVENT, false), (OBJECT, false), (PROTOCOL, false)]
            )),
            []
        );
        assert_eq!(
            check_package(&package("selvage", &[(GATEWAY, false), (ROOM, false)])),
            []
        );
    }

    #[test]
    fn up_and_sideways_are_not() {
        for (from, to) in [
            (EVENT, OBJECT),
            (ROOM, USER),
            (USER, GATEWAY),
            (GATEWAY, ROOM),
            (OBJECT, "selvage"),
        ] {
            let findings = check_package(&package(from, &[(to, false)]));
            assert_eq!(findings.len(), 1, "{from} -> {to}");
            assert!(
                findings.iter().all(|finding| finding.message.contains(to)),
                "{findings:?}"
            );
        }
    }

    #[test]
    fn tests_may_use_a_real_database_and_no_other_object() {
        assert_eq!(check_package(&package(ROOM, &[(SQLITE, true)])), []);
        assert_eq!(check_package(&package(ROOM, &[(SQLITE, false)])).len(), 1);
        assert_eq!(check_package(&package(ROOM, &[(USER, true)])).len(), 1);
    }

    #[test]
    fn tests_of_those_that_ask_objects_may_have_real_ones() {
        assert_eq!(
            check_package(&package(GATEWAY, &[(ROOM, true), (SQLITE, true)])),
            []
        );
        assert_eq!(check_package(&package(GATEWAY, &[(ROOM, false)])).len(), 1);
        assert_eq!(check_package(&package(GATEWAY, &[("selvage", true)])).len(), 1);
    }

    #[test]
    fn a_package_without_a_place_is_found() {
        assert_eq!(check_package(&package("selvage-new", &[])).len(), 1);
    }
}
