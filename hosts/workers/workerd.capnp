# The Worker under bare workerd, without an account at any provider: for tests, and to look at it.
#
#   mkdir -p state
#   SELVAGE_SERVER_NAME=localhost workerd serve workerd.capnp \
#     --socket-addr http=127.0.0.1:8787 --directory-path disk=state
#
# `cargo xtask worker build` copies this file beside the modules that it embeds. Variables come from the environment of the
# process. workerd calls its storage on disk experimental: a deployment runs on the platform, with wrangler.jsonc.

using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "disk", disk = (path = "state", writable = true)),
    (name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8787", http = (), service = "main")],
);

const main :Workerd.Worker = (
  modules = [
    (name = "index.js", esModule = embed "index.js"),
    (name = "./index_bg.wasm", wasm = embed "index_bg.wasm"),
  ],
  compatibilityDate = "2026-10-01",
  bindings = [
    (name = "ROOM", durableObjectNamespace = "RoomShard"),
    (name = "USER", durableObjectNamespace = "UserShard"),
    (name = "SERVER", durableObjectNamespace = "ServerShard"),
    (name = "SELVAGE_SERVER_NAME", fromEnvironment = "SELVAGE_SERVER_NAME"),
    (name = "SELVAGE_SHARDS", fromEnvironment = "SELVAGE_SHARDS"),
    (name = "SELVAGE_COUNTS", fromEnvironment = "SELVAGE_COUNTS"),
    (name = "SELVAGE_REGISTRATION", fromEnvironment = "SELVAGE_REGISTRATION"),
    (name = "SELVAGE_REGISTRATION_SHARED_SECRET", fromEnvironment = "SELVAGE_REGISTRATION_SHARED_SECRET"),
  ],
  durableObjectNamespaces = [
    (className = "RoomShard", uniqueKey = "room", enableSql = true),
    (className = "UserShard", uniqueKey = "user", enableSql = true),
    (className = "ServerShard", uniqueKey = "server", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "disk"),
  globalOutbound = "internet",
);
