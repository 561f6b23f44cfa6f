//! Reading a shard's database without changing it, to say what is wrong with it.

use serde_json::value::RawValue;

use crate::{Kind, ObjectKey, Registry, Sql, SqlFault, outbox, timers};

/// Reads what the turn loop keeps, and lets each kind of object read what it keeps. Returns what is wrong, a line each.
///
/// Nothing is written and nothing migrated, so this can look at data of any version.
///
/// # Errors
/// When the database cannot be read.
pub fn check(sql: &dyn Sql, registry: &Registry) -> Result<Vec<String>, SqlFault> {
    let own = [("outbox", outbox::SCHEMA.len()), ("timers", timers::SCHEMA.len())];
    let kinds = registry
        .iter()
        .map(|(kind, object)| (kind.name(), object.schema().len()));
    let known: Vec<(&str, usize)> = own.into_iter().chain(kinds).collect();
    let mut check = Check {
        sql,
        problems: Vec::new(),
    };
    check.versions(&known)?;
    check.objects()?;
    check.outbox()?;
    check.timers()?;
    for (_, object) in registry.iter() {
        check.problems.extend(object.check(sql)?);
    }
    Ok(check.problems)
}

struct Check<'a> {
    sql: &'a dyn Sql,
    problems: Vec<String>,
}

impl Check<'_> {
    fn versions(&mut self, known: &[(&str, usize)]) -> Result<(), SqlFault> {
        let problems = &mut self.problems;
        let select = "SELECT name, version FROM schema_versions";
        self.sql.run(select, &[], &mut |mut row| {
            let (name, version) = (row.text(0)?, row.number(1)?);
            match known.iter().find(|(known, _)| *known == name) {
                None => problems.push(format!("schema {name} is not known to this program")),
                Some((_, newest)) if version > *newest as u64 => problems.push(format!(
                    "schema {name} is at version {version}, this program knows {newest}"
                )),
                Some(_) => {}
            }
            Ok(())
        })?;
        Ok(())
    }

    fn objects(&mut self) -> Result<(), SqlFault> {
        let problems = &mut self.problems;
        let select = "SELECT object, kind FROM objects";
        self.sql.run(select, &[], &mut |row| {
            if Kind::from_number(row.integer(1)?).is_none() {
                problems.push(format!("object {} is of an unknown kind", row.integer(0)?));
            }
            Ok(())
        })?;
        Ok(())
    }

    fn outbox(&mut self) -> Result<(), SqlFault> {
        let problems = &mut self.problems;
        let select = "SELECT object, seq, recipients, message, \
                      EXISTS (SELECT 1 FROM objects WHERE objects.object = outbox.object) FROM outbox";
        self.sql.run(select, &[], &mut |mut row| {
            let readable = serde_json::from_str::<Vec<ObjectKey>>(&row.text(2)?).is_ok()
                && serde_json::from_str::<&RawValue>(&row.text(3)?).is_ok();
            if !readable || !row.flag(4)? {
                let (object, seq) = (row.integer(0)?, row.number(1)?);
                problems.push(format!("tell {seq} of object {object} cannot be delivered"));
            }
            Ok(())
        })?;
        self.count(
            "SELECT count(*) FROM dead_letters",
            "tells were given up and set aside",
        )
    }

    fn timers(&mut self) -> Result<(), SqlFault> {
        let orphans = "SELECT count(*) FROM timers WHERE object NOT IN (SELECT object FROM objects)";
        self.count(orphans, "timers belong to no object")
    }

    fn count(&mut self, select: &'static str, what: &str) -> Result<(), SqlFault> {
        let problems = &mut self.problems;
        self.sql.run(select, &[], &mut |row| {
            let count = row.number(0)?;
            if count > 0 {
                problems.push(format!("{count} {what}"));
            }
            Ok(())
        })?;
        Ok(())
    }
}
