# The worker that interprets programs under workerd. `storage` is given on the command line.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "storage", disk = (path = "/nonexistent", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [
    (name = "driver.mjs", esModule = embed "driver.mjs"),
    (name = "interpreter.mjs", esModule = embed "interpreter.mjs"),
    (name = "turnstile.mjs", esModule = embed "turnstile.mjs"),
  ],
  compatibilityDate = "2026-11-17",
  # For `workerd:unsafe`, which evicts an object at once.
  compatibilityFlags = ["unsafe_module", "experimental"],
  bindings = [(name = "OBJECT", durableObjectNamespace = "Interpreter")],
  durableObjectNamespaces = [
    (className = "Interpreter", uniqueKey = "interpreter", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "storage"),
);
