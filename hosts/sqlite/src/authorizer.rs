//! Refuses the statements that Durable Objects refuse.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use crate::functions;

/// The pragmas of Durable Objects, sorted.
const PRAGMAS: &[&str] = &[
    "case_sensitive_like",
    "data_version",
    "defer_foreign_keys",
    "foreign_key_check",
    "foreign_key_list",
    "foreign_keys",
    "ignore_check_constraints",
    "index_info",
    "index_list",
    "index_xinfo",
    "legacy_alter_table",
    "optimize",
    "page_size",
    "quick_check",
    "recursive_triggers",
    "reverse_unordered_selects",
    "table_info",
    "table_list",
    "table_xinfo",
];
/// The modules of virtual tables that can be made.
const MODULES: [&str; 4] = ["fts5", "fts5vocab", "rtree", "rtree_i32"];
/// Names that begin so are Cloudflare's own.
const RESERVED_PREFIX: &str = "_cf_";

/// While this is set, the statement at hand is the host's own and everything is allowed.
#[derive(Clone, Default)]
pub(crate) struct HostRuns(Arc<AtomicBool>);

impl HostRuns {
    /// Runs `work` with all statements allowed.
    pub(crate) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.store(true, Ordering::Relaxed);
        let result = work();
        self.0.store(false, Ordering::Relaxed);
        result
    }
}

/// Puts the authorizer in place. SQLite asks it while it prepares a statement, so cached ones cost nothing.
pub(crate) fn install(connection: &mut Connection, host: &HostRuns) -> rusqlite::Result<()> {
    let host = host.clone();
    connection.authorizer(Some(move |context: AuthContext<'_>| {
        if host.0.load(Ordering::Relaxed) || allowed(&context.action) {
            Authorization::Allow
        } else {
            Authorization::Deny
        }
    }))
}

fn allowed(action: &AuthAction<'_>) -> bool {
    use AuthAction as A;
    match action {
        A::Select | A::Recursive => true,
        A::Read { table_name, .. }
        | A::Insert { table_name }
        | A::Update { table_name, .. }
        | A::Delete { table_name }
        | A::CreateTable { table_name }
        | A::DropTable { table_name }
        | A::AlterTable { table_name, .. }
        | A::Analyze { table_name }
        | A::DropVtable { table_name, .. } => own(table_name),
        A::CreateIndex {
            index_name,
            table_name,
        }
        | A::DropIndex {
            index_name,
            table_name,
        } => own(index_name) && own(table_name),
        A::CreateTrigger {
            trigger_name,
            table_name,
        }
        | A::DropTrigger {
            trigger_name,
            table_name,
        } => own(trigger_name) && own(table_name),
        A::CreateView { view_name } | A::DropView { view_name } => own(view_name),
        A::Reindex { index_name } => own(index_name),
        A::CreateVtable {
            table_name,
            module_name,
        } => own(table_name) && MODULES.contains(&module_name.to_ascii_lowercase().as_str()),
        A::Function { function_name } => functions::allowed(function_name),
        A::Pragma { pragma_name, .. } => {
            let name = pragma_name.to_ascii_lowercase();
            PRAGMAS.binary_search(&name.as_str()).is_ok()
        }
        // Transactions, savepoints, ATTACH (which VACUUM is made of), temporary tables, and whatever is new.
        _ => false,
    }
}

fn own(name: &str) -> bool {
    !name
        .get(..RESERVED_PREFIX.len())
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case(RESERVED_PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pragmas_are_sorted() {
        assert!(PRAGMAS.is_sorted());
    }
}
