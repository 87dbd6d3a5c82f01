// The y-websocket server as it is published, on a free port of 127.0.0.1: it says which, as a line
// of JSON, and ends with its input.

import http from "node:http";
import WebSocket from "ws";
import { setupWSConnection } from "@y/websocket-server/utils";

const sockets = new WebSocket.Server({ noServer: true });
sockets.on("connection", (socket, request) => setupWSConnection(socket, request));

const server = http.createServer();
server.on("upgrade", (request, socket, head) =>
  sockets.handleUpgrade(request, socket, head, (opened) =>
    sockets.emit("connection", opened, request),
  ),
);
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));

process.stdin.resume();
process.stdin.on("end", () => process.exit());
