//! The table of endpoints: what each asks for, and what a good answer holds.

use selvage_e2e::api::{percent, room_path, unique};
use serde_json::{Value, json};

use crate::scene::Scene;

/// What a stranger to the room, or another user, is told.
#[derive(Clone, Copy)]
pub(crate) enum Stranger {
    /// It does not depend on who asks.
    Welcome,
    /// 403 `M_FORBIDDEN`.
    Forbidden,
    /// Any of 200, 403, 404: the specification does not say, and it changes nothing for others.
    Ignored,
}

/// One endpoint, used rightly.
pub(crate) struct Endpoint {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    /// Whether it asks for an access token.
    pub(crate) token: bool,
    pub(crate) stranger: Stranger,
    /// JSON pointers that a good answer has.
    pub(crate) answers: &'static [&'static str],
    /// Bodies that are JSON and of the wrong shape.
    pub(crate) wrong: Vec<Value>,
    /// Bodies of the right shape that lack something or name something impossible.
    pub(crate) lacking: Vec<Value>,
}

fn get(path: impl Into<String>) -> Endpoint {
    Endpoint {
        method: "GET",
        path: path.into(),
        body: None,
        token: true,
        stranger: Stranger::Welcome,
        answers: &[],
        wrong: Vec::new(),
        lacking: Vec::new(),
    }
}

fn post(path: impl Into<String>, body: Value) -> Endpoint {
    // No endpoint takes anything but an object.
    let wrong = vec![json!([]), json!("text"), json!(5), json!(null)];
    Endpoint {
        method: "POST",
        body: Some(body),
        wrong,
        ..get(path)
    }
}

fn put(path: impl Into<String>, body: Value) -> Endpoint {
    Endpoint {
        method: "PUT",
        ..post(path, body)
    }
}

impl Endpoint {
    fn open(self) -> Endpoint {
        Endpoint { token: false, ..self }
    }

    fn members_only(self) -> Endpoint {
        Endpoint {
            stranger: Stranger::Forbidden,
            ..self
        }
    }

    fn answers(self, answers: &'static [&'static str]) -> Endpoint {
        Endpoint { answers, ..self }
    }

    fn wrong(mut self, bodies: &[Value]) -> Endpoint {
        self.wrong.extend_from_slice(bodies);
        self
    }

    fn lacking(mut self, bodies: &[Value]) -> Endpoint {
        self.lacking.extend_from_slice(bodies);
        self
    }

    /// Its name in a failure.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// All endpoints, as Alice would use them. Each may be used once and in this order.
pub(crate) fn endpoints(scene: &Scene) -> Vec<Endpoint> {
    let mut all = account(scene);
    all.extend(user_data(scene));
    all.extend(rooms(scene));
    all.extend(ephemeral(scene));
    all
}

fn account(scene: &Scene) -> Vec<Endpoint> {
    let password = scene.alice.password.as_str();
    let identifier = json!({"type": "m.id.user", "user": scene.alice.localpart()});
    let login = json!({"type": "m.login.password", "identifier": identifier, "password": password});
    vec![
        get("/_matrix/client/versions").open().answers(&["/versions/0"]),
        get("/_matrix/client/v3/capabilities").answers(&[
            "/capabilities/m.room_versions/default",
            "/capabilities/m.room_versions/available",
        ]),
        get("/_matrix/client/v3/login").open().answers(&["/flows/0/type"]),
        post("/_matrix/client/v3/login", login)
            .open()
            .answers(&["/access_token", "/device_id", "/user_id"])
            .wrong(&[
                json!({"type": 5}),
                json!({"type": "m.login.password", "identifier": 5, "password": "x"}),
            ]),
        get("/_matrix/client/v3/account/whoami").answers(&["/user_id", "/device_id"]),
    ]
}

fn user_data(scene: &Scene) -> Vec<Endpoint> {
    let user = percent(&scene.alice.user_id);
    let room = percent(&scene.room_id);
    let of_user = |rest: &str| format!("/_matrix/client/v3/user/{user}/{rest}");
    let profile = |rest: &str| format!("/_matrix/client/v3/profile/{user}{rest}");
    let filter = json!({"room": {"timeline": {"limit": 5}}});
    let stored = scene.alice.post(&of_user("filter"), &filter).string("/filter_id");
    let wrong_filters = [
        json!({"room": 5}),
        json!({"room": {"timeline": {"limit": "ten"}}}),
        json!({"event_fields": "x"}),
    ];
    vec![
        put(profile("/displayname"), json!({"displayname": "Alice"}))
            .members_only()
            .wrong(&[json!({"displayname": 5})]),
        get(profile("/displayname")).open().answers(&["/displayname"]),
        put(profile("/avatar_url"), json!({"avatar_url": "mxc://localhost/a"}))
            .members_only()
            .wrong(&[json!({"avatar_url": {}})]),
        get(profile("/avatar_url")).open().answers(&["/avatar_url"]),
        get(profile("")).open().answers(&["/displayname", "/avatar_url"]),
        post(of_user("filter"), filter)
            .members_only()
            .answers(&["/filter_id"])
            .wrong(&wrong_filters),
        get(of_user(&format!("filter/{stored}")))
            .members_only()
            .answers(&["/room/timeline/limit"]),
        put(of_user("account_data/org.example.note"), json!({"note": 1})).members_only(),
        get(of_user("account_data/org.example.note"))
            .members_only()
            .answers(&["/note"]),
        put(
            of_user(&format!("rooms/{room}/account_data/org.example.note")),
            json!({"note": 2}),
        )
        .members_only(),
        get(of_user(&format!("rooms/{room}/account_data/org.example.note")))
            .members_only()
            .answers(&["/note"]),
        get("/_matrix/client/v3/pushrules/")
            .answers(&["/global/override/0/rule_id", "/global/underride/0/rule_id"]),
        get("/_matrix/client/v3/pushrules/global/").answers(&["/override/0/rule_id"]),
    ]
}

fn rooms(scene: &Scene) -> Vec<Endpoint> {
    let in_room = |rest: &str| room_path(&scene.room_id, rest);
    let text = json!({"msgtype": "m.text", "body": "hello"});
    let wrong_rooms = [
        json!({"preset": 5}),
        json!({"invite": "@bob:localhost"}),
        json!({"initial_state": {}}),
        json!({"creation_content": []}),
        json!({"name": 5}),
    ];
    vec![
        post("/_matrix/client/v3/createRoom", json!({}))
            .answers(&["/room_id"])
            .wrong(&wrong_rooms),
        post(in_room("invite"), json!({"user_id": "@carol:localhost"}))
            .members_only()
            .wrong(&[json!({"user_id": 5})])
            .lacking(&[json!({}), json!({"user_id": "carol"})]),
        post(in_room("join"), json!({}))
            .members_only()
            .answers(&["/room_id"]),
        post(
            format!("/_matrix/client/v3/join/{}", percent(&scene.room_id)),
            json!({}),
        )
        .members_only()
        .answers(&["/room_id"]),
        put(in_room(&format!("send/m.room.message/{}", unique("t"))), text)
            .members_only()
            .answers(&["/event_id"]),
        put(in_room("state/org.example.flag/key"), json!({"on": true}))
            .members_only()
            .answers(&["/event_id"]),
        put(in_room("state/org.example.flag"), json!({"on": true}))
            .members_only()
            .answers(&["/event_id"]),
        get(in_room("state/org.example.flag/key"))
            .members_only()
            .answers(&["/on"]),
        get(in_room("state/org.example.flag"))
            .members_only()
            .answers(&["/on"]),
        get(in_room("state/m.room.name/"))
            .members_only()
            .answers(&["/name"]),
        get(in_room("state"))
            .members_only()
            .answers(&["/0/event_id", "/0/state_key", "/0/origin_server_ts"]),
        get(in_room("members"))
            .members_only()
            .answers(&["/chunk/0/state_key", "/chunk/1/state_key"]),
        get(in_room("joined_members"))
            .members_only()
            .answers(&["/joined"]),
        get(in_room("messages?dir=b&limit=2")).members_only().answers(&[
            "/start",
            "/end",
            "/chunk/1/event_id",
        ]),
        get("/_matrix/client/v3/joined_rooms").answers(&["/joined_rooms/0"]),
        get("/_matrix/client/v3/sync?timeout=0").answers(&["/next_batch", "/rooms/join"]),
    ]
}

fn ephemeral(scene: &Scene) -> Vec<Endpoint> {
    let in_room = |rest: &str| room_path(&scene.room_id, rest);
    let event = percent(&scene.event_id);
    let typing = in_room(&format!("typing/{}", percent(&scene.alice.user_id)));
    vec![
        post(in_room(&format!("receipt/m.read/{event}")), json!({})).members_only(),
        Endpoint {
            stranger: Stranger::Ignored,
            ..post(in_room("read_markers"), json!({"m.fully_read": scene.event_id}))
        },
        put(typing, json!({"typing": true, "timeout": 1000}))
            .members_only()
            .wrong(&[json!({"typing": "yes"})])
            .lacking(&[json!({})]),
        post(in_room("leave"), json!({})).members_only(),
    ]
}
