// What a PartyKit server is given, as far as the page about PartyKit uses it, in memory: the server of
// `chat.mjs` gets the messages that standard input lists, and what each connection hears is printed.
import { readFileSync } from "node:fs";

const Server = (await import(process.argv[2])).default;
const steps = JSON.parse(readFileSync(0, "utf8"));
const stored = new Map();
const connections = new Map();
const heard = {};

const room = {
  id: "lobby",
  storage: { get: async (key) => stored.get(key), put: async (key, value) => void stored.set(key, value) },
  broadcast: (text, without = []) => {
    for (const [id, connection] of connections) if (!without.includes(id)) connection.send(text);
  },
};

const server = new Server(room);
for (const [id, message] of steps) {
  if (!connections.has(id)) {
    heard[id] = [];
    connections.set(id, { id, send: (text) => heard[id].push(JSON.parse(text)) });
    await server.onConnect(connections.get(id), {});
  }
  if (message !== null) await server.onMessage(message, connections.get(id));
}
console.log(JSON.stringify({ heard, stored: await (await server.onRequest({})).json() }));
