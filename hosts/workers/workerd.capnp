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
    # Strangers name the servers that are asked: none of them leads to this machine's own network. For a private federation,
    # allow "private" as well, and name its authorities: tlsOptions = (trustedCertificates = [embed "authority.pem"]).
    (name = "internet", network = (allow = ["public"], tlsOptions = (trustBrowserCas = true))),
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
    (name = "DESTINATION", durableObjectNamespace = "DestinationShard"),
    (name = "SERVER", durableObjectNamespace = "ServerShard"),
    (name = "SELVAGE_SERVER_NAME", fromEnvironment = "SELVAGE_SERVER_NAME"),
    (name = "SELVAGE_SHARDS", fromEnvironment = "SELVAGE_SHARDS"),
    (name = "SELVAGE_REGISTRATION", fromEnvironment = "SELVAGE_REGISTRATION"),
    (name = "SELVAGE_REGISTRATION_SHARED_SECRET", fromEnvironment = "SELVAGE_REGISTRATION_SHARED_SECRET"),
    (name = "SELVAGE_DEFAULT_ROOM_VERSION", fromEnvironment = "SELVAGE_DEFAULT_ROOM_VERSION"),
    (name = "SELVAGE_RATE_LIMITS", fromEnvironment = "SELVAGE_RATE_LIMITS"),
    (name = "SELVAGE_PASSWORD_HASH_MEMORY", fromEnvironment = "SELVAGE_PASSWORD_HASH_MEMORY"),
    (name = "SELVAGE_PUBLIC_BASE_URL", fromEnvironment = "SELVAGE_PUBLIC_BASE_URL"),
    (name = "SELVAGE_FEDERATION_ADDRESS", fromEnvironment = "SELVAGE_FEDERATION_ADDRESS"),
    (name = "SELVAGE_DNS_OVER_HTTPS", fromEnvironment = "SELVAGE_DNS_OVER_HTTPS"),
    (name = "SELVAGE_FEDERATION_ALLOW", fromEnvironment = "SELVAGE_FEDERATION_ALLOW"),
    (name = "SELVAGE_FEDERATION_DENY", fromEnvironment = "SELVAGE_FEDERATION_DENY"),
    (name = "SELVAGE_FEDERATION_TRUSTED_NOTARY", fromEnvironment = "SELVAGE_FEDERATION_TRUSTED_NOTARY"),
    (name = "SELVAGE_FEDERATION_RETRY_MIN", fromEnvironment = "SELVAGE_FEDERATION_RETRY_MIN"),
    (name = "SELVAGE_FEDERATION_RETRY_MAX", fromEnvironment = "SELVAGE_FEDERATION_RETRY_MAX"),
    (name = "SELVAGE_SUPPORT_MATRIX_ID", fromEnvironment = "SELVAGE_SUPPORT_MATRIX_ID"),
    (name = "SELVAGE_SUPPORT_EMAIL", fromEnvironment = "SELVAGE_SUPPORT_EMAIL"),
    (name = "SELVAGE_SUPPORT_PAGE", fromEnvironment = "SELVAGE_SUPPORT_PAGE"),
    (name = "SELVAGE_COUNTS", fromEnvironment = "SELVAGE_COUNTS"),
  ],
  durableObjectNamespaces = [
    (className = "RoomShard", uniqueKey = "room", enableSql = true),
    (className = "UserShard", uniqueKey = "user", enableSql = true),
    (className = "DestinationShard", uniqueKey = "destination", enableSql = true),
    (className = "ServerShard", uniqueKey = "server", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "disk"),
  globalOutbound = "internet",
);
