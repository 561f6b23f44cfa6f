//! Push rules: the defaults, which cannot be changed yet. spec: `client-server-api §push-rules`

use http::Method;
use ruma::api::client::push::{get_pushrule, get_pushrules_all, get_pushrules_global_scope};
use ruma::push::Ruleset;
use serde_json::{Value, json};

use crate::call::{Call, answer};
use crate::router::{Answer, BODY_MAX_BYTES, Routes};
use crate::{ApiError, Host};

/// The type of the account data that carries them in a sync.
pub(super) const ACCOUNT_DATA: &str = "m.push_rules";

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    routes.on::<get_pushrules_all::v3::Request, _>(all);
    routes.at(Method::GET, "/_matrix/client/v3/pushrules", BODY_MAX_BYTES, all);
    routes.on::<get_pushrules_global_scope::v3::Request, _>(global);
    routes.on::<get_pushrule::v3::Request, _>(one);
}

/// The kinds of rules, in the order in which they are tried.
const KINDS: [&str; 5] = ["override", "content", "room", "sender", "underride"];

/// The rules of a user, as account data. Kinds without rules are there too: clients look into each.
pub(super) fn content(user_id: &str) -> Result<Value, ApiError> {
    let user = ruma::UserId::parse(user_id).map_err(ApiError::internal)?;
    let mut rules = serde_json::to_value(Ruleset::server_default(&user)).map_err(ApiError::internal)?;
    if let Some(rules) = rules.as_object_mut() {
        for kind in KINDS {
            rules.entry(kind).or_insert_with(|| json!([]));
        }
    }
    Ok(json!({ "global": rules }))
}

/// spec: `client-server-api §get_matrixclientv3pushrules`
async fn all<H: Host>(call: Call<H>) -> Answer {
    let session = call.session().await?;
    answer(&content(&session.user_id)?)
}

/// spec: `client-server-api §get_matrixclientv3pushrulesglobal`
async fn global<H: Host>(call: Call<H>) -> Answer {
    let session = call.session().await?;
    answer(content(&session.user_id)?.get("global").unwrap_or(&Value::Null))
}

/// spec: `client-server-api §get_matrixclientv3pushrulesglobalkindruleid`
async fn one<H: Host>(call: Call<H>) -> Answer {
    let session = call.session().await?;
    let rules = content(&session.user_id)?;
    let of_kind = rules
        .get("global")
        .and_then(|global| global.get(call.arg(0)))
        .and_then(Value::as_array);
    let named = |rule: &&Value| rule.get("rule_id").and_then(Value::as_str) == Some(call.arg(1));
    let rule = of_kind.and_then(|rules| rules.iter().find(named));
    answer(rule.ok_or_else(|| ApiError::not_found("there is no such push rule"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_the_order_of_the_spec() {
        let rules = content("@alice:example.org").unwrap();
        let ids = |kind: &str| -> Vec<String> {
            let rules = rules["global"][kind].as_array().unwrap();
            rules
                .iter()
                .map(|rule| rule["rule_id"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(
            ids("override")[..3],
            [
                ".m.rule.master",
                ".m.rule.suppress_notices",
                ".m.rule.invite_for_me"
            ]
        );
        assert_eq!(ids("underride")[0], ".m.rule.call");
        assert!(ids("underride").contains(&".m.rule.message".to_owned()));
        for kind in ["content", "room", "sender"] {
            assert_eq!(ids(kind), [""; 0], "{kind}");
        }
    }
}
