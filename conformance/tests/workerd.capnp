# The Worker with probes, for the conformance suite. Written into the bundle's directory, beside the modules.

using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "disk", disk = (path = "state", writable = true)),
    # All of the web is one server, whose address a test gives: it reads of requests where they go.
    (name = "internet", external = (address = "127.0.0.1:9", http = ())),
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
    (name = "PROBE", durableObjectNamespace = "ProbeShard"),
    (name = "ROOM", durableObjectNamespace = "RoomShard"),
    (name = "DESTINATION", durableObjectNamespace = "DestinationShard"),
    (name = "SERVER", durableObjectNamespace = "ServerShard"),
    (name = "SELVAGE_SERVER_NAME", text = "conformance.test"),
    (name = "SELVAGE_SHARDS", text = "4"),
    (name = "SELVAGE_COUNTS", text = "on"),
    (name = "SELVAGE_DNS_OVER_HTTPS", text = "off"),
    (name = "SELVAGE_FEDERATION_DENY", text = "denied.test"),
  ],
  durableObjectNamespaces = [
    (className = "ProbeShard", uniqueKey = "probe", enableSql = true),
    (className = "RoomShard", uniqueKey = "room", enableSql = true),
    (className = "DestinationShard", uniqueKey = "destination", enableSql = true),
    (className = "ServerShard", uniqueKey = "server", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "disk"),
  globalOutbound = "internet",
);
