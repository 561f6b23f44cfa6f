//! Finds the Durable Object classes in the glue that wasm-bindgen writes.

/// The exported classes that answer `fetch`: the runtime needs each as an export of the entry module, and the
/// other exported classes (of streams and options) are none of its business.
pub(super) fn durable_objects(glue: &str) -> Vec<&str> {
    let bodies = glue.split("\nexport class ").skip(1);
    bodies
        .filter_map(|rest| class_name(rest).filter(|_| answers_fetch(rest)))
        .collect()
}

fn class_name(rest: &str) -> Option<&str> {
    rest.split_once(|end: char| !end.is_alphanumeric() && end != '_')
        .map(|(name, _)| name)
}

/// The class ends where a line is nothing but its closing brace.
fn answers_fetch(rest: &str) -> bool {
    rest.lines()
        .take_while(|line| *line != "}")
        .any(|line| line.trim_start().starts_with("fetch("))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GLUE: &str = "import x from './y';
//#region exports

export class RoomShard {
    free() {
    }
    fetch(req) {
        return wasm.roomshard_fetch(this.__wbg_ptr, req);
    }
}

export class MinifyConfig {
    free() {
    }
}

export class User {
    fetch(req) {
    }
}

export function fetch(req, env, ctx) {
}
";

    #[test]
    fn classes_that_answer_fetch_are_durable_objects() {
        assert_eq!(durable_objects(GLUE), ["RoomShard", "User"]);
    }

    #[test]
    fn a_function_after_the_last_class_is_not_in_it() {
        assert_eq!(
            durable_objects("\nexport class A {\n}\nexport function b() {\n    fetch(1);\n}\n"),
            [""; 0]
        );
    }
}
