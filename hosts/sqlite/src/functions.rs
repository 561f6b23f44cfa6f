//! The SQL functions that object code may call: what Durable Objects have, less what reads a clock or makes random values,
//! since time and randomness come with the turn.

/// Sorted, so that a binary search finds a name.
const ALLOWED: &[&str] = &[
    "->", "->>", "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "avg", "bm25", "ceil",
    "ceiling", "changes", "char", "coalesce", "concat", "concat_ws", "cos", "cosh", "count", "cume_dist",
    "degrees", "dense_rank", "exp", "first_value", "floor", "format", "fts5", "glob", "group_concat", "hex",
    "highlight", "ifnull", "iif", "instr", "json", "json_array", "json_array_length", "json_each",
    "json_extract", "json_group_array", "json_group_object", "json_insert", "json_object", "json_patch",
    "json_quote", "json_remove", "json_replace", "json_set", "json_tree", "json_type", "json_valid", "jsonb",
    "jsonb_array", "jsonb_each", "jsonb_extract", "jsonb_group_array", "jsonb_group_object", "jsonb_insert",
    "jsonb_object", "jsonb_patch", "jsonb_remove", "jsonb_replace", "jsonb_set", "jsonb_tree", "lag",
    "last_insert_rowid", "last_value", "lead", "length", "like", "likelihood", "likely", "ln", "lower",
    "ltrim", "match", "max", "min", "mod", "nth_value", "ntile", "nullif", "octet_length", "percent_rank",
    "pi", "pow", "power", "printf", "quote", "radians", "rank", "replace", "round", "row_number", "rtrim",
    "sign", "sin", "sinh", "snippet", "sqrt", "string_agg", "substr", "substring", "sum", "tan", "tanh",
    "total", "total_changes", "trim", "trunc", "typeof", "unhex", "unicode", "unlikely", "upper", "zeroblob",
];

pub(crate) fn allowed(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ALLOWED.binary_search(&name.as_str()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted() {
        assert!(ALLOWED.is_sorted());
    }

    #[test]
    fn names_are_found_in_either_case() {
        for (name, expected) in [("JSON_EACH", true), ("zeroblob", true), ("random", false), ("", false)] {
            assert_eq!(allowed(name), expected, "{name}");
        }
    }
}
